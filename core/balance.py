"""Condition 3: a bus's level against the other buses', the features of the default preset.

Conventions: levels are K-weighted (`core.loudness`), in LU against the mean over the buses that sound at all.
`relative_level` is one value a song, from the gated loudness of each stem; `relative_moment` is how much louder
than that a bus is for the moment, over about 6 s, 0 where it is silent. Both compare buses with each other, so
a common gain of all stems changes neither, and a stem 10 dB louder is simply 10 LU further up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from core.decibels import FloatArray
from core.frames import HOPS_PER_FRAME, STEPS_PER_HOP, sum_over_frames
from core.loudness import FLOOR_LUFS, integrated_lufs, loudness_lufs

NAMES = ("offset", "relative_level", "relative_moment")
MOMENT_BOUND_LU = 12.0
_MOMENT_FRAMES = 12.0


def song_levels_lufs(step_power: FloatArray) -> FloatArray:
    """Return the stems' gated loudness, LUFS, shape (n_buses,), from their powers (n_steps, n_buses)."""
    return np.array([integrated_lufs(power) for power in step_power.T])


def frame_levels_lufs(step_power: FloatArray) -> FloatArray:
    """Return the stems' loudness per frame, LUFS, shape (n_frames, n_buses)."""
    per_hop = step_power.reshape(-1, STEPS_PER_HOP, step_power.shape[1]).sum(axis=1)
    return loudness_lufs(sum_over_frames(per_hop) / (STEPS_PER_HOP * HOPS_PER_FRAME))


def balance_features(step_power: FloatArray, active: npt.NDArray[np.bool_]) -> FloatArray:
    """Return condition 3 of every bus.

    Parameters
    ----------
    step_power : K-weighted power of the stems per 50 ms, shape (n_steps, n_buses).
    active : where each stem sounds, shape (n_frames, n_buses).

    Returns
    -------
    Array of shape (n_frames, n_buses, 3): a constant 1, `relative_level` and `relative_moment` in LU.
    """
    relative = relative_levels(song_levels_lufs(step_power))
    moment = _relative_moment(frame_levels_lufs(step_power), active, relative)
    ones = np.ones_like(moment)
    return np.stack([ones, np.broadcast_to(relative, moment.shape), moment], axis=2)


def relative_levels(levels_lufs: FloatArray) -> FloatArray:
    """Return levels against the mean of those that are not silent, LU, same shape; 0 for silent ones."""
    heard = levels_lufs > FLOOR_LUFS
    if not heard.any():
        return np.zeros_like(levels_lufs)
    return np.where(heard, levels_lufs - levels_lufs[heard].mean(), 0.0)


def _relative_moment(levels_lufs: FloatArray, active: npt.NDArray[np.bool_], relative: FloatArray) -> FloatArray:
    count = np.maximum(active.sum(axis=1, keepdims=True), 1)
    expected_mean = np.where(active, relative, 0.0).sum(axis=1, keepdims=True) / count
    mean = np.where(active, levels_lufs, 0.0).sum(axis=1, keepdims=True) / count
    moment = np.where(active, (levels_lufs - mean) - (relative - expected_mean), 0.0)
    moment = np.clip(moment, -MOMENT_BOUND_LU, MOMENT_BOUND_LU)
    weight = gaussian_filter1d(active.astype(np.float64), _MOMENT_FRAMES, axis=0, mode="nearest")
    smoothed = gaussian_filter1d(moment, _MOMENT_FRAMES, axis=0, mode="nearest") / np.maximum(weight, 1e-3)
    return np.where(weight > 1e-3, smoothed, 0.0)
