"""Levels as a page takes them: silence is no number but minus infinity there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.decibels import FloatArray
from core.measuring.loudness import FLOOR_LUFS


def or_silence(level_lufs: npt.ArrayLike) -> FloatArray:
    """Return levels in LUFS, same shape; those that say silence (`FLOOR_LUFS`) are minus infinity."""
    levels = np.asarray(level_lufs, dtype=np.float64)
    return np.where(levels <= FLOOR_LUFS, -np.inf, levels)
