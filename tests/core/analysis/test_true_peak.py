"""True peaks between samples, wherever a signal is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.loudness import CONTEXT_SAMPLES, _taps, oversampling, true_peak
from tests.core.signals import swelling_noise

Samples = npt.NDArray[np.float32]


def true_peak_dbtp(signal: Samples, sample_rate: int = 48_000, cuts: tuple[int, ...] = ()) -> float:
    padded = np.pad(signal, ((0, 0), (CONTEXT_SAMPLES, 2 * CONTEXT_SAMPLES)))
    peak = 0.0
    edges = (0, *cuts, signal.shape[1] + CONTEXT_SAMPLES)
    for start, end in pairwise(edges):
        peak = true_peak(padded[:, start : end + 2 * CONTEXT_SAMPLES], sample_rate, peak)
    return float(20.0 * np.log10(peak))


def test_sine_between_its_samples_peaks_3_db_above_them() -> None:
    sine = np.sin(np.pi / 2.0 * np.arange(48_000) + np.pi / 4.0) * 0.5 * np.hanning(48_000) ** 0.1
    sample_peak_db = 20.0 * np.log10(np.abs(sine).max())
    assert true_peak_dbtp(sine[None].astype(np.float32)) - sample_peak_db == pytest.approx(3.01, abs=0.05)


def test_loudest_channel_counts() -> None:
    signal = swelling_noise(1.0, 48_000)
    with_quiet_channel = np.concatenate([signal[:1] * 0.1, signal[1:]])
    assert true_peak_dbtp(with_quiet_channel) == pytest.approx(true_peak_dbtp(signal[1:]))


@settings(max_examples=15)
@given(st.sets(st.integers(1, 23_999), max_size=6))
def test_cuts_do_not_change_the_peak(cuts: set[int]) -> None:
    signal = swelling_noise(0.5, 48_000, 1)
    assert true_peak_dbtp(signal, cuts=tuple(sorted(cuts))) == pytest.approx(true_peak_dbtp(signal), abs=1e-4)


def test_peak_on_either_side_of_a_cut_is_found() -> None:
    signal = np.zeros((1, 4096), np.float32)
    signal[0, 2048:2050] = 0.6  # two equal samples peak between them
    whole = true_peak_dbtp(signal)
    assert whole > 20.0 * np.log10(0.6) + 1.0
    for cut in (2048, 2049, 2050):
        assert true_peak_dbtp(signal, cuts=(cut,)) == pytest.approx(whole, abs=1e-4)


def test_peak_between_the_last_samples_is_found() -> None:
    signal = np.zeros((1, 4096), np.float32)
    signal[0, -2:] = 0.6
    assert true_peak_dbtp(signal) > 20.0 * np.log10(0.6) + 1.0


def test_skipping_quiet_parts_gives_the_peak_of_full_oversampling() -> None:
    signal = swelling_noise(2.0, 44_100) * 2.0
    eightfold = scipy.signal.resample(signal.astype(np.float64), signal.shape[1] * 8, axis=1)
    expected = 20.0 * np.log10(np.abs(eightfold).max())
    assert true_peak_dbtp(signal, 44_100) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("kind", ["low", "bright", "clipped", "impulses"])
@pytest.mark.parametrize("sample_rate", [44_100, 96_000])
def test_result_is_the_largest_value_of_the_interpolation_everywhere(kind: str, sample_rate: int) -> None:
    rng = np.random.default_rng(4)
    white = rng.uniform(-1.0, 1.0, 20_000)
    low = scipy.signal.lfilter([0.1], [1.0, -0.95], white)
    samples = {
        "low": low,
        "bright": np.diff(white),
        "clipped": np.clip(4.0 * low, -0.9, 0.9),
        "impulses": np.where(rng.random(20_000) < 0.01, white, 0.0),
    }[kind].astype(np.float32)
    factor = oversampling(sample_rate)
    expected = float(np.abs(samples).max())
    for step in range(1, factor):
        between = np.convolve(samples.astype(np.float64), _taps(step / factor)[::-1])
        expected = max(expected, float(np.abs(between).max()))
    assert 10.0 ** (true_peak_dbtp(samples[None], sample_rate) / 20.0) == pytest.approx(expected, rel=1e-6)


def test_bright_noise_peaks_as_in_a_fourfold_interpolation_of_all_of_it() -> None:
    white = np.random.default_rng(1).uniform(-1.0, 1.0, (2, 96_000))
    signal = scipy.signal.sosfilt(scipy.signal.butter(12, 0.8, output="sos"), white).astype(np.float32)
    fourfold = scipy.signal.resample(signal.astype(np.float64), signal.shape[1] * 4, axis=1)
    assert true_peak_dbtp(signal) == pytest.approx(20.0 * np.log10(np.abs(fourfold).max()), abs=0.2)


def test_silence_and_short_signals_keep_the_known_peak() -> None:
    assert true_peak(np.zeros((2, 480), np.float32), 48_000, 0.25) == 0.25
    assert true_peak(np.ones((2, CONTEXT_SAMPLES), np.float32), 48_000, 0.25) == 0.25


@pytest.mark.parametrize(("sample_rate", "factor"), [(44_100, 4), (48_000, 4), (96_000, 2), (192_000, 1)])
def test_dense_samples_are_oversampled_less(sample_rate: int, factor: int) -> None:
    assert oversampling(sample_rate) == factor
