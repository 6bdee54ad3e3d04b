"""`faderwise compare`: models, runs and mixdowns on the same stems."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from analysis_server.cli import main
from tests.analysis_server.outcomes import as_json

Ran = Callable[..., Any]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory, short_song_folder: Path) -> Path:
    """`song` with another mixdown, `louder.wav`, next to it, and `out`, the output of mixing it. Read only."""
    folder = tmp_path_factory.mktemp("material")
    song = Path(shutil.copytree(short_song_folder, folder / "song"))
    stems = {role: soundfile.read(song / f"{role}.wav") for role in ("drums", "bass", "melody", "vocals")}
    mix = sum(samples * (2.0 if role == "vocals" else 1.0) for role, (samples, _) in stems.items())
    soundfile.write(folder / "louder.wav", mix, 44_100, subtype="FLOAT")
    plain = sum(samples for samples, _ in stems.values())
    soundfile.write(folder / "plain.wav", plain, 44_100, subtype="FLOAT")
    assert main(["mix", str(song), "--model", "equal-level", "--out", str(folder / "out"), "--json"]) == 0
    return folder


def by_bus(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    return dict(result["buses"])


def test_equal_sides_have_no_difference(faderwise: Ran, material: Path, tmp_path: Path) -> None:
    said = faderwise("compare", material / "out", material / "out", "--out", tmp_path / "page").out
    assert "There is no difference between them." in said
    assert "overall" not in said and " at 0." not in said
    page = (tmp_path / "page" / "compare.html").read_text(encoding="utf-8")
    assert "There is no difference between them." in page and "at most" not in page


def test_two_mixdowns_differ_by_what_was_turned_up(faderwise: Ran, material: Path) -> None:
    words = ("compare", material / "plain.wav", material / "louder.wav", "--on", material / "song", "--json")
    result = as_json(faderwise(*words))
    assert (result["first"]["kind"], result["second"]["kind"]) == ("mixdown", "mixdown")
    buses = by_bus(result)
    assert buses["vocals"]["difference_db"] - buses["drums"]["difference_db"] == pytest.approx(6.0, abs=0.3)
    assert result["second"]["figures"]["loudness_lufs"] > result["first"]["figures"]["loudness_lufs"]


def test_an_impossible_run_number_is_not_read_as_one(faderwise: Ran, material: Path) -> None:
    ran = faderwise("compare", f"{material / 'out'}#{'1' * 5000}", material / "out")
    assert (ran.code, ran.out) == (2, "")
    assert len(ran.err_lines) == 1


def test_a_run_is_compared_with_an_earlier_one_and_with_its_model(
    faderwise: Ran, material: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(material / "out", tmp_path / "out")
    same = as_json(faderwise("compare", out, "equal-level", "--json"))
    assert same["balance_difference_db"] < 0.1
    faderwise("edit", out, "--offset", "bass=-6")
    result = as_json(faderwise("compare", f"{out}#1", out, "--json"))
    buses = by_bus(result)
    assert buses["bass"]["second_db"] - buses["bass"]["first_db"] == pytest.approx(-6.0, abs=0.2)
    ran = faderwise("compare", f"{out}#1", f"{out}#2")
    assert "The balances differ by 2." in ran.out


def test_runs_of_two_songs_are_noted(faderwise: Ran, material: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for stem in ("drums", "bass", "melody", "vocals"):
        samples, rate = soundfile.read(material / "song" / f"{stem}.wav")
        soundfile.write(other / f"{stem}.wav", samples[::-1], rate)
    faderwise("mix", other, "--out", tmp_path / "of other")
    notes = as_json(faderwise("compare", material / "out", tmp_path / "of other", "--json"))["notes"]
    assert any("two songs" in note and "A (song) and B (other)" in note for note in notes)
    same = as_json(faderwise("compare", material / "out", "default", "--on", material / "song", "--json"))
    assert same["notes"] == []


def test_lengths_that_differ_are_a_note(faderwise: Ran, material: Path, tmp_path: Path) -> None:
    shorter = shutil.copytree(material / "song", tmp_path / "song")
    for path in shorter.glob("*.wav"):
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples[: -2 * rate], rate, subtype="FLOAT")
    faderwise("mix", shorter, "--model", "equal-level", "--out", tmp_path / "short")
    words = ("compare", material / "out", tmp_path / "short", "--out", tmp_path / "page")
    result, ran = as_json(faderwise(*words, "--json")), faderwise(*words)
    note = "the lengths differ by 2.0 s; only the common part was compared"
    assert (result["notes"], result["warnings"]) == ([note], [])
    assert f"faderwise: note: {note}" in ran.err
    page = (tmp_path / "page" / "compare.html").read_text(encoding="utf-8")
    notes = page.split('<div class="notes"')[1].split("</div>")[0]
    assert note[1:] in notes
    assert '<div class="warnings"' not in page


def test_songs_in_only_one_of_two_models_are_listed(faderwise: Ran, material: Path) -> None:
    faderwise("learn", material / "song", "--model", "mine")
    result = as_json(faderwise("compare", "mine", "equal-level", "--on", material / "song", "--json"))
    assert result["first"]["songs_alone"] == ["song"]
    assert result["balance_difference_db"] > 0.1


def test_a_comparison_is_written_as_a_page(faderwise: Ran, material: Path, tmp_path: Path) -> None:
    words = ("compare", material / "plain.wav", material / "louder.wav", "--on", material / "song")
    result = as_json(faderwise(*words, "--out", tmp_path / "page", "--json"))
    assert result["files"] == {"compare.html": str(tmp_path / "page" / "compare.html")}
    page = (tmp_path / "page" / "compare.html").read_text(encoding="utf-8")
    assert "<h1>plain.wav and louder.wav</h1>" in page
    assert "A is the mixdown plain.wav, B the mixdown louder.wav." in page
    _, _, overall = page.partition("The gains of B are ")
    assert float(overall.split(" dB higher than those of A overall")[0]) == pytest.approx(result["common_db"], abs=0.01)
    assert page.count('<article class="bus hue-') == 4
    apart_db = [float(text) for text in re.findall(r"<dd>\+([\d.]+) dB</dd>", page)]
    assert min(abs(np.array(apart_db) - by_bus(result)["vocals"]["difference_db"])) < 0.006
    assert "http:" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_page_has_the_digits_of_the_terminal(faderwise: Ran, material: Path, tmp_path: Path) -> None:
    words = ("compare", "default", "equal-level", "--on", material / "song", "--out", tmp_path / "page")
    said = faderwise(*words).out
    page = (tmp_path / "page" / "compare.html").read_text(encoding="utf-8").replace("\N{MINUS SIGN}", "-")
    table = re.findall(r"^  (\w+) +(\S+ dB) +(\S+ dB) +(\S+ dB)", said, re.MULTILINE)
    assert len(table) == 4
    headline = page.split('class="headline">')[1].split("<")[0]
    for bus, first, second, apart in table:
        assert all(f"<dd>{gain}</dd>" in page for gain in (first, second, apart))
        if abs(float(apart.split()[0])) >= 0.5:
            direction = "down" if apart.startswith("-") else "up"
            assert f"{bus} {direction} {apart.lstrip('+-')}" in headline.replace("B against A: ", "")


def test_the_terminal_shows_the_levels_of_the_page(faderwise: Ran, material: Path) -> None:
    words = ("compare", material / "plain.wav", material / "louder.wav", "--on", material / "song")
    result, out = as_json(faderwise(*words, "--json")), faderwise(*words).out
    assert "A is the mixdown plain.wav, B the mixdown louder.wav." in out
    for bus in result["buses"].values():
        (row,) = [line for line in out.splitlines() if line.split()[:1] == [bus["bus"]]]
        values = (bus["first_db"], bus["second_db"] - result["common_db"], bus["difference_db"])
        shown = [float(text) for text in row.split() if re.fullmatch(r"[+-]?\d+\.\d\d", text)]
        assert shown[:3] == pytest.approx(values, abs=0.0051)


def test_without_a_folder_no_page_is_written(faderwise: Ran, material: Path) -> None:
    assert as_json(faderwise("compare", material / "out", material / "out", "--json"))["files"] == {}


def test_the_figures_of_an_estimate_are_reported(faderwise: Ran, material: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(material / "plain.wav")
    soundfile.write(tmp_path / "other.wav", samples[::-1], rate, subtype="FLOAT")
    ran = faderwise("compare", material / "plain.wav", tmp_path / "other.wav", "--on", material / "song")
    assert "warning: other.wav: the mixdown does not seem to come from these stems" in ran.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("equal-level", "equal-level"), "needs stems to be compared on; give them with --on SONG_DIR"),
        (("nobody", "equal-level", "--on", "song"), "nobody: no such model, run or mixdown"),
        (("plain.wv", "equal-level", "--on", "song"), "no such model, run or mixdown; did you mean plain.wav?"),
        (("out#7", "out"), "has no such run; give one of its runs, 1"),
        (("song", "out"), "has no run.json"),
    ],
)
def test_bad_usage_is_one_line(
    faderwise: Ran, material: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(material)
    ran = faderwise("compare", *words)
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert says in ran.err


def test_stems_that_no_longer_exist_are_named(faderwise: Ran, material: Path, tmp_path: Path) -> None:
    shutil.copytree(material / "song", tmp_path / "song")
    assert faderwise("mix", tmp_path / "song", "--out", tmp_path / "run").code == 0
    shutil.rmtree(tmp_path / "song")
    ran = faderwise("compare", tmp_path / "run", material / "plain.wav")
    assert ran.code == 2 and "drums.wav, a stem of its mix, no longer exists; put the stems back" in ran.err


def test_a_model_and_a_folder_of_the_same_name_are_not_confused(faderwise: Ran, material: Path) -> None:
    Path("default").mkdir()
    ran = faderwise("compare", "default", "equal-level", "--on", material / "song")
    assert ran.code == 2
    assert "./default" in ran.err and "model:default" in ran.err
    assert faderwise("compare", "model:default", "equal-level", "--on", material / "song").code == 0
