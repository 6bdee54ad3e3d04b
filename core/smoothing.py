"""Smoothing gain curves over time.

`exponential` is the original's moving average. `informed` is the default preset's: a zero-phase smoother that
knows how much each frame says about each bus, and hands back how sure the result is.
"""

from __future__ import annotations

import numpy as np
import scipy.signal
from scipy.linalg import cho_solve_banded, cholesky_banded

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


def informed(
    information: FloatArray, evidence: FloatArray, *, step_variance: FloatArray, prior: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the most probable curves and their standard deviations, given each frame's normal equations.

    The curves are a random walk seen through the frames: the minimum over a of
    ``sum_t (a_t' J_t a_t - 2 a_t' h_t) + sum_t |a_{t+1} - a_t|^2 / step_variance + small pull to prior``.
    Where a frame says nothing of a bus (silence), or nothing of the difference of two (the same signal twice),
    the neighbours speak for it and the deviation grows. It looks both ways, so nothing is delayed, and the
    song's edges need no care.

    Parameters
    ----------
    information : J, what the frames know, shape (n, k, k); inverse variances.
    evidence : h = J a for the frame's own solution a, shape (n, k).
    step_variance : variance of a bus's change from a frame to the next, shape (k,).
    prior : the value a bus is pulled to where no frame says anything, shape (k,).

    Returns
    -------
    Curves (n, k) and standard deviations (n, k).
    """
    n_frames, n_buses = evidence.shape
    pull = 1e-6 / step_variance
    banded = _banded(information, 1.0 / step_variance, pull)
    right = (evidence + pull * prior).reshape(-1)
    lower = cholesky_banded(banded, lower=True)
    curves = cho_solve_banded((lower, True), right).reshape(n_frames, n_buses)
    return curves, np.sqrt(_marginal_variances(information, 1.0 / step_variance, pull))


def _banded(information: FloatArray, stiffness: FloatArray, pull: FloatArray) -> FloatArray:
    """Return the posterior precision in lower banded form, shape (k + 1, n * k)."""
    n_frames, n_buses, _ = information.shape
    blocks = _diagonal_blocks(information, stiffness, pull)
    banded = np.zeros((n_buses + 1, n_frames * n_buses))
    for offset in range(n_buses):
        rows = np.arange(n_buses - offset)
        banded[offset].reshape(n_frames, n_buses)[:, rows] = blocks[:, rows + offset, rows]
    banded[n_buses, : (n_frames - 1) * n_buses] = np.tile(-stiffness, n_frames - 1)
    return banded


def _diagonal_blocks(information: FloatArray, stiffness: FloatArray, pull: FloatArray) -> FloatArray:
    n_neighbours = np.full(len(information), 2.0)
    n_neighbours[0] -= 1.0
    n_neighbours[-1] -= 1.0
    return information + np.eye(len(stiffness)) * (n_neighbours[:, None] * stiffness + pull)[:, :, None]


def _marginal_variances(information: FloatArray, stiffness: FloatArray, pull: FloatArray) -> FloatArray:
    """Return the diagonal of the posterior covariance, by messages from both ends (two Kalman filters)."""
    own = information + np.diag(pull)
    forward = _messages(own, stiffness)
    backward = _messages(own[::-1], stiffness)[::-1]
    covariance = np.linalg.inv(own + forward + backward)
    return np.maximum(np.einsum("nkk->nk", covariance), 0.0)


def _messages(own: FloatArray, stiffness: FloatArray) -> FloatArray:
    """Return what the frames before each frame know of it, shape (n, k, k)."""
    walk = np.diag(1.0 / stiffness)
    messages = np.zeros_like(own)
    for frame in range(1, len(own)):
        known = own[frame - 1] + messages[frame - 1]
        messages[frame] = np.linalg.inv(np.linalg.inv(known) + walk)
    return messages
