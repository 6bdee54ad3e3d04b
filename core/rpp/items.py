"""Media items: where they lie, which takes play, what their sources are.

Sources: the lines of an item from ReaTeam/Doc, "State Chunk Definitions", and real projects. That the automatic
fade (a crossfade) wins over the fade set by hand, and that `SOFFS` is in seconds of the source, are from memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import InputError
from core.rpp.document import Block, Document, Fields

_TAKE_BLOCKS = {
    "VOLENV": "take volume envelope",
    "PANENV": "take pan envelope",
    "MUTEENV": "take mute envelope",
    "PITCHENV": "take pitch envelope",
    "TAKEFX": "take plug-ins",
}

_LONGEST_S = 1e9
"""Thirty years: what is later was never meant."""


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
    keeps_pitch: bool
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
        A line holds something that is no number.
    """
    mixed = _field(document, block, "VOLPAN")
    return Item(
        position_s=max(_time_s(_field(document, block, "POSITION")), 0.0),
        length_s=max(_time_s(_field(document, block, "LENGTH")), 0.0),
        is_muted=_field(document, block, "MUTE").whole(0) != 0,
        loops=_field(document, block, "LOOP").whole(0) != 0,
        volume=mixed.number(0, 1.0),
        fade_in=_fade(_field(document, block, "FADEIN")),
        fade_out=_fade(_field(document, block, "FADEOUT")),
        takes=_playing(document, block),
    )


def _field(document: Document, block: Block, name: str) -> Fields:
    return document.fields(block, name) or Fields((), name)


def _time_s(fields: Fields) -> float:
    """Return the time a line gives; one that no session can have is damage, and no whole number of samples."""
    time_s = fields.number(0)
    if abs(time_s) > _LONGEST_S:
        raise InputError(f"{fields.where}: {time_s:g} s is no time a session has; save the project again in REAPER")
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


def _playing(document: Document, block: Block) -> tuple[Take, ...]:
    parts = _parts(document, block)
    selected = [part for part in parts if part.is_selected] or parts[:1]
    all_play = _field(document, block, "ALLTAKES").whole(0) != 0
    return tuple(_take(document, part, is_first=part is parts[0]) for part in (parts if all_play else selected))


def _parts(document: Document, block: Block) -> list[_Part]:
    parts = [_Part(False, {}, [])]
    content: list[int | Block] = sorted(
        [*block.lines, *block.blocks], key=lambda part: part if isinstance(part, int) else part.first
    )
    for part in content:
        if isinstance(part, Block):
            parts[-1].blocks.append(part)
            continue
        name = document.lines[part].split(None, 1)[0].decode("latin-1") if document.lines[part].strip() else ""
        fields = document.fields_at(part)
        if name == "TAKE":
            parts.append(_Part("SEL" in fields.values, {}, []))
        else:
            parts[-1].lines.setdefault(name, fields)
    return parts


def _take(document: Document, part: _Part, *, is_first: bool) -> Take:
    empty = Fields((), "")
    rate = part.lines.get("PLAYRATE", empty)
    mixed = part.lines.get("VOLPAN" if is_first else "TAKEVOLPAN", empty)
    pan, volume = (mixed.number(1), mixed.number(2, 1.0)) if is_first else (mixed.number(0), mixed.number(1, 1.0))
    play_rate = rate.number(0, 1.0)
    if not 0.01 <= play_rate <= 100.0:
        raise InputError(
            f"{rate.where}: a play rate of {play_rate:g} is none REAPER has; save the project again in REAPER"
        )
    return Take(
        name=part.lines.get("NAME", empty).text(0),
        volume=volume,
        pan=min(max(pan, -1.0), 1.0),
        offset_s=_time_s(part.lines.get("SOFFS", empty)),
        play_rate=play_rate,
        keeps_pitch=rate.whole(1, 1) != 0,
        pitch=rate.number(2),
        channel_mode=part.lines.get("CHANMODE", empty).whole(0),
        source=_source_of(document, part),
        left_out=_left_out(document, part),
    )


def _source_of(document: Document, part: _Part) -> Source | None:
    return next((_source(document, block) for block in part.blocks if block.name == "SOURCE"), None)


def _source(document: Document, block: Block) -> Source:
    """Return the source in `block`; sections of sections of a file are one section of it."""
    start_s, length_s, is_reversed = 0.0, 0.0, False
    while (inner := _section_of(document, block)) is not None:
        start_s += _time_s(_field(document, block, "STARTPOS"))
        length_s = length_s or _time_s(_field(document, block, "LENGTH"))
        is_reversed = is_reversed or bool(_field(document, block, "MODE").whole(0) & 2)
        block = inner
    file = _field(document, block, "FILE").text(0)
    return Source(_kind_of(document, block), file, start_s=start_s, length_s=length_s, is_reversed=is_reversed)


def _section_of(document: Document, block: Block) -> Block | None:
    """Return the source that `block` is a section of, or None where it is none."""
    return next(block.inner("SOURCE"), None) if _kind_of(document, block) == "SECTION" else None


def _kind_of(document: Document, block: Block) -> str:
    return document.fields_at(block.first).text(0).upper()


def _left_out(document: Document, part: _Part) -> tuple[str, ...]:
    found = [
        _TAKE_BLOCKS[block.name]
        for block in part.blocks
        if block.name in _TAKE_BLOCKS and _field(document, block, "ACT").whole(0, 1)
    ]
    return (*found, *(["stretch markers"] if "SM" in part.lines else []))
