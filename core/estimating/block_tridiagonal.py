"""The covariances that a block-tridiagonal precision matrix stands for, without ever inverting the whole of it.

Conventions: the matrix is symmetric and positive definite; `diagonal` (n, k, k) holds its blocks on the diagonal,
`below` (n - 1, k, k) those under it: block `j` stands in row j + 1, column j.

Source: block cyclic reduction (Buzbee, Golub & Nielson 1970, SIAM J. Numer. Anal. 7). Every second node is eliminated,
which leaves a matrix of the same kind half as long; on the way back the eliminated ones are filled in. That takes
log2(n) rounds of a few products of stacks of small matrices, where eliminating node after node takes n.
"""

from __future__ import annotations

import numpy as np

from core.decibels import FloatArray


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
