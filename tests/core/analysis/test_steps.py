"""Step spectra lose no energy and count none twice."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.analysis import spectra
from core.audio.framing import STEPS_PER_HOP, Framing

FRAMING = Framing(44_100)
STEP = FRAMING.step_samples


def spectra_of(signal: npt.NDArray[np.float64], n_hops: int) -> npt.NDArray[np.float32]:
    before, after = spectra.samples_before(FRAMING), spectra.samples_after(FRAMING)
    padded = np.pad(signal, ((0, 0), (before, after))).astype(np.float32)
    return spectra.step_power_spectra(padded, FRAMING, n_hops)


def test_all_steps_together_have_the_energy_of_the_signal() -> None:
    n_hops = 6
    signal = np.random.default_rng(0).standard_normal((2, n_hops * FRAMING.hop_samples))
    signal[:, :STEP] = signal[:, -STEP:] = 0.0  # the windows at the edges also look outside
    energy = spectra_of(signal, n_hops).sum(dtype=np.float64) * STEP
    assert energy == pytest.approx(float((signal**2).sum()), rel=1e-5)


@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_channels_add(n_channels: int) -> None:
    signal = np.random.default_rng(n_channels).standard_normal((n_channels, 2 * FRAMING.hop_samples))
    single = sum(spectra_of(channel[None], 2) for channel in signal)
    np.testing.assert_allclose(spectra_of(signal, 2), single, rtol=1e-4, atol=1e-9)


def test_a_constant_is_counted_once() -> None:
    signal = np.full((1, 3 * FRAMING.hop_samples), 0.5)
    middle = spectra_of(signal, 3)[STEPS_PER_HOP]
    assert middle.sum() == pytest.approx(0.25, rel=1e-4)


def test_a_sine_appears_at_its_frequency_with_its_power() -> None:
    time_s = np.arange(3 * FRAMING.hop_samples) / FRAMING.sample_rate
    signal = np.sin(2.0 * np.pi * 1_000.0 * time_s)[None]
    step = spectra_of(signal, 3)[7]
    frequency_hz = spectra.frequencies_hz(FRAMING)
    assert frequency_hz[step.argmax()] == 1_000.0
    assert step.sum() == pytest.approx(0.5, rel=1e-3)
    assert step[np.abs(frequency_hz - 1_000.0) > 100.0].sum() < 1e-3 * step.sum()


@pytest.mark.parametrize("n_channels", [1, 2, 5])
def test_step_power_is_the_sum_of_mean_squares_over_channels(n_channels: int) -> None:
    signal = np.random.default_rng(1).standard_normal((n_channels, 3 * FRAMING.hop_samples)).astype(np.float32)
    expected = (signal.reshape(n_channels, -1, STEP).astype(np.float64) ** 2).mean(axis=2).sum(axis=0)
    np.testing.assert_allclose(spectra.step_powers(signal[None], FRAMING, 3)[0, :, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(("frequency_hz", "gain_db"), [(30.0, -8.2), (100.0, -1.0), (1_000.0, 0.7), (8_000.0, 4.0)])
def test_a_sine_is_k_weighted_by_the_published_curve(frequency_hz: float, gain_db: float) -> None:
    time_s = np.arange(8 * FRAMING.hop_samples) / FRAMING.sample_rate
    signal = np.sin(2.0 * np.pi * frequency_hz * time_s).astype(np.float32)[None]
    plain, weighted = spectra.step_powers(signal[None], FRAMING, 8)[0].mean(axis=0)
    assert 10.0 * np.log10(weighted / plain) == pytest.approx(gain_db, abs=0.3)


def test_silence_has_no_power() -> None:
    assert not spectra_of(np.zeros((2, FRAMING.hop_samples)), 1).any()


@pytest.mark.parametrize("framing", [Framing(44_100), Framing(48_000), Framing(8000)])
@pytest.mark.parametrize("n_channels", [1, 2, 3])
def test_band_powers_add_up_to_the_power_of_the_hop(framing: Framing, n_channels: int) -> None:
    signal = np.random.default_rng(2).normal(size=(n_channels, 3 * framing.hop_samples)).astype(np.float32)
    bands = np.full((3, spectra.N_BANDS), np.nan, np.float32)
    (powers,) = spectra.step_powers(signal[None], framing, 3, bands[None])
    hop_power = powers[:, 0].reshape(3, STEPS_PER_HOP).mean(axis=1)
    np.testing.assert_allclose(bands.sum(axis=1), hop_power, rtol=1e-5)
    np.testing.assert_array_equal(powers, spectra.step_powers(signal[None], framing, 3)[0])


@pytest.mark.parametrize("band", [0, 1, 9, 23])
def test_a_tone_appears_in_its_band(band: int) -> None:
    frequency_hz = spectra.BAND_EDGES_HZ[band] + 40.0
    signal = np.sin(2.0 * np.pi * frequency_hz * np.arange(FRAMING.hop_samples) / FRAMING.sample_rate)
    bands = np.empty((1, spectra.N_BANDS), np.float32)
    spectra.step_powers(signal[None, None].astype(np.float32), FRAMING, 1, bands[None])
    np.testing.assert_allclose(bands[0], np.where(np.arange(spectra.N_BANDS) == band, 0.5, 0.0), atol=1e-6)
