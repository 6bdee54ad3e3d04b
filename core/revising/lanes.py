"""Where a bus's points lie: on a track's volume envelope, or in an automation file.

Conventions: points are linear gain. An envelope is straight in amplitude or on the fader's scale, an automation file
in dB; an envelope's points are multiplied by a scale (fader, trim) and end at +6 dB.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.automating.automation import BusPoints
from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.revising.merging import Curve
from core.rpp.combining import combined
from core.rpp.envelope import Envelope, Point
from core.rpp.envelope_writing import HIGHEST_GAIN, points_of


@dataclass(frozen=True)
class Lane:
    """A lane: the points that lie on it `now`, how it plays points, and how a curve in dB becomes points of it."""

    now: tuple[Point, ...]
    plays: Curve
    points: Callable[[BusPoints, bool], Sequence[Point]]
    """Takes a curve, and whether it is for a part of the song."""


def envelope_lane(
    envelope: Envelope,
    scale: float,
    base: tuple[Point, ...],
    moves: Envelope | None = None,
    highest_gain: float = HIGHEST_GAIN,
) -> Lane:
    """Return the lane of a track's envelope; a bypassed one plays nothing, so it counts as `base`, unedited.

    `moves` are heard on top of every curve, in the stretch the curve is for.
    """

    def points(curve: BusPoints, is_part: bool) -> Sequence[Point]:
        whole = curve if is_part or curve.time_s[0] <= 0.0 else _from_start(curve)
        return points_of(combined(whole, moves, is_part=is_part), scale, highest_gain)

    now = envelope.points if envelope.is_active else base
    return Lane(now, lambda points, time_s: replace(envelope, points=tuple(points)).gain_at(time_s), points)


def file_lane(now: BusPoints) -> Lane:
    """Return the lane of a bus in an automation file."""
    return Lane(linear_points(now), straight_in_db, lambda curve, _: linear_points(curve))


def linear_points(points: BusPoints) -> tuple[Point, ...]:
    """Return a bus's points (dB) as points of linear gain."""
    gains = db_to_gain(points.gain_db)
    return tuple(Point(time_s, gain) for time_s, gain in zip(points.time_s.tolist(), gains.tolist(), strict=True))


def as_bus_points(points: Sequence[Point]) -> BusPoints:
    """Return points of linear gain as a bus's points (dB)."""
    gains = np.array([point.gain for point in points])
    return BusPoints(np.array([point.time_s for point in points]), np.maximum(gain_to_db(gains), LOWEST_DB))


def straight_in_db(points: Sequence[Point], time_s: FloatArray) -> FloatArray:
    """Return the linear gain at `time_s`, same shape, of points between which gains are straight in dB."""
    return db_to_gain(as_bus_points(points).at(time_s))


def _from_start(curve: BusPoints) -> BusPoints:
    return BusPoints(np.concatenate([[0.0], curve.time_s]), np.concatenate([curve.gain_db[:1], curve.gain_db]))
