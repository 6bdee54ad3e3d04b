r"""Read a REAPER project: tracks, items, sends and settings.

Conventions: `Track.index` counts from 0, as the file's sends do; `Track.number` from 1, as REAPER shows it. Volumes
are linear, pans go from -1 (left) to 1 (right).

Sources: ReaTeam/Doc, "State Chunk Definitions"; real projects of REAPER 3 to 7. That the automatic fade (a crossfade)
takes precedence over the manual fade, and that `SOFFS` is in seconds of the source, are from memory.

Examples
--------
>>> from core.rpp.parser import parse
>>> tracks = b"  <TRACK {A}\n    NAME Drums\n    ISBUS 1 1\n  >\n  <TRACK {B}\n    NAME Kick\n  >\n"
>>> text = b"<REAPER_PROJECT 0.1\n" + tracks + b">\n"
>>> project = project_of(parse(text, Path("song.rpp")))
>>> [(track.number, track.name, track.volume) for track in project.tracks]
[(1, 'Drums', 1.0), (2, 'Kick', 1.0)]
>>> [child.name for child in project.children(project.tracks[0])]
['Kick']
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.automation.points import Point
from core.errors import InputError
from core.rpp.envelope import Envelope, read_envelope
from core.rpp.parser import Block, Document, Fields, read_document, words

_TAKE_BLOCKS = {
    "VOLENV": "take volume envelope",
    "PANENV": "take pan envelope",
    "MUTEENV": "take mute envelope",
    "PITCHENV": "take pitch envelope",
    "TAKEFX": "take plug-ins",
}

_LONGEST_S = 1e9
"""About thirty years, the latest time that is accepted."""


@dataclass(frozen=True)
class Fade:
    """A fade: `shape` 0 to 6, `length_s` in seconds."""

    shape: int
    length_s: float


@dataclass(frozen=True)
class Source:
    """What a take plays.

    Attributes
    ----------
    kind : ``"WAVE"``, ``"MP3"``, ``"MIDI"``, ...
    file : the media file as the project names it, or ``""``.
    start_s, length_s : the part of it that counts; a length of 0 is up to its end.
    is_reversed : whether it plays backwards.
    """

    kind: str
    file: str
    start_s: float = 0.0
    length_s: float = 0.0
    is_reversed: bool = False


@dataclass(frozen=True, kw_only=True)
class Take:
    """One take: `volume` is linear (negative where its polarity is flipped), `pan` from -1 (left) to 1."""

    name: str
    volume: float
    pan: float
    offset_s: float
    play_rate: float
    pitch: float
    channel_mode: int
    source: Source | None
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Item:
    """A media item; `takes` are the ones that play."""

    position_s: float
    length_s: float
    is_muted: bool
    loops: bool
    volume: float
    fade_in: Fade
    fade_out: Fade
    takes: tuple[Take, ...]

    @property
    def end_s(self) -> float:
        """Where it ends on the timeline."""
        return self.position_s + self.length_s


def read_item(document: Document, block: Block) -> Item:
    """Return the item in `block`.

    Raises
    ------
    InputError
        A number in a line cannot be read.
    """
    parts = _parts(document, block)
    selected = [part for part in parts if part.is_selected] or parts[:1]
    playing = parts if _field(document, block, "ALLTAKES").whole(0) else selected
    return Item(
        position_s=max(_time_s(_field(document, block, "POSITION")), 0.0),
        length_s=max(_time_s(_field(document, block, "LENGTH")), 0.0),
        is_muted=_field(document, block, "MUTE").whole(0) != 0,
        loops=_field(document, block, "LOOP").whole(0) != 0,
        volume=_field(document, block, "VOLPAN").number(0, 1.0),
        fade_in=_fade(_field(document, block, "FADEIN")),
        fade_out=_fade(_field(document, block, "FADEOUT")),
        takes=tuple(_take(document, part, is_first=part is parts[0]) for part in playing),
    )


def _field(document: Document, block: Block, name: str) -> Fields:
    return document.fields(block, name) or Fields((), name)


def _time_s(fields: Fields) -> float:
    """Return the time in a line; reject a time that no session can have."""
    time_s = fields.number(0)
    if abs(time_s) > _LONGEST_S:
        raise InputError(
            f"{time_s:g} s is not a time in a session",
            path=fields.where,
            remedy="save the project again in REAPER",
        )
    return time_s


def _fade(fields: Fields) -> Fade:
    automatic_s = fields.number(2)
    shape = fields.whole(3, fields.whole(0)) if len(fields.values) > 3 else fields.whole(0)
    return Fade(shape, max(automatic_s if automatic_s > 0.0 else fields.number(1), 0.0))


@dataclass
class _Part:
    """The lines and blocks of one take."""

    is_selected: bool
    lines: dict[str, Fields]
    blocks: list[Block]


def _parts(document: Document, block: Block) -> list[_Part]:
    parts = [_Part(False, {}, [])]
    content: list[int | Block] = sorted(
        [*block.lines, *block.blocks], key=lambda part: part if isinstance(part, int) else part.first
    )
    for part in content:
        if isinstance(part, Block):
            parts[-1].blocks.append(part)
            continue
        name, *values = words(document.lines[part]) or [""]
        if name == "TAKE":
            parts.append(_Part("SEL" in values, {}, []))
        elif name:
            parts[-1].lines.setdefault(name, Fields(tuple(values), f"{document.path}, line {part + 1} ({name})"))
    return parts


def _take(document: Document, part: _Part, *, is_first: bool) -> Take:
    empty = Fields((), "")
    rate = part.lines.get("PLAYRATE", empty)
    mixed = part.lines.get("VOLPAN" if is_first else "TAKEVOLPAN", empty)
    pan, volume = (mixed.number(1), mixed.number(2, 1.0)) if is_first else (mixed.number(0), mixed.number(1, 1.0))
    play_rate = rate.number(0, 1.0)
    if not 0.01 <= play_rate <= 100.0:
        raise InputError(
            f"unsupported play rate of {play_rate:g}",
            path=rate.where,
            remedy="save the project again in REAPER",
        )
    left_out = [
        _TAKE_BLOCKS[block.name]
        for block in part.blocks
        if block.name in _TAKE_BLOCKS and _field(document, block, "ACT").whole(0, 1)
    ]
    return Take(
        name=part.lines.get("NAME", empty).text(0),
        volume=volume,
        pan=min(max(pan, -1.0), 1.0),
        offset_s=_time_s(part.lines.get("SOFFS", empty)),
        play_rate=play_rate,
        pitch=rate.number(2),
        channel_mode=part.lines.get("CHANMODE", empty).whole(0),
        source=next((_source(document, block) for block in part.blocks if block.name == "SOURCE"), None),
        left_out=(*left_out, *(["stretch markers"] if "SM" in part.lines else [])),
    )


def _source(document: Document, block: Block) -> Source:
    """Return the source in `block`; sections of sections of a file are one section of it."""
    start_s, length_s, is_reversed = 0.0, 0.0, False
    while _kind_of(document, block) == "SECTION" and (inner := next(block.inner("SOURCE"), None)) is not None:
        start_s += _time_s(_field(document, block, "STARTPOS"))
        length_s = length_s or _time_s(_field(document, block, "LENGTH"))
        is_reversed = is_reversed or bool(_field(document, block, "MODE").whole(0) & 2)
        block = inner
    file = _field(document, block, "FILE").text(0)
    return Source(_kind_of(document, block), file, start_s=start_s, length_s=length_s, is_reversed=is_reversed)


def _kind_of(document: Document, block: Block) -> str:
    return document.fields_at(block.first).text(0).upper()


POST_FADER = 0
"""The mode of a send that takes its signal after the fader; 1 is before the plug-ins, 3 before the fader."""
VOLUME, PRE_FX, TRIM, FADER = "VOLENV2", "VOLENV", "VOLENV3", "FADER"
"""What gains can be written on: a track's volume envelopes by their names in the file, and its fader."""
_ENVELOPES = {"VOLENV", "VOLENV2", "VOLENV3", "PANENV", "PANENV2", "WIDTHENV", "WIDTHENV2", "MUTEENV"}
_OLD_FOLDER_CHANGES = {1: 1, 2: -1}
"""Meaning of the only number of ISBUS in projects of REAPER 3 and earlier: first and last track of a folder."""
_PLUG_INS = {"VST", "AU", "JS", "DX", "CLAP", "LV2", "CONTAINER", "VIDEO_EFFECT"}


@dataclass(frozen=True)
class Receive:
    """A send that a track receives from `source` (an index); `mode` is the point where it takes the signal.

    `is_simple`: whether it carries the first two channels to the first two.
    """

    source: int
    mode: int
    volume: float
    pan: float
    is_muted: bool
    is_mono: bool
    is_flipped: bool
    is_simple: bool


@dataclass(frozen=True, kw_only=True)
class Track:
    """A track.

    Attributes
    ----------
    index : its place in the project, from 0.
    parent : the index of the folder it is in, or None.
    is_folder : whether tracks are in it.
    volume, pan : the fader's.
    automation_mode : 0 trim/read, 1 read, 2 touch, 3 write, 4 latch, 5 latch preview.
    sends_to_parent : whether it is heard in its folder, or on the master.
    envelopes : by block name: VOLENV before, VOLENV2 after the plug-ins, VOLENV3 trim, ...
    plug_ins : names of those that are switched on.
    """

    index: int
    guid: str
    name: str
    parent: int | None
    is_folder: bool
    volume: float
    pan: float
    is_muted: bool
    is_soloed: bool
    is_flipped: bool
    automation_mode: int
    n_channels: int
    sends_to_parent: bool
    offset_s: float
    has_lanes: bool
    receives: tuple[Receive, ...]
    envelopes: Mapping[str, Envelope]
    plug_ins: tuple[str, ...]
    items: tuple[Item, ...]
    block: Block

    @property
    def number(self) -> int:
        """Its number as REAPER shows it, from 1."""
        return self.index + 1

    @property
    def title(self) -> str:
        """What to call it to the user."""
        return f"track {self.number} {self.name!r}" if self.name else f"track {self.number}"

    def target(self, name: str) -> Envelope | None:
        """Return the envelope of that name; `FADER` is the fader, as an envelope of one point."""
        return Envelope((Point(0.0, self.volume),)) if name == FADER else self.envelopes.get(name)

    def heard(self, envelope: str) -> Envelope | None:
        """Return the envelope of that name if it is heard."""
        found = self.envelopes.get(envelope)
        return found if found and found.is_heard else None


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project.

    Attributes
    ----------
    tracks : in the file's order.
    sample_rate : the project's own rate, or None where it follows the audio device.
    global_automation : an automation mode over all tracks, -1 for none, 5 for bypass.
    render_file : where it was last rendered to, as the file names it.
    media_folder : where it records to, as the file names it.
    master_plug_ins : those of the master track.
    play_rate : the whole project's.
    home : the folder the project belongs in, where the file at `path` is a copy elsewhere.
    """

    document: Document
    tracks: tuple[Track, ...]
    sample_rate: int | None
    global_automation: int
    render_file: str
    media_folder: str
    master_plug_ins: tuple[str, ...]
    play_rate: float
    home: Path | None = None

    @property
    def path(self) -> Path:
        """The project file."""
        return self.document.path

    @cached_property
    def folder(self) -> Path:
        """The folder that the project is in or belongs to."""
        return self.home or self.path.resolve().parent

    def children(self, track: Track) -> tuple[Track, ...]:
        """Return the tracks directly in a folder."""
        return tuple(self._children.get(track.index, ()))

    @cached_property
    def _children(self) -> Mapping[int | None, Sequence[Track]]:
        found: dict[int | None, list[Track]] = {}
        for track in self.tracks:
            found.setdefault(track.parent, []).append(track)
        return found

    def is_inside(self, track: Track, folder: Track) -> bool:
        """Return whether `track` is in `folder`, at any depth."""
        return folder.index < track.index <= self._last_inside[folder.index]

    @cached_property
    def _last_inside(self) -> Sequence[int]:
        """The index of the last track in each folder; for other tracks their own index."""
        last = list(range(len(self.tracks)))
        for track in reversed(self.tracks):
            if track.parent is not None:
                last[track.parent] = max(last[track.parent], last[track.index])
        return last


def read_project(path: Path) -> Project:
    """Return the project in the file at `path`.

    Raises
    ------
    InputError
        It is not a REAPER project, or it is damaged.
    """
    return project_of(read_document(path))


def project_of(document: Document) -> Project:
    """Return the project in `document`.

    Raises
    ------
    InputError
        A number in a line cannot be read.
    """
    root = document.root
    rate = _field(document, root, "SAMPLERATE")
    return Project(
        document=document,
        tracks=_tracks(document),
        sample_rate=rate.whole(0) if rate.whole(1) else None,
        global_automation=_field(document, root, "GLOBAL_AUTO").whole(0, -1),
        render_file=_field(document, root, "RENDER_FILE").text(0),
        media_folder=_field(document, root, "RECORD_PATH").text(0),
        master_plug_ins=_plug_ins(document, root, "MASTERFXLIST"),
        play_rate=_field(document, root, "PLAYRATE").number(0, 1.0),
    )


def _tracks(document: Document) -> tuple[Track, ...]:
    tracks: list[Track] = []
    folders: list[int] = []
    for index, block in enumerate(document.root.inner("TRACK")):
        bus = _field(document, block, "ISBUS")
        change = bus.whole(1, _OLD_FOLDER_CHANGES.get(bus.whole(0), 0))
        tracks.append(_track(document, block, index, folders[-1] if folders else None, change))
        if change > 0:
            folders.append(index)
        else:
            del folders[max(len(folders) + change, 0) :]
    return tuple(tracks)


def _track(document: Document, block: Block, index: int, parent: int | None, change: int) -> Track:
    mixed = _field(document, block, "VOLPAN")
    muted = _field(document, block, "MUTESOLO")
    return Track(
        index=index,
        guid=document.fields_at(block.first).text(0),
        name=_field(document, block, "NAME").text(0),
        parent=parent,
        is_folder=change > 0,
        volume=max(mixed.number(0, 1.0), 0.0),
        pan=min(max(mixed.number(1), -1.0), 1.0),
        is_muted=muted.whole(0) != 0,
        is_soloed=muted.whole(1) != 0,
        is_flipped=_field(document, block, "IPHASE").whole(0) != 0,
        automation_mode=_field(document, block, "AUTOMODE").whole(0),
        n_channels=_field(document, block, "NCHAN").whole(0, 2),
        sends_to_parent=_field(document, block, "MAINSEND").whole(0, 1) != 0,
        offset_s=_field(document, block, "PLAYOFFS").number(0),
        has_lanes=_field(document, block, "FREEMODE").whole(0) == 2,
        receives=tuple(_receive(fields) for fields in document.all_fields(block, "AUXRECV")),
        envelopes={inner.name: read_envelope(document, inner) for inner in block.blocks if inner.name in _ENVELOPES},
        plug_ins=_plug_ins(document, block, "FXCHAIN") if _field(document, block, "FX").whole(0, 1) else (),
        items=tuple(read_item(document, inner) for inner in block.inner("ITEM")),
        block=block,
    )


def _receive(fields: Fields) -> Receive:
    return Receive(
        source=fields.whole(0),
        mode=fields.whole(1),
        volume=fields.number(2, 1.0),
        pan=min(max(fields.number(3), -1.0), 1.0),
        is_muted=fields.whole(4) != 0,
        is_mono=fields.whole(5) != 0,
        is_flipped=fields.whole(6) != 0,
        is_simple=fields.whole(7) == 0 and fields.whole(8) == 0,
    )


def _plug_ins(document: Document, block: Block, chain_name: str) -> tuple[str, ...]:
    """Return the names of a chain's plug-ins that are switched on; each one's BYPASS line is before it."""
    names = []
    for chain in block.inner(chain_name):
        for plug_in in (inner for inner in chain.blocks if inner.name in _PLUG_INS):
            before = [index for index in chain.lines if index < plug_in.first]
            bypass = next((i for i in reversed(before) if document.lines[i].split(None, 1)[:1] == [b"BYPASS"]), None)
            if bypass is None or not document.fields_at(bypass).whole(0):
                fields = document.fields_at(plug_in.first)
                name = fields.text(0).split(": ", 1)[-1]
                names.append(fields.text(1) or name if plug_in.name == "JS" else name or plug_in.name.lower())
    return tuple(names)


def is_relative(name: str) -> bool:
    """Return whether a media file's name is relative to the project, on Windows' terms too."""
    return bool(name) and not (name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name))
