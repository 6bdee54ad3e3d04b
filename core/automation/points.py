"""Thin gain curves to envelope points.

Conventions: gains are linear in dB between points; the first and the last one apply to the song's start and end. Gains
at or below `LOWEST_DB` are treated as `LOWEST_DB`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.decibels import LOWEST_DB, FloatArray
from core.gains.curves import GainCurves

TOLERANCE_DB = 0.1
"""The largest difference between a thinned curve and the curve at any frame."""
_FIRST_LOOK = 32
EDGE_S = 0.02
"""The length of the ramps at the edges of a range."""


@dataclass(frozen=True)
class EnvelopePoints:
    """The envelope points of one bus, linear in dB between each other.

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
    """

    time_s: FloatArray
    gain_db: FloatArray

    def at(self, time_s: FloatArray) -> FloatArray:
        """Return the gain in dB at `time_s`, same shape."""
        return np.interp(time_s, self.time_s, self.gain_db)

    def with_gain_db(self, gain_db: float) -> EnvelopePoints:
        """Return the points with `gain_db` added to every gain."""
        return EnvelopePoints(self.time_s, self.gain_db + gain_db)

    def shifted(self, delay_s: float) -> EnvelopePoints:
        """Return the points `delay_s` later."""
        return EnvelopePoints(self.time_s + delay_s, self.gain_db)

    def within(self, span_s: tuple[float, float]) -> EnvelopePoints:
        """Return the points inside a span, with 0 dB at its edges, as `thin_curves` gives them for one."""
        return _with_edges(EnvelopePoints(*_cut(self.time_s, self.gain_db, span_s)), span_s)


Automation = Mapping[str, EnvelopePoints]


def thin_curves(
    curves: GainCurves, *, tolerance_db: float = TOLERANCE_DB, span_s: tuple[float, float] | None = None
) -> dict[str, EnvelopePoints]:
    """Return the envelope points of each bus, at most `tolerance_db` from its curve.

    Parameters
    ----------
    curves : the gain curves.
    tolerance_db : the largest deviation from the curve at any frame, in dB.
    span_s : start and end in seconds, outside of which the gain is 0 dB; the whole song by default.
    """
    points = {}
    for bus, gain_db in zip(curves.buses, curves.gains_db.T, strict=True):
        inside = thin_bus(curves.time_s, gain_db, tolerance_db=tolerance_db, span_s=span_s)
        points[bus] = inside if span_s is None else _with_edges(inside, span_s)
    return points


def thin_bus(
    time_s: FloatArray,
    gain_db: FloatArray,
    *,
    tolerance_db: float = TOLERANCE_DB,
    span_s: tuple[float, float] | None = None,
) -> EnvelopePoints:
    """Return a bus's points of a curve (n_frames,), as `thin_curves` does; of a span, only those inside its edges."""
    bounded = np.maximum(gain_db, LOWEST_DB)
    if span_s is None:
        return _thinned(time_s, bounded, tolerance_db)
    time_s, bounded = _cut(time_s, bounded, span_s)
    points = _thinned(time_s, bounded, tolerance_db)
    if len(points.time_s) > 1:
        return points
    return EnvelopePoints(
        time_s[[0, -1]], np.repeat(points.gain_db, 2)
    )  # a level curve is held to where the range goes out


def thin(time_s: FloatArray, value: FloatArray, tolerance: float) -> list[int]:
    """Return the indices of a few points whose chords stay within `tolerance` of all points, both (n_points,).

    Each chord is as long as possible: its slope must pass every point in between within the tolerance. A straight
    line of any length takes two points.

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
    if len(kept) == 2 and abs(value[kept[1]] - value[kept[0]]) <= tolerance and _is_level(value, tolerance):
        return kept[:1]
    return kept


def to_csv(automation: Automation) -> str:
    """Return the automation as CSV text: bus, time_s, gain_db, shape."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["bus", "time_s", "gain_db", "shape"])
    for bus, points in automation.items():
        for time_s, gain_db in zip(points.time_s, points.gain_db, strict=True):
            writer.writerow([bus, f"{time_s:.6f}", f"{gain_db:.4f}", "linear"])
    return text.getvalue()


def _thinned(time_s: FloatArray, gain_db: FloatArray, tolerance_db: float) -> EnvelopePoints:
    kept = thin(time_s, gain_db, tolerance_db)
    return EnvelopePoints(time_s[kept], gain_db[kept])


def _furthest(time_s: FloatArray, value: FloatArray, tolerance: float, anchor: int) -> int:
    """Return the furthest index a chord reaches: looked for near by first, further as long as the funnel is open."""
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


def _is_level(value: FloatArray, tolerance: float) -> bool:
    return bool(np.all(np.abs(value - value[0]) <= tolerance))


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
