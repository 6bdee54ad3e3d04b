"""Average spectra: levels, bands, and independence of the blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.automation.render import WINDOW_SAMPLES, SpectrumSums, in_bands
from tests.core.signals import average_spectrum

RATE = 48_000


def sine(frequency_hz: float, amplitude: float, n_channels: int = 2) -> npt.NDArray[np.float32]:
    tone = amplitude * np.sin(2.0 * np.pi * frequency_hz * np.arange(2 * RATE) / RATE)
    return np.repeat(tone[None], n_channels, axis=0).astype(np.float32)


@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_sine_appears_at_its_frequency_with_its_amplitude(n_channels: int) -> None:
    on_a_bin_hz = 100 * RATE / WINDOW_SAMPLES
    spectrum = average_spectrum(sine(on_a_bin_hz, 0.25, n_channels), RATE)
    assert spectrum.frequency_hz[np.argmax(spectrum.magnitude)] == pytest.approx(on_a_bin_hz)
    assert spectrum.magnitude.max() == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize("distance", [2048, 8192])
def test_blocks_of_any_length_and_order_give_the_same_average(distance: int) -> None:
    signal = np.random.default_rng(0).normal(size=(2, 50_000)).astype(np.float32)
    sums = SpectrumSums(RATE, 50_000, distance)
    for start, end in ((4_001, 20_000), (20_000, 50_000), (0, 10), (10, 4_000), (4_000, 4_001)):
        sums.add(signal[:, start : end + WINDOW_SAMPLES], start, end)
    expected = average_spectrum(signal, RATE, distance=distance)
    np.testing.assert_allclose(sums.average().magnitude, expected.magnitude, rtol=1e-6)


def test_a_louder_signals_spectrum_is_that_much_higher() -> None:
    spectrum = average_spectrum(sine(440.0, 0.1), RATE)
    np.testing.assert_allclose(spectrum.with_gain_db(6.0206).magnitude, 2.0 * spectrum.magnitude, rtol=1e-5)


def test_a_signal_shorter_than_a_window_has_an_empty_spectrum() -> None:
    assert not average_spectrum(sine(440.0, 0.5)[:, :1000], RATE).magnitude.any()


def test_bands_are_a_sixth_of_an_octave_apart_and_have_the_mean_power() -> None:
    spectrum = average_spectrum(np.random.default_rng(0).normal(size=(1, 20 * RATE)).astype(np.float32), RATE)
    centre_hz, level_db = in_bands(spectrum.frequency_hz, spectrum.magnitude)
    assert centre_hz.min() > 20.0
    assert centre_hz.max() < 20_480.0
    np.testing.assert_allclose(np.diff(np.log2(centre_hz[-20:])), 1.0 / 6.0, atol=1e-9)
    assert np.ptp(level_db[-20:]) < 0.5  # white noise is level in bins' mean power


def test_a_sine_is_loudest_in_its_own_band() -> None:
    centre_hz, level_db = in_bands(
        average_spectrum(sine(1000.0, 0.5), RATE).frequency_hz, average_spectrum(sine(1000.0, 0.5), RATE).magnitude
    )
    assert abs(np.log2(centre_hz[np.argmax(level_db)] / 1000.0)) <= 1.0 / 12.0
