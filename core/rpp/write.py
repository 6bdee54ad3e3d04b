"""Write gain curves as volume envelopes into a copy of a project.

Conventions: what is heard is the curve times the envelope's moves; an envelope of one value has none. Between points
the result is linear in dB, as every curve; it stays within 0.05 dB of the product.

Sources: ReaTeam/Doc, "State Chunk Definitions"; real projects.

Conventions: what is heard is envelope times fader (in trim/read) times trim envelope, and that product is the gain
that was predicted; the fader stays where it is. Points are linear (shape 0), their values linear gain. Between two
points the curve is straight in dB, an envelope in amplitude or on the fader's scale; points at most 2 dB apart keep
all three within 0.06 dB of each other, so an envelope keeps the scaling it has. -60 dB and less is written as 0.

Sources: ReaTeam/Doc, "State Chunk Definitions"; real projects. REAPER's range goes to +6 dB unless the user chose
another in the preferences, which no project file says.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.automation.points import EnvelopePoints, thin
from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.errors import InputError
from core.rpp.envelope import LINEAR, SQUARE, Envelope, Point
from core.rpp.faders import BYPASS, mode_of
from core.rpp.parser import Block, Document, Edit
from core.rpp.project import Project, Track

_STEP_DB = 0.5
_MOST_STEPS = 200
_BENT_STEPS = 20
_JUMP_S = 0.001
_TOLERANCE_DB = 0.02
_DIGITS = 6
"""Times are taken to a microsecond, which two points of one curve are apart at least."""


def combined(curve: EnvelopePoints, moves: Envelope | None, *, is_part: bool = False) -> EnvelopePoints:
    """Return `curve` times the moves of an envelope; the curve itself where there are none.

    With `is_part` there is no point outside the curve's own.
    """
    if moves is None or not moves.is_heard or moves.is_constant:
        return curve
    time_s = np.unique(np.round(np.concatenate([curve.time_s, _times_of(moves)]), _DIGITS))
    if is_part:
        time_s = time_s[(time_s >= curve.time_s[0]) & (time_s <= curve.time_s[-1])]
    gain_db = curve.at(time_s) + np.maximum(gain_to_db(moves.gain_at(time_s)), LOWEST_DB)
    gain_db = np.maximum(gain_db, LOWEST_DB)
    kept = thin(time_s, gain_db, _TOLERANCE_DB)
    return EnvelopePoints(time_s[kept], gain_db[kept])


def _times_of(moves: Envelope) -> FloatArray:
    """Return times between which the envelope is all but straight in dB, just before each point among them."""
    times = np.array([point.time_s for point in moves.points])
    level_db = np.maximum(gain_to_db(np.array([point.gain for point in moves.points])), LOWEST_DB)
    pieces = np.clip(np.ceil(np.abs(np.diff(level_db)) / _STEP_DB), 1, _MOST_STEPS).astype(int)
    bent = np.array([point.shape > 1 for point in moves.points[:-1]], dtype=bool)
    pieces = np.where(bent, np.maximum(4 * pieces, _BENT_STEPS), pieces)
    between = [
        np.linspace(start, end, count, endpoint=False)
        for start, end, count in zip(times[:-1].tolist(), times[1:].tolist(), pieces.tolist(), strict=True)
    ]
    just_before = np.maximum(times[1:] - _JUMP_S, times[:-1])
    return np.concatenate([*between, just_before, times[-1:]])


_NAMESPACE = uuid.UUID("5f0d3f5c-4c2b-5d0a-9f53-6f2b3f0f6a11")


def envelope_edit(project: Project, track: Track, envelope: Envelope) -> Edit:
    """Return the edit that puts `envelope` on a track; of one that stands there every line but the points stays."""
    document = project.document
    end = document.line_end(track.block.first)
    indent = re.match(rb"[ \t]*", document.lines[track.block.first])
    margin = (indent[0] if indent else b"") + b"  "
    points = [margin + b"  " + _point_line(point) + end for point in envelope.points]
    if envelope.block is None:
        at = place_of_envelope(document, track.block)
        return Edit(at, at, (*_opening(project, track, envelope, margin, end), *points, margin + b">" + end))
    block = envelope.block
    kept = tuple(_active(document.lines[i]) for i in range(block.first, block.last) if not _is_point(document.lines[i]))
    return Edit(block.first, block.last + 1, (*kept, *points, document.lines[block.last]))


def _opening(project: Project, track: Track, envelope: Envelope, margin: bytes, end: bytes) -> list[bytes]:
    guid = uuid.uuid5(_NAMESPACE, f"{project.path.name} {track.guid} {track.index}")
    lines = [f"EGUID {{{str(guid).upper()}}}", "ACT 1 -1", "VIS 1 1 1", "LANEHEIGHT 0 0", "ARM 0", "DEFSHAPE 0 -1 -1"]
    lines += ["VOLTYPE 1"] if envelope.is_fader_scaled else []
    return [margin + b"<VOLENV2" + end, *(margin + b"  " + line.encode() + end for line in lines)]


def place_of_envelope(document: Document, block: Block) -> int:
    """Return where a new envelope goes: after the track's own lines, before its plug-ins and items."""
    named = [i for i in block.lines if document.lines[i].split(None, 1)[:1] in ([b"MAINSEND"], [b"MAINSEND_NCH"])]
    if named:
        return named[-1] + 1
    return block.blocks[0].first if block.blocks else block.last


def _is_point(line: bytes) -> bool:
    return line.split(None, 1)[:1] == [b"PT"]


def _active(line: bytes) -> bytes:
    return re.sub(rb"^([ \t]*ACT[ \t]+)0\b", rb"\g<1>1", line)


def _point_line(point: Point) -> bytes:
    line = f"PT {_short(point.time_s)} {_short(point.gain)} {point.shape}"
    return (line + (f" 0 0 0 {_short(point.tension)}" if point.tension else "")).encode()


def _short(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


HIGHEST_GAIN = 2.0
"""+6 dB: the top of an envelope in REAPER's default preferences."""
_LARGEST_STEP_DB = 2.0
_WRITE_MODE = 3
_BENT_PIECES = 20
_MODERN = 6.0


@dataclass(frozen=True)
class WrittenEnvelope:
    """A track's new envelope: its points, and what multiplies them to the gain that is heard."""

    track: Track
    role: str
    scale: float
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Written:
    """A project's edits, the envelopes they write, and what the user should know of them."""

    project: Project
    edits: tuple[Edit, ...]
    envelopes: tuple[WrittenEnvelope, ...]
    notes: tuple[str, ...]

    @property
    def content(self) -> bytes:
        """The project's new content."""
        return self.project.document.edited(self.edits)

    def with_edits(self, edits: Sequence[Edit]) -> Written:
        """Return the same with further edits, which touch other lines."""
        return replace(self, edits=(*self.edits, *edits))


@dataclass(frozen=True)
class _Manner:
    """How envelopes are written: `span_s`, `moves` and `highest_gain` as `with_envelopes` has them."""

    span_s: tuple[float, float] | None
    moves: Mapping[str, Envelope | None] | None
    highest_gain: float

    def combined(self, track: Track, curve: EnvelopePoints) -> EnvelopePoints:
        """Return the curve together with the track's moves."""
        moves = None if self.moves is None else self.moves.get(track.guid)
        return combined(curve, moves, is_part=self.span_s is not None)


def with_envelopes(
    project: Project,
    tracks: Mapping[str, tuple[Track, ...]],
    automation: Mapping[str, EnvelopePoints],
    *,
    span_s: tuple[float, float] | None = None,
    moves: Mapping[str, Envelope | None] | None = None,
    highest_gain: float = HIGHEST_GAIN,
) -> Written:
    """Return the project with the automation of each bus on its tracks; bytes outside the envelopes stay.

    Parameters
    ----------
    project : the project; it is not changed.
    tracks : the tracks of each bus.
    automation : each bus's points.
    span_s : the part of the song the automation is for; outside it the envelopes stay what they are.
    moves : by the tracks' GUIDs, moves that are heard on top of the automation; without it what stood there goes.
    highest_gain : the top of an envelope.

    Raises
    ------
    InputError
        A track's fader is all the way down, or automation items lie on its envelope.
    """
    manner = _Manner(span_s, moves, highest_gain)
    edits, envelopes, notes = [], [], []
    for role, bus in tracks.items():
        if role in automation:
            for track in bus:
                envelope, told = _envelope(project, track, automation[role], manner)
                edits.append(envelope_edit(project, track, envelope))
                envelopes.append(WrittenEnvelope(track, role, scale_of(project, track), envelope.points))
                notes += told
    if project.global_automation == BYPASS:
        notes.append("the project bypasses all automation; the envelopes are heard when that is switched off in REAPER")
    return Written(project, tuple(edits), tuple(envelopes), tuple(notes))


def scale_of(project: Project, track: Track) -> float:
    """Return what the envelope will be multiplied by: fader and constant trim.

    Raises
    ------
    InputError
        It is nothing, so no envelope can be heard.
    """
    scale = track.volume if mode_of(project, track) == 0 else 1.0
    trim = track.heard("VOLENV3")
    if trim is not None:
        scale *= float(np.median([point.gain for point in trim.points]))
    if scale <= db_to_gain(LOWEST_DB):
        raise InputError(
            f"the fader of {track.title} is all the way down, so no envelope can be heard",
            path=project.path,
            remedy="raise it in REAPER, or choose another track",
        )
    return scale


def points_of(curve: EnvelopePoints, scale: float, highest_gain: float = HIGHEST_GAIN) -> list[Point]:
    """Return a curve as linear envelope points, divided by `scale`, at most 2 dB apart; clamped at the highest gain."""
    time_s, gain_db = _close_together(curve.time_s, np.maximum(curve.gain_db, LOWEST_DB))
    gain = np.where(gain_db <= LOWEST_DB, 0.0, db_to_gain(gain_db)) / scale
    return [
        Point(time, value) for time, value in zip(time_s.tolist(), np.minimum(gain, highest_gain).tolist(), strict=True)
    ]


def _close_together(time_s: FloatArray, gain_db: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Put points in between, so that two neighbours are at most 2 dB apart."""
    pieces = np.maximum(np.ceil(np.abs(np.diff(gain_db)) / _LARGEST_STEP_DB), 1).astype(int)
    places = [start + np.arange(count) / count for start, count in enumerate(pieces)]
    at = np.concatenate([*places, [len(time_s) - 1.0]])
    whole = np.arange(len(time_s))
    return np.interp(at, whole, time_s), np.interp(at, whole, gain_db)


def require_writable(project: Project, track: Track) -> None:
    """Raise an `InputError` where no envelope can be written on a track: automation items, a fader all the way down."""
    old = track.envelopes.get("VOLENV2")
    if old is not None and old.has_items:
        raise InputError(
            f"automation items lie on the volume envelope of {track.title}",
            path=project.path,
            remedy="glue or delete them in REAPER, or choose another track",
        )
    scale_of(project, track)


def _envelope(project: Project, track: Track, curve: EnvelopePoints, manner: _Manner) -> tuple[Envelope, list[str]]:
    require_writable(project, track)
    old = track.envelopes.get("VOLENV2")
    scale = scale_of(project, track)
    base = old if old is not None else Envelope((), is_fader_scaled=_is_modern(project))
    inner = _from_start(curve) if manner.span_s is None else _without_edges(curve)
    heard = manner.combined(track, inner)
    points = points_of(heard, scale, manner.highest_gain)
    if manner.span_s is not None:
        points = _inside(base, points, manner.span_s, _level_without(project, track))
    return replace(base, points=tuple(points), is_active=True), _notes(project, track, heard, manner)


def _from_start(curve: EnvelopePoints) -> EnvelopePoints:
    if curve.time_s[0] <= 0.0:
        return curve
    return EnvelopePoints(np.concatenate([[0.0], curve.time_s]), np.concatenate([curve.gain_db[:1], curve.gain_db]))


def _without_edges(curve: EnvelopePoints) -> EnvelopePoints:
    """Return a range's points without the two at its very edges, where the curve is at 0 dB."""
    return EnvelopePoints(curve.time_s[1:-1], curve.gain_db[1:-1])


def _level_without(project: Project, track: Track) -> float:
    """Return what an envelope must be worth to change nothing where none was heard."""
    return 1.0 if mode_of(project, track) == 0 else track.volume


def _inside(old: Envelope, inner: list[Point], span_s: tuple[float, float], level: float) -> list[Point]:
    """Return the old points outside `span_s`, the new ones inside it, and guard points at both edges."""
    kept = old if old.is_heard else replace(old, points=(Point(0.0, level),))
    start_s, end_s = span_s
    up_to, after = _cut(kept, start_s, end_s)
    entry, leave = kept.gain_at(np.array([start_s - 1e-9, end_s + 1e-9])).tolist()
    lead_in = [Point(start_s, entry)] if start_s > 0.0 else [Point(0.0, inner[0].gain)]
    return [*up_to, *lead_in, *inner, Point(end_s, leave, _shape_at(kept, end_s)), *after]


def _cut(old: Envelope, start_s: float, end_s: float) -> tuple[list[Point], list[Point]]:
    """Return the points before and after a range; a bent stretch that it cuts is made of straight pieces."""
    before = [point for point in old.points if point.time_s < start_s]
    after = [point for point in old.points if point.time_s > end_s]
    if before and before[-1].shape > SQUARE and before[-1] is not old.points[-1]:
        bent = before.pop()
        before += [replace(bent, shape=LINEAR, tension=0.0), *_straight(old, bent.time_s, start_s)]
    cut = old.points[-len(after) - 1] if 0 < len(after) < len(old.points) else None
    if cut is not None and cut.shape > SQUARE:
        after = [*_straight(old, end_s, after[0].time_s), *after]
    return before, after


def _straight(old: Envelope, start_s: float, end_s: float) -> list[Point]:
    times = np.linspace(start_s, end_s, _BENT_PIECES + 1)[1:-1]
    return [Point(time, gain) for time, gain in zip(times.tolist(), old.gain_at(times).tolist(), strict=True)]


def _shape_at(old: Envelope, time_s: float) -> int:
    shape = next((point.shape for point in reversed(old.points) if point.time_s <= time_s), LINEAR)
    return shape if shape <= SQUARE else LINEAR


def _is_modern(project: Project) -> bool:
    """Tell whether the project was saved by a REAPER whose new envelopes are fader-scaled."""
    version = project.document.fields_at(project.document.root.first).text(1)
    found = re.match(r"\d+(?:\.\d+)?", version)
    return found is not None and float(found[0]) >= _MODERN


def _notes(project: Project, track: Track, curve: EnvelopePoints, manner: _Manner) -> list[str]:
    notes = []
    old = track.envelopes.get("VOLENV2")
    over_db = float(curve.gain_db.max()) - float(gain_to_db(scale_of(project, track) * manner.highest_gain))
    if over_db > 0.005:
        top_db = float(gain_to_db(manner.highest_gain))
        notes.append(
            f"the curve of {track.title} goes {over_db:.1f} dB past the top of an envelope ({top_db:+.0f} dB over its "
            "fader) and was clamped there; raise its fader in REAPER and mix again"
        )
    if old is not None and len(old.points) > 1:
        where = "in the range " if manner.span_s and old.is_active else ""
        became = "it was replaced" if manner.moves is None else "its moves were kept on top of the new gains"
        notes.append(f"{track.title} had volume automation; {where}{became}")
    trim = track.heard("VOLENV3")
    if trim is not None and not trim.is_constant:
        notes.append(f"{track.title} has a moving trim envelope; its median was allowed for, its moves come on top")
    if mode_of(project, track) == _WRITE_MODE:
        notes.append(f"{track.title} is in write mode: playing would overwrite the envelope, so set it to read first")
    return notes
