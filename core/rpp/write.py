"""Write gain curves as volume envelopes into a copy of a project.

Conventions: what is heard is envelope times fader (in trim/read) times trim envelope, and that product is the gain
that was predicted, times the track's weight in its bus; the fader does not move. Points are linear (shape 0), their
values linear gain. A curve is straight in dB between two points, an envelope in amplitude or on the fader's scale;
between points at most 2 dB apart all three differ by less than 0.06 dB, so an envelope keeps its scaling. -60 dB and
less is written as 0.

No curve is clipped: where one would pass the top of its track's envelope, curves are lowered as a whole (`lowering`).
Moves of an envelope that are combined with a curve multiply it; the product is exact to 0.05 dB.

Sources: ReaTeam/Doc, "State Chunk Definitions"; real projects. REAPER's range goes to +6 dB unless the user chose
another in the preferences, which no project file contains.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from core.automation.points import EnvelopePoints, Point, thin
from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.errors import InputError
from core.roles import LEFT_OUT
from core.rpp.envelope import LINEAR, SQUARE, Envelope
from core.rpp.faders import BYPASS, bus_weights, group_notes, mode_of
from core.rpp.parser import Block, Document, Edit
from core.rpp.project import FADER, PRE_FX, TRIM, VOLUME, Project, Track

_STEP_DB = 0.5
_MOST_STEPS = 200
_BENT_STEPS = 20
_JUMP_S = 0.001
_TOLERANCE_DB = 0.02
_DIGITS = 6
"""Times are rounded to a microsecond, the smallest distance of two points of a curve."""


def combine(curve: EnvelopePoints, moves: Envelope | None, *, is_part: bool = False) -> EnvelopePoints:
    """Return `curve` times the moves of an envelope; the curve itself where there are none.

    Parameters
    ----------
    curve : the gain curve of a bus.
    moves : an envelope with the user's own moves.
    is_part : whether the curve is for a part of the song; then no point is outside its range.
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
    """Return times between which the envelope is nearly linear in dB, including one just before each point."""
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


def envelope_edit(project: Project, track: Track, envelope: Envelope, name: str = VOLUME) -> Edit:
    """Return the edit that puts `envelope` on a track, active and visible, or its one point on the fader.

    Every other line of an existing envelope is preserved.

    Parameters
    ----------
    project, track : the track and its project.
    envelope : the envelope to write; its `block` is the one that it replaces.
    name : the envelope's name, or `FADER`.
    """
    document = project.document
    if name == FADER:
        return fader_edit(project, track, _short(envelope.points[0].gain))
    end = document.line_end(track.block.first)
    indent = re.match(rb"[ \t]*", document.lines[track.block.first])
    margin = (indent[0] if indent else b"") + b"  "
    points = []
    for point in envelope.points:
        line = f"  PT {_short(point.time_s)} {_short(point.gain)} {point.shape}"
        line += f" 0 0 0 {_short(point.tension)}" if point.tension else ""
        points.append(margin + line.encode() + end)
    if envelope.block is None:
        at = place_of_envelope(document, track.block)
        return Edit(at, at, (*_opening(project, track, envelope, name, margin), *points, margin + b">" + end))
    block = envelope.block
    others = [line for line in document.lines[block.first : block.last] if line.split(None, 1)[:1] != [b"PT"]]
    kept = [re.sub(rb"^([ \t]*(?:ACT|VIS)[ \t]+)0\b", rb"\g<1>1", line) for line in others]  # active and visible
    return Edit(block.first, block.last + 1, (*kept, *points, document.lines[block.last]))


def fader_edit(project: Project, track: Track, volume: str) -> Edit:
    """Return the edit that sets a track's fader, a linear gain.

    Parameters
    ----------
    project, track : the track and its project.
    volume : the linear gain as text.
    """
    lines = project.document.lines
    index = next(i for i in track.block.lines if lines[i].split(None, 1)[:1] == [b"VOLPAN"])
    line = re.sub(rb"(VOLPAN\s+)\S+", lambda found: found[1] + volume.encode(), lines[index], count=1)
    return Edit(index, index + 1, (line,))


def _opening(project: Project, track: Track, envelope: Envelope, name: str, margin: bytes) -> list[bytes]:
    end = project.document.line_end(track.block.first)
    suffix = "" if name == VOLUME else f" {name}"
    guid = uuid.uuid5(_NAMESPACE, f"{project.path.name} {track.guid} {track.index}{suffix}")
    lines = [f"EGUID {{{str(guid).upper()}}}", "ACT 1 -1", "VIS 1 1 1", "LANEHEIGHT 0 0", "ARM 0", "DEFSHAPE 0 -1 -1"]
    lines += ["VOLTYPE 1"] if envelope.scaling == "fader" else []
    return [margin + b"<" + name.encode() + end, *(margin + b"  " + line.encode() + end for line in lines)]


def place_of_envelope(document: Document, block: Block) -> int:
    """Return where a new envelope goes: after the track's own lines, before its plug-ins and items."""
    named = [i for i in block.lines if document.lines[i].split(None, 1)[:1] in ([b"MAINSEND"], [b"MAINSEND_NCH"])]
    if named:
        return named[-1] + 1
    return block.blocks[0].first if block.blocks else block.last


def _short(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


HIGHEST_GAIN = 2.0
"""+6 dB: the top of an envelope in REAPER's default preferences."""
HIGHEST_FADER = 10.0 ** (12.0 / 20.0)
"""+12 dB: the top of a fader in REAPER's default preferences."""
MOST_LOWERED_DB = 6.0
"""All buses are lowered by up to this much, so that the balance stays; a bus that exceeds its top by more is lowered
alone, unless half of the buses do."""
_MEDIAN_MOMENTS = 501
_SMALLEST_OVERSHOOT_DB = 1e-6
_LARGEST_STEP_DB = 2.0
_WRITE_MODE = 3
_BENT_PIECES = 20
_MODERN = 6.0


@dataclass(frozen=True)
class WrittenEnvelope:
    """A track's new envelope.

    Attributes
    ----------
    track, role : the track and its bus.
    scale : what multiplies the points to the gain of the bus.
    weight : what multiplies the gain of the bus to the gain of the track.
    points : the new points.
    name : the envelope's name, or `FADER`.
    """

    track: Track
    role: str
    scale: float
    points: tuple[Point, ...]
    weight: float = 1.0
    name: str = VOLUME


@dataclass(frozen=True)
class Lowered:
    """By how many dB curves were lowered to fit their envelopes: all of them, and in addition some buses alone.

    By `room_db` the buses that were not lowered alone could still be raised.
    """

    all_db: float = 0.0
    alone_db: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    room_db: float = np.inf

    def of(self, bus: str) -> float:
        """Return by how many dB a bus was lowered."""
        return self.all_db + self.alone_db.get(bus, 0.0)

    def __bool__(self) -> bool:
        return self.all_db > 0.0 or bool(self.alone_db)


@dataclass(frozen=True)
class Written:
    """A project's edits, the envelopes they write, notes for the user, and by how much curves were lowered."""

    project: Project
    edits: tuple[Edit, ...]
    envelopes: tuple[WrittenEnvelope, ...]
    notes: tuple[str, ...]
    lowered: Lowered = field(default_factory=Lowered)

    @property
    def content(self) -> bytes:
        """The project's new content."""
        return self.project.document.edited(self.edits)

    def with_edits(self, edits: Sequence[Edit]) -> Written:
        """Return the same with further edits, which touch other lines."""
        return replace(self, edits=(*self.edits, *edits))


def with_envelopes(
    project: Project,
    tracks: Mapping[str, tuple[Track, ...]],
    automation: Mapping[str, EnvelopePoints],
    *,
    span_s: tuple[float, float] | None = None,
    moves: Mapping[str, Envelope | None] | None = None,
    highest_gain: float = HIGHEST_GAIN,
    weights: Mapping[int, float] | None = None,
    name: str = VOLUME,
    own: Mapping[str, Envelope | None] | None = None,
) -> Written:
    """Return the project with the automation of each bus on its tracks; bytes outside the envelopes do not change.

    Parameters
    ----------
    project : the project; it is not changed.
    tracks : the tracks of each bus. Of several, each keeps its weight (`core.rpp.faders.bus_weights`).
    automation : each bus's points.
    span_s : the part of the song the automation is for; outside it the envelopes do not change.
    moves : by the tracks' GUIDs, moves to combine with the automation; without it existing moves are replaced.
    highest_gain : the top of an envelope, linear.
    weights : by the tracks' indices, other weights than those of `bus_weights`.
    name : the envelope to write on: `VOLUME`, `PRE_FX` or `TRIM`; or `FADER`, which gets each curve's median.
    own : by the tracks' GUIDs, the user's own envelopes, whose replacement is noted; by default the present ones.

    Returns
    -------
    Written
        Where a curve would pass the top of its envelope, buses are `lowered` against what was asked for.

    Raises
    ------
    InputError
        The faders of all tracks of a bus are all the way down, an envelope has automation items, or a fader has no
        effect or cannot have automation for a part of the song.

    Examples
    --------
    >>> from pathlib import Path
    >>> from core.rpp.project import read_project
    >>> project = read_project(Path("tests/projects/wincing.rpp"))
    >>> drums = next(track for track in project.tracks if track.name == "drums")
    >>> curve = EnvelopePoints(np.array([0.0]), np.array([-6.0]))
    >>> written = with_envelopes(project, {"drums": (drums,)}, {"drums": curve})
    >>> [(envelope.role, len(envelope.points)) for envelope in written.envelopes], bool(written.lowered)
    ([('drums', 1)], False)
    """
    if name == FADER and span_s is not None:
        raise InputError(
            "a fader cannot be set for a part of the song", remedy="write on an envelope, or mix all of it"
        )
    targets: list[tuple[WrittenEnvelope, EnvelopePoints]] = []
    notes: list[str] = []
    for role, bus in tracks.items():
        if role not in automation:
            continue
        require_audible(project, bus, name)
        weight_of = weights if weights is not None else bus_weights(project, bus, with_envelope=moves is None)
        curve = automation[role]
        inner = curve.from_start() if span_s is None else EnvelopePoints(curve.time_s[1:-1], curve.gain_db[1:-1])
        for track in bus:
            weight = weight_of[track.index]
            if weight <= db_to_gain(LOWEST_DB):
                notes.append(f"the fader of {track.title} is all the way down, so nothing was written on it")
                continue
            require_writable(project, track, name)
            moved = None if moves is None else moves.get(track.guid)
            heard = combine(inner, moved, is_part=span_s is not None)
            if name == FADER:
                heard = median_of(heard)
            scale = scale_of(project, track, name) / weight
            targets.append((WrittenEnvelope(track, role, scale, (), weight, name), heard))
    lowered = lowering(targets, HIGHEST_FADER if name == FADER else highest_gain)
    notes += lowered.notes
    edits, envelopes = [], []
    for target, curve in targets:
        track = target.track
        old = track.target(name)
        base = old if old is not None else Envelope((), scaling="fader" if _is_modern(project) else "amplitude")
        points = points_of(curve.with_gain_db(-lowered.of(target.role)), target.scale)
        if span_s is not None:
            is_alone = name != VOLUME or mode_of(project, track) == 0
            level = 1.0 if is_alone else track.volume  # changes nothing where no envelope was heard
            kept = base if base.is_heard else replace(base, points=(Point(0.0, level),))
            points = with_span(kept, points, span_s)
        envelope = replace(base, points=points, is_active=True)
        edits.append(envelope_edit(project, track, envelope, name))
        envelopes.append(replace(target, points=points))
        replaced = old if own is None else own.get(track.guid, old)
        notes += _notes(project, track, name, replaced, is_part=span_s is not None, keeps_moves=moves is not None)
    if project.global_automation == BYPASS:
        notes.append("the project bypasses all automation; switch that off in REAPER to hear the envelopes")
    notes += group_notes(project, [target.track for target, _ in targets])
    return Written(project, tuple(edits), tuple(envelopes), tuple(notes), lowered)


def lowering(targets: Sequence[tuple[WrittenEnvelope, EnvelopePoints]], highest_gain: float) -> Lowered:
    """Return by how many dB curves must be lowered so that each fits its envelope, with notes if any must be.

    Parameters
    ----------
    targets : the envelopes (without points) and the curves to write on them.
    highest_gain : the top of an envelope, linear.
    """
    over_db: dict[str, float] = {}
    highest: dict[str, Track] = {}
    for target, curve in targets:
        found_db = float(curve.gain_db.max() - gain_to_db(target.scale * highest_gain))
        if found_db > over_db.get(target.role, -np.inf):
            over_db[target.role], highest[target.role] = found_db, target.track
    far = [role for role, found_db in over_db.items() if found_db > MOST_LOWERED_DB]
    alone = far if 2 * len(far) < len(over_db) else []
    together = {role: max(0.0, found_db) for role, found_db in over_db.items() if role not in alone}
    first = max(together, key=lambda role: together[role], default="")
    all_db = together.get(first, 0.0)
    if all_db < _SMALLEST_OVERSHOOT_DB:
        all_db = 0.0
    alone_db = {role: over_db[role] - all_db for role in alone}
    room_db = max(0.0, -max((over_db[role] for role in together), default=-np.inf))
    top = f"{float(gain_to_db(highest_gain)):+.0f} dB over its fader"
    notes = []
    if all_db:
        notes.append(
            f"all buses were lowered by {all_db:.1f} dB, so that the curve of {highest[first].title} stays below the "
            f"top of its envelope ({top}); to restore the level, raise its fader, or leave it out with "
            f"--bus {LEFT_OUT}={highest[first].number}, and mix again; or raise the master"
        )
    notes += [
        f"{highest[role].title} ({role}) was lowered by {lowered_db:.1f} dB, unlike the other buses, to the top of its "
        f"envelope ({top}); for the full gain, raise its fader and run again, or leave it out with "
        f"--bus {LEFT_OUT}={highest[role].number}"
        for role, lowered_db in alone_db.items()
    ]
    return Lowered(all_db, alone_db, tuple(notes), room_db)


def median_of(curve: EnvelopePoints) -> EnvelopePoints:
    """Return the median of a curve over time, as a curve."""
    time_s = np.linspace(curve.time_s[0], curve.time_s[-1], _MEDIAN_MOMENTS)
    return EnvelopePoints(np.zeros(1), np.array([np.median(curve.at(time_s))]))


def scale_of(project: Project, track: Track, name: str = VOLUME) -> float:
    """Return what the envelope `name` will be multiplied by: the fader and the medians of the other envelopes.

    Parameters
    ----------
    project, track : the track and its project.
    name : the envelope's name, or `FADER`.

    Raises
    ------
    InputError
        The fader is all the way down, so no envelope can be heard; or it follows the envelope, so it has no effect.
    """
    if name == FADER and track.heard(VOLUME) is not None and mode_of(project, track) != 0:
        raise InputError(
            f"the fader of {track.title} follows its volume envelope",
            path=project.path,
            remedy="set the track to trim/read, bypass the envelope, or write on another target",
        )
    scale = _scale(project, track, name)
    if scale <= db_to_gain(LOWEST_DB):
        raise InputError(
            f"the fader of {track.title} is all the way down, so no envelope can be heard",
            path=project.path,
            remedy="raise it in REAPER, or choose another track",
        )
    return scale


def _scale(project: Project, track: Track, name: str) -> float:
    is_multiplied = mode_of(project, track) == 0 or (name != VOLUME and track.heard(VOLUME) is None)
    scale = track.volume if is_multiplied and name != FADER else 1.0
    others = [track.heard(other) for other in (VOLUME, TRIM) if other != name]
    for envelope in filter(None, others):
        scale *= float(np.median([point.gain for point in envelope.points]))
    return scale


def require_audible(project: Project, tracks: Sequence[Track], name: str = VOLUME) -> None:
    """Raise an `InputError` where the faders of all of a bus's tracks are all the way down.

    Parameters
    ----------
    project : the project.
    tracks : the tracks of a bus.
    name : the envelope's name, or `FADER`.
    """
    if all(_scale(project, track, name) <= db_to_gain(LOWEST_DB) for track in tracks):
        scale_of(project, tracks[0], name)


def points_of(curve: EnvelopePoints, scale: float) -> tuple[Point, ...]:
    """Return a curve as envelope points with linear gain, divided by `scale`, at most 2 dB apart.

    Examples
    --------
    >>> points = points_of(EnvelopePoints(np.array([0.0, 4.0]), np.array([0.0, -3.0])), 0.5)
    >>> [(point.time_s, round(point.gain, 3)) for point in points]
    [(0.0, 2.0), (2.0, 1.683), (4.0, 1.416)]
    """
    levels_db = np.maximum(curve.gain_db, LOWEST_DB)
    pieces = np.maximum(np.ceil(np.abs(np.diff(levels_db)) / _LARGEST_STEP_DB), 1).astype(int)
    places = [start + np.arange(count) / count for start, count in enumerate(pieces)]
    whole, at = np.arange(len(levels_db)), np.concatenate([*places, [len(levels_db) - 1.0]])
    time_s, gain_db = np.interp(at, whole, curve.time_s), np.interp(at, whole, levels_db)
    gain = np.where(gain_db <= LOWEST_DB, 0.0, db_to_gain(gain_db)) / scale
    return tuple(map(Point, time_s.tolist(), gain.tolist()))


def require_writable(project: Project, track: Track, name: str = VOLUME) -> None:
    """Raise an `InputError` where no envelope can be written on a track: automation items, a fader all the way down.

    Parameters
    ----------
    project, track : the track and its project.
    name : the envelope's name, or `FADER`.
    """
    old = track.target(name)
    if old is not None and old.has_items:
        raise InputError(
            f"the volume envelope of {track.title} has automation items",
            path=project.path,
            remedy="glue or delete them in REAPER, or choose another track",
        )
    scale_of(project, track, name)


def with_span(old: Envelope, inner: Sequence[Point], span_s: tuple[float, float]) -> tuple[Point, ...]:
    """Return an envelope's points outside a span, new ones inside it, and guard points at both edges.

    Parameters
    ----------
    old : the envelope; it has a point.
    inner : the new points, all of them inside the span.
    span_s : start and end of the span in seconds.
    """
    start_s, end_s = span_s
    up_to, after = _cut(old, start_s, end_s)
    entry, leave = old.gain_at(np.array([start_s - 1e-9, end_s + 1e-9])).tolist()
    lead_in = Point(start_s, entry) if start_s > 0.0 else Point(0.0, inner[0].gain)
    shape = next((point.shape for point in reversed(old.points) if point.time_s <= end_s), LINEAR)
    return (*up_to, lead_in, *inner, Point(end_s, leave, shape if shape <= SQUARE else LINEAR), *after)


def _cut(old: Envelope, start_s: float, end_s: float) -> tuple[list[Point], list[Point]]:
    """Return the points before and after a range; a curved segment that it cuts becomes straight pieces."""
    before = [point for point in old.points if point.time_s < start_s]
    after = [point for point in old.points if point.time_s > end_s]
    if before and before[-1].shape > SQUARE and before[-1] is not old.points[-1]:
        bent = before.pop()
        before += [bent._replace(shape=LINEAR, tension=0.0), *_straight(old, bent.time_s, start_s)]
    cut = old.points[-len(after) - 1] if 0 < len(after) < len(old.points) else None
    if cut is not None and cut.shape > SQUARE:
        after = [*_straight(old, end_s, after[0].time_s), *after]
    return before, after


def _straight(old: Envelope, start_s: float, end_s: float) -> list[Point]:
    times = np.linspace(start_s, end_s, _BENT_PIECES + 1)[1:-1]
    return list(map(Point, times.tolist(), old.gain_at(times).tolist()))


def _is_modern(project: Project) -> bool:
    """Return whether the project was saved by a REAPER whose new envelopes are fader-scaled."""
    version = project.document.fields_at(project.document.root.first).text(1)
    found = re.match(r"\d+(?:\.\d+)?", version)
    return found is not None and float(found[0]) >= _MODERN


def _notes(
    project: Project, track: Track, name: str, old: Envelope | None, *, is_part: bool, keeps_moves: bool
) -> list[str]:
    notes = []
    if old is not None and len(old.points) > 1:
        where = "in the range " if is_part and old.is_active else ""
        became = "its moves were kept on top of the new gains" if keeps_moves and old.is_active else "it was replaced"
        kind = "volume automation" if old.is_active else "bypassed volume automation"
        notes.append(f"{track.title} had {kind}; {where}{became}")
    for other, words in ((VOLUME, "volume"), (TRIM, "trim")):
        envelope = track.heard(other)
        if other != name and envelope is not None and not envelope.is_constant:
            notes.append(
                f"{track.title} has a moving {words} envelope; its median was compensated, its moves are applied on top"
            )
    if name == PRE_FX and track.plug_ins:
        notes.append(f"{track.title} is automated before its plug-ins, so those that react to level sound different")
    if mode_of(project, track) == _WRITE_MODE:
        notes.append(f"{track.title} is in write mode: playing would overwrite the envelope, so set it to read first")
    return notes
