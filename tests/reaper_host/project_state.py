"""A project in a tab: its file as a tree, its tracks, whether it is dirty, its undo history."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.reaper_host.ext_state import read_ext_state, write_ext_state
from tests.reaper_host.rpp_text import Block, Text, parse, parse_chunk
from tests.reaper_host.track_state import Track
from tests.reaper_host.undo import History

EMPTY = b"""<REAPER_PROJECT 0.1 "7.43/linux-x86_64" 1757203200
  CURSOR 0
  RENDER_FILE ""
  RENDER_PATTERN ""
  RENDER_FMT 0 2 0
  RENDER_RANGE 1 0 0 0 1000
  RENDER_ADDTOPROJ 0
  RENDER_STEMS 0
  RENDER_DITHER 0
  SAMPLERATE 44100 0 0
  <RENDER_CFG
    ZXZhdxgAAQ==
  >
  GLOBAL_AUTO -1
  TEMPO 120 4 4 0
  SELECTION 0 0
  SELECTION2 0 0
  MASTERMUTESOLO 0
  MASTER_VOLUME 1 0 -1 -1 1
>
"""
"""What a new project's file has."""
_NEW_TRACK = """<TRACK {guid}
NAME ""
AUTOMODE 0
VOLPAN 1 0 -1 -1 1
MUTESOLO 0 0 0
ISBUS 0 0
SEL 0
NCHAN 2
FX 1
TRACKID {guid}
MAINSEND 1 0
>"""


class Master:
    """The master track."""

    def __init__(self, project: Project) -> None:
        self.project = project

    @property
    def volume(self) -> float:
        """The master fader."""
        return self.project.root.number("MASTER_VOLUME", 0, 1.0)

    @property
    def is_muted(self) -> bool:
        """Whether it is muted: bit 1. [c: SCD, RPP:03]"""
        return bool(int(self.project.root.number("MASTERMUTESOLO", 0, 0)) & 1)


class Project:
    """One project; `path` is None until it is saved."""

    def __init__(self, content: bytes, path: Path | None, forget: Callable[[Any], None]) -> None:
        self.path, self._forget = path, forget
        self.is_dirty, self.state_count = False, 0
        self.last_rendered: list[Path] = []
        self.tracks: list[Track] = []
        self.ext_state: dict[str, dict[str, str]] = {}
        self._load(content)
        self.history = History(self)

    @property
    def root(self) -> Block:
        """The project's block."""
        return self._text.root

    @property
    def name(self) -> str:
        """The file's name, or nothing. [d: RENDER_TARGETS needs it; PROJECT_NAME of HDR]"""
        return self.path.name if self.path else ""

    def _load(self, content: bytes) -> None:
        self._text: Text = parse(content)
        for track in self.tracks:
            self.drop(track)
        self.tracks = [Track(self, block) for block in self.root.blocks("TRACK")]
        self.master = Master(self)
        self.ext_state = read_ext_state(self.root)
        self._ext_state_saved = {name: dict(values) for name, values in self.ext_state.items()}

    def drop(self, track: Track) -> None:
        """Make a track's pointer and those of its parts stale."""
        for thing in (track, *track.envelopes, *(part for item in track.items for part in item.parts)):
            self._forget(thing)

    def forget_item(self, item: Any) -> None:
        """Make the pointers of an item and its takes stale."""
        for part in item.parts:
            self._forget(part)

    def replaced(self, track: Track) -> None:
        """Create the objects of a track whose chunk was replaced; the pointers of its envelopes and items are stale."""
        for thing in (*track.envelopes, *(part for item in track.items for part in item.parts)):
            self._forget(thing)
        new = Track(self, track.block)
        track.envelopes, track.items = new.envelopes, new.items
        for envelope in track.envelopes:
            envelope.track = track
        for item in track.items:
            item.track = track
        self.touched()

    def to_bytes(self) -> bytes:
        """Return the file as it would be saved now."""
        for track in self.tracks:
            track.flush()
        if self.ext_state != self._ext_state_saved:
            write_ext_state(self.root, self.ext_state)
            self._ext_state_saved = {name: dict(values) for name, values in self.ext_state.items()}
        return self._text.to_bytes()

    def restore(self, content: bytes) -> None:
        """Become a state of the undo history: all pointers into it are stale."""
        self._load(content)
        self.touched()

    def touched(self) -> None:
        """Note that something changed."""
        self.is_dirty = True

    def track_of(self, name: str) -> Track:
        """Return the first track of a name, for tests."""
        return next(track for track in self.tracks if track.name == name)

    @property
    def time_selection(self) -> tuple[float, float]:
        """Start and end of the time selection; equal if there is none."""
        return self.root.number("SELECTION", 0, 0.0), self.root.number("SELECTION", 1, 0.0)

    @time_selection.setter
    def time_selection(self, span: tuple[float, float]) -> None:
        for line in ("SELECTION", "SELECTION2"):
            for place, value in enumerate(span):
                self.root.set_number(line, place, value, "0 0")

    @property
    def cursor(self) -> float:
        """The edit cursor."""
        return self.root.number("CURSOR", 0, 0.0)

    @cursor.setter
    def cursor(self, time: float) -> None:
        self.root.set_number("CURSOR", 0, time, "0")

    @property
    def global_automation(self) -> int:
        """-1 none, 0..4 a mode over all tracks, 5 bypass. [b: HDR]"""
        return int(self.root.number("GLOBAL_AUTO", 0, -1))

    def insert_track(self, index: int) -> Track:
        """Put a new track in."""
        guid = "{" + str(uuid.uuid4()).upper() + "}"
        text = _NEW_TRACK.format(guid=guid)
        block = parse_chunk(text, self.root.indent, self.root.line_end)
        index = min(max(index, 0), len(self.tracks))
        before = (
            self.root.children.index(self.tracks[index].block) if index < len(self.tracks) else self._after_tracks()
        )
        self.root.children.insert(before, block)
        track = Track(self, block)
        self.tracks.insert(index, track)
        self.touched()
        return track

    def delete_track(self, track: Track) -> None:
        """Take a track out; its pointer is stale."""
        self.root.children.remove(track.block)
        self.tracks.remove(track)
        self.drop(track)
        self.touched()

    def _after_tracks(self) -> int:
        if self.tracks:
            return self.root.children.index(self.tracks[-1].block) + 1
        extensions = [
            place
            for place, child in enumerate(self.root.children)
            if isinstance(child, Block) and child.name in ("EXTENSIONS", "EXTSTATE")
        ]
        return min(extensions, default=len(self.root.children))
