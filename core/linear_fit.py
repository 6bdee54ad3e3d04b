"""The least-squares fit of a mixdown by its stems, from Gram matrices, and what else they tell.

Conventions: `gram` has shape (n_frames, m, m); its first k signals are the stems, signal k is the mixdown, and
in the complex domain the mixdown's odd powers follow (`core.gram`). Unknowns are gains, or in the power domain
their squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.decibels import FloatArray
from core.gram import LIMITER_POWERS
from core.nnls import factor, solve_batch
from scipy.optimize import nnls as lawson_hanson

_LIMITER_GAIN_IN_FIT = 0.2
_POLARITY_GAIN_IN_FIT = 0.01
_RCOND = 1e-9


@dataclass(frozen=True)
class NormalEquations:
    """Per frame: `gram` of the stems (n, k, k), `target` (n, k) against the mixdown, and its `energy` (n,)."""

    gram: FloatArray
    target: FloatArray
    energy: FloatArray

    def residual(self, solution: FloatArray) -> FloatArray:
        """Return the energy that `solution` (n, k) leaves unexplained per frame, shape (n,)."""
        explained = 2.0 * np.einsum("nk,nk->n", solution, self.target)
        modelled = np.einsum("nk,nkl,nl->n", solution, self.gram, solution)
        return np.maximum(self.energy - explained + modelled, 0.0)

    def total(self) -> NormalEquations:
        """Return the whole song's equations as one frame."""
        return NormalEquations(
            *(part.sum(axis=0, keepdims=True) for part in (self.gram, self.target, self.energy))
        )


def normal_equations(gram: FloatArray, n_stems: int) -> NormalEquations:
    """Return the equations of the stems against the mixdown alone."""
    k = n_stems
    return NormalEquations(gram[:, :k, :k], gram[:, :k, k], gram[:, k, k])


def with_polarity(gram: FloatArray, n_stems: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return Gram matrices with stems turned over that the mixdown holds upside down, and which these are.

    A stem counts as turned over when that explains at least 1 % more of the mixdown's energy.
    """
    total = normal_equations(gram, n_stems).total()
    ridge = np.eye(n_stems) * (_RCOND * np.trace(total.gram[0]) + 1e-20)
    candidates = np.nonzero(np.linalg.solve(total.gram[0] + ridge, total.target[0]) < 0.0)[0]
    signs = np.ones(gram.shape[1])
    unexplained = _share_unexplained(gram, signs, n_stems)
    for stem in candidates:
        trial = signs.copy()
        trial[stem] = -1.0
        with_trial = _share_unexplained(gram, trial, n_stems)
        if with_trial < unexplained - _POLARITY_GAIN_IN_FIT:
            signs, unexplained = trial, with_trial
    return gram * signs[:, None] * signs, signs[:n_stems] < 0.0


def without_limiter(gram: FloatArray, n_stems: int) -> tuple[FloatArray, FloatArray]:
    """Return Gram matrices against the mixdown as it was before a soft limiter, and the limiter's curve.

    A memoryless limiter y = f(x) is undone by x = y + c3 y^3 + c5 y^5 + c7 y^7, c >= 0 (it only ever takes
    away, symmetrically). The gains change per frame, the curve does not, so one small non-negative
    least-squares problem over the song finds it: each frame's gains are eliminated, what is left of the powers
    is fitted to what is left of the mixdown. With no limiter the coefficients come out as 0.

    Returns
    -------
    Gram matrices (n, k + 1, k + 1) and the coefficients (3,), zeros unless they explain a fifth of what the
    stems leave unexplained.
    """
    k, n_powers = n_stems, len(LIMITER_POWERS)
    stems = gram[:, :k, :k]
    inverse = np.linalg.pinv(stems, rcond=_RCOND, hermitian=True)
    to_rest = gram[:, :k, k:]
    left = gram[:, k:, k:] - np.einsum("nki,nkl,nlj->nij", to_rest, inverse, to_rest)
    rest = left.sum(axis=0)
    matrix, vector = factor(rest[1:, 1:], -rest[1:, 0])
    coefficients = lawson_hanson(matrix, vector)[0]
    taken = -2.0 * coefficients @ -rest[1:, 0] + coefficients @ rest[1:, 1:] @ coefficients
    if -taken < _LIMITER_GAIN_IN_FIT * rest[0, 0]:
        coefficients = np.zeros(n_powers)
    combine = np.zeros((k + 1, k + 1 + n_powers))
    combine[: k + 1, : k + 1] = np.eye(k + 1)
    combine[k, k + 1 :] = coefficients
    return combine @ gram @ combine.T, coefficients


def _share_unexplained(gram: FloatArray, signs: FloatArray, n_stems: int) -> float:
    equations = normal_equations(gram * signs[:, None] * signs, n_stems)
    left = equations.residual(solve_batch(equations.gram, equations.target))
    return float(left.sum() / max(float(equations.energy.sum()), 1e-30))
