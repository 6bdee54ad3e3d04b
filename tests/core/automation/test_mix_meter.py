"""Loudness, true peak and spectrum of a mix that comes in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest

from core.analysis.loudness import FLOOR_LUFS, channel_weights, gain_db_for_loudness, integrated_lufs
from core.automation.render import SPARSE_DISTANCE, MixFigures, MixMeter, common_gain_db
from tests.core.signals import average_spectrum, swelling_noise

Samples = npt.NDArray[np.float32]


def figures_of(signal: Samples, sample_rate: int, cuts: Sequence[int] = ()) -> MixFigures:
    """Return the figures of a signal whose blocks, cut at these samples, are measured last to first."""
    before, after = MixMeter.samples_around(sample_rate)
    n_samples = signal.shape[1]
    meter = MixMeter(sample_rate, n_samples)
    padded = np.pad(signal, ((0, 0), (before, after + sample_rate // 20)))
    edges = (0, *cuts, n_samples)
    for start, end in reversed(list(pairwise(edges))):
        meter.add(padded[:, start : before + end + after], start, end)
    return meter.figures()


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_loudness_is_that_of_pyloudnorm(sample_rate: int, n_channels: int) -> None:
    signal = swelling_noise(10.0, sample_rate, n_channels)
    expected = pyloudnorm.Meter(sample_rate, filter_class="DeMan").integrated_loudness(signal.T.astype(np.float64))
    assert figures_of(signal, sample_rate).loudness_lufs == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("n_channels", [3, 5, 6])
def test_surround_channels_are_weighted(n_channels: int) -> None:
    signal = swelling_noise(5.0, 48_000, 1)
    alone = figures_of(signal, 48_000).loudness_lufs
    for channel, weight in enumerate(channel_weights(n_channels)):
        surround = np.zeros((n_channels, signal.shape[1]), np.float32)
        surround[channel] = signal[0]
        found = figures_of(surround, 48_000).loudness_lufs
        expected = alone + 10.0 * np.log10(weight) if weight else FLOOR_LUFS
        assert found == pytest.approx(expected, abs=1e-3)


def test_constant_offset_is_not_heard() -> None:
    signal = swelling_noise(5.0, 48_000)
    plain, offset = (figures_of(signal + np.float32(dc), 48_000).loudness_lufs for dc in (0.0, 0.3))
    assert offset == pytest.approx(plain, abs=0.01)


def test_figures_do_not_depend_on_the_blocks() -> None:
    signal = swelling_noise(5.0, 48_000)
    whole, cut = figures_of(signal, 48_000), figures_of(signal, 48_000, cuts=[2400, 9600, 57_600, 60_000])
    np.testing.assert_allclose(cut.step_power, whole.step_power, rtol=1e-4)
    assert cut.true_peak == pytest.approx(whole.true_peak, rel=1e-5)
    expected = average_spectrum(signal, 48_000, distance=SPARSE_DISTANCE).magnitude
    np.testing.assert_allclose(cut.spectrum.magnitude, expected, rtol=1e-5)


def test_silence_has_the_lowest_loudness() -> None:
    assert figures_of(np.zeros((2, 48_000), np.float32), 48_000).loudness_lufs == FLOOR_LUFS


def test_less_than_a_step_has_a_loudness() -> None:
    assert figures_of(swelling_noise(0.001, 48_000), 48_000).loudness_lufs > FLOOR_LUFS


@pytest.mark.parametrize("level_db", [0.0, -60.0, -75.0, -110.0])
@pytest.mark.parametrize("target_lufs", [-14.0, -30.0, -65.0])
def test_target_loudness_is_reached_from_any_level(level_db: float, target_lufs: float) -> None:
    loud_and_quiet = swelling_noise(6.0, 48_000) * np.where(np.arange(288_000) < 96_000, 1.0, 0.02).astype(np.float32)
    step_power = figures_of(loud_and_quiet, 48_000).step_power * 10.0 ** (level_db / 10.0)
    gain_db = gain_db_for_loudness(step_power, target_lufs)
    assert integrated_lufs(step_power * 10.0 ** (gain_db / 10.0)) == pytest.approx(target_lufs, abs=0.01)


def test_mix_too_quiet_for_the_gate_is_made_as_loud_as_the_plain_sum() -> None:
    figures = figures_of(swelling_noise(5.0, 48_000), 48_000).with_gain_db(-90.0)
    assert figures.loudness_lufs == FLOOR_LUFS
    assert common_gain_db(figures, figures.with_gain_db(-6.0), None) == pytest.approx(6.0)
