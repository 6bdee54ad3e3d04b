"""The least-squares fit of a mixdown by its stems, from Gram matrices, and what else they tell.

Conventions: `gram` has shape (n_frames, m, m); its first k signals are the stems, signal k is the mixdown, and
in the complex domain powers of the mixdown follow (`core.measuring.gram`). Unknowns are gains, or in the power domain
their squares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls as lawson_hanson

from core.decibels import FloatArray
from core.estimating.nnls import factor, solve_batch
from core.measuring.gram import LIMITER_POWERS

_LIMITER_GAIN_IN_FIT = 0.2
_POLARITY_GAIN_IN_FIT = 0.01
_RCOND = 1e-9
_MATRICES_AT_ONCE = 500


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
        return NormalEquations(*(part.sum(axis=0, keepdims=True) for part in (self.gram, self.target, self.energy)))


def normal_equations(gram: FloatArray, n_stems: int) -> NormalEquations:
    """Return the equations of the stems against the mixdown alone, of a `gram` (n_hops, n_signals, n_signals)."""
    k = n_stems
    return NormalEquations(gram[:, :k, :k], gram[:, :k, k], gram[:, k, k])


def flipped_stems(gram: FloatArray, n_stems: int) -> npt.NDArray[np.bool_]:
    """Return which stems the mixdown holds upside down, shape (n_stems,).

    A stem counts as flipped when turning it explains at least 1 % more of the mixdown's energy.
    """
    total = normal_equations(gram, n_stems).total()
    ridge = np.eye(n_stems) * (_RCOND * np.trace(total.gram[0]) + 1e-20)
    candidates = np.nonzero(np.linalg.solve(total.gram[0] + ridge, total.target[0]) < 0.0)[0]
    flipped = np.zeros(n_stems, bool)
    unexplained = _share_unexplained(gram, flipped)
    for stem in candidates:
        trial = flipped.copy()
        trial[stem] = True
        with_trial = _share_unexplained(gram, trial)
        if with_trial < unexplained - _POLARITY_GAIN_IN_FIT:
            flipped, unexplained = trial, with_trial
    return flipped


def limiter_coefficients(gram: FloatArray, n_stems: int) -> FloatArray:
    """Return the curve of the soft limiter the mixdown went through, shape (3,); zeros where there was none.

    A memoryless limiter y = f(x) is undone by x = y + c2 |y| y + c3 y^3 + c7 y^7, c >= 0 (it only ever takes
    away, symmetrically; a curve such as x / (1 + |x|) bends from the start and needs the first term). The gains
    change per frame, the curve does not, so one small non-negative least-squares problem over the song finds it:
    each frame's gains are eliminated, what is left of the powers is fitted to what is left of the mixdown. A
    curve counts only if it explains a fifth of what the stems leave unexplained.
    """
    k = n_stems
    inverse = np.linalg.pinv(gram[:, :k, :k], rcond=_RCOND, hermitian=True)
    to_rest = gram[:, :k, k:]
    left = (gram[:, k:, k:] - np.einsum("nki,nkl,nlj->nij", to_rest, inverse, to_rest)).sum(axis=0)
    matrix, vector = factor(left[1:, 1:], -left[1:, 0])
    coefficients: FloatArray = lawson_hanson(matrix, vector)[0]
    explained = -2.0 * coefficients @ left[1:, 0] - coefficients @ left[1:, 1:] @ coefficients
    return coefficients if explained > _LIMITER_GAIN_IN_FIT * left[0, 0] else np.zeros(len(LIMITER_POWERS))


def restored(gram: FloatArray, flipped: npt.NDArray[np.bool_], limiter: FloatArray) -> FloatArray:
    """Return Gram matrices (n, ..., k + 1, k + 1) of the stems turned upright and the mixdown before its limiter."""
    k = len(flipped)
    if gram.shape[-1] == k + 1 and not flipped.any():
        return gram
    combine = np.zeros((k + 1, gram.shape[-1]))
    combine[:k, :k] = np.diag(np.where(flipped, -1.0, 1.0))
    combine[k, k] = 1.0
    combine[k, k + 1 :] = limiter
    upright = np.empty((*gram.shape[:-2], k + 1, k + 1))
    for start in range(0, len(gram), _MATRICES_AT_ONCE):
        part = slice(start, start + _MATRICES_AT_ONCE)
        upright[part] = combine @ gram[part] @ combine.T
    return upright


def _share_unexplained(gram: FloatArray, flipped: npt.NDArray[np.bool_]) -> float:
    k = len(flipped)
    upright = restored(gram[:, : k + 1, : k + 1], flipped, np.zeros(0))
    equations = normal_equations(upright, k)
    left = equations.residual(solve_batch(equations.gram, equations.target))
    return float(left.sum() / max(float(equations.energy.sum()), 1e-30))
