"""The mixdown's lag is found to the sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.audio.song import Song, open_song
from core.gains.alignment import align

RATE = 44_100


def delayed(samples: npt.NDArray[np.float64], lag: int) -> npt.NDArray[np.float64]:
    if lag >= 0:
        return np.pad(samples, ((lag, 0), (0, 0)))
    return samples[-lag:]


@pytest.fixture(scope="module")
def stems(caesium: Song) -> dict[str, npt.NDArray[np.float64]]:
    return {bus: soundfile.read(file.path)[0][: 12 * RATE] for bus, file in caesium.stems.items()}


def song_of(folder: Path, stems: dict[str, npt.NDArray[np.float64]], mixdown: npt.NDArray[np.float64]) -> Song:
    for bus, samples in stems.items():
        soundfile.write(folder / f"{bus}.wav", samples, RATE, subtype="FLOAT")
    soundfile.write(folder / "mix.wav", mixdown, RATE, subtype="FLOAT")
    return open_song(folder)


@pytest.mark.parametrize("lag", [0, 1, 137, -64, 5_000, -9_999, 3 * RATE, -2 * RATE])
def test_the_lag_of_a_sum_is_found_to_the_sample(
    tmp_path: Path, stems: dict[str, npt.NDArray[np.float64]], lag: int
) -> None:
    gains = dict(zip(stems, (0.9, 0.5, 0.3, 0.7), strict=True))
    mixdown = sum(gains[bus] * samples for bus, samples in stems.items())
    alignment = align(song_of(tmp_path, stems, delayed(mixdown, lag)))
    assert alignment.lag_samples == lag
    assert alignment.is_linear
    assert alignment.linear_fit > 0.95


def test_an_aligned_sum_with_moving_faders_is_a_plain_sum(
    tmp_path: Path, stems: dict[str, npt.NDArray[np.float64]]
) -> None:
    time_s = np.arange(12 * RATE)[:, None] / RATE
    moved = [samples * (0.6 + 0.3 * np.sin(time_s + number)) for number, samples in enumerate(stems.values())]
    alignment = align(song_of(tmp_path, stems, sum(moved)))
    assert alignment.is_plain
    assert alignment.lag_samples == 0


@pytest.mark.parametrize("change", ["late by one sample", "limited", "with noise"])
def test_processing_beyond_faders_is_not_a_plain_sum(
    tmp_path: Path, stems: dict[str, npt.NDArray[np.float64]], change: str
) -> None:
    plain = sum(stems.values())
    noise = 1e-3 * np.random.default_rng(0).standard_normal(plain.shape)
    changed = {"late by one sample": delayed(plain, 1), "limited": np.tanh(plain), "with noise": plain + noise}
    assert not align(song_of(tmp_path, stems, changed[change])).is_plain


def test_a_stem_of_inverted_polarity_does_not_hide_the_lag(
    tmp_path: Path, stems: dict[str, npt.NDArray[np.float64]]
) -> None:
    mixdown = sum(samples * (-1.0 if bus == "bass" else 1.0) for bus, samples in stems.items())
    assert align(song_of(tmp_path, stems, delayed(mixdown, 77))).lag_samples == 77


def test_an_unrelated_mixdown_is_not_a_sum(tmp_path: Path, stems: dict[str, npt.NDArray[np.float64]]) -> None:
    noise = np.random.default_rng(0).standard_normal((12 * RATE, 2)) * 0.1
    alignment = align(song_of(tmp_path, stems, noise))
    assert not alignment.is_linear
    assert alignment.linear_fit < 0.1


def test_a_silent_mixdown_fits_nothing(tmp_path: Path, stems: dict[str, npt.NDArray[np.float64]]) -> None:
    assert align(song_of(tmp_path, stems, np.zeros((12 * RATE, 2)))).linear_fit == 0.0


@pytest.mark.parametrize("n_samples", [1, 7, 100, 20_000])
def test_a_song_shorter_than_an_excerpt_can_be_aligned(
    tmp_path: Path, stems: dict[str, npt.NDArray[np.float64]], n_samples: int
) -> None:
    short = {bus: samples[:n_samples] for bus, samples in stems.items()}
    assert align(song_of(tmp_path, short, sum(short.values()))).linear_fit >= 0.0


def test_the_released_master_is_aligned_and_is_not_a_sum(caesium: Song) -> None:
    alignment = align(caesium)
    assert abs(alignment.lag_samples) <= 2
    assert not alignment.is_linear
