"""Cyclic reduction gives the inverse's blocks that inverting the whole matrix gives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gains.least_squares import inverse_diagonal

Array = npt.NDArray[np.float64]


def blocks(n: int, k: int, seed: int) -> tuple[Array, Array]:
    """A random walk seen through random measurements, as the polylines are."""
    random = np.random.default_rng(seed)
    measured = random.standard_normal((n, k, k))
    diagonal = measured @ measured.swapaxes(1, 2) + 2.1 * np.eye(k)
    below = np.tile(-np.eye(k), (n - 1, 1, 1))
    return diagonal, below


def whole(diagonal: Array, below: Array) -> Array:
    n, k, _ = diagonal.shape
    matrix = np.zeros((n, k, n, k))
    for node in range(n):
        matrix[node, :, node] = diagonal[node]
    for node in range(n - 1):
        matrix[node + 1, :, node] = below[node]
        matrix[node, :, node + 1] = below[node].T
    return matrix.reshape(n * k, n * k)


@given(n=st.integers(1, 40), k=st.integers(1, 5), seed=st.integers(0, 1_000))
def test_the_blocks_are_those_of_the_whole_inverse(n: int, k: int, seed: int) -> None:
    diagonal, below = blocks(n, k, seed)
    expected = np.linalg.inv(whole(diagonal, below)).reshape(n, k, n, k)
    found = inverse_diagonal(diagonal, below)
    np.testing.assert_allclose(found, expected[np.arange(n), :, np.arange(n)], rtol=1e-9, atol=1e-12)


def test_asymmetric_links_are_not_transposed() -> None:
    diagonal, below = blocks(7, 3, 5)
    below = below + 0.1 * np.random.default_rng(6).standard_normal(below.shape)
    expected = np.linalg.inv(whole(diagonal, below)).reshape(7, 3, 7, 3)
    found = inverse_diagonal(diagonal, below)
    np.testing.assert_allclose(found, expected[np.arange(7), :, np.arange(7)], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_chain_without_links_is_inverted_node_by_node(n: int) -> None:
    diagonal, below = blocks(n, 2, n)
    np.testing.assert_allclose(inverse_diagonal(diagonal, 0.0 * below), np.linalg.inv(diagonal), rtol=1e-12)
