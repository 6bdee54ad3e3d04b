"""A REAPER project: its tracks, how they lead into each other, and what lies on them.

Conventions: `Track.index` counts from 0, as the file's sends do; `Track.number` from 1, as REAPER shows it. Volumes
are linear, pans go from -1 (left) to 1 (right). Names are matched in any case.

Sources: ReaTeam/Doc, "State Chunk Definitions"; real projects of REAPER 3 to 7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core.rpp.document import Block, Document, Fields, read_document
from core.rpp.envelope import Envelope, read_envelope
from core.rpp.items import Item, read_item

POST_FADER, PRE_FX, PRE_FADER = 0, 1, 3
"""Where a send takes its signal."""
_ENVELOPES = {"VOLENV", "VOLENV2", "VOLENV3", "PANENV", "PANENV2", "WIDTHENV", "WIDTHENV2", "MUTEENV"}
_OLD_FOLDER_CHANGES = {1: 1, 2: -1}
"""What the one number of ISBUS says in projects of REAPER 3 and before: a folder begins, its last track."""
_PLUG_INS = {"VST", "AU", "JS", "DX", "CLAP", "LV2", "CONTAINER", "VIDEO_EFFECT"}


@dataclass(frozen=True)
class Receive:
    """A send that ends at a track: from `source` (an index), taken where `mode` says.

    `is_simple` tells whether it carries the first two channels to the first two, unmuted audio at that.
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
    master_volume, master_plug_ins : what lies on the master track.
    play_rate : the whole project's.
    home : the folder the project belongs in, where the file at `path` is a copy elsewhere.
    """

    document: Document
    tracks: tuple[Track, ...]
    sample_rate: int | None
    global_automation: int
    render_file: str
    media_folder: str
    master_volume: float
    master_plug_ins: tuple[str, ...]
    play_rate: float
    home: Path | None = None

    @property
    def path(self) -> Path:
        """The project file."""
        return self.document.path

    @cached_property
    def folder(self) -> Path:
        """The folder the project lies in, or belongs in."""
        return self.home or self.path.resolve().parent

    def children(self, track: Track) -> tuple[Track, ...]:
        """Return the tracks directly in a folder."""
        return self._children.get(track.index, ())

    @cached_property
    def _children(self) -> Mapping[int | None, tuple[Track, ...]]:
        found: dict[int | None, list[Track]] = {}
        for track in self.tracks:
            found.setdefault(track.parent, []).append(track)
        return {parent: tuple(tracks) for parent, tracks in found.items()}

    def is_inside(self, track: Track, folder: Track) -> bool:
        """Tell whether `track` lies in `folder`, however deep."""
        return folder.index < track.index <= self._last_inside[folder.index]

    @cached_property
    def _last_inside(self) -> Sequence[int]:
        """The index of the last track in each track, which is its own where it is no folder."""
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
        It is no REAPER project, or damaged.
    """
    return project_of(read_document(path))


def project_of(document: Document) -> Project:
    """Return the project in `document`.

    Raises
    ------
    InputError
        A line holds something that is no number.
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
        master_volume=_field(document, root, "MASTER_VOLUME").number(0, 1.0),
        master_plug_ins=_plug_ins(document, root, "MASTERFXLIST"),
        play_rate=_field(document, root, "PLAYRATE").number(0, 1.0),
    )


def _field(document: Document, block: Block, name: str) -> Fields:
    return document.fields(block, name) or Fields((), name)


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
    offset = _field(document, block, "PLAYOFFS")
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
        offset_s=offset.number(0),
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
    """Return the names of a chain's plug-ins that are switched on; each one's BYPASS line stands before it."""
    names = []
    for chain in block.inner(chain_name):
        for plug_in in (inner for inner in chain.blocks if inner.name in _PLUG_INS):
            before = [index for index in chain.lines if index < plug_in.first]
            bypass = next((i for i in reversed(before) if document.lines[i].split(None, 1)[:1] == [b"BYPASS"]), None)
            if bypass is None or not document.fields_at(bypass).whole(0):
                names.append(_plug_in_name(document.fields_at(plug_in.first), plug_in.name))
    return tuple(names)


def _plug_in_name(fields: Fields, kind: str) -> str:
    name = fields.text(0).split(": ", 1)[-1]
    return fields.text(1) or name if kind == "JS" else name or kind.lower()
