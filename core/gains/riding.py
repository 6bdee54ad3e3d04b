"""Fader riding: slow moves that keep a bus's short-term loudness steady against the other buses.

Conventions: levels are the stems' loudness per frame of 1 s, every 0.25 s, in LUFS; gains are in dB. A frame counts as
sounding where it is within `GATE_DB` of the bus's loud frames; elsewhere a ride goes straight from the last sounding
frame to the next, so pauses, breaths and noise are never pulled up.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from core.analysis.loudness import ABSOLUTE_GATE_LUFS
from core.audio.framing import HOP_S
from core.decibels import FloatArray, db_to_power, power_to_db
from core.gains.curves import gaussian

LIMIT_DB = 12.0
"""A ride at any percentage stays within this."""
GATE_DB = 25.0
_ENVELOPE_FRAMES = 7
"""Width of the running maximum that follows syllables and words, frames."""
_SMOOTH_FRAMES = 0.6 / HOP_S
_OTHERS_SMOOTH_FRAMES = 2.5 / HOP_S
_OTHERS_LIMIT_DB = 6.0


def ride_db(levels_lufs: FloatArray, bus: int, percent: float) -> FloatArray:
    """Return the gain that rides one bus, dB, shape (n_frames,); the energy of the bus is unchanged.

    At 100 percent the bus keeps its median level against the others: where it steps up by 6 dB it gets 6 dB less. At
    0 percent the gain is 0.

    Parameters
    ----------
    levels_lufs : loudness per frame of all stems, with their static gains if these matter to what the others sum to,
        shape (n_frames, n_buses).
    bus : column of the bus to ride.
    percent : 0 to 100.

    Returns
    -------
    numpy.ndarray
        Within `LIMIT_DB`.

    Examples
    --------
    >>> steps = np.where(np.arange(120) < 60, -20.0, -26.0)[:, None]
    >>> gain_db = ride_db(steps, 0, 100.0)
    >>> round(float(gain_db[100] - gain_db[20]), 1)
    6.0
    """
    own = levels_lufs[:, bus]
    sounding = own > ABSOLUTE_GATE_LUFS
    if percent <= 0.0 or not sounding.any():
        return np.zeros(len(own))
    sounding &= own > np.percentile(own[sounding], 90.0) - GATE_DB
    levels = np.pad(np.where(sounding, own, -np.inf), _ENVELOPE_FRAMES // 2, mode="edge")
    envelope = sliding_window_view(levels, _ENVELOPE_FRAMES).max(axis=1)
    deviation_db = _centred(envelope, sounding)
    deviation_db -= _deviation_of_others_db(levels_lufs, bus, sounding)
    gain_db = np.clip(-percent / 100.0 * deviation_db, -LIMIT_DB, LIMIT_DB)
    known = np.flatnonzero(sounding)
    gain_db = np.interp(np.arange(len(own)), known, gain_db[known])
    gain_db = gaussian(gain_db, _SMOOTH_FRAMES)
    power = np.where(sounding, db_to_power(own), 0.0)
    energy_db = power_to_db(float((power * db_to_power(gain_db)).sum() / power.sum()))
    return np.clip(gain_db - energy_db, -LIMIT_DB, LIMIT_DB)


def _deviation_of_others_db(
    levels_lufs: FloatArray, bus: int, sounding: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> FloatArray:
    """Return how far the sum of the other buses is from its own median, dB, shape (n_frames,); 0 without others."""
    others = np.delete(levels_lufs, bus, axis=1)
    power = np.where(others > ABSOLUTE_GATE_LUFS, db_to_power(others), 0.0).sum(axis=1)
    heard = (power > 0.0) & sounding
    if not heard.any():
        return np.zeros(len(levels_lufs))
    level = power_to_db(power)
    heard &= level > np.percentile(level[heard], 90.0) - GATE_DB
    known = np.flatnonzero(heard)
    level = np.interp(np.arange(len(level)), known, level[known])
    smooth = gaussian(level, _OTHERS_SMOOTH_FRAMES)
    return np.clip(_centred(smooth, sounding), -_OTHERS_LIMIT_DB, _OTHERS_LIMIT_DB)


def _centred(values: FloatArray, where: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> FloatArray:
    """Return values (n_frames,) less their median over the frames `where`; 0 elsewhere."""
    return np.where(where, values - np.median(values[where]), 0.0)
