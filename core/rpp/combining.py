"""A new gain curve together with the moves that stand on a track's envelope already.

Conventions: what is heard is the curve times the envelope's moves; an envelope of one value has none. Between points
the result is linear in dB, as every curve; it stays within 0.05 dB of the product.
"""

from __future__ import annotations

import numpy as np

from core.automating.automation import BusPoints, thin
from core.decibels import LOWEST_DB, FloatArray, gain_to_db
from core.rpp.envelope import Envelope

_STEP_DB = 0.5
_MOST_STEPS = 200
_BENT_STEPS = 20
_JUMP_S = 0.001
_TOLERANCE_DB = 0.02
_DIGITS = 6
"""Times are taken to a microsecond, which two points of one curve are apart at least."""


def combined(curve: BusPoints, moves: Envelope | None, *, is_part: bool = False) -> BusPoints:
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
    return BusPoints(time_s[kept], gain_db[kept])


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
