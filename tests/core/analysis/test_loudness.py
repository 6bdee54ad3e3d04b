"""Loudness agrees with BS.1770 and with pyloudnorm."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import soundfile

from core.analysis import loudness, spectra
from core.analysis.measure import measure
from core.audio.framing import Framing
from core.audio.song import Song


def step_power(signal: npt.NDArray[np.float64], sample_rate: int) -> npt.NDArray[np.float64]:
    framing = Framing(sample_rate)
    n_hops = signal.shape[1] // framing.hop_samples
    return spectra.step_powers(signal[None].astype(np.float32), framing, n_hops)[0, :, 1]


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
def test_a_full_scale_sine_at_997_hz_in_one_channel_is_minus_3_01_lufs(sample_rate: int) -> None:
    signal = np.sin(2.0 * np.pi * 997.0 * np.arange(5 * sample_rate) / sample_rate)[None]
    assert loudness.integrated_lufs(step_power(signal, sample_rate)) == pytest.approx(-3.01, abs=0.02)


def test_a_second_channel_adds_3_db_and_halving_takes_6() -> None:
    signal = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 5 * 48_000))
    one = loudness.integrated_lufs(step_power(signal, 48_000))
    both = loudness.integrated_lufs(step_power(np.repeat(signal, 2, axis=0), 48_000))
    half = loudness.integrated_lufs(step_power(signal / 2.0, 48_000))
    assert both - one == pytest.approx(3.01, abs=0.01)
    assert one - half == pytest.approx(6.02, abs=0.01)


def test_loudness_of_the_bundled_stems_agrees_with_pyloudnorm(caesium: Song) -> None:
    power = measure(caesium).step_power
    assert power is not None
    for index, file in enumerate(caesium.stems.values()):
        samples, sample_rate = soundfile.read(file.path)
        expected = pyloudnorm.Meter(sample_rate, filter_class="DeMan").integrated_loudness(samples)
        assert loudness.integrated_lufs(power[:, index]) == pytest.approx(expected, abs=0.05), file.path.name


def test_pauses_do_not_count() -> None:
    loud = np.full(200, loudness.power_of(-20.0))
    quiet = np.full(200, loudness.power_of(-60.0))
    assert loudness.integrated_lufs(np.concatenate([loud, quiet])) == pytest.approx(-20.0, abs=0.1)


def test_silence_has_the_lowest_loudness() -> None:
    assert loudness.integrated_lufs(np.zeros(100)) == loudness.FLOOR_LUFS


def test_a_sound_shorter_than_a_block_is_measured_by_its_mean_power() -> None:
    assert loudness.integrated_lufs(np.full(3, loudness.power_of(-18.0))) == pytest.approx(-18.0)


def test_power_and_loudness_are_inverse() -> None:
    assert loudness.loudness_lufs(np.array([loudness.power_of(-23.0)]))[0] == pytest.approx(-23.0)
