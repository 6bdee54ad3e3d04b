"""Three-way merge of the user's points and a re-applied prediction.

Conventions: `base` is what we wrote, `now` what is there, `new` what the prediction asks for now; their points have
linear gain and times that never decrease. Two points are the same if they differ by less than 0.5 ms and 0.02 dB and
have the same shape. An *edited span* goes from the last common point before a change to the first one
after it.

Rules: in an edited span the user's points are preserved exactly; elsewhere `new` applies. A curve of which most points
were moved by the same amount was lifted: the lift is applied to all of `new`. Where `new` differs from `base` in an
edited span, and from what is kept there, that is a conflict, which is reported.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.automation.points import Point
from core.decibels import LOWEST_DB, FloatArray, gain_to_db, heard_db, median
from core.rpp.envelope import LINEAR

SAME_TIME_S, SAME_GAIN_DB = 5e-4, 0.02
CONFLICT_DB = 0.1
_LIFTED_SHARE = 0.5
_TRACE_S = 0.25
_MOST_TRACED = 1_000_000
"""The largest number of times at which conflicts are looked for, which matters for a span without an end."""

Curve = Callable[[Sequence[Point], FloatArray], FloatArray]
"""Returns the linear gain of points at times, such as `core.rpp.envelope.Envelope.gain_of`."""


@dataclass(frozen=True)
class EditedSpan:
    """What a user changed between two common points: points that were added, and points of ours that were removed.

    The span is infinite where there is no common point.
    """

    start_s: float
    end_s: float
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
    """A span that both changed, in which the user's points are kept.

    Attributes
    ----------
    start_s, end_s : the span.
    points_s : the times of the points that the user added or moved; empty if the user only deleted points.
    at_s : which of these times has the largest difference; without points, any time in the span.
    kept_db, wanted_db : the user's gain at that time, and the one that the new prediction would have.
    """

    start_s: float
    end_s: float
    points_s: tuple[float, ...]
    at_s: float
    kept_db: float
    wanted_db: float


@dataclass(frozen=True)
class Merged:
    """The merged points; `ours`, the same without the user's edits; the edits; and the conflicts."""

    points: tuple[Point, ...]
    ours: tuple[Point, ...]
    edits: Edits
    conflicts: tuple[Conflict, ...]


def edits_between(base: Sequence[Point], now: Sequence[Point]) -> Edits:
    """Return what a user changed from `base` to `now`."""
    lift = _lift(base, now)
    lifted = [point._replace(gain=point.gain * lift) for point in base]
    return Edits(lift, tuple(_spans(lifted, now)))


def merge(base: Sequence[Point], now: Sequence[Point], new: Sequence[Point], curve: Curve) -> Merged:
    """Return `new` with what the user changed from `base` to `now`.

    Parameters
    ----------
    base, now, new : see the module's conventions; none is empty.
    curve : returns the gain of points at times; it is used to preserve `new` outside the edited spans.

    Examples
    --------
    >>> from core.rpp.envelope import Envelope
    >>> base = [Point(0.0, 1.0), Point(4.0, 1.0), Point(8.0, 1.0)]
    >>> now = [Point(0.0, 1.0), Point(4.0, 0.5), Point(8.0, 1.0)]
    >>> new = [Point(0.0, 2.0), Point(8.0, 2.0)]
    >>> merged = merge(base, now, new, Envelope(()).gain_of)
    >>> [(point.time_s, point.gain) for point in merged.points]
    [(0.0, 2.0), (4.0, 0.5), (8.0, 2.0)]
    """
    edits = edits_between(base, now)
    wanted = [point._replace(gain=point.gain * edits.lift) for point in new]
    ours = _with_guards(wanted, edits.spans, curve)
    starts = [edit.start_s for edit in edits.spans]

    def is_kept(point: Point) -> bool:
        place = bisect_left(starts, point.time_s - SAME_TIME_S) - 1
        return place < 0 or point.time_s >= edits.spans[place].end_s - SAME_TIME_S

    kept = [point for point in ours if is_kept(point)]
    points = sorted([*kept, *(point for edit in edits.spans for point in edit.added)], key=lambda point: point.time_s)
    if not points:
        points = list(now)
    plain = tuple(point._replace(gain=point.gain / edits.lift) for point in ours)
    lifted = [point._replace(gain=point.gain * edits.lift) for point in base]
    return Merged(tuple(points), plain, edits, _conflicts(edits, lifted, wanted, points, curve))


def _same(one: Point, other: Point) -> bool:
    return (
        abs(one.time_s - other.time_s) <= SAME_TIME_S
        and abs(heard_db(one.gain) - heard_db(other.gain)) <= SAME_GAIN_DB
        and one.shape == other.shape
        and abs(one.tension - other.tension) < 1e-3
    )


def _lift(base: Sequence[Point], now: Sequence[Point]) -> float:
    """Return the factor by which most points of the curve were moved, or 1."""
    times = [point.time_s for point in now]
    ratios = []
    for point in base:
        place = _first_at(times, point.time_s)
        if place is not None and heard_db(min(point.gain, now[place].gain)) > LOWEST_DB:
            ratios.append(now[place].gain / point.gain)
    if not ratios:
        return 1.0
    middle = median(ratios)
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
                spans.append(EditedSpan(start_s, now[j].time_s, tuple(added), tuple(removed)))
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
        spans.append(EditedSpan(start_s, math.inf, tuple(added), tuple(removed)))
    return spans


def _with_guards(points: Sequence[Point], spans: Sequence[EditedSpan], curve: Curve) -> list[Point]:
    """Return points that describe the same curve, with one at each edge of each span."""
    edges = sorted({edge for edit in spans for edge in (edit.start_s, edit.end_s) if math.isfinite(edge)})
    times = [point.time_s for point in points]
    missing = [edge for edge in edges if _first_at(times, edge) is None]
    if not missing:
        return list(points)
    gains = curve(points, np.array(missing)).tolist()
    guards = [Point(edge, gain, _shape_at(points, times, edge)) for edge, gain in zip(missing, gains, strict=True)]
    return sorted([*points, *guards], key=lambda point: point.time_s)


def _first_at(times: Sequence[float], time_s: float) -> int | None:
    """Return the index of the first of sorted `times` that counts as `time_s`, or None."""
    place = bisect_left(times, time_s - SAME_TIME_S)
    return place if place < len(times) and times[place] <= time_s + SAME_TIME_S else None


def _shape_at(points: Sequence[Point], times: Sequence[float], time_s: float) -> int:
    place = bisect_left(times, time_s)
    return points[place - 1].shape if place and points[place - 1].shape <= 1 else LINEAR


def _conflicts(
    edits: Edits, base: Sequence[Point], wanted: Sequence[Point], merged: Sequence[Point], curve: Curve
) -> tuple[Conflict, ...]:
    """Return the edited spans with a conflict; each curve is evaluated once, for all spans."""
    if not edits.spans:
        return ()
    last_s = max(points[-1].time_s for points in (base, wanted, merged))
    spans = [(max(edit.start_s, 0.0), min(edit.end_s, last_s)) for edit in edits.spans]
    most = max(_MOST_TRACED // len(spans), 1)
    points_s = [tuple(point.time_s for point in edit.added) for edit in edits.spans]
    traces = []
    for (start_s, end_s), made_s in zip(spans, points_s, strict=True):
        count = max(int(min((end_s - start_s) / _TRACE_S, most)), 1)
        traces.append(np.concatenate([made_s, np.linspace(start_s, end_s, count + 2)[1:-1]]))
    whole, ends = np.concatenate(traces), np.cumsum([len(trace) for trace in traces])[:-1]
    played = [np.maximum(gain_to_db(curve(points, whole)), LOWEST_DB) for points in (base, wanted, merged)]
    levels = zip(*(np.split(level, ends) for level in played), strict=True)
    conflicts = []
    for span, made_s, trace, (base_db, wanted_db, merged_db) in zip(spans, points_s, traces, levels, strict=True):
        apart_db = np.abs(wanted_db - merged_db)[: len(made_s) or None]
        if np.abs(wanted_db - base_db).max() > CONFLICT_DB and apart_db.max() > CONFLICT_DB:
            worst = int(np.argmax(apart_db))
            at_s, kept_db, new_db = float(trace[worst]), float(merged_db[worst]), float(wanted_db[worst])
            conflicts.append(Conflict(*span, made_s, at_s, kept_db, new_db))
    return tuple(conflicts)
