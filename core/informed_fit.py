"""From normal equations to gain curves, by how much each frame knows: the default preset's estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.decibels import FloatArray, gain_to_db
from core.default_measurement import Domain
from core.frames import HOP_S, HOPS_PER_FRAME
from core.linear_fit import NormalEquations
from core.nnls import solve_batch
from core.smoothing import informed

WIDEST_DB = 60.0
"""The deviation given where nothing is known."""

_INDEPENDENT_SAMPLES = {"complex": 2000.0, "power": 100.0, "magnitude": 100.0}
"""How many independent errors a frame's residual holds; music's residuals are far from white."""
_RESIDUAL_FLOOR = 1e-6
_RELATIVE_STEP = 0.03
"""A bus's relative change of gain from one frame to the next, standard deviation: about 1 dB/s."""
_MOTION_S = 0.06
"""A frame's gain is the mean over where its stem is loud, which lies this far from the centre (deviation)."""
_DB_PER_RELATIVE = 20.0 / np.log(10.0)


@dataclass(frozen=True)
class FittedGains:
    """Gains (n, k) smoothed and `raw`, and the standard deviation of the smoothed ones in dB."""

    gains: FloatArray
    raw: FloatArray
    deviation_db: FloatArray


def fit_gains(
    equations: NormalEquations, domain: Domain, *, known: npt.NDArray[np.bool_], active: npt.NDArray[np.bool_]
) -> FittedGains:
    """Return the gains that explain the mixdown.

    Parameters
    ----------
    equations : the frames' normal equations, of gains or (``power``) their squares.
    domain : what the equations are of.
    known : which frames the mixdown covers, shape (n,); the others say nothing.
    active : where each stem sounds, shape (n, k); elsewhere its gain is taken from before and after.
    """
    exponent = 2.0 if domain == "power" else 1.0
    total = equations.total()
    typical = solve_batch(total.gram, total.target)[0]
    typical = np.maximum(typical, 1e-3 * max(float(typical.max()), 1e-3))
    raw = solve_batch(equations.gram, equations.target, active)
    weight = (_weights(equations, raw, typical, domain) * known)[:, None] * active
    smooth, deviation = informed(
        equations.gram * weight[:, :, None] * active[:, None, :],
        equations.target * weight,
        step_variance=(_RELATIVE_STEP * exponent * typical) ** 2,
        prior=typical,
    )
    smooth = np.maximum(smooth, 0.0)
    gains = smooth ** (1.0 / exponent)
    relative = deviation / np.maximum(smooth, 1e-2 * typical) / exponent
    noise_db, motion_db = _DB_PER_RELATIVE * relative, _MOTION_S * _slope_db(gains)
    return FittedGains(
        gains=gains,
        raw=raw ** (1.0 / exponent),
        deviation_db=np.minimum(np.hypot(noise_db, motion_db), WIDEST_DB),
    )


def _slope_db(gains: FloatArray) -> FloatArray:
    """Return how fast gains (n, k) move, in dB/s."""
    if len(gains) < 2:
        return np.zeros_like(gains)
    slope: FloatArray = np.abs(np.gradient(gain_to_db(gains), HOP_S, axis=0))
    return slope


def _weights(equations: NormalEquations, raw: FloatArray, typical: FloatArray, domain: Domain) -> FloatArray:
    """Return what a frame's equations weigh: one over the variance of an error, overlap allowed for."""
    expected = np.einsum("k,nkl,l->n", typical, equations.gram, typical)
    floor = _RESIDUAL_FLOOR * np.maximum(equations.energy, expected)
    residual = np.maximum(equations.residual(raw), floor)
    usual_share = np.median(residual / np.maximum(equations.energy, 1e-30))
    residual = np.maximum(residual, min(usual_share, 1.0) * equations.energy)
    independent = _INDEPENDENT_SAMPLES[domain] / HOPS_PER_FRAME
    return np.where(residual > 0.0, independent / np.maximum(residual, 1e-30), 0.0)
