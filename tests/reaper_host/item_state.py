"""Media items as the project's file has them: where they lie, how they are faded, what their takes play. [c: SCD]"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reaper_host.rpp_text import Block, words

if TYPE_CHECKING:
    from tests.reaper_host.media_items import MediaItem
    from tests.reaper_host.project_state import Project
    from tests.reaper_host.track_state import Track


@dataclass(frozen=True)
class Take:
    """The take that plays: its file, where it starts in it, how fast, how loud, how panned, which channels."""

    file: Path | None
    offset_s: float
    play_rate: float
    volume: float
    pan: float
    channel_mode: int
    section_start_s: float
    section_length_s: float


@dataclass(frozen=True)
class Item:
    """An item on the timeline; `fade_in` and `fade_out` are shape and seconds."""

    position_s: float
    length_s: float
    is_muted: bool
    loops: bool
    volume: float
    fade_in: tuple[int, float]
    fade_out: tuple[int, float]
    take: Take

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.position_s + self.length_s


def items_of(track: Track) -> list[Item]:
    """Return the items on a track, in the file's order."""
    return [item_of(item) for item in track.items]


def item_of(item: MediaItem) -> Item:
    """Return what an item's lines say."""
    return _item(item.block, item.project)


def length_of(project: Project) -> float:
    """Return where a project ends: its last item or marker. [HDR]"""
    ends = [item.end_s for track in project.tracks for item in items_of(track)]
    markers = [float(line[1]) for line in project.root.lines("MARKER")]
    return max([*ends, *markers, 0.0])


def _item(block: Block, project: Project) -> Item:
    return Item(
        position_s=block.number("POSITION", 0, 0.0),
        length_s=block.number("LENGTH", 0, 0.0),
        is_muted=block.number("MUTE", 0, 0) != 0,
        loops=block.number("LOOP", 0, 0) != 0,
        volume=block.number("VOLPAN", 0, 1.0),
        fade_in=_fade(block.line("FADEIN") or []),
        fade_out=_fade(block.line("FADEOUT") or []),
        take=_take(_playing(block), project, block),
    )


def _fade(line: list[str]) -> tuple[int, float]:
    """Return shape and seconds; an automatic fade wins over the one set by hand. [MEM]"""
    numbers = [float(word) for word in line] + [0.0] * 4
    automatic = numbers[2] > 0.0
    return int(numbers[3] if automatic and len(line) > 3 else numbers[0]), numbers[2] if automatic else numbers[1]


def _playing(item: Block) -> Block:
    """Return the lines and blocks of the take that plays, as a separate block."""
    takes = [Block(b"<TAKE\n")]
    chosen = 0
    for child in item.children:
        found = words(child) if isinstance(child, bytes) else []
        if found[:1] == ["TAKE"]:
            takes.append(Block(b"<TAKE\n"))
            chosen = len(takes) - 1 if "SEL" in found else chosen
        else:
            takes[-1].children.append(child)
    return takes[chosen]


def _take(lines: Block, project: Project, item: Block) -> Take:
    is_first = lines.find("VOLPAN") is not None or item.find("TAKE") is None
    name, pan, volume = ("VOLPAN", 1, 2) if is_first else ("TAKEVOLPAN", 0, 1)
    source = next(iter(lines.blocks("SOURCE")), None)
    section = source if source is not None and words(source.head)[1:2] == ["SECTION"] else None
    return Take(
        file=_file(source, project),
        offset_s=lines.number("SOFFS", 0, 0.0),
        play_rate=lines.number("PLAYRATE", 0, 1.0),
        volume=lines.number(name, volume, 1.0),
        pan=lines.number(name, pan, 0.0),
        channel_mode=int(lines.number("CHANMODE", 0, 0)),
        section_start_s=section.number("STARTPOS", 0, 0.0) if section else 0.0,
        section_length_s=section.number("LENGTH", 0, 0.0) if section else 0.0,
    )


def _file(source: Block | None, project: Project) -> Path | None:
    """Return the file a take plays: relative to the project's folder [c: RPP:07/09, N762], else of that name in it.

    The second is what a user gets who lets REAPER look for media that moved. [MEM]
    """
    while source is not None and source.blocks("SOURCE"):
        source = source.blocks("SOURCE")[0]
    name = source.word("FILE", 0, "") if source else ""
    if not name:
        return None
    folder = project.path.parent if project.path else Path.cwd()
    named = folder / name.replace("\\", "/")
    nearby = folder / named.name
    return nearby if nearby.is_file() and not named.is_file() else named
