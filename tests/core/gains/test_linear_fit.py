"""Normal equations of a mixdown, polarity and limiters, on small arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.analysis.gram import LIMITER_POWERS, sample_grams
from core.gains.least_squares import flipped_stems, limiter_coefficients, normal_equations, restored

Array = npt.NDArray[np.float64]
N_FRAMES, FRAME = 12, 500


def stems(n_stems: int = 3, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(n_stems, N_FRAMES * FRAME)) * 0.2


def mixed(signals: Array, gains: Array) -> Array:
    """Return the sum with gains (n_stems, N_FRAMES), each held for a frame."""
    return np.asarray((signals * np.repeat(gains, FRAME, axis=1)).sum(axis=0))


def grams(signals: Array, mixdown: Array) -> Array:
    all_signals = np.concatenate([signals, mixdown[None]])[:, None].astype(np.float32)
    return sample_grams(all_signals, FRAME, with_powers=True)


def random_gains(n_stems: int = 3, seed: int = 1) -> Array:
    return np.random.default_rng(seed).uniform(0.4, 1.2, (n_stems, N_FRAMES))


def test_the_residual_is_zero_for_the_true_gains_and_all_energy_without_gains() -> None:
    signals, gains = stems(), random_gains()
    equations = normal_equations(grams(signals, mixed(signals, gains)), 3)
    energy = (mixed(signals, gains).reshape(N_FRAMES, FRAME) ** 2).sum(axis=1)
    np.testing.assert_allclose(equations.energy, energy, rtol=1e-5)
    np.testing.assert_allclose(equations.residual(gains.T), 0.0, atol=1e-4 * energy.min())
    np.testing.assert_allclose(equations.residual(np.zeros((N_FRAMES, 3))), energy, rtol=1e-5)


def test_the_total_is_one_frame_with_the_sum_of_all() -> None:
    signals, gains = stems(), random_gains()
    equations = normal_equations(grams(signals, mixed(signals, gains)), 3)
    held = np.tile([0.5, 0.7, 0.9], (N_FRAMES, 1))
    assert equations.total().residual(held[:1])[0] == pytest.approx(equations.residual(held).sum())


@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_stems_of_inverted_polarity_are_found(flips: tuple[int, ...]) -> None:
    signals = stems()
    signs = np.ones((3, 1))
    signs[list(flips)] = -1.0
    found = flipped_stems(grams(signals, mixed(signals, signs * random_gains())), 3)
    assert tuple(np.nonzero(found)[0]) == flips


def test_a_stem_missing_from_the_mixdown_is_not_reported_as_inverted() -> None:
    signals, gains = stems(), random_gains()
    gains[1] = 0.0
    assert not flipped_stems(grams(signals, mixed(signals, gains)), 3).any()


def test_without_a_limiter_its_coefficients_are_zeros() -> None:
    signals = stems()
    np.testing.assert_array_equal(limiter_coefficients(grams(signals, mixed(signals, random_gains())), 3), 0.0)


def test_noise_is_not_fitted_as_a_limiter() -> None:
    signals = stems()
    noise = np.random.default_rng(5).normal(size=signals.shape[1]) * 0.02
    np.testing.assert_array_equal(limiter_coefficients(grams(signals, mixed(signals, random_gains()) + noise), 3), 0.0)


def test_a_bend_smaller_than_the_noise_is_not_a_limiter() -> None:
    signals = stems()
    inner = mixed(signals, random_gains())
    bent = inner - 0.05 * inner**3
    noise = np.random.default_rng(5).normal(size=len(inner)) * 0.03
    assert limiter_coefficients(grams(signals, bent), 3).any()
    np.testing.assert_array_equal(limiter_coefficients(grams(signals, bent + noise), 3), 0.0)


@pytest.mark.parametrize("power", LIMITER_POWERS)
def test_a_power_curve_is_found_and_inverted(power: int) -> None:
    signals, gains = stems(), random_gains()
    inner = mixed(signals, gains)
    let_out = np.linspace(-2.0, 2.0, 400_001)
    limited = np.interp(inner, let_out + 0.3 * let_out * np.abs(let_out) ** (power - 1), let_out)
    gram = grams(signals, limited)
    coefficients = limiter_coefficients(gram, 3)
    expected = np.where(np.array(LIMITER_POWERS) == power, 0.3, 0.0)
    np.testing.assert_allclose(coefficients, expected, atol=0.02)
    upright = restored(gram, np.zeros(3, bool), coefficients)
    energy = (inner.reshape(N_FRAMES, FRAME) ** 2).sum(axis=1)
    np.testing.assert_allclose(upright[:, 3, 3], energy, rtol=0.02)


def test_an_expander_is_not_a_limiter() -> None:
    signals = stems()
    inner = mixed(signals, random_gains())
    np.testing.assert_array_equal(limiter_coefficients(grams(signals, inner + 0.3 * inner**3), 3), 0.0)


def test_restoring_inverts_the_products_of_inverted_stems() -> None:
    signals = stems()
    gram = grams(signals, mixed(signals, random_gains()))
    upright = restored(gram, np.array([False, True, False]), np.zeros(len(LIMITER_POWERS)))
    turned = signals * np.array([[1.0], [-1.0], [1.0]])
    expected = grams(turned, mixed(signals, random_gains()))[:, :4, :4]
    np.testing.assert_allclose(upright, expected, atol=1e-4)
