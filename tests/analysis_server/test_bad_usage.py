"""Words that make no sense are answered in one line, and nothing is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.analysis_server.bad_input import Faderwise, contents, is_refused

USAGE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "nothing": ((), ("COMMAND", "--help")),
    "an unknown verb": (("remix", "SONG"), ("remix", "mix", "--help")),
    "no song": (("mix",), ("SONG_DIR", "mix --help")),
    "an unknown option": (("mix", "SONG", "--loud"), ("--loud", "--help")),
    "an option cut short": (("mix", "SONG", "--targ", "-14"), ("--targ",)),
    "an invalid range": (("mix", "SONG", "--range", "soon"), ("--range", "soon", "12.5:60")),
    "half a range": (("mix", "SONG", "--range", "3:"), ("--range", "3:", "12.5:60")),
    "a range backwards": (("mix", "SONG", "--range", "1:0.5"), ("--range", "1:0.5", "later end")),
    "a range of nothing": (("mix", "SONG", "--range", "1:1"), ("--range", "later end")),
    "a range past the end": (("mix", "SONG", "--range", "60:70"), ("--range", "60 to 70 s", "lasts 1.5 s")),
    "a range without end, in minutes": (("mix", "SONG", "--range", f"0:{'9' * 400}:00"), ("--range", "0 to inf s")),
    "a range without end": (("mix", "SONG", "--range", f"0.2:{'9' * 400}"), ("--range", "0.2 to inf s", "later end")),
    "an invalid loudness": (("mix", "SONG", "--target-lufs", "loud"), ("--target-lufs", "loud", "such as -14")),
    "a loudness above full scale": (("mix", "SONG", "--target-lufs", "5"), ("--target-lufs", "between -70 and 0")),
    "not a loudness": (("mix", "SONG", "--target-lufs", "nan"), ("--target-lufs", "nan")),
    "a bus without a file": (("mix", "SONG", "--bus", "vocals"), ("--bus", "vocals", "ROLE=FILE")),
    "a bus without a role": (("mix", "SONG", "--bus", "=drums.wav"), ("--bus", "ROLE=FILE")),
    "a bus whose file is missing": (("mix", "SONG", "--bus", "vocals=lead.wav"), ("lead.wav", "no such file")),
    "the mixdown as a bus": (("mix", "SONG", "--bus", "master=drums.wav"), ("--bus master", "not a role of a bus")),
    "an unknown model": (("mix", "SONG", "--model", "hers"), ("hers", "equal-level")),
    "a model file that is missing": (("mix", "SONG", "--model", "./hers.json"), ("hers.json", "give a model file")),
    "an unspeakable model": (("mix", "SONG", "--model", "a?b"), ("a?b", "cannot be a model's name")),
    "a model called like a device": (("mix", "SONG", "--model", "Nul.1"), ("Nul.1", "give another name")),
    "a table of unknown kind": (("estimate", "SONG", "--out", "gains.xlsx"), ("gains.xlsx", ".csv or .npz")),
    "features of unknown kind": (("features", "SONG", "--out", "features"), ("features", ".csv or .npz")),
    "an unknown preset": (("estimate", "SONG", "--out", "g.csv", "--preset", "mine"), ("--preset", "mine", "paper")),
    "a domain the paper lacks": (
        ("estimate", "SONG", "--out", "g.csv", "--preset", "paper", "--domain", "power"),
        ("--domain power", "--preset paper"),
    ),
    "features the paper lacks": (
        ("features", "SONG", "--out", "f.csv", "--preset", "paper", "--features", "condition3"),
        ("condition3", "--preset default"),
    ),
    "a page as the folder of an audit": (("audit", "SONG", "--out", "x.html"), ("--out", "x.html", "give a folder")),
    "a page as the folder of a mix": (("mix", "SONG", "--out", "x.html"), ("--out", "x.html", "give a folder")),
    "a file as the folder of a comparison": (
        ("compare", "SONG", "SONG", "--out", "c.HTML"),
        ("--out", "give a folder"),
    ),
    "no file to write": (("estimate", "SONG"), ("--out",)),
    "no action": (("models", "rename"), ("rename", "list")),
    "no such model to show": (("models", "show", "hers"), ("hers", "equal-level")),
    "no such file to import": (("models", "import", "hers.json"), ("hers.json", "give a model file")),
    "an invalid dataset": (("evaluate", "nowhere"), ("nowhere",)),
}


@pytest.mark.parametrize("case", USAGE)
def test_words_that_make_no_sense_are_answered_in_one_line(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, case: str
) -> None:
    words, expected = USAGE[case]
    before = contents(tiny_song)
    is_refused(faderwise(*(str(tiny_song) if word == "SONG" else word for word in words)), *expected)
    assert contents(tiny_song) == before
    assert contents(tmp_path / "work") == {}


LONG = "a" * 300
LONG_NAMES: tuple[tuple[str, ...], ...] = (
    *(("mix", LONG), ("mix", f"{LONG}.RPP"), ("mix", "SONG", "--out", LONG), ("mix", "SONG", "--bus", f"drums={LONG}")),
    *(("mix", "SONG", "--model", f"{LONG}/m.json"), ("match", "SONG", "--mixdown", LONG)),
    *(("learn", LONG, "--model", "x"), ("learn", f"{LONG}.npz", "--model", "x"), ("evaluate", LONG)),
    *(("audit", LONG), ("edit", LONG, "--depth", "50"), ("revert", LONG), ("compare", LONG, "SONG")),
    *(("models", "show", f"{LONG}.json"), ("models", "import", f"{LONG}.json"), ("models", "export", "default", LONG)),
)


@pytest.mark.parametrize("words", LONG_NAMES, ids=lambda words: " ".join(words).replace(LONG, "LONG"))
def test_a_name_that_no_file_can_have_is_refused(faderwise: Faderwise, tiny_song: Path, words: tuple[str, ...]) -> None:
    is_refused(faderwise(*(str(tiny_song) if word == "SONG" else word for word in words)), "name too long", ";")


@pytest.mark.parametrize("text", ["", "not JSON", "[1, 2]", '{"format": "faderwise-model", "version": 99}'])
def test_a_file_that_is_not_a_model_is_refused(faderwise: Faderwise, tiny_song: Path, text: str) -> None:
    Path("mine.json").write_text(text)
    is_refused(faderwise("mix", tiny_song, "--model", "./mine.json"), "mine.json", ";")


@pytest.mark.parametrize("words", [("mix", ""), ("learn", "", "--model", "x"), ("buses", ""), ("audit", "")])
def test_an_empty_path_is_not_the_working_folder(faderwise: Faderwise, words: tuple[str, ...]) -> None:
    ran = faderwise(*words)
    assert (ran.code, ran.out, len(ran.err_lines)) == (2, "", 1)
    assert "the path is empty" in ran.err


def test_a_folder_named_like_a_project_is_a_song_folder(faderwise: Faderwise, tiny_song: Path) -> None:
    ran = faderwise("buses", tiny_song.rename(tiny_song.with_name("Song.RPP")))
    assert ran.code == 0 and "drums.wav" in ran.out
