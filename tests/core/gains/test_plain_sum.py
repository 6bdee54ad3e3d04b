"""Whether a mixdown is the plain sum of its stems."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.audio.song import Song, open_song
from core.gains.alignment import constant_gains

RATE = 44_100
NAMES = ("drums", "bass", "vocals")


def song_with_gains(folder: Path, *gains: float, lag: int = 0, noise: float = 0.0) -> Song:
    signals = np.random.default_rng(1).normal(size=(4, 5 * RATE)) * 0.05
    for name, samples in zip(NAMES, signals, strict=False):
        soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="PCM_24")
    mix = np.asarray(gains) @ signals[:3] + noise * signals[3]
    soundfile.write(folder / "mix.wav", np.concatenate([np.zeros(lag), mix]), RATE, subtype="PCM_24")
    return open_song(folder)


@pytest.mark.parametrize("lag", [0, 1105])
def test_a_plain_sum_at_another_level_is_recognized(tmp_path: Path, lag: int) -> None:
    found = constant_gains(song_with_gains(tmp_path, 0.5, 0.5, 0.5, lag=lag))
    assert found.is_plain_sum
    assert found.share == pytest.approx(1.0, abs=1e-3)
    assert found.spread_db == pytest.approx(0.0, abs=0.05)


def test_a_mix_with_its_own_gains_is_not_a_plain_sum(tmp_path: Path) -> None:
    found = constant_gains(song_with_gains(tmp_path, 1.0, 0.5, 0.7))
    assert not found.is_plain_sum
    assert found.spread_db == pytest.approx(6.02, abs=0.05)


def test_a_mix_of_something_else_is_not_a_plain_sum(tmp_path: Path) -> None:
    found = constant_gains(song_with_gains(tmp_path, 1.0, 1.0, 1.0, noise=3.0))
    assert not found.is_plain_sum
    assert found.share == pytest.approx(0.25, abs=0.03)


def test_a_silent_mixdown_is_not_a_plain_sum(tmp_path: Path) -> None:
    assert not constant_gains(song_with_gains(tmp_path, 0.0, 0.0, 0.0)).is_plain_sum
