"""The default preset's features mean what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from core.analysis.measure import condition1, crossing_rate, spectral_shape

FREQUENCY_HZ = np.arange(0.0, 22_050.1, 10.0)


def test_a_line_spectrum_has_its_frequency_as_centroid_and_no_spread() -> None:
    power = np.zeros((1, len(FREQUENCY_HZ)), np.float32)
    power[0, 100] = 0.5
    centroid, spread, slope = spectral_shape(power, FREQUENCY_HZ)
    assert centroid[0] == pytest.approx(1_000.0)
    assert spread[0] == pytest.approx(0.0, abs=0.1)
    assert slope[0] < 0.0


def test_a_flat_spectrum_is_centred_at_half_of_nyquist_and_spreads_evenly() -> None:
    power = np.ones((1, len(FREQUENCY_HZ)), np.float32)
    centroid, spread, slope = spectral_shape(power, FREQUENCY_HZ)
    assert centroid[0] == pytest.approx(11_025.0)
    assert spread[0] == pytest.approx(22_050.0 / np.sqrt(12.0), rel=1e-3)
    assert slope[0] == pytest.approx(0.0, abs=1e-12)


def test_the_slope_is_that_of_a_straight_line() -> None:
    amplitude = 3.0 - 1e-4 * FREQUENCY_HZ
    _, _, slope = spectral_shape((amplitude**2)[None].astype(np.float32), FREQUENCY_HZ)
    assert slope[0] == pytest.approx(-1e-4, rel=1e-4)


def test_silence_has_no_shape_and_no_level() -> None:
    silence = np.zeros((2, len(FREQUENCY_HZ)), np.float32)
    assert not condition1(silence, FREQUENCY_HZ).any()


def test_condition_1_contains_the_level_as_rms() -> None:
    power = np.full((1, len(FREQUENCY_HZ)), 0.25 / len(FREQUENCY_HZ), np.float32)
    assert condition1(power, FREQUENCY_HZ)[0, 1] == pytest.approx(0.5, rel=1e-5)


def test_a_sine_crosses_zero_twice_a_period() -> None:
    rate = 8_000
    signal = np.sin(2.0 * np.pi * 100.0 * (np.arange(2 * rate) + 0.5) / rate).astype(np.float32)
    rates = crossing_rate(np.stack([signal, signal]), rate // 4, 3)
    np.testing.assert_allclose(rates, 200.0, atol=1.0)


def test_crossings_are_the_mean_over_channels() -> None:
    rate = 8_000
    signal = np.sin(2.0 * np.pi * 100.0 * (np.arange(rate) + 0.5) / rate).astype(np.float32)
    rates = crossing_rate(np.stack([signal, np.zeros_like(signal)]), rate // 4, 1)
    assert rates[0] == pytest.approx(100.0, abs=1.0)


def test_touching_zero_is_not_a_crossing() -> None:
    signal = np.ones((1, 4_000), np.float32)
    signal[0, ::10] = 0.0
    assert not crossing_rate(signal, 1_000, 1).any()
