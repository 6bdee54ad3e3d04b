"""The original's smoothing of gain curves (the default preset's is part of its fit, `core.estimating.polyline_fit`)."""

from __future__ import annotations

import scipy.signal

from core.decibels import FloatArray

EMA = 0.9


def exponential(curve: FloatArray, *, keep_first: bool) -> FloatArray:
    """Return y[n] = 0.9 y[n-1] + 0.1 x[n] along axis 0, from a previous value of 0.

    With `keep_first`, frame 0 is left as it is and frame 1 starts from 0, which is how the original smooths its
    ground truth; without, frame 0 is smoothed too, which is how it smooths its predictions.
    """
    start = 1 if keep_first else 0
    smoothed = curve.copy()
    smoothed[start:] = scipy.signal.lfilter([1.0 - EMA], [1.0, -EMA], curve[start:], axis=0)
    return smoothed
