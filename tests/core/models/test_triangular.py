"""A song folded into a triangle solves to what its frames would, however the features are scaled."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import nnls

from core.models.fit import fold, non_negative

FloatArray = npt.NDArray[np.float64]
PAPER_SCALES = np.array([2e3, 1e7, 1e-4, 30.0, 5e2])
"""Centroid, spread, slope, loudness and crossings are about this large."""


def songs(
    seed: int, n_songs: int = 3, n_features: int = 5, scales: FloatArray = PAPER_SCALES
) -> list[tuple[FloatArray, FloatArray]]:
    """Return features and gains of some songs; some of the true coefficients are negative."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n_features) / scales[:n_features]
    made = []
    for _ in range(n_songs):
        features = np.abs(rng.normal(1.0, 0.5, (int(rng.integers(20, 200)), n_features))) * scales[:n_features]
        made.append((features, features @ truth + rng.normal(0.0, 0.1, len(features))))
    return made


def stacked(made: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    return np.concatenate([features for features, _ in made]), np.concatenate([gains for _, gains in made])


def raw_non_negative(features: FloatArray, gains: FloatArray) -> FloatArray:
    length = np.linalg.norm(features, axis=0)
    return np.asarray(nnls(features / length, gains)[0] / length)


@given(seed=st.integers(0, 2**32 - 1), n_songs=st.integers(1, 5), n_features=st.integers(1, 5))
def test_triangles_solve_to_what_the_frames_do(seed: int, n_songs: int, n_features: int) -> None:
    made = songs(seed, n_songs, n_features)
    solved = non_negative([fold(*song) for song in made])
    expected = raw_non_negative(*stacked(made))
    assert (solved >= 0.0).all()
    np.testing.assert_allclose(solved * PAPER_SCALES[:n_features], expected * PAPER_SCALES[:n_features], atol=1e-9)


@given(exponents=st.lists(st.integers(-4, 7), min_size=3, max_size=3), seed=st.integers(0, 1000))
def test_a_features_unit_only_changes_the_unit_of_its_coefficient(exponents: list[int], seed: int) -> None:
    scales = 10.0 ** np.array(exponents)
    plain = songs(seed, n_features=3, scales=np.ones(3))
    rescaled = [(features * scales, gains) for features, gains in plain]
    of_plain = non_negative([fold(*song) for song in plain])
    of_rescaled = non_negative([fold(*song) for song in rescaled])
    np.testing.assert_allclose(of_rescaled * scales, of_plain, atol=1e-10)


def test_a_triangle_keeps_the_digits_that_sums_of_squares_lose() -> None:
    rng = np.random.default_rng(5)
    base = rng.uniform(1.0, 2.0, 400)
    features = np.stack([base, base + 1e-9 * rng.normal(size=400)], axis=1)
    truth = np.array([2.0, 3.0])
    solved = non_negative([fold(features, features @ truth)])
    np.testing.assert_allclose(solved, truth, atol=1e-4)


def test_the_error_of_any_coefficients_can_be_read_off_the_triangle() -> None:
    ((features, gains),) = songs(1, n_songs=1)
    triangle = fold(features, gains)
    for seed in range(5):
        coefficients = np.random.default_rng(seed).normal(size=5) / PAPER_SCALES
        in_frames = np.sum((features @ coefficients - gains) ** 2)
        assert np.sum((triangle @ [*coefficients, -1.0]) ** 2) == pytest.approx(in_frames, rel=1e-10)


@given(seed=st.integers(0, 1000))
def test_it_does_not_matter_in_which_order_songs_come(seed: int) -> None:
    triangles = [fold(*song) for song in songs(seed, n_songs=5)]
    np.testing.assert_allclose(
        non_negative(triangles[::-1]) * PAPER_SCALES,
        non_negative(triangles) * PAPER_SCALES,
        atol=1e-9,
    )


def test_a_song_shorter_than_its_features_are_many_still_has_a_triangle() -> None:
    features, gains = np.array([[2.0, 0.0, 1.0]]), np.array([4.0])
    triangle = fold(features, gains)
    assert triangle.shape == (4, 4)
    solved = non_negative([triangle])
    assert features[0] @ solved == pytest.approx(4.0)


def test_a_feature_that_is_always_zero_gets_no_weight() -> None:
    ((features, gains),) = songs(3, n_songs=1)
    features[:, 2] = 0.0
    solved = non_negative([fold(features, gains)])
    assert solved[2] == 0.0
    assert np.isfinite(solved).all()


def test_a_weight_of_n_equals_n_repeated_frames() -> None:
    ((features, gains),) = songs(4, n_songs=1)
    times = np.random.default_rng(0).integers(0, 4, len(features))
    weighted = fold(features, gains, times.astype(np.float64))
    repeated = fold(np.repeat(features, times, axis=0), np.repeat(gains, times))
    np.testing.assert_allclose(
        non_negative([weighted]) * PAPER_SCALES,
        non_negative([repeated]) * PAPER_SCALES,
        atol=1e-10,
    )
