"""Gram matrices contain the documented inner products."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis.gram import LIMITER_POWERS, magnitude_gram, power_grams, sample_grams

RANDOM = np.random.default_rng(5)


def test_magnitudes_are_those_of_an_unpadded_half_overlapped_stft() -> None:
    frames = RANDOM.standard_normal((3, 44_100)).astype(np.float32)
    window = 0.54 - 0.46 * np.cos(2.0 * np.pi * np.arange(1_024) / 1_023)
    starts = range(0, 44_100 - 1_024 + 1, 512)
    columns = np.array(
        [
            np.concatenate([np.abs(np.fft.rfft(frame[i : i + 1_024] * window)) for i in starts])
            for frame in frames.astype(np.float64)
        ]
    )
    np.testing.assert_allclose(magnitude_gram(frames), columns @ columns.T, rtol=1e-6)


def test_sample_products_are_those_of_complex_spectra_by_parsevals_theorem() -> None:
    signals = RANDOM.standard_normal((3, 2, 600)).astype(np.float32)
    spectra = np.fft.fft(signals[:, :, 200:400].astype(np.float64)).reshape(3, -1)
    expected = (spectra @ spectra.conj().T).real / 200
    np.testing.assert_allclose(sample_grams(signals, 200)[1], expected, rtol=1e-5, atol=1e-4)


def test_parts_add_up_to_the_whole() -> None:
    signals = RANDOM.standard_normal((4, 2, 2_205 * 6)).astype(np.float32)
    flat = signals.reshape(4, -1).astype(np.float64)
    total = sample_grams(signals, 2_205).sum(axis=0)
    np.testing.assert_allclose(total, flat @ flat.T, rtol=1e-5, atol=0.01)


@pytest.mark.parametrize("n_stretches", [1, 5, 12])
def test_powers_of_the_last_signal_are_added_as_signals(n_stretches: int) -> None:
    signals = RANDOM.uniform(-1.0, 1.0, (2, 2, 50 * n_stretches)).astype(np.float32)
    last = signals[-1]
    powers = np.stack([np.sign(last) * np.abs(last) ** power for power in LIMITER_POWERS])
    extended = np.concatenate([signals, powers])
    np.testing.assert_allclose(
        sample_grams(signals, 50, with_powers=True), sample_grams(extended, 50), rtol=1e-4, atol=1e-4
    )


def test_power_products_are_computed_per_step() -> None:
    spectra = RANDOM.uniform(0.0, 1.0, (3, 5, 40)).astype(np.float32)
    grams = power_grams(spectra)
    assert grams.shape == (5, 3, 3)
    assert grams[4, 0, 2] == pytest.approx(float(spectra[0, 4].astype(float) @ spectra[2, 4].astype(float)))
