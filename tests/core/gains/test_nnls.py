"""The batched solver finds what Lawson & Hanson's algorithm finds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gains.least_squares import factor, solve_batch

FloatArray = npt.NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def problem(seed: int, k: int) -> tuple[FloatArray, FloatArray]:
    """A matrix and a vector, some of them with columns that repeat, cancel, vanish or differ 1e4 in scale."""
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((12, k))
    if random.random() < 0.5:
        matrix = np.abs(matrix)
    if k > 1 and random.random() < 0.3:
        matrix[:, 0] = random.choice([1.0, -1.0, 2.0]) * matrix[:, 1]
    if random.random() < 0.2:
        matrix[:, random.integers(k)] = 0.0
    matrix *= 10.0 ** random.uniform(-2.0, 2.0, k)
    return matrix, random.standard_normal(12) * 10.0 ** random.uniform(-2.0, 2.0)


def residual(matrix: FloatArray, vector: FloatArray, solution: FloatArray) -> float:
    return float(np.linalg.norm(matrix @ solution - vector))


def solve(matrix: FloatArray, vector: FloatArray, allowed: npt.NDArray[np.bool_] | None = None) -> FloatArray:
    only = None if allowed is None else allowed[None]
    return solve_batch((matrix.T @ matrix)[None], (matrix.T @ vector)[None], only)[0]


@settings(max_examples=300)
@given(seed=SEEDS, k=st.integers(1, 8))
def test_the_solution_of_lawson_and_hanson_is_not_better(seed: int, k: int) -> None:
    matrix, vector = problem(seed, k)
    ours = solve(matrix, vector)
    _, best = scipy.optimize.nnls(matrix, vector)
    assert (ours >= 0.0).all()
    assert residual(matrix, vector, ours) <= best + 1e-7 * np.linalg.norm(vector)


@settings(max_examples=200)
@given(seed=SEEDS, k=st.integers(1, 6))
def test_a_regular_problem_has_the_solution_of_lawson_and_hanson(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    matrix, vector = random.standard_normal((30, k)), random.standard_normal(30)
    np.testing.assert_allclose(solve(matrix, vector), scipy.optimize.nnls(matrix, vector)[0], atol=1e-10)


@settings(max_examples=100)
@given(seed=SEEDS, data=st.data())
def test_the_order_of_the_unknowns_does_not_matter(seed: int, data: st.DataObject) -> None:
    random = np.random.default_rng(seed)
    matrix, vector = random.standard_normal((20, 5)), random.standard_normal(20)
    order = np.array(data.draw(st.permutations(range(5))))
    np.testing.assert_allclose(solve(matrix[:, order], vector), solve(matrix, vector)[order], atol=1e-10)


@settings(max_examples=100)
@given(seed=SEEDS, exponent=st.floats(-4.0, 4.0))
def test_an_unknown_shrinks_as_its_column_grows(seed: int, exponent: float) -> None:
    random = np.random.default_rng(seed)
    matrix, vector = random.standard_normal((20, 4)), random.standard_normal(20)
    scale = np.array([10.0**exponent, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(solve(matrix * scale, vector) * scale, solve(matrix, vector), atol=1e-8)


@settings(max_examples=100)
@given(seed=SEEDS)
def test_excluded_unknowns_stay_zero_and_the_others_are_fitted_without_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix, vector = random.standard_normal((20, 4)), random.standard_normal(20)
    allowed = random.random(4) < 0.5
    expected = np.zeros(4)
    if allowed.any():
        expected[allowed] = scipy.optimize.nnls(matrix[:, allowed], vector)[0]
    np.testing.assert_allclose(solve(matrix, vector, allowed), expected, atol=1e-10)


def test_a_batch_equals_its_problems_solved_one_by_one() -> None:
    problems = [problem(seed, 4) for seed in range(200)]
    gram = np.stack([matrix.T @ matrix for matrix, _ in problems])
    target = np.stack([matrix.T @ vector for matrix, vector in problems])
    together = solve_batch(gram, target)
    alone = np.concatenate([solve_batch(gram[[i]], target[[i]]) for i in range(len(problems))])
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


def test_regular_problems_are_all_solved_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_by_one(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(scipy.optimize, "nnls", one_by_one)
    random = np.random.default_rng(5)
    matrices, vectors = random.standard_normal((200, 12, 4)), random.standard_normal((200, 12))
    gram, target = np.einsum("nij,nik->njk", matrices, matrices), np.einsum("nij,ni->nj", matrices, vectors)
    found = solve_batch(gram, target, random.random((200, 4)) < 0.8)
    assert ((found > 0.0).mean(axis=0) > 0.2).all()
    assert ((found == 0.0).mean(axis=0) > 0.2).all()


def test_the_solution_for_silence_is_zero() -> None:
    assert not solve_batch(np.zeros((3, 4, 4)), np.zeros((3, 4))).any()


def test_an_empty_batch_has_an_empty_result() -> None:
    assert solve_batch(np.zeros((0, 4, 4)), np.zeros((0, 4))).shape == (0, 4)


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_a_factor_has_the_same_normal_equations(rank: int) -> None:
    random = np.random.default_rng(rank)
    matrix, vector = random.standard_normal((rank, 4)), random.standard_normal(rank)
    root, right = factor(matrix.T @ matrix, matrix.T @ vector)
    np.testing.assert_allclose(root.T @ root, matrix.T @ matrix, atol=1e-10)
    np.testing.assert_allclose(root.T @ right, matrix.T @ vector, atol=1e-10)
