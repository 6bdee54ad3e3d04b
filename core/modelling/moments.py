"""What moves within a song: smooth, small, and still where a bus is silent.

Conventions: values have shape (n_frames, n_buses). A bus's clock stops where it is silent: its values are smoothed over
the frames in which it sounds, as if they followed each other, so nothing creeps through a silence and little jumps
after it; the silent frames hold the value before them (at the start, the first one).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from core.decibels import FloatArray

LARGEST_DB = 12.0
"""Values beyond this count as this before they are smoothed."""
_SMOOTH_FRAMES = 12.0
"""Standard deviation of the Gaussian: 3 s."""


def moving_part(values: FloatArray, active: npt.NDArray[np.bool_], share: FloatArray) -> FloatArray:
    """Return how far each bus is from its own mean for the moment, against the buses that sound with it.

    Parameters
    ----------
    values : dB, shape (n_frames, n_buses).
    active : where each bus sounds, same shape.
    share : each bus's energy in the frame, 0 where it is silent, same shape. The deviations' mean weighted by it is
        0, so that gains in proportion to them leave the mix as loud as it was.
    """
    count = np.maximum(active.sum(axis=0), 1)
    own = np.where(active, values - np.where(active, values, 0.0).sum(axis=0) / count, 0.0)
    own = np.clip(own, -LARGEST_DB, LARGEST_DB)
    total = share.sum(axis=1, keepdims=True)
    common = np.divide((share * own).sum(axis=1, keepdims=True), total, out=np.zeros_like(total), where=total > 0.0)
    deviation = own - common
    return np.stack([_smooth(*bus) for bus in zip(deviation.T, active.T, strict=True)], axis=1)


def _smooth(values: FloatArray, active: npt.NDArray[np.bool_]) -> FloatArray:
    sounding = np.flatnonzero(active)
    if not sounding.size:
        return np.zeros_like(values)
    smooth = gaussian_filter1d(values[sounding], _SMOOTH_FRAMES, mode="nearest")
    smooth = smooth - smooth.mean()
    last = np.searchsorted(sounding, np.arange(len(values)), side="right") - 1
    held: FloatArray = smooth[np.maximum(last, 0)]
    return held
