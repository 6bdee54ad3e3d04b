"""A track of a project: a view of its block, so that unchanged parts are saved byte for byte."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tests.reaper_host.envelope_state import NAMES, Envelope
from tests.reaper_host.media_items import MediaItem
from tests.reaper_host.rpp_text import Block, chunk, decimal, parse_chunk, quote, set_extension

if TYPE_CHECKING:
    from tests.reaper_host.project_state import Project

_NEW_ENVELOPE = """<{kind}
EGUID {guid}
ACT 1 -1
VIS 1 1 1
LANEHEIGHT 0 0
ARM 0
DEFSHAPE 0 -1 -1
{scaling}PT 0 {value} 0
>"""
"""The lines a new envelope has. [c: RPP:01, SCD, USENV]"""
_OLD_FOLDERS = {1: 1, 2: -1}


class Track:
    """One track."""

    def __init__(self, project: Project, block: Block) -> None:
        self.project, self.block = project, block
        self.dual_pan: dict[str, float] = {}
        self.items = [MediaItem(self, inner) for inner in block.blocks("ITEM")]
        self.envelopes = [Envelope(self, inner) for inner in block.blocks() if inner.name in NAMES]

    @property
    def index(self) -> int:
        """Its place in the project, from 0."""
        return self.project.tracks.index(self)

    @property
    def guid(self) -> str:
        """Its GUID."""
        head = self.block.head.split()
        return (
            head[1].decode()
            if len(head) > 1
            else self.block.word("TRACKID", 0, "{" + str(uuid.UUID(int=self.index + 1)).upper() + "}")
        )

    @property
    def name(self) -> str:
        """Its name, or nothing."""
        return self.block.word("NAME", 0, "")

    @name.setter
    def name(self, text: str) -> None:
        place = self.block.find("NAME")
        line = self.block.new_line(f"NAME {quote(text)}")
        if place is None:
            self.block.children.insert(0, line)
        else:
            self.block.children[place] = line

    @property
    def volume(self) -> float:
        """The fader, linear."""
        return self.block.number("VOLPAN", 0, 1.0)

    @property
    def pan(self) -> float:
        """The pan, -1 left to 1 right."""
        return self.block.number("VOLPAN", 1, 0.0)

    @property
    def is_selected(self) -> bool:
        """Whether it is selected."""
        return self.block.number("SEL", 0, 0) != 0

    @property
    def is_muted(self) -> bool:
        """Whether it is muted."""
        return self.block.number("MUTESOLO", 0, 0) != 0

    @property
    def solo(self) -> int:
        """0, 1 soloed, 2 soloed in place."""
        return int(self.block.number("MUTESOLO", 1, 0))

    @property
    def automation_mode(self) -> int:
        """0 trim/read, 1 read, 2 touch, 3 write, 4 latch, 5 latch preview."""
        return int(self.block.number("AUTOMODE", 0, 0))

    @property
    def folder_change(self) -> int:
        """1 a folder begins, 0 nothing, -n so many folders end. [c: SCD, HDR, RPP:03]"""
        words = self.block.line("ISBUS") or ["0", "0"]
        return int(words[1]) if len(words) > 1 else _OLD_FOLDERS.get(int(words[0]), 0)

    @property
    def is_flipped(self) -> bool:
        """Whether its polarity is inverted."""
        return self.block.number("IPHASE", 0, 0) != 0

    @property
    def defeats_solo(self) -> bool:
        """Whether it sounds as if soloed when another is. [HDR B_SOLO_DEFEAT]"""
        return self.block.number("MUTESOLO", 2, 0) != 0

    @property
    def play_offset_s(self) -> float:
        """How much later its media play; flag &1 switches that off, &2 means samples. [HDR]"""
        flags = int(self.block.number("PLAYOFFS", 1, 1))
        return 0.0 if flags & 3 else self.block.number("PLAYOFFS", 0, 0.0)

    @property
    def receives(self) -> list[list[str]]:
        """The words of its AUXRECV lines: sends are stored on the receiver. [c: SCD, RPP:03, N782]"""
        return list(self.block.lines("AUXRECV"))

    @property
    def sends_to_parent(self) -> bool:
        """Whether it is heard in its folder, or on the master."""
        return self.block.number("MAINSEND", 0, 1) != 0

    @property
    def depth(self) -> int:
        """How many folders contain it; depth is sequential. [c]"""
        depth = 0
        for track in self.project.tracks[: self.index]:
            depth = max(depth + track.folder_change, 0)
        return depth

    @property
    def parent(self) -> Track | None:
        """The folder that contains it."""
        open_folders: list[Track] = []
        for track in self.project.tracks[: self.index]:
            if track.folder_change > 0:
                open_folders.append(track)
            elif track.folder_change < 0:
                del open_folders[max(len(open_folders) + track.folder_change, 0) :]
        return open_folders[-1] if open_folders else None

    def set(self, line: str, place: int, value: float, defaults: str = "") -> None:
        """Change one number of one of its lines."""
        self.block.set_number(line, place, value, defaults)
        self.project.touched()

    def envelope(self, kind: str) -> Envelope | None:
        """Return its envelope of a chunk name such as ``VOLENV2``."""
        return next((envelope for envelope in self.envelopes if envelope.kind == kind), None)

    def create_envelope(self, kind: str, value: float, is_fader_scaled: bool) -> Envelope:
        """Make an envelope with one point at 0 s. [b: N782]"""
        guid = "{" + str(uuid.uuid4()).upper() + "}"
        scaling = "VOLTYPE 1\n" if is_fader_scaled else ""
        text = _NEW_ENVELOPE.format(kind=kind, guid=guid, scaling=scaling, value=decimal(value))
        block = parse_chunk(text, self.block.indent, self.block.line_end)
        later = (place for place, child in enumerate(self.block.children) if isinstance(child, Block))
        envelopes = [
            place for place, child in enumerate(self.block.children) if isinstance(child, Block) and child.name in NAMES
        ]
        self.block.children.insert(envelopes[-1] + 1 if envelopes else self._place_of_first(later), block)
        self.envelopes.append(Envelope(self, block))
        self.envelopes.sort(key=lambda envelope: self.block.children.index(envelope.block))
        self.project.touched()
        return self.envelope(kind)  # type: ignore[return-value]

    def _place_of_first(self, places: object) -> int:
        mainsend = self.block.find("MAINSEND")
        if mainsend is not None:
            return mainsend + 1
        return next(iter(places), len(self.block.children))  # type: ignore[call-overload]

    def add_item(self) -> MediaItem:
        """Add an item of no length and without takes at 0 s."""
        block = parse_chunk("<ITEM\nPOSITION 0\nLENGTH 0\n>", self.block.indent, self.block.line_end)
        self.block.children.append(block)
        self.items.append(MediaItem(self, block))
        self.project.touched()
        return self.items[-1]

    def remove_item(self, item: MediaItem) -> None:
        """Remove an item; its pointer is stale."""
        self.block.children.remove(item.block)
        self.items.remove(item)
        self.project.forget_item(item)
        self.project.touched()

    def flush(self) -> None:
        """Write what is kept apart into the block."""
        for envelope in self.envelopes:
            envelope.flush()

    def get_chunk(self) -> str:
        """Return its state chunk."""
        self.flush()
        return chunk(self.block)

    def set_chunk(self, text: str) -> bool:
        """Replace it by a chunk; an envelope without points is dropped. [b: N762, SWS]"""
        try:
            new = parse_chunk(text, self.block.indent[:-2], self.block.line_end)
        except ValueError:
            return False
        if new.name != "TRACK":
            return False
        new.children = [child for child in new.children if not _is_empty_envelope(child)]
        self.block.head, self.block.children, self.block.tail = new.head, new.children, new.tail
        self.project.replaced(self)
        return True

    def get_extension(self, key: str) -> str | None:
        """Return a `P_EXT` value of its chunk. [b: HDR; SCD shows `<EXT`]"""
        for block in self.block.blocks("EXT"):
            return block.word(key, 0, "") if block.find(key) is not None else None
        return None

    def set_extension(self, key: str, value: str) -> None:
        """Store a `P_EXT` value in its chunk; an empty one removes it."""
        set_extension(self.block, key, value)


def _is_empty_envelope(child: bytes | Block) -> bool:
    return isinstance(child, Block) and child.name in NAMES and child.find("PT") is None
