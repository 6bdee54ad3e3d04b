"""Defects of level are reported with the file, the level and the time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.analysis.measure import measure
from core.audio.song import open_song
from tests.expected_errors import raises_error

RATE = 44_100
Array = npt.NDArray[np.float64]


def noise(level_db: float, seed: int = 0) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(size=(4 * RATE, 2)) * 10.0 ** (level_db / 20.0))


def notes_of(folder: Path, **stems: Array) -> tuple[str, ...]:
    for bus, samples in stems.items():
        soundfile.write(folder / f"{bus}.wav", samples, RATE, subtype="FLOAT")
    return measure(open_song(folder)).warnings


@pytest.mark.parametrize("level_db", [-75.0, -90.0, -110.0])
def test_stem_too_quiet_to_count_is_reported_with_its_level(tmp_path: Path, level_db: float) -> None:
    (note,) = notes_of(tmp_path, drums=noise(-20.0), vocals=noise(level_db, 1))
    assert "vocals.wav" in note
    assert f"{level_db:.0f} dBFS" in note


def test_stem_just_above_the_gate_is_not_reported(tmp_path: Path) -> None:
    assert notes_of(tmp_path, drums=noise(-20.0), vocals=noise(-60.0, 1)) == ()


def test_isolated_spike_is_reported_with_its_time(tmp_path: Path) -> None:
    vocals = noise(-25.0, 1)
    vocals[2 * RATE, 0] = 30.0
    (note,) = notes_of(tmp_path, drums=noise(-20.0), vocals=vocals)
    assert "vocals.wav" in note
    assert "2.00 s" in note


def test_drum_hits_are_not_spikes(tmp_path: Path) -> None:
    time_s = np.arange(4 * RATE) / RATE
    hits = np.exp(-(time_s % 0.5) * 60.0)[:, None] * noise(-10.0)
    assert notes_of(tmp_path, drums=hits) == ()


def test_spike_60_db_above_full_scale_is_refused(tmp_path: Path) -> None:
    vocals = noise(-25.0, 1)
    vocals[2 * RATE, 0] = 17_800.0
    with raises_error(path="vocals.wav", facts=("2.00 s",)):
        notes_of(tmp_path, vocals=vocals)


def test_stems_with_the_same_sound_are_reported_together(tmp_path: Path) -> None:
    (note,) = notes_of(tmp_path, drums=noise(-20.0), bass=noise(-20.0), vocals=noise(-20.0, 1))
    assert "drums.wav and bass.wav" in note
    assert "vocals" not in note


def test_offset_of_a_stem_does_not_count_in_its_level(tmp_path: Path) -> None:
    for bus, samples in (("drums", noise(-20.0)), ("bass", noise(-20.0, 1) + 0.2)):
        soundfile.write(tmp_path / f"{bus}.wav", samples, RATE, subtype="FLOAT")
    measured = measure(open_song(tmp_path))
    np.testing.assert_allclose(measured.rms[:-1], 0.1, rtol=0.02)
    assert any("bass.wav has a constant offset" in note for note in measured.warnings)
