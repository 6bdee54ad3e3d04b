"""Loudness and true peak of a signal that comes in pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from core.analysis.loudness import FLOOR_LUFS
from core.automation.meters import LoudnessMeter, TruePeakMeter

Samples = npt.NDArray[np.float32]


def noise(duration_s: float, sample_rate: int, n_channels: int = 2) -> Samples:
    """Return pink-ish noise that swells and pauses."""
    n = round(duration_s * sample_rate)
    white = np.random.default_rng(0).normal(size=(n_channels, n)) * 0.2
    swell = 0.55 + 0.45 * np.sin(2.0 * np.pi * np.arange(n) / sample_rate / 3.0)
    return np.asarray(scipy.signal.lfilter([1.0], [1.0, -0.9], white) * swell, np.float32)


def in_pieces(signal: Samples, lengths: Sequence[int]) -> list[Samples]:
    return np.split(signal, np.cumsum(lengths), axis=1)


def true_peak_dbtp(pieces: Sequence[Samples]) -> float:
    meter = TruePeakMeter(len(pieces[0]))
    for piece in pieces:
        meter.add(piece)
    return meter.peak_dbtp


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_the_loudness_is_pyloudnorms(sample_rate: int, n_channels: int) -> None:
    signal = noise(10.0, sample_rate, n_channels)
    meter = LoudnessMeter(sample_rate, n_channels)
    meter.add(signal)
    expected = pyloudnorm.Meter(sample_rate, filter_class="DeMan").integrated_loudness(signal.T.astype(np.float64))
    assert meter.integrated_lufs == pytest.approx(expected, abs=0.02)


def test_the_loudness_does_not_depend_on_where_the_pieces_end() -> None:
    signal = noise(5.0, 48_000)
    whole, pieces = LoudnessMeter(48_000, 2), LoudnessMeter(48_000, 2)
    whole.add(signal)
    for piece in in_pieces(signal, [2400, 7200, 48_000, 2400]):
        pieces.add(piece)
    assert pieces.integrated_lufs == pytest.approx(whole.integrated_lufs, abs=1e-9)


@pytest.mark.parametrize("prepare", [lambda meter: None, lambda meter: meter.add(np.zeros((2, 48_000), np.float32))])
def test_silence_and_nothing_at_all_are_the_floor(prepare: Callable[[LoudnessMeter], None]) -> None:
    meter = LoudnessMeter(48_000, 2)
    prepare(meter)
    assert meter.integrated_lufs == FLOOR_LUFS


def test_less_than_a_step_is_as_loud_as_a_step_that_ends_in_silence() -> None:
    short = noise(0.001, 48_000)
    alone, ended = LoudnessMeter(48_000, 2), LoudnessMeter(48_000, 2)
    alone.add(short)
    ended.add(np.pad(short, ((0, 0), (0, 2_400 - short.shape[1]))))
    assert alone.integrated_lufs > FLOOR_LUFS
    assert alone.integrated_lufs == pytest.approx(ended.integrated_lufs, abs=1.0)


def test_a_sine_between_its_samples_peaks_3_db_above_them() -> None:
    sine = np.sin(np.pi / 2.0 * np.arange(48_000) + np.pi / 4.0) * 0.5 * np.hanning(48_000) ** 0.1
    sample_peak_db = 20.0 * np.log10(np.abs(sine).max())
    assert true_peak_dbtp([sine[None].astype(np.float32)]) - sample_peak_db == pytest.approx(3.01, abs=0.05)


def test_the_peak_of_the_loudest_channel_counts() -> None:
    signal = noise(1.0, 48_000)
    alone = true_peak_dbtp([signal[1:]])
    quiet_beside_it = np.concatenate([signal[:1] * 0.1, signal[1:]])
    assert true_peak_dbtp([quiet_beside_it]) == pytest.approx(alone)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 5000), max_size=6))
def test_the_true_peak_does_not_depend_on_where_the_pieces_end(lengths: list[int]) -> None:
    signal = noise(1.0, 24_000, 1)
    pieces = [piece for piece in in_pieces(signal, lengths) if piece.size]
    assert true_peak_dbtp(pieces) == pytest.approx(true_peak_dbtp([signal]), abs=0.01)


def test_a_peak_between_the_samples_on_either_side_of_a_pieces_end_is_found() -> None:
    signal = np.zeros((1, 4096), np.float32)
    signal[0, 1000:3096] = 0.2 * np.sin(np.pi / 2.0 * np.arange(2096) + np.pi / 4.0)
    signal[0, 2048:2050] = 0.6  # a pair of equal samples peaks between them
    whole = true_peak_dbtp([signal])
    assert whole > 20.0 * np.log10(0.6) + 1.0
    assert true_peak_dbtp(in_pieces(signal, [2049])) == pytest.approx(whole, abs=0.01)


def test_a_peak_between_the_very_last_samples_is_found() -> None:
    signal = np.zeros((1, 4096), np.float32)
    signal[0, -5:-3] = 0.6
    assert true_peak_dbtp([signal]) > 20.0 * np.log10(0.6) + 1.0


def test_it_reads_as_an_eightfold_oversampling_does() -> None:
    signal = noise(2.0, 44_100) * 2.0
    eightfold = scipy.signal.resample(signal.astype(np.float64), signal.shape[1] * 8, axis=1)
    expected = 20.0 * np.log10(np.abs(eightfold).max())
    assert true_peak_dbtp([signal]) == pytest.approx(expected, abs=0.1)
