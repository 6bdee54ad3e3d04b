"""Least-squares fits of a mixdown by its stems: frame by frame, and as polylines with a knot at every frame centre.

Conventions: a problem is a Gram matrix `gram` (k, k) = U^T U and a vector `target` (k,) = U^T v; its solution
is argmin over a >= 0 of a^T gram a - 2 a^T target. Batches are on the leading axis. Gram matrices of frames have shape
(n_frames, m, m): the first k signals are the stems, signal k is the mixdown, and in the complex domain powers of the
mixdown follow (`core.analysis.gram`). Unknowns are gains, or in the power domain their squares.

A frame-by-frame fit gives the mean gain over a second, weighted by where the stem is loud, which is wrong by some
amount while a fader moves. A polyline is linear between knots that are a hop apart, as automation is. Every 50 ms step
of audio contributes to the two knots around it, and a weak random walk ties each knot to the next. Where the mixdown is
a sum, the audio determines the gains and the fit is exact to 0.01 dB. Where a hop contains no information about a bus
(silence) or about the difference of two (the same signal twice), the neighbouring knots determine the gain and its
deviation grows. The fit uses both directions of time, so nothing is delayed and the song's ends need no special care.
docs/reference/method.md has the figures.

Polylines are fitted to `moments` (n_hops, 3, m, m): Gram matrices weighted by 1, tau and tau^2, tau being the position
of a step in its hop (0 to 1). Knot j of n_hops + 1 is at j * 0.25 s. The matrix of the knots is symmetric, positive
definite and block tridiagonal: `diagonal` (n, k, k) contains the diagonal blocks and `below` (n - 1, k, k) those under
it, block j in row j + 1, column j.

Sources: block principal pivoting, Portugal, Judice & Vicente (1994), Math. Comp. 63 (problems that are not solved after
a few rounds, and singular ones, are solved by `scipy.optimize.nnls`, Lawson & Hanson 1974, on a factor); block cyclic
reduction, Buzbee, Golub & Nielson (1970), SIAM J. Numer. Anal. 7 (every second node is eliminated, which leaves a
matrix of the same kind with half the size; afterwards the eliminated nodes are filled in).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from core.analysis.gram import LIMITER_POWERS
from core.analysis.measure import Domain
from core.audio.framing import HOPS_PER_FRAME, sum_over_frames
from core.decibels import FloatArray

_PIVOT_ROUNDS = 12
_TOLERANCE = 1e-12
_SMALLEST_PIVOT = 1e-11
_LIMITER_GAIN_IN_FIT = 0.2
_POLARITY_GAIN_IN_FIT = 0.01
_RCOND = 1e-9
_MATRICES_AT_ONCE = 500
WIDEST_DB = 60.0
"""The deviation where nothing is known."""
_INDEPENDENT_ERRORS = {"complex": 25.0, "power": 12.0, "magnitude": 12.0}
"""Independent errors per hop; residuals of music are far from white."""
_MODEL_ERROR_DB = {"power": 2.0, "magnitude": 2.0}
"""Deviation that filtering of the mixdown adds where phases are not compared (docs/reference/method.md)."""
_LARGEST_PROCESSING_DB = 1.0
"""The largest deviation that is added, where phases are compared, for processing that the gains do not explain."""
_RELATIVE_STEP = 0.05
"""Standard deviation of a gain's relative change from knot to knot: about 1.7 dB/s."""
_RESIDUAL_FLOOR = 1e-6
_PRIOR_PULL = 1e-6
_SHARING_RIDGE = 1e-4
_FIT_ROUNDS = 4
_NEIGHBOURHOOD_HOPS = 5
_DB_PER_RELATIVE = 20.0 / np.log(10.0)

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
    for _ in range(_PIVOT_ROUNDS):
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


def inverse_diagonal(diagonal: FloatArray, below: FloatArray) -> FloatArray:
    """Return the blocks on the diagonal of the matrix's inverse, shape (n, k, k)."""
    return _inverse_blocks(diagonal, below)[0]


def _inverse_blocks(diagonal: FloatArray, below: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the inverse's blocks on the diagonal (n, k, k) and below it (n - 1, k, k)."""
    if len(diagonal) == 1:
        return _inverses(diagonal), below
    own = _inverses(diagonal[1::2])
    to_before, to_after = below[::2], _transposed(below[1::2])
    n_after = len(to_after)  # the last odd node may have nothing after it
    by_before, by_after = own @ to_before, own[:n_after] @ to_after
    left = diagonal[::2].copy()
    left[: len(own)] -= _transposed(to_before) @ by_before
    left[1 : n_after + 1] -= _transposed(to_after) @ by_after
    even, between = _inverse_blocks(left, -_transposed(to_after) @ by_before[:n_after])

    with_before = -by_before @ even[: len(own)]
    with_before[:n_after] -= by_after @ between
    with_after = -by_before[:n_after] @ _transposed(between) - by_after @ even[1 : n_after + 1]
    odd = own - with_before @ _transposed(by_before)
    odd[:n_after] -= with_after @ _transposed(by_after)
    return _alternating(even, odd), _alternating(with_before, _transposed(with_after))


def _inverses(blocks: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(blocks), np.float64)


def _transposed(blocks: FloatArray) -> FloatArray:
    return blocks.swapaxes(-1, -2)


def _alternating(first: FloatArray, second: FloatArray) -> FloatArray:
    joined = np.empty((len(first) + len(second), *first.shape[1:]))
    joined[::2], joined[1::2] = first, second
    return joined


@dataclass(frozen=True)
class FittedGains:
    """Gains (n_frames, k): of the polyline, `raw` frame by frame, and the polyline's deviation in dB.

    `fit` (n_frames,) is the share of the mixdown's energy the polyline explains (NaN where there is none), and
    `song_fit` the same over the song.
    """

    gains: FloatArray
    raw: FloatArray
    deviation_db: FloatArray
    fit: FloatArray
    song_fit: float


@dataclass(frozen=True)
class _HopEquations:
    """Each hop's normal equations for the knots before and after it, matrices (n, k, k) and vectors (n, k)."""

    before: FloatArray
    between: FloatArray
    after: FloatArray
    target_before: FloatArray
    target_after: FloatArray
    energy: FloatArray

    def residual(self, knots: FloatArray) -> FloatArray:
        """Return the energy the polyline leaves unexplained in each hop, shape (n,)."""
        start, end = knots[:-1], knots[1:]
        explained = np.einsum("nk,nk->n", start, self.target_before) + np.einsum("nk,nk->n", end, self.target_after)
        modelled = (
            np.einsum("ni,nij,nj->n", start, self.before, start)
            + 2.0 * np.einsum("ni,nij,nj->n", start, self.between, end)
            + np.einsum("ni,nij,nj->n", end, self.after, end)
        )
        return np.maximum(self.energy - 2.0 * explained + modelled, 0.0)


def fit_gains(
    moments: FloatArray, frames: NormalEquations, domain: Domain, *, known: Mask, active: Mask
) -> FittedGains:
    """Return the gains that explain the mixdown.

    Parameters
    ----------
    moments : shape (n_hops, 3, k + 1, k + 1).
    frames : the frames' normal equations, of gains or (``power``) their squares.
    domain : what the equations are of.
    known : which hops the mixdown covers, shape (n_hops,); the others are not used.
    active : where each stem has signal, shape (n_frames, k); elsewhere its gain is interpolated.
    """
    exponent = 2.0 if domain == "power" else 1.0
    raw = solve_batch(frames.gram, frames.target, active)
    inside = sum_over_frames(known.astype(np.float64)) == HOPS_PER_FRAME
    inside = inside if inside.any() else np.ones_like(inside)
    covered = NormalEquations(frames.gram[inside], frames.target[inside], frames.energy[inside])
    typical = _typical(covered.total(), active)
    walk = 1.0 / (_RELATIVE_STEP * exponent * typical) ** 2
    heard = np.zeros((len(active) + HOPS_PER_FRAME - 1, active.shape[1]), bool)  # in any frame around the hop
    for offset in range(HOPS_PER_FRAME):
        heard[offset : offset + len(active)] |= active
    line = _fitted(_hop_equations(moments, heard), domain, known, walk, typical)
    centres = slice(HOPS_PER_FRAME // 2, HOPS_PER_FRAME // 2 + len(active))
    smooth = np.maximum(line.knots, 0.0)[centres]
    variances = np.einsum("nkk->nk", inverse_diagonal(line.diagonal, line.below))
    deviation = np.sqrt(np.maximum(variances, 0.0))[centres]
    relative = deviation / np.maximum(smooth, 1e-2 * typical) / exponent
    song_fit = float(_share_explained(line.residual.sum(), line.energy.sum()))
    if domain == "complex":  # what is left may be processing, which changes the level of all stems alike
        model_error_db = min(_DB_PER_RELATIVE * np.sqrt(max(1.0 - song_fit, 0.0)), _LARGEST_PROCESSING_DB)
    else:
        model_error_db = _MODEL_ERROR_DB[domain]
    return FittedGains(
        gains=smooth ** (1.0 / exponent),
        raw=raw ** (1.0 / exponent),
        deviation_db=np.minimum(np.hypot(_DB_PER_RELATIVE * relative, model_error_db), WIDEST_DB),
        fit=_share_explained(sum_over_frames(line.residual), sum_over_frames(line.energy)),
        song_fit=song_fit,
    )


@dataclass(frozen=True)
class _Polyline:
    """Fitted `knots` (n + 1, k), their precision as `_precision` returns it, and each hop's residual and energy."""

    knots: FloatArray
    diagonal: FloatArray
    below: FloatArray
    residual: FloatArray
    energy: FloatArray


def _fitted(hops: _HopEquations, domain: Domain, known: Mask, walk: FloatArray, typical: FloatArray) -> _Polyline:
    """Fit the knots repeatedly, with each hop weighted by the residual of the fit before."""
    weight = _weights(hops, hops.energy * 1e-2, typical, domain) * known
    for _ in range(_FIT_ROUNDS):
        diagonal, below, right = _precision(hops, weight, walk, typical)
        knots = _solve(diagonal, below, right)
        weight = _weights(hops, hops.residual(knots), typical, domain) * known
    return _Polyline(knots, diagonal, below, hops.residual(knots) * known, hops.energy * known)


def _typical(total: NormalEquations, active: Mask) -> FloatArray:
    """Return a typical gain per bus (k,), to which changes from knot to knot are relative.

    Two stems with the same signal share its gain evenly, so neither is kept near 0. A bus without signal has 1.
    """
    own_energy = np.einsum("nkk->nk", total.gram)
    ridge = np.eye(own_energy.shape[1]) * (_SHARING_RIDGE * own_energy)[:, None, :]
    typical = solve_batch(total.gram + ridge, total.target)[0]
    typical = np.maximum(typical, 1e-3 * max(float(typical.max()), 1e-3))
    return np.where(active.any(axis=0), typical, 1.0)


def _share_explained(residual: FloatArray, energy: FloatArray) -> FloatArray:
    return np.where(energy > 0.0, 1.0 - residual / np.where(energy > 0.0, energy, 1.0), np.nan)


def _hop_equations(moments: FloatArray, heard: Mask) -> _HopEquations:
    """Return the equations of the stems that are `heard` in each hop, shape (n_hops, k)."""
    k = moments.shape[-1] - 1
    plain, linear, square = moments[:, :, :k, :k].swapaxes(0, 1)
    to_plain, to_linear = moments[:, :2, :k, k].swapaxes(0, 1)
    both = heard[:, :, None] & heard[:, None, :]
    return _HopEquations(
        before=(plain - 2.0 * linear + square) * both,
        between=(linear - square) * both,
        after=square * both,
        target_before=(to_plain - to_linear) * heard,
        target_after=to_linear * heard,
        energy=moments[:, 0, k, k],
    )


def _weights(hops: _HopEquations, residual: FloatArray, typical: FloatArray, domain: Domain) -> FloatArray:
    """Return the weight of each hop's equations: 1 / the error's variance, estimated from it and its neighbours."""
    stems = hops.before + 2.0 * hops.between + hops.after
    scale = np.maximum(hops.energy, np.einsum("i,nij,j->n", typical, stems, typical))
    nearby = np.convolve(residual, np.ones(_NEIGHBOURHOOD_HOPS) / _NEIGHBOURHOOD_HOPS, "same")[: len(residual)]
    expected = np.maximum(np.maximum(residual, nearby), _RESIDUAL_FLOOR * scale)
    return np.where(scale > 0.0, _INDEPENDENT_ERRORS[domain] / np.maximum(expected, 1e-30), 0.0)


def _precision(
    hops: _HopEquations, weight: FloatArray, walk: FloatArray, typical: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the knots' precision, blocks on (n + 1, k, k) and below (n, k, k) the diagonal, and the right side."""
    n_knots, n_buses = len(weight) + 1, len(walk)
    by_hop, by_bus = weight[:, None, None], weight[:, None]
    neighbours = np.full(n_knots, 2.0)
    neighbours[[0, -1]] = 1.0
    diagonal = np.eye(n_buses) * ((neighbours[:, None] + _PRIOR_PULL) * walk)[:, :, None]
    diagonal[:-1] += hops.before * by_hop
    diagonal[1:] += hops.after * by_hop
    right = np.tile(_PRIOR_PULL * walk * typical, (n_knots, 1))
    right[:-1] += hops.target_before * by_bus
    right[1:] += hops.target_after * by_bus
    return diagonal, hops.between * by_hop - np.diag(walk), right


def _solve(diagonal: FloatArray, below: FloatArray, right: FloatArray) -> FloatArray:
    n_knots, n_buses = right.shape
    banded = np.zeros((2 * n_buses, n_knots, n_buses))
    for column in range(n_buses):
        for row in range(column, n_buses):
            banded[row - column, :, column] = diagonal[:, row, column]
        for row in range(n_buses):
            banded[n_buses + row - column, :-1, column] = below[:, row, column]
    flat = banded.reshape(2 * n_buses, n_knots * n_buses)
    solution: FloatArray = scipy.linalg.solveh_banded(flat, right.reshape(-1), overwrite_ab=True, lower=True)
    return solution.reshape(n_knots, n_buses)
