"""Masking of a bus by the other buses.

Conventions: powers per critical band are those of stems brought to one loudness each, and are K-weighted here, so that
low bands count as loudness counts them. A bus is covered by as many dB as the mix lies above it in its own bands, the
bands weighted by the bus's own power there: 0 dB where it has its bands to itself, 6 dB for four equal buses.

Source: the masker-to-signal ratio per critical band is the ground of the masking measures in automatic mixing (Ronan,
Gunes, Reiss 2018, Automatic Minimisation of Masking in Multitrack Audio using Subgroups); critical bands: Zwicker 1961.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from core.analysis.loudness import k_weights
from core.analysis.spectra import BAND_EDGES_HZ
from core.decibels import FloatArray, db_to_power, power_to_db

MOST_COVERED_DB = 30.0
_RATE = 48_000
_FRAMES_AT_ONCE = 500

Mask = npt.NDArray[np.bool_]


def covered_db(band_power: FloatArray, active: Mask) -> FloatArray:
    """Return how covered each bus is in each frame, dB, shape (n_frames, n_buses).

    Parameters
    ----------
    band_power : power per frame and band, shape (n_frames, n_buses, n_bands).
    active : where each bus sounds, shape (n_frames, n_buses).
    """
    covered = np.empty(active.shape)
    for part in _stretches(len(active)):
        covered[part] = _covered(_weighted(band_power[part], active[part]))
    return covered


def covered_throughout_db(band_power: FloatArray, active: Mask) -> FloatArray:
    """Return how covered each bus is in the whole song, dB, shape (n_buses,); parameters as in `covered_db`."""
    count = np.maximum(active.sum(axis=0), 1)
    total = np.zeros(band_power.shape[1:])
    for part in _stretches(len(active)):
        total += _weighted(band_power[part], active[part]).sum(axis=0)
    return _covered(total / count[:, None])


def _stretches(n_frames: int) -> list[slice]:
    """Return slices of a few frames each, so that an hour takes no more memory than a minute."""
    return [slice(start, start + _FRAMES_AT_ONCE) for start in range(0, n_frames, _FRAMES_AT_ONCE)]


def _weighted(band_power: FloatArray, active: Mask) -> FloatArray:
    return np.where(active[:, :, None], band_power * _weights(), 0.0)


def _covered(power: FloatArray) -> FloatArray:
    """Return the covering of powers (..., n_buses, n_bands), shape (..., n_buses); 0 where a bus has no power."""
    mix = power.sum(axis=-2, keepdims=True)
    own = power.sum(axis=-1)
    most = float(db_to_power(MOST_COVERED_DB))
    ratio = np.minimum(np.divide(mix, power, out=np.full_like(power, most), where=power > 0.0), most)
    above_db = (power * power_to_db(ratio)).sum(axis=-1)
    return np.divide(above_db, own, out=np.zeros_like(own), where=own > 0.0)


@lru_cache
def _weights() -> FloatArray:
    edges = np.array([*BAND_EDGES_HZ[1:], 15_500.0])
    return k_weights(_RATE, np.sqrt(np.maximum(np.array(BAND_EDGES_HZ), 40.0) * edges))
