"""Exact non-negative least squares for many small problems at once, from their normal equations.

Conventions: a problem is a Gram matrix `gram` (k, k) = U^T U and a vector `target` (k,) = U^T v; its solution
is argmin over a >= 0 of a^T gram a - 2 a^T target. Batches stand on the leading axis.

Source: block principal pivoting, Portugal, Judice & Vicente (1994), Math. Comp. 63; problems on which it has
not ended after a few rounds, and singular ones, go to `scipy.optimize.nnls` (Lawson & Hanson 1974) on a factor.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls as lawson_hanson

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
        solution[allowed] = lawson_hanson(matrix, vector)[0]
    return solution
