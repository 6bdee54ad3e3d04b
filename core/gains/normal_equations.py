"""Least-squares fits of a mixdown by its stems, from normal equations.

Conventions: a problem is a Gram matrix `gram` (k, k) = U^T U and a vector `target` (k,) = U^T v; its solution
is argmin over a >= 0 of a^T gram a - 2 a^T target. Batches are on the leading axis. Gram matrices of frames have shape
(n_frames, m, m): the first k signals are the stems, signal k is the mixdown, and in the complex domain powers of the
mixdown follow (`core.analysis.gram`). Unknowns are gains, or in the power domain their squares.

Source: block principal pivoting, Portugal, Judice & Vicente (1994), Math. Comp. 63. Problems that are not solved after
a few rounds, and singular ones, are solved by `scipy.optimize.nnls` (Lawson & Hanson 1974) on a factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from core.analysis.gram import LIMITER_POWERS
from core.decibels import FloatArray

_ROUNDS = 12
_TOLERANCE = 1e-12
_SMALLEST_PIVOT = 1e-11

Mask = npt.NDArray[np.bool_]


def solve_batch(gram: FloatArray, target: FloatArray, allowed: Mask | None = None) -> FloatArray:
    """Return the non-negative solutions of a batch of problems.

    Parameters
    ----------
    gram : shape (n, k, k), symmetric, positive semidefinite.
    target : shape (n, k).
    allowed : which unknowns may differ from 0, shape (n, k); all by default.

    Returns
    -------
    Array of shape (n, k), every entry >= 0.

    Examples
    --------
    Two signals, of which the second one would need a negative gain:

    >>> gram = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> solve_batch(gram, np.array([[0.5, -0.2]])).tolist()
    [[0.5, 0.0]]
    """
    allowed = np.ones(target.shape, bool) if allowed is None else allowed
    scale = np.sqrt(np.maximum(np.einsum("nkk->nk", gram), 0.0))
    allowed = allowed & (scale > 0.0)
    scale = np.where(allowed, scale, 1.0)
    gram = gram / (scale[:, :, None] * scale[:, None, :])
    target = np.where(allowed, target / scale, 0.0)
    solution, settled = _pivot(gram, target, allowed)
    for index in np.nonzero(~settled)[0]:
        solution[index] = _solve_one(gram[index], target[index], allowed[index])
    return solution / scale


def factor(gram: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return `matrix` (k, k) and `vector` (k,) with the same normal equations; `gram` may be singular."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > max(float(values[-1]), 0.0) * _TOLERANCE
    root = np.sqrt(np.where(kept, values, 1.0))
    matrix = np.where(kept, root, 0.0)[:, None] * vectors.T
    return matrix, np.where(kept, (vectors.T @ target) / root, 0.0)


def _pivot(gram: FloatArray, target: FloatArray, allowed: Mask) -> tuple[FloatArray, Mask]:
    free = allowed.copy()
    solution = np.zeros_like(target)
    settled = np.zeros(len(target), bool)
    open_problems = np.arange(len(target))
    for _ in range(_ROUNDS):
        if not len(open_problems):
            break
        system, right, now_free = gram[open_problems], target[open_problems], free[open_problems]
        regular, trial = _solve_free(system, right, now_free)
        slope = np.einsum("nij,nj->ni", system, trial) - right
        to_bind = now_free & (trial < -_TOLERANCE)
        to_free = ~now_free & allowed[open_problems] & (slope < -_TOLERANCE)
        done = regular & ~(to_bind | to_free).any(axis=1)
        solution[open_problems[done]] = np.maximum(trial[done], 0.0)
        settled[open_problems[done]] = True
        free[open_problems] = (now_free & ~to_bind) | to_free
        open_problems = open_problems[~done & regular]
    return solution, settled


def _solve_free(gram: FloatArray, target: FloatArray, free: Mask) -> tuple[Mask, FloatArray]:
    both_free = free[:, :, None] & free[:, None, :]
    system = np.where(both_free, gram, 0.0)
    np.einsum("nkk->nk", system)[:] = np.where(free, np.einsum("nkk->nk", gram), 1.0)
    regular = np.linalg.eigvalsh(system)[:, 0] > _SMALLEST_PIVOT
    system[~regular] = np.eye(gram.shape[1])
    return regular, np.linalg.solve(system, np.where(free, target, 0.0)[:, :, None])[:, :, 0]


def _solve_one(gram: FloatArray, target: FloatArray, allowed: Mask) -> FloatArray:
    solution = np.zeros_like(target)
    if allowed.any():
        matrix, vector = factor(gram[np.ix_(allowed, allowed)], target[allowed])
        solution[allowed] = scipy.optimize.nnls(matrix, vector)[0]
    return solution


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
    """Return the equations of the stems against only the mixdown, of a `gram` (n_hops, n_signals, n_signals)."""
    k = n_stems
    return NormalEquations(gram[:, :k, :k], gram[:, :k, k], gram[:, k, k])


def flipped_stems(gram: FloatArray, n_stems: int) -> npt.NDArray[np.bool_]:
    """Return which stems are in the mixdown with inverted polarity, shape (n_stems,).

    A stem counts as inverted when inverting it explains at least 1 % more of the mixdown's energy.
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
    """Return the curve of the mixdown's soft limiter, shape (3,); zeros where there was none.

    A memoryless limiter y = f(x) is inverted by x = y + c2 |y| y + c3 y^3 + c7 y^7, c >= 0 (it only reduces levels, and
    symmetrically; a curve such as x / (1 + |x|) bends from the start and needs the first term). Gains change per frame,
    the curve does not, so one small non-negative least-squares problem over the song finds it: each frame's gains are
    eliminated, and the remainder of the powers is fitted to the remainder of the mixdown. A curve counts only if it
    explains a fifth of what the stems leave unexplained.
    """
    k = n_stems
    inverse = np.linalg.pinv(gram[:, :k, :k], rcond=_RCOND, hermitian=True)
    to_rest = gram[:, :k, k:]
    left = (gram[:, k:, k:] - np.einsum("nki,nkl,nlj->nij", to_rest, inverse, to_rest)).sum(axis=0)
    matrix, vector = factor(left[1:, 1:], -left[1:, 0])
    coefficients: FloatArray = scipy.optimize.nnls(matrix, vector)[0]
    explained = -2.0 * coefficients @ left[1:, 0] - coefficients @ left[1:, 1:] @ coefficients
    return coefficients if explained > _LIMITER_GAIN_IN_FIT * left[0, 0] else np.zeros(len(LIMITER_POWERS))


def restored(gram: FloatArray, flipped: npt.NDArray[np.bool_], limiter: FloatArray) -> FloatArray:
    """Return Gram matrices (n, ..., k + 1, k + 1) of the stems turned upright and the mixdown before its limiter.

    Parameters
    ----------
    gram : Gram matrices of the stems, the mixdown and the powers of it that model its limiter, shape (n, ..., m, m).
    flipped : which stems have inverted polarity, shape (k,).
    limiter : the coefficients of the powers, shape (m - k - 1,).
    """
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
