"""Envelopes in project files, and their values over time.

The exact formula is closed source. This one is a fit: 0 dB, +6 dB and +12 dB are where REAPER reports them, and
-6 dB is 0.005 dB off; further down it is an extrapolation, which is why envelopes are written with points so close
that it does not matter.

Source: values of ScaleToEnvelopeMode that public scripts report: gain 1 is 716.2178, 2 is 852.7745, +12 dB is
1000, 0.501187 is 592.848.

Conventions: a point's value is linear gain in the file, with any scaling of the envelope. A point's shape belongs
to the segment that begins there. Before the first and after the last point the gain is constant; of two points at one
time the later one applies from there on.

Sources: shapes 0 to 5 and their meaning from ReaTeam/Doc, "State Chunk Definitions". The curves of shapes 2 to 5
are from memory and unverified.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy

from core.automation.points import Point
from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.rpp.parser import Block, Document

_LOG, _LINEAR, _CONSTANT = 2.0390589, 2.4701079, -1.0885569
_SMALLEST_GAIN = 1e-12


def to_fader(gain: npt.ArrayLike) -> FloatArray:
    """Return the position on the fader (0 at the bottom, 1 at +12 dB) of a linear gain; any shape.

    Examples
    --------
    >>> to_fader([0.0, 1.0, 2.0]).round(4).tolist()
    [0.0, 0.7162, 0.8528]
    """
    value = np.asarray(gain, dtype=np.float64)
    exponent = (np.log(np.maximum(value, _SMALLEST_GAIN)) - _CONSTANT) / _LOG
    place = _LOG / _LINEAR * np.real(scipy.special.lambertw(_LINEAR / _LOG * np.exp(np.minimum(exponent, 700.0))))
    return np.where(value > _SMALLEST_GAIN, place, 0.0)


def from_fader(place: npt.ArrayLike) -> FloatArray:
    """Return the linear gain of a position on the fader; any shape."""
    value = np.asarray(place, dtype=np.float64)
    inside = np.maximum(value, 1e-9)
    return np.where(value > 1e-9, np.exp(_LOG * np.log(inside) + _LINEAR * inside + _CONSTANT), 0.0)


LINEAR, SQUARE, SLOW, FAST_START, FAST_END, BEZIER = range(6)


Scaling = Literal["amplitude", "fader", "db"]
"""What an envelope is straight in: amplitude, or the fader's scale (``VOLTYPE 1``); an automation file is in dB."""


@dataclass(frozen=True)
class Envelope:
    """An envelope.

    Attributes
    ----------
    points : its points; their times never decrease.
    is_active : whether it is heard (``ACT 1``).
    scaling : what it is straight in between two points.
    has_items : whether it has automation items.
    block : its place in the file, or None for one that is not in a file.
    """

    points: tuple[Point, ...]
    is_active: bool = True
    scaling: Scaling = "amplitude"
    has_items: bool = False
    block: Block | None = None

    @property
    def is_heard(self) -> bool:
        """Whether it changes what is heard."""
        return self.is_active and bool(self.points)

    @property
    def is_constant(self) -> bool:
        """Whether all points have one value."""
        return len({point.gain for point in self.points}) <= 1

    def gain_at(self, time_s: FloatArray) -> FloatArray:
        """Return the gain at `time_s`, same shape.

        Examples
        --------
        >>> envelope = Envelope((Point(0.0, 1.0), Point(2.0, 0.5)))
        >>> envelope.gain_at(np.array([1.0, 5.0])).tolist()
        [0.75, 0.5]
        """
        return self.gain_of(self.points, time_s)

    def gain_of(self, points: Sequence[Point], time_s: FloatArray) -> FloatArray:
        """Return the gain at `time_s`, same shape, that other points would have on this envelope; 1 without points."""
        if not points:
            return np.ones_like(time_s, dtype=np.float64)
        times, gains, shapes, tensions = np.array(points, dtype=np.float64).reshape(-1, 4).T
        last = len(times) - 1
        begins = np.clip(np.searchsorted(times, time_s, side="right") - 1, 0, last)
        ends = np.minimum(begins + 1, last)
        length_s = times[ends] - times[begins]
        elapsed = np.clip((time_s - times[begins]) / np.where(length_s > 0.0, length_s, 1.0), 0.0, 1.0)
        share = _bent(elapsed, shapes[begins], tensions[begins])
        if self.scaling == "fader":
            level = to_fader(gains)
        else:
            level = gains if self.scaling == "amplitude" else np.maximum(gain_to_db(gains), LOWEST_DB)
        value = level[begins] + share * (level[ends] - level[begins])
        if self.scaling == "fader":
            return from_fader(value)
        return value if self.scaling == "amplitude" else db_to_gain(value)


def _bent(elapsed: FloatArray, shape: FloatArray, tension: FloatArray) -> FloatArray:
    curves = [
        np.where(elapsed >= 1.0, 1.0, 0.0),
        elapsed**2 * (3.0 - 2.0 * elapsed),
        1.0 - (1.0 - elapsed) ** 3,
        elapsed**3,
        _bezier(elapsed, tension),
    ]
    return np.select(
        [shape == SQUARE, shape == SLOW, shape == FAST_START, shape == FAST_END, shape == BEZIER], curves, elapsed
    )


def _bezier(elapsed: FloatArray, tension: FloatArray) -> FloatArray:
    """Return the share of a Bezier segment: between a line and shape 4 (tension 1) or shape 3 (tension -1)."""
    bent = np.where(tension > 0.0, elapsed**3, 1.0 - (1.0 - elapsed) ** 3)
    weight = np.minimum(np.abs(tension), 1.0)
    return elapsed + weight * (bent - elapsed)


def read_envelope(document: Document, block: Block) -> Envelope:
    """Return the envelope in `block`.

    Raises
    ------
    InputError
        A number of a point cannot be read.
    """
    active = document.fields(block, "ACT")
    scaling = document.fields(block, "VOLTYPE")
    points = [
        Point(point.number(0), max(point.number(1), 0.0), point.whole(2), point.number(6))
        for point in document.all_fields(block, "PT")
    ]
    return Envelope(
        points=tuple(sorted(points, key=lambda point: point.time_s)),
        is_active=active is None or active.whole(0, 1) != 0,
        scaling="fader" if scaling is not None and scaling.whole(0) == 1 else "amplitude",
        has_items=document.fields(block, "POOLEDENVINST") is not None,
        block=block,
    )
