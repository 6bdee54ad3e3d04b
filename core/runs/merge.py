"""Three-way merge of the user's points and a re-applied prediction.

Conventions: `base` is what we wrote, `now` what is there, `new` what the prediction asks for now; points are in
one domain (an envelope's linear gain), their times never fall. Two points are the same where they differ by less than
0.5 ms, 0.02 dB, and not in shape. An *edited span* goes from the last common point before a change to the first one
after it: what the user made of the curve is heard from one to the other.

Rules: in an edited span the user's points stay, each one to the bit; elsewhere `new` counts. A curve of which most
points were moved by one common amount was lifted: the lift is kept on all of `new`. Where `new` differs from `base`
in an edited span, that is a conflict, which is reported.

Conventions: points are linear gain. An envelope is straight in amplitude or on the fader's scale, an automation file
in dB; an envelope's points are multiplied by a scale (fader, trim) and end at +6 dB.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.automation.points import EnvelopePoints
from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db, heard_db
from core.rpp.envelope import LINEAR, Envelope, Point
from core.rpp.write import combined, points_of

SAME_TIME_S, SAME_GAIN_DB = 5e-4, 0.02
CONFLICT_DB = 0.1
_LIFTED_SHARE = 0.5
_TRACE_S = 0.25
_MOST_TRACED = 1_000_000
"""So many moments are looked at for conflicts: of a stretch that has no end, not every quarter of a second."""

Curve = Callable[[Sequence[Point], FloatArray], FloatArray]
"""Gives the linear gain of points at times, as they are played."""


@dataclass(frozen=True)
class Span:
    """A stretch from one common point to the next; infinite where there is none."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class EditedSpan:
    """What a user changed between two common points: points that are new, and base points that are gone."""

    span: Span
    added: tuple[Point, ...]
    removed: tuple[Point, ...]


@dataclass(frozen=True)
class Edits:
    """A user's edits of `base`: all of it lifted by a factor, and the spans that were changed beyond that."""

    lift: float
    spans: tuple[EditedSpan, ...]

    @property
    def lift_db(self) -> float:
        """The lift in dB."""
        return float(gain_to_db(self.lift))

    @property
    def are_none(self) -> bool:
        """Whether nothing was changed."""
        return not self.spans and self.lift == 1.0


@dataclass(frozen=True)
class Conflict:
    """Both changed one stretch: the user's gain stays, `wanted_db` was asked for where they differ most, `at_s`."""

    span: Span
    at_s: float
    kept_db: float
    wanted_db: float


@dataclass(frozen=True)
class Merged:
    """The merged points; `ours`, the same without the user's edits; what was edited; and the conflicts."""

    points: tuple[Point, ...]
    ours: tuple[Point, ...]
    edits: Edits
    conflicts: tuple[Conflict, ...]


def edits_between(base: Sequence[Point], now: Sequence[Point]) -> Edits:
    """Return what a user changed from `base` to `now`."""
    lift = _lift(base, now)
    lifted = [replace(point, gain=point.gain * lift) for point in base]
    return Edits(lift, tuple(_spans(lifted, now)))


def merge(base: Sequence[Point], now: Sequence[Point], new: Sequence[Point], curve: Curve) -> Merged:
    """Return `new` with what the user changed from `base` to `now`.

    Parameters
    ----------
    base, now, new : see the module's conventions; none is empty.
    curve : how points are played, to keep the sound outside the edited spans as `new` has it.
    """
    edits = edits_between(base, now)
    wanted = [replace(point, gain=point.gain * edits.lift) for point in new]
    ours = _with_guards(wanted, edits.spans, curve)
    starts = [edit.span.start_s for edit in edits.spans]
    kept = [point for point in ours if not _is_inside(point, edits.spans, starts)]
    points = sorted([*kept, *(point for edit in edits.spans for point in edit.added)], key=lambda point: point.time_s)
    if not points:
        points = list(now)
    plain = tuple(replace(point, gain=point.gain / edits.lift) for point in ours)
    conflicts = _conflicts(edits, [replace(p, gain=p.gain * edits.lift) for p in base], wanted, points, curve)
    return Merged(tuple(points), plain, edits, conflicts)


def _same(one: Point, other: Point) -> bool:
    return (
        abs(one.time_s - other.time_s) <= SAME_TIME_S
        and abs(heard_db(one.gain) - heard_db(other.gain)) <= SAME_GAIN_DB
        and one.shape == other.shape
        and abs(one.tension - other.tension) < 1e-3
    )


def _lift(base: Sequence[Point], now: Sequence[Point]) -> float:
    """Return the factor most points of the curve were moved by, 1 where there is none."""
    times = [point.time_s for point in now]
    ratios = []
    for point in base:
        place = bisect_left(times, point.time_s - SAME_TIME_S)
        if (
            place < len(now)
            and now[place].time_s <= point.time_s + SAME_TIME_S
            and heard_db(min(point.gain, now[place].gain)) > LOWEST_DB
        ):
            ratios.append(now[place].gain / point.gain)
    if not ratios:
        return 1.0
    middle = float(np.median(ratios))
    agreeing = sum(abs(heard_db(ratio / middle)) <= SAME_GAIN_DB for ratio in ratios)
    sounding = sum(heard_db(point.gain) > LOWEST_DB for point in base)
    is_lift = abs(heard_db(middle)) > SAME_GAIN_DB and agreeing > _LIFTED_SHARE * sounding
    return middle if is_lift else 1.0


def _spans(base: Sequence[Point], now: Sequence[Point]) -> list[EditedSpan]:
    spans: list[EditedSpan] = []
    start_s = -math.inf
    removed: list[Point] = []
    added: list[Point] = []
    i = j = 0
    while i < len(base) or j < len(now):
        if i < len(base) and j < len(now) and _same(base[i], now[j]):
            if removed or added:
                spans.append(EditedSpan(Span(start_s, now[j].time_s), tuple(added), tuple(removed)))
                removed, added = [], []
            start_s = now[j].time_s
            i, j = i + 1, j + 1
        elif j >= len(now) or (i < len(base) and base[i].time_s <= now[j].time_s):
            removed.append(base[i])
            i += 1
        else:
            added.append(now[j])
            j += 1
    if removed or added:
        spans.append(EditedSpan(Span(start_s, math.inf), tuple(added), tuple(removed)))
    return spans


def _with_guards(points: Sequence[Point], spans: Sequence[EditedSpan], curve: Curve) -> list[Point]:
    """Return points that play the same, with one at each edge of each span."""
    edges = sorted({edge for edit in spans for edge in (edit.span.start_s, edit.span.end_s) if math.isfinite(edge)})
    times = [point.time_s for point in points]
    missing = [edge for edge in edges if not _has(times, edge)]
    if not missing:
        return list(points)
    gains = curve(points, np.array(missing)).tolist()
    guards = [Point(edge, gain, _shape_at(points, times, edge)) for edge, gain in zip(missing, gains, strict=True)]
    return sorted([*points, *guards], key=lambda point: point.time_s)


def _has(times: Sequence[float], time_s: float) -> bool:
    place = bisect_left(times, time_s - SAME_TIME_S)
    return place < len(times) and times[place] <= time_s + SAME_TIME_S


def _shape_at(points: Sequence[Point], times: Sequence[float], time_s: float) -> int:
    place = bisect_left(times, time_s)
    return points[place - 1].shape if place and points[place - 1].shape <= 1 else LINEAR


def _is_inside(point: Point, spans: Sequence[EditedSpan], starts: Sequence[float]) -> bool:
    place = bisect_left(starts, point.time_s - SAME_TIME_S) - 1
    return place >= 0 and point.time_s < spans[place].span.end_s - SAME_TIME_S


def _conflicts(
    edits: Edits, base: Sequence[Point], wanted: Sequence[Point], merged: Sequence[Point], curve: Curve
) -> tuple[Conflict, ...]:
    """Return where `wanted` differs from `base` in an edited span; each curve is played once, for all the spans."""
    if not edits.spans:
        return ()
    last_s = max(points[-1].time_s for points in (base, wanted, merged))
    spans = [Span(max(edit.span.start_s, 0.0), min(edit.span.end_s, last_s)) for edit in edits.spans]
    traces = [_trace(span, most=max(_MOST_TRACED // len(spans), 1)) for span in spans]
    whole, ends = np.concatenate(traces), np.cumsum([len(trace) for trace in traces])[:-1]
    played = [np.maximum(gain_to_db(curve(points, whole)), LOWEST_DB) for points in (base, wanted, merged)]
    levels = zip(*(np.split(level, ends) for level in played), strict=True)
    found = [_conflict(*each) for each in zip(spans, traces, levels, strict=True)]
    return tuple(conflict for conflict in found if conflict)


def _trace(span: Span, *, most: int) -> FloatArray:
    """Return the moments of a stretch, edges left out, that are looked at."""
    count = max(int(min((span.end_s - span.start_s) / _TRACE_S, most)), 1)
    return np.linspace(span.start_s, span.end_s, count + 2)[1:-1]


def _conflict(span: Span, trace: FloatArray, levels: tuple[FloatArray, ...]) -> Conflict | None:
    base_db, wanted_db, merged_db = levels
    if np.abs(wanted_db - base_db).max() <= CONFLICT_DB:
        return None
    worst = int(np.argmax(np.abs(wanted_db - merged_db)))
    return Conflict(span, float(trace[worst]), float(merged_db[worst]), float(wanted_db[worst]))


@dataclass(frozen=True)
class Lane:
    """A lane: the points that lie on it `now`, how it plays points, and how a curve in dB becomes points of it."""

    now: tuple[Point, ...]
    plays: Curve
    points: Callable[[EnvelopePoints, bool], Sequence[Point]]
    """Takes a curve, and whether it is for a part of the song."""


def envelope_lane(envelope: Envelope, scale: float, base: tuple[Point, ...], moves: Envelope | None = None) -> Lane:
    """Return the lane of a track's envelope; a bypassed one plays nothing, so it counts as `base`, unedited.

    `moves` are heard on top of every curve, in the stretch the curve is for.
    """

    def points(curve: EnvelopePoints, is_part: bool) -> Sequence[Point]:
        whole = curve if is_part or curve.time_s[0] <= 0.0 else _from_start(curve)
        return points_of(combined(whole, moves, is_part=is_part), scale)

    now = envelope.points if envelope.is_active else base
    return Lane(now, lambda points, time_s: replace(envelope, points=tuple(points)).gain_at(time_s), points)


def file_lane(now: EnvelopePoints) -> Lane:
    """Return the lane of a bus in an automation file."""
    return Lane(linear_points(now), straight_in_db, lambda curve, _: linear_points(curve))


def linear_points(points: EnvelopePoints) -> tuple[Point, ...]:
    """Return a bus's points (dB) as points of linear gain."""
    gains = db_to_gain(points.gain_db)
    return tuple(Point(time_s, gain) for time_s, gain in zip(points.time_s.tolist(), gains.tolist(), strict=True))


def as_envelope_points(points: Sequence[Point]) -> EnvelopePoints:
    """Return points of linear gain as a bus's points (dB)."""
    gains = np.array([point.gain for point in points])
    return EnvelopePoints(np.array([point.time_s for point in points]), np.maximum(gain_to_db(gains), LOWEST_DB))


def straight_in_db(points: Sequence[Point], time_s: FloatArray) -> FloatArray:
    """Return the linear gain at `time_s`, same shape, of points between which gains are straight in dB."""
    return db_to_gain(as_envelope_points(points).at(time_s))


def _from_start(curve: EnvelopePoints) -> EnvelopePoints:
    return EnvelopePoints(np.concatenate([[0.0], curve.time_s]), np.concatenate([curve.gain_db[:1], curve.gain_db]))
