"""Conversions between decibels, linear gain and power.

Conventions: `gain` is linear amplitude (>= 0), `power` is its square. Values below `FLOOR_DB` are given as `FLOOR_DB`,
the level that REAPER shows as "-inf". Gains at or below `LOWEST_DB` are inaudible.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

FLOOR_DB = -150.0
LOWEST_DB = -60.0
"""Gains at or below this are treated as this: the difference is inaudible, and envelopes end there."""
ABSENT_DB = -59.5
"""A bus whose median gain is this or less is not in the mix."""
_FLOOR_GAIN = 10.0 ** (FLOOR_DB / 20.0)
_LOWEST_GAIN = 10.0 ** (LOWEST_DB / 20.0)


def gain_to_db(gain: npt.ArrayLike) -> FloatArray:
    """Return `20 log10(gain)` in dB, floored at `FLOOR_DB`; any shape.

    Examples
    --------
    >>> gain_to_db([1.0, 0.5, 0.0]).round(2).tolist()
    [0.0, -6.02, -150.0]
    """
    return 20.0 * np.log10(np.maximum(np.asarray(gain, dtype=np.float64), _FLOOR_GAIN))


def db_to_gain(gain_db: npt.ArrayLike) -> FloatArray:
    """Return the linear gain of `gain_db`, any shape; at or below `FLOOR_DB` it is exactly 0.

    Examples
    --------
    >>> db_to_gain([0.0, -20.0, -150.0]).tolist()
    [1.0, 0.1, 0.0]
    """
    value_db = np.asarray(gain_db, dtype=np.float64)
    return np.where(value_db <= FLOOR_DB, 0.0, 10.0 ** (value_db / 20.0))


def power_to_db(power: npt.ArrayLike) -> FloatArray:
    """Return `10 log10(power)` in dB, floored at `FLOOR_DB`; any shape."""
    return 10.0 * np.log10(np.maximum(np.asarray(power, dtype=np.float64), _FLOOR_GAIN**2))


def db_to_power(power_db: npt.ArrayLike) -> FloatArray:
    """Return the power that has `power_db` dB, any shape."""
    return np.asarray(10.0 ** (np.asarray(power_db, dtype=np.float64) / 10.0))


def median(values: npt.ArrayLike) -> float:
    """Return the median of at least one value, as NumPy's median does, which would import `numpy.ma` (15 ms)."""
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=None)
    middle = len(ordered) // 2
    if math.isnan(ordered[-1]):
        return math.nan
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2.0)


def heard_db(gain: float) -> float:
    """Return one gain in dB, at least `LOWEST_DB`."""
    return max(20.0 * math.log10(gain), LOWEST_DB) if gain > _LOWEST_GAIN else LOWEST_DB
