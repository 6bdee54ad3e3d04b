"""Adjustments of a prediction on the command line: --depth, --keep, --ride and --like."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

Faderwise = Callable[..., Any]


def mixed(faderwise: Faderwise, song: Path, *options: object) -> dict[str, Any]:
    ran = faderwise("mix", song, "--dry-run", "--json", *options)
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def difference_db(result: dict[str, Any]) -> float:
    return float(result["median_gain_db"]["drums"] - result["median_gain_db"]["bass"])


def test_half_the_depth_is_half_the_balance(faderwise: Faderwise, tiny_song: Path) -> None:
    whole, half = (mixed(faderwise, tiny_song, "--depth", percent) for percent in ("100", "50%"))
    assert difference_db(half) == pytest.approx(0.5 * difference_db(whole), abs=0.05)
    assert half["loudness_after_lufs"] == pytest.approx(half["loudness_before_lufs"], abs=0.1)


def test_a_kept_bus_stays_at_0_db(faderwise: Faderwise, tiny_song: Path) -> None:
    plain, kept = mixed(faderwise, tiny_song), mixed(faderwise, tiny_song, "--keep", "bass")
    assert kept["median_gain_db"]["bass"] == pytest.approx(0.0, abs=0.01)
    assert difference_db(kept) == pytest.approx(difference_db(plain), abs=0.2)


def test_a_song_is_mixed_like_itself(faderwise: Faderwise, tiny_song: Path) -> None:
    """The song's mixdown has its drums at 0.5 and its bass at 0.7."""
    result = mixed(faderwise, tiny_song, "--like", tiny_song)
    assert difference_db(result) == pytest.approx(-2.92, abs=0.1)
    assert any("is the song itself" in note and "from its mixdown" in note for note in result["notes"])


def test_a_song_without_a_mixdown_gives_the_balance_of_its_stems_and_a_warning(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_song, other)
    (other / "mix.wav").unlink()
    result = mixed(faderwise, tiny_song, "--like", other)
    assert difference_db(result) == pytest.approx(0.0, abs=0.05)
    (warning,) = [text for text in result["warnings"] if str(other) in text]
    assert "no mixdown" in warning and "with all faders at 0 dB" in warning
    assert not any("unchanged stems" in note for note in result["notes"])


def test_a_song_without_a_mixdown_cannot_change_like_itself(faderwise: Faderwise, tiny_song: Path) -> None:
    (tiny_song / "mix.wav").unlink()
    result = mixed(faderwise, tiny_song, "--like", tiny_song)
    assert {round(gain, 1) for gain in result["median_gain_db"].values()} == {0.0}
    assert any("is the song itself, without a mixdown" in warning for warning in result["warnings"])


def test_a_mix_like_another_has_no_column_for_bands(faderwise: Faderwise, tiny_song: Path) -> None:
    assert "80 % band" in faderwise("mix", tiny_song, "--dry-run").out
    assert "80 % band" not in faderwise("mix", tiny_song, "--like", tiny_song, "--dry-run").out


def test_a_song_is_mixed_like_a_run(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    assert faderwise("mix", tiny_song, "--depth", "30", "--out", tmp_path / "run").code == 0
    of_run = mixed(faderwise, tiny_song, "--depth", "30")
    like = mixed(faderwise, tiny_song, "--like", tmp_path / "run")
    assert difference_db(like) == pytest.approx(difference_db(of_run), abs=0.3)  # a run stores rounded levels
    assert any("from its run" in note for note in like["notes"])


def test_riding_is_reported_separately(faderwise: Faderwise, tiny_song: Path) -> None:
    result = mixed(faderwise, tiny_song, "--ride", "bass=100")
    assert any(note.startswith("riding bass at 100 %") for note in result["notes"])


@pytest.mark.parametrize(
    ("options", "option"),
    [
        (("--depth", "900"), "--depth"),
        (("--keep", "strings"), "--keep"),
        (("--ride", "bass=140"), "--ride"),
        (("--ride", "strings=40"), "--ride"),
    ],
)
def test_impossible_adjustments_are_refused(
    faderwise: Faderwise, tiny_song: Path, options: tuple[str, ...], option: str
) -> None:
    ran = faderwise("mix", tiny_song, "--dry-run", "--json", *options)
    assert ran.code == 2
    assert json.loads(ran.out)["error"]["option"] == option


def test_an_edit_changes_the_ride_without_a_new_analysis(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    assert faderwise("mix", tiny_song, "--ride", "bass=100", "--out", tmp_path / "run").code == 0
    for file in tiny_song.iterdir():
        file.unlink()
    edited = json.loads(faderwise("edit", tmp_path / "run", "--ride", "bass=40", "--json").out)
    assert "bass ridden at 40 %" in edited["in_words"]
    refused = faderwise("edit", tmp_path / "run", "--ride", "bass=120", "--json")
    assert refused.code == 2


def test_the_balance_of_another_session_has_no_band_of_the_model(faderwise: Faderwise, tiny_song: Path) -> None:
    result = mixed(faderwise, tiny_song, "--like", tiny_song)
    assert result["like"] == str(tiny_song)
    assert str(tiny_song) in result["headline"]
    assert {bus["band_db"] for bus in result["buses"].values()} == {None}


def test_single_tracks_take_over_the_balance_of_buses(faderwise: Faderwise, tiny_song: Path) -> None:
    shutil.copy(tiny_song / "drums.wav", tiny_song / "kick.wav")
    samples, rate = soundfile.read(tiny_song / "drums.wav")
    soundfile.write(tiny_song / "snare.wav", samples[::-1], rate, subtype="FLOAT")  # a copy would be left out
    (tiny_song / "drums.wav").unlink()
    options = ("--level", "tracks")
    plain, like = mixed(faderwise, tiny_song, *options), mixed(faderwise, tiny_song, *options, "--like", tiny_song)
    drums = [bus for bus in like["buses"] if bus.startswith("drums")]
    assert len(drums) == 2
    of_plain, of_like = ([result["median_gain_db"][bus] for bus in drums] for result in (plain, like))
    assert of_like[0] - of_like[1] == pytest.approx(of_plain[0] - of_plain[1], abs=0.05)


def test_information_is_printed_as_a_note(faderwise: Faderwise, tiny_song: Path) -> None:
    (tiny_song / "lyrics.txt").write_text("la", encoding="utf-8")
    ran = faderwise("mix", tiny_song, "--dry-run", "--keep", "basses")
    lines = ran.err.splitlines()
    assert [line for line in lines if "lyrics.txt" in line or "kept: bass" in line]
    assert all(line.startswith("faderwise: note: ") for line in lines if "lyrics.txt" in line or "kept: bass" in line)


@pytest.mark.parametrize(
    "options",
    [
        ("--model", "defualt"),
        ("--keep", "strings"),
        ("--range", "90:95"),
        ("--bus", "vocals=missing.wav"),
        ("--out", "file"),
        ("--target-lufs", "3"),
    ],
)
def test_an_invalid_request_prints_only_its_error(
    faderwise: Faderwise, tiny_song: Path, options: tuple[str, ...]
) -> None:
    Path("file").write_text("x", encoding="utf-8")
    ran = faderwise("mix", tiny_song, *options)
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1
    if options[0] == "--model":
        assert "did you mean default?" in ran.err


def test_a_bus_may_be_named_by_any_of_its_usual_names(faderwise: Any, tiny_song: Path, tmp_path: Path) -> None:
    kept = json.loads(faderwise("mix", tiny_song, "--keep", "Drum", "--out", tmp_path / "out", "--json").out)
    assert kept["median_gain_db"]["drums"] == 0.0
    edited = json.loads(faderwise("edit", tmp_path / "out", "--offset", "Drumkit=1", "--dry-run", "--json").out)
    assert edited["buses"]["drums"]["after_db"] == pytest.approx(1.0)
