"""Spectra of the human mix and of the automatic one, from one pass over the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.audio.song import Song, open_song
from core.automation.render import mix_spectra
from core.decibels import gain_to_db
from core.errors import Cancelled
from tests.core.signals import average_spectrum

RATE = 44_100
FloatArray = npt.NDArray[np.float64]


@pytest.fixture
def song(tmp_path: Path) -> Song:
    """A tone a stem, on whole bins, and a mixdown with the bass 6 dB down."""
    time_s = np.arange(5 * RATE + 1234) / RATE
    bass = 0.5 * np.sin(2.0 * np.pi * (10 * RATE / 4096) * time_s)
    drums = 0.25 * np.sin(2.0 * np.pi * (400 * RATE / 4096) * time_s)
    for name, samples in (("bass", bass), ("drums", drums), ("mix", 0.5 * bass + drums)):
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    return open_song(tmp_path)


def constant(song: Song, gains: list[float]) -> tuple[FloatArray, FloatArray]:
    time_s = np.arange(0.5, song.duration_s, 0.25)
    return time_s, np.tile(gains, (len(time_s), 1))


def test_the_gains_of_the_mixdown_give_the_spectrum_of_the_mixdown(song: Song) -> None:
    assert song.buses == ("drums", "bass")
    spectra = mix_spectra(song, *constant(song, [1.0, 0.5]))
    np.testing.assert_allclose(spectra.automatic, spectra.human, atol=1e-6)


def test_a_bus_6_db_louder_shows_only_at_its_frequency(song: Song) -> None:
    spectra = mix_spectra(song, *constant(song, [1.0, 1.0]))
    assert spectra.frequency_hz[10] == pytest.approx(10 * RATE / 4096)
    assert spectra.difference_db[10] == pytest.approx(20.0 * np.log10(2.0), abs=0.01)
    assert spectra.difference_db[400] == pytest.approx(0.0, abs=0.01)
    assert spectra.human[10] == pytest.approx(0.25, rel=0.01)


def test_gains_move_in_straight_lines_between_frames(song: Song) -> None:
    time_s, gains = constant(song, [0.0, 0.0])
    gains[:, 1] = time_s / 10.0
    spectra = mix_spectra(song, time_s, gains)
    bass = soundfile.read(song.stems["bass"].path)[0]
    moved = bass * np.interp(np.arange(len(bass)) / RATE, time_s, time_s / 10.0)
    expected = average_spectrum(moved[None].astype(np.float32), RATE)
    np.testing.assert_allclose(gain_to_db(spectra.automatic)[5:15], gain_to_db(expected.magnitude)[5:15], atol=0.01)


def test_the_spectrum_ends_with_the_stems(song: Song) -> None:
    mix = soundfile.read(song.signals[-1].path)[0]
    louder_tail = np.concatenate([mix, np.ones(3 * RATE)])
    soundfile.write(song.signals[-1].path, louder_tail, RATE, subtype="FLOAT")
    spectra = mix_spectra(open_song(song.signals[-1].path.parent), *constant(song, [1.0, 0.5]))
    np.testing.assert_allclose(spectra.automatic, spectra.human, atol=1e-6)


def test_progress_is_reported_and_may_stop_the_work(song: Song) -> None:
    fractions: list[float] = []
    mix_spectra(song, *constant(song, [1.0, 1.0]), progress=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0

    def stop(_fraction: float) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        mix_spectra(song, *constant(song, [1.0, 1.0]), progress=stop)
