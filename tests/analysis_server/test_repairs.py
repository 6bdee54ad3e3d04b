"""Faults that can be repaired are repaired and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.analysis_server.bad_input import RATE, Change, Faderwise, contents, samples_of, write


def mixed_with_warning(ran: Any, *words: str) -> None:
    assert ran.code == 0
    warnings = [line for line in ran.err_lines if line.startswith("faderwise: warning: ")]
    assert all(line.startswith("faderwise: note: ") for line in ran.err_lines if line not in warnings)
    assert any(all(word in warning for word in words) for warning in warnings)


def _resample(song: Path) -> None:
    write(song, "vocals", np.sin(np.arange(72_000))[:, None] * [0.1, 0.1], rate=48_000)


def _clip(song: Path) -> None:
    write(song, "bass", np.clip(samples_of(song, "bass") * 20.0, -1.0, 1.0), subtype="PCM_16")


REPAIRS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "another rate": (_resample, ("vocals.wav", "resampled from 48000 to 44100 Hz")),
    "shorter": (lambda song: write(song, "bass", samples_of(song, "bass")[:RATE]), ("bass.wav", "0.5 s shorter")),
    "clipped": (_clip, ("bass.wav", "clipped", "lower level")),
    "silent": (lambda song: write(song, "bass", np.zeros((RATE * 3 // 2, 2))), ("bass.wav", "silent", "held")),
    "an unknown name": (
        lambda song: [write(song, name, samples_of(song, "bass")) for name in ("hum", "vocals")],
        ("hum.wav", "--bus ROLE=hum.wav"),
    ),
}


@pytest.mark.parametrize("verb", ["mix", "match"])
@pytest.mark.parametrize("repair", REPAIRS)
def test_a_repair_is_reported_and_the_work_done(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, repair: str, verb: str
) -> None:
    change, words = REPAIRS[repair]
    change(tiny_song)
    before = contents(tiny_song)
    mixed_with_warning(faderwise(verb, tiny_song, "--out", tmp_path / "out"), *words)
    samples, rate = soundfile.read(tmp_path / "out" / "mix.wav")
    assert (len(samples), rate) == (RATE * 3 // 2, RATE)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() > 0.01
    assert contents(tiny_song) == before


def test_mono_files_among_stereo_ones_are_one_note(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    stereo = samples_of(tiny_song, "bass")
    for names, note in (
        (("bass",), "bass.wav is mono: its channel was copied to both channels"),
        (("bass", "vocals"), "2 mono files were copied to both channels: bass.wav, vocals.wav"),
    ):
        for name in names:
            write(tiny_song, name, stereo[:, 0])
        ran = faderwise("mix", tiny_song, "--out", tmp_path / "out")
        assert ran.code == 0
        assert [line for line in ran.err_lines if "mono" in line] == [f"faderwise: note: {note}"]


def test_a_page_calls_a_silent_stem_silent(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    write(tiny_song, "bass", np.zeros((RATE * 3 // 2, 2)))
    assert faderwise("mix", tiny_song, "--out", tmp_path / "out").code == 0
    assert faderwise("audit", tmp_path / "out", "--no-sound").code == 0
    for name in ("report.html", "audit.html"):
        page = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert page.count("<dd>silent</dd>") == 2  # before and after
        assert "120.0 LUFS" not in page


def test_a_missing_bus_is_not_an_error(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    (tiny_song / "bass.wav").unlink()
    ran = faderwise("mix", tiny_song, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "warning" not in ran.err
    assert "drums" in ran.out
    assert "bass" not in ran.out


def test_a_stem_upside_down_in_the_mixdown_is_turned_back(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    write(tiny_song, "mix", 0.5 * samples_of(tiny_song, "drums") - 0.7 * samples_of(tiny_song, "bass"))
    mixed_with_warning(faderwise("match", tiny_song, "--out", tmp_path / "out"), "bass", "polarity")


def test_a_mono_mixdown_is_fitted_by_the_stems_mean(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    write(tiny_song, "mix", samples_of(tiny_song, "mix").mean(axis=1))
    mixed_with_warning(faderwise("match", tiny_song, "--out", tmp_path / "out"), "mixdown is mono")


def test_a_mixdown_of_another_song_is_reported(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    write(tiny_song, "mix", np.random.default_rng(0).normal(size=(RATE, 2)) * 0.1)
    mixed_with_warning(faderwise("match", tiny_song, "--out", tmp_path / "out"), "does not seem to come from")


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_silent_song_does_not_crash(faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str) -> None:
    for name in ("drums", "bass"):
        write(tiny_song, name, np.zeros((RATE, 2)))
    ran = faderwise(verb, tiny_song, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "drums.wav is silent throughout" in ran.err


@pytest.mark.parametrize("seconds", [0.001, 0.05, 0.3])
@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_song_shorter_than_a_frame_is_a_song(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str, seconds: float
) -> None:
    for name in ("drums", "bass", "mix"):
        write(tiny_song, name, samples_of(tiny_song, name)[: int(seconds * RATE)])
    ran = faderwise(verb, tiny_song, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "nan" not in ran.out
    assert soundfile.info(tmp_path / "out" / "mix.wav").frames == int(seconds * RATE)
