"""Envelope points, and thinning of gain curves to them.

Conventions: gains are linear in dB between points; the first and the last one apply to the song's start and end. Gains
at or below `LOWEST_DB` are treated as `LOWEST_DB`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.gains.curves import GainCurves

TOLERANCE_DB = 0.1
"""The largest difference between a thinned curve and the curve at any frame."""
_FIRST_LOOK = 32
EDGE_S = 0.02
"""The length of the ramps at the edges of a range."""


class Point(NamedTuple):
    """An envelope point: `gain` is linear; `shape` and `tension` are REAPER's, for the stretch up to the next point."""

    time_s: float
    gain: float
    shape: Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)] = 0
    tension: float = 0.0


@dataclass(frozen=True)
class EnvelopePoints:
    """The gain curve of one bus as envelope points, linear in dB between each other.

    Attributes
    ----------
    time_s : times in seconds, shape (n_points,), never decreasing.
    gain_db : gains in dB, shape (n_points,).

    Examples
    --------
    >>> points = EnvelopePoints(np.array([0.0, 2.0]), np.array([-6.0, 0.0]))
    >>> points.with_gain_db(1.0).at(np.array([1.0, 5.0])).tolist()
    [-2.0, 1.0]
    >>> points.shifted(10.0).time_s.tolist()
    [10.0, 12.0]
    >>> EnvelopePoints.of([Point(0.0, 1.0), Point(2.0, 0.5)]).gain_db.round(2).tolist()
    [0.0, -6.02]
    """

    time_s: FloatArray
    gain_db: FloatArray

    @classmethod
    def of(cls, points: Sequence[Point], gain_db: float = 0.0) -> EnvelopePoints:
        """Return the times and gains of `points`, with `gain_db` added; their shapes are ignored."""
        levels_db = gain_to_db(np.array([point.gain for point in points], dtype=np.float64)) + gain_db
        times = np.array([point.time_s for point in points], dtype=np.float64)
        return cls(times, np.maximum(levels_db, LOWEST_DB))

    def points(self) -> tuple[Point, ...]:
        """Return the points with linear gain."""
        return tuple(map(Point, self.time_s.tolist(), db_to_gain(self.gain_db).tolist()))

    def at(self, time_s: FloatArray) -> FloatArray:
        """Return the gain in dB at `time_s`, same shape."""
        return np.interp(time_s, self.time_s, self.gain_db)

    def with_gain_db(self, gain_db: float) -> EnvelopePoints:
        """Return the points with `gain_db` added to every gain."""
        return EnvelopePoints(self.time_s, self.gain_db + gain_db)

    def shifted(self, delay_s: float) -> EnvelopePoints:
        """Return the points `delay_s` later."""
        return EnvelopePoints(self.time_s + delay_s, self.gain_db)

    def from_start(self) -> EnvelopePoints:
        """Return the points with one at the song's start; until the first point its gain applies."""
        if self.time_s[0] <= 0.0:
            return self
        return EnvelopePoints(np.concatenate([[0.0], self.time_s]), np.concatenate([self.gain_db[:1], self.gain_db]))

    def cut(self, span_s: tuple[float, float]) -> EnvelopePoints:
        """Return the points inside a span, with one at the inner end of each of its ramps."""
        return EnvelopePoints(*_cut(self.time_s, self.gain_db, span_s))

    def within(self, span_s: tuple[float, float]) -> EnvelopePoints:
        """Return the points inside a span, with 0 dB at its edges, as `thin_curves` gives them for one."""
        return _with_edges(self.cut(span_s), span_s)


Automation = Mapping[str, EnvelopePoints]


def thin_curves(curves: GainCurves, *, span_s: tuple[float, float] | None = None) -> dict[str, EnvelopePoints]:
    """Return the envelope points of each bus, at most `TOLERANCE_DB` from its curve at every frame.

    Parameters
    ----------
    curves : the gain curves.
    span_s : start and end in seconds, outside of which the gain is 0 dB; the whole song by default.

    Examples
    --------
    >>> time_s = 0.5 + 0.25 * np.arange(100)
    >>> ramp = 10.0 ** (np.minimum(time_s - 10.0, 0.0) / 20.0)[:, None]
    >>> curves = GainCurves(title="ramp", buses=("drums",), time_s=time_s, gains=ramp, active=ramp > 0.0)
    >>> points = thin_curves(curves)["drums"]
    >>> points.time_s.tolist(), points.gain_db.round(2).tolist()
    ([0.5, 10.0, 25.25], [-9.5, 0.0, 0.0])
    """
    points = {}
    for bus, gain_db in zip(curves.buses, curves.gains_db.T, strict=True):
        inside = thin_bus(curves.time_s, gain_db, span_s=span_s)
        points[bus] = inside if span_s is None else _with_edges(inside, span_s)
    return points


def thin_bus(time_s: FloatArray, gain_db: FloatArray, *, span_s: tuple[float, float] | None = None) -> EnvelopePoints:
    """Return the points of one curve, as `thin_curves` does; of a span, only those inside its edges.

    Parameters
    ----------
    time_s, gain_db : the curve, both of shape (n_frames,).
    span_s : start and end in seconds; the whole curve by default.
    """
    bounded = np.maximum(gain_db, LOWEST_DB)
    if span_s is None:
        return _thinned(time_s, bounded)
    time_s, bounded = _cut(time_s, bounded, span_s)
    points = _thinned(time_s, bounded)
    if len(points.time_s) > 1:
        return points
    # a constant curve needs a point at both edges of the range
    return EnvelopePoints(time_s[[0, -1]], np.repeat(points.gain_db, 2))


def thin(time_s: FloatArray, value: FloatArray, tolerance: float) -> list[int]:
    """Return the indices of as few points as possible whose chords are within `tolerance` of all points.

    Each chord is as long as possible: it must pass every point in between within the tolerance. A straight line of any
    length takes two points.

    Parameters
    ----------
    time_s, value : the points, both of shape (n_points,).
    tolerance : the largest deviation of a chord, in the unit of `value`.

    Examples
    --------
    >>> time_s = np.arange(6.0)
    >>> thin(time_s, np.array([0.0, 1.0, 2.0, 3.0, 3.0, 3.0]), 0.01)
    [0, 3, 5]
    """
    last = len(value) - 1
    kept = [0]
    while kept[-1] < last:
        kept.append(_furthest(time_s, value, tolerance, kept[-1]))
    is_level = len(kept) == 2 and bool((np.abs(value - value[0]) <= tolerance).all())
    return kept[:1] if is_level else kept


def inside_span(time_s: FloatArray, span_s: tuple[float, float] | None) -> npt.NDArray[np.bool_]:
    """Return which times are in a span and not on its ramps; if none is, the one nearest to its middle.

    Parameters
    ----------
    time_s : times in seconds, shape (n_frames,).
    span_s : start and end in seconds; None for all of the song.

    Examples
    --------
    >>> inside_span(np.array([0.5, 0.75, 1.0, 1.25]), (0.75, 1.2)).tolist()
    [False, False, True, False]
    """
    if span_s is None:
        return np.ones(len(time_s), bool)
    start_s, end_s = span_s
    inside: npt.NDArray[np.bool_] = (time_s >= start_s + _edge_s(span_s)) & (time_s <= end_s - _edge_s(span_s))
    if len(time_s) and not inside.any():
        inside[np.abs(time_s - (start_s + end_s) / 2).argmin()] = True
    return inside


def to_csv(automation: Automation) -> str:
    """Return the automation as CSV text: bus, time_s, gain_db, shape."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["bus", "time_s", "gain_db", "shape"])
    for bus, points in automation.items():
        for time_s, gain_db in zip(points.time_s, points.gain_db, strict=True):
            writer.writerow([bus, f"{time_s:.6f}", f"{gain_db:.4f}", "linear"])
    return text.getvalue()


def _thinned(time_s: FloatArray, gain_db: FloatArray) -> EnvelopePoints:
    kept = thin(time_s, gain_db, TOLERANCE_DB)
    return EnvelopePoints(time_s[kept], gain_db[kept])


def _furthest(time_s: FloatArray, value: FloatArray, tolerance: float, anchor: int) -> int:
    """Return the furthest index that a chord from `anchor` reaches; search in growing steps."""
    length = _FIRST_LOOK
    while True:
        reached, is_open = _reached(time_s, value, tolerance, (anchor, anchor + 1 + length))
        if not is_open or anchor + 1 + length >= len(value):
            return reached
        length *= 4


def _reached(time_s: FloatArray, value: FloatArray, tolerance: float, part: tuple[int, int]) -> tuple[int, bool]:
    """Return the furthest index within a part that a chord from its start reaches, and whether it may reach further."""
    anchor, stop = part
    elapsed = time_s[anchor + 1 : stop] - time_s[anchor]
    rise = value[anchor + 1 : stop] - value[anchor]
    steepest = np.minimum.accumulate((rise + tolerance) / elapsed)
    flattest = np.maximum.accumulate((rise - tolerance) / elapsed)
    chord = rise / elapsed
    reachable = (chord <= steepest + 1e-12) & (chord >= flattest - 1e-12)
    return anchor + 1 + int(np.nonzero(reachable)[0][-1]), bool(steepest[-1] >= flattest[-1] - 2e-12)


def _cut(time_s: FloatArray, gain_db: FloatArray, span_s: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    start_s, end_s = span_s
    edges_s = np.array([start_s, end_s]) + _edge_s(span_s) * np.array([1.0, -1.0])
    inside = (time_s > edges_s[0]) & (time_s < edges_s[1])
    edges_db = np.interp(edges_s, time_s, gain_db)
    return (
        np.concatenate([edges_s[:1], time_s[inside], edges_s[1:]]),
        np.concatenate([edges_db[:1], gain_db[inside], edges_db[1:]]),
    )


def _with_edges(points: EnvelopePoints, span_s: tuple[float, float]) -> EnvelopePoints:
    start_s, end_s = span_s
    return EnvelopePoints(np.array([start_s, *points.time_s, end_s]), np.array([0.0, *points.gain_db, 0.0]))


def _edge_s(span_s: tuple[float, float]) -> float:
    return min(EDGE_S, (span_s[1] - span_s[0]) / 4)
