"""A track envelope: a block of its track, with its points taken apart once they are needed.

Points are kept in memory and written into the block when the project is saved or its chunk is read; a point nobody
changed keeps its line. Reading and writing is in the file's domain; `raw` values are in the API's. [b: two domains]
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.reaper_host.envelope_points import Point, read_point, value_at
from tests.reaper_host.fader_curve import from_mode, to_mode
from tests.reaper_host.rpp_text import Block, as_text, chunk, decimal, parse_chunk, words

if TYPE_CHECKING:
    from tests.reaper_host.track_state import Track

NAMES = {
    "VOLENV": "Volume (Pre-FX)",
    "VOLENV2": "Volume",
    "VOLENV3": "Trim Volume",
    "PANENV": "Pan (Pre-FX)",
    "PANENV2": "Pan",
    "WIDTHENV": "Width (Pre-FX)",
    "WIDTHENV2": "Width",
    "MUTEENV": "Mute",
}
"""Chunk names and what the API calls them. [b: N782, N779, SCD, USENV]"""
_LONG_DECIMAL = re.compile(r"-?\d*\.\d{9,}(?:[eE][-+]?\d+)?|-?\d+(?:\.\d+)?[eE][-+]?\d+")


class Envelope:
    """One envelope of a track."""

    def __init__(self, track: Track, block: Block) -> None:
        self.track, self.block = track, block
        self._points: list[Point] | None = None

    @property
    def kind(self) -> str:
        """Its chunk's name: ``VOLENV2`` is volume after the plug-ins."""
        return self.block.name

    @property
    def name(self) -> str:
        """Its name in the API."""
        return NAMES.get(self.kind, self.kind)

    @property
    def guid(self) -> str:
        """Its GUID, or nothing in files older than they are."""
        return self.block.word("EGUID", 0, "")

    @property
    def is_volume(self) -> bool:
        """Whether its values are gains."""
        return self.kind.startswith("VOLENV")

    @property
    def mode(self) -> int:
        """0 amplitude, 1 fader scaling; amplitude if the file does not specify it. [b: HDR, N762]"""
        return int(self.is_volume and self.block.number("VOLTYPE", 0, 0) == 1)

    @property
    def is_active(self) -> bool:
        """Whether it is heard (not bypassed)."""
        return self.block.number("ACT", 0, 1) != 0

    @property
    def points(self) -> list[Point]:
        """Its points, in the order they have now; sorting is the script's business. [b: HDR]"""
        if self._points is None:
            lines = [child for child in self.block.children if isinstance(child, bytes)]
            self._points = [
                read_point(words(line)[1:], as_text(line.strip()))
                for line in lines
                if line.split(None, 1)[:1] == [b"PT"]
            ]
        return self._points

    def sort(self) -> None:
        """Sort the points by time, keeping the order of equal times."""
        self.points.sort(key=lambda point: point.time)

    def raw_of(self, value: float) -> float:
        """Return a file value in the API's domain."""
        return to_mode(self.mode, value)

    def value_of(self, raw: float) -> float:
        """Return an API value in the file's domain."""
        return from_mode(self.mode, raw)

    def raw_at(self, time: float) -> float:
        """Return its value in the API's domain; without points that of the fader. [b: N779]"""
        if not self.points:
            return self.raw_of(self.track.volume if self.is_volume else 0.0)
        ordered = sorted(self.points, key=lambda point: point.time)
        return value_at(ordered, time, self.mode)

    def gain_at(self, time: float) -> float:
        """Return its value at a time, in the file's domain."""
        return self.value_of(self.raw_at(time))

    def count_items(self) -> int:
        """Return how many automation items lie on it. [b: SCD]"""
        return sum(1 for _ in self.block.lines("POOLEDENVINST"))

    def flush(self) -> None:
        """Write the points into the block."""
        if self._points is None:
            return
        old = [
            child for child in self.block.children if isinstance(child, bytes) and child.split(None, 1)[:1] == [b"PT"]
        ]
        new = [self.block.new_line(point.as_line()) for point in self._points]
        if [line.strip() for line in old] == [line.strip() for line in new]:
            return
        place = next((at for at, child in enumerate(self.block.children) if child in old), len(self.block.children))
        self.block.children = [child for child in self.block.children if child not in old]
        self.block.children[place:place] = new

    def get_chunk(self) -> str:
        """Return its state chunk."""
        self.flush()
        return chunk(self.block)

    def set_chunk(self, text: str) -> bool:
        """Replace it by a chunk; one of another kind, or none at all, is refused. [b: HDR; refusal from memory]"""
        try:
            new = parse_chunk(text, self.block.indent[:-2], self.block.line_end)
        except ValueError:
            return False
        if new.name != self.kind:
            return False
        new.children = [_rounded(child) if isinstance(child, bytes) else child for child in new.children]
        self.block.head, self.block.children, self.block.tail = new.head, new.children, new.tail
        self._points = None
        self.sort()
        return True


def _rounded(line: bytes) -> bytes:
    """Return a line with its numbers as REAPER prints them: 8 decimals at most. [c: RPP:01]"""
    if line.split(None, 1)[:1] != [b"PT"]:
        return line
    return _LONG_DECIMAL.sub(lambda match: decimal(float(match[0])), line.decode()).encode()
