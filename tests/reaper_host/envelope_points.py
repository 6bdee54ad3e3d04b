"""Envelope points and the values between them.

Conventions: a value is in the file's domain: linear gain for volume, with any scaling. [c: N762] A point's shape
belongs to the stretch that begins there. [b: SCD, USENV, N779] Of points at one time the last counts from there on.

Sources of the curves: SWS, Breeder/BR_EnvelopeUtil.cpp, ValueAtPosition: shape 2 is t*t*(3-2t), 3 is 1-(1-t)^3, 4 is
t^3, 5 a cubic Bezier whose control points come from the neighbouring points and are moved by the tension.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from tests.reaper_host.fader_curve import from_mode, to_mode
from tests.reaper_host.rpp_text import decimal

LINEAR, SQUARE, SLOW, FAST_START, FAST_END, BEZIER = range(6)
_CARDINAL = 0.25


@dataclass
class Point:
    """A point; `value` in the file's domain; `line` is how the file has it, until it is changed."""

    time: float
    value: float
    shape: int = LINEAR
    tension: float = 0.0
    is_selected: bool = False
    line: str | None = None

    def as_line(self) -> str:
        """Return the point as a line of a project file. [c: RPP:01, RPP:02, RPP:H4]"""
        if self.line is not None:
            return self.line
        text = f"PT {decimal(self.time)} {decimal(self.value)} {self.shape}"
        if self.shape == BEZIER and not self.tension and not self.is_selected:
            return f"{text} 1"
        if self.shape == BEZIER:
            return f"{text} 1 {int(self.is_selected)} 0 {decimal(self.tension)}"
        return f"{text} 0 1" if self.is_selected else text


def read_point(words: Sequence[str], line: str) -> Point:
    """Return the point in a `PT` line, whose words after `PT` are `words`."""

    def number(place: int) -> float:
        return float(words[place]) if place < len(words) else 0.0

    return Point(number(0), number(1), int(number(2)), number(6), bool(int(number(4)) & 1), line)


def value_at(points: Sequence[Point], time: float, mode: int) -> float:
    """Return the value of an envelope of at least one point at `time`, in the scaling of `mode`."""
    after = bisect.bisect_right(points, time, key=lambda point: point.time)
    levels = [to_mode(mode, point.value) for point in points[max(after - 2, 0) : after + 2]]
    if after == 0:
        return levels[0]
    here = min(after - 1, 1)
    if after == len(points):
        return levels[here]
    start, end = points[after - 1], points[after]
    share = (time - start.time) / (end.time - start.time)
    if start.shape == BEZIER:
        return _bezier(points, after, levels, here, time)
    return levels[here] + bent(start.shape, share) * (levels[here + 1] - levels[here])


def gain_at(points: Sequence[Point], time: float, mode: int) -> float:
    """Return the value of an envelope at `time`, in the file's domain."""
    return from_mode(mode, value_at(points, time, mode))


def bent(shape: int, share: float) -> float:
    """Return how far between two points' values a stretch is at `share` (0 to 1) of its length."""
    curves = {
        SQUARE: 0.0,
        SLOW: share * share * (3.0 - 2.0 * share),
        FAST_START: 1.0 - (1.0 - share) ** 3,
        FAST_END: share**3,
    }
    return curves.get(shape, share)


def _bezier(points: Sequence[Point], after: int, levels: list[float], here: int, time: float) -> float:
    t1, t2 = points[after - 1].time, points[after].time
    v1, v2 = levels[here], levels[here + 1]
    t0, v0 = (points[after - 2].time, levels[0]) if after >= 2 else (t1, v1)
    t3, v3 = (points[after + 1].time, levels[-1]) if after + 1 < len(points) else (t2, v2)
    length = t2 - t1
    x1, y1 = t1 + _CARDINAL * length, v1 + _CARDINAL * length * _slope(t0, v0, t2, v2)
    x2, y2 = t2 - _CARDINAL * length, v2 - _CARDINAL * length * _slope(t1, v1, t3, v3)
    tension = points[after - 1].tension
    x1 += tension * ((t2 - x1) if tension > 0 else (x1 - t1))
    x2 += tension * ((t2 - x2) if tension > 0 else (x2 - t1))
    y1 -= tension * ((y1 - v1) if tension > 0 else (v2 - y1))
    y2 -= tension * ((y2 - v1) if tension > 0 else (v2 - y2))
    x1, x2 = min(max(x1, t1), t2), min(max(x2, t1), t2)
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _cubic(t1, x1, x2, t2, middle) < time else (low, middle)
    return _cubic(v1, max(y1, 0.0), max(y2, 0.0), v2, (low + high) / 2.0)


def _slope(t_from: float, v_from: float, t_to: float, v_to: float) -> float:
    return (v_to - v_from) / (t_to - t_from) if t_to > t_from else 0.0


def _cubic(start: float, first: float, second: float, end: float, share: float) -> float:
    rest = 1.0 - share
    return rest**3 * start + 3 * rest**2 * share * first + 3 * rest * share**2 * second + share**3 * end
