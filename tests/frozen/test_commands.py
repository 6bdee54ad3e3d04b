"""The JSON result of every command on the bundled song."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.frozen.fixtures import check
from tests.frozen.material import ROOT, SONG, write_short_song
from tests.frozen.program import faderwise, result_of

GOLDEN = ROOT / "tests" / "golden"


def test_mix_audit_edit_revert_and_compare_of_the_bundled_song(tmp_path: Path, home: Path) -> None:
    mixed = tmp_path / "mixed"
    paths = {"out": mixed, "song": SONG, "home": home}
    check("mix", result_of("mix", SONG, "--model", "mine", "--out", mixed), **paths)
    check("mix automation.json", json.loads((mixed / "automation.json").read_text()), **paths)
    check("audit", result_of("audit", mixed, "--no-sound", "--curves"), **paths)
    edit = ("--depth", "50", "--offset", "vocals=1.5", "--range", "5:15", "--freeze", "bass")
    check("edit", result_of("edit", mixed, *edit), **paths)
    check("edit automation.json", json.loads((mixed / "automation.json").read_text()), **paths)
    check("compare run with model", result_of("compare", mixed, "equal-level", "--on", SONG), **paths)
    check("revert", result_of("revert", mixed), **paths)
    check("compare models", result_of("compare", "mine", "equal-level", "--on", SONG), **paths)


def test_match_of_the_bundled_song(tmp_path: Path) -> None:
    matched = tmp_path / "matched"
    check("match", result_of("match", SONG, "--out", matched), out=matched, song=SONG)
    check("match automation.json", json.loads((matched / "automation.json").read_text()), out=matched, song=SONG)


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_estimate_of_the_bundled_song(tmp_path: Path, preset: str) -> None:
    out = tmp_path / "gains.npz"
    check(f"estimate {preset}", result_of("estimate", SONG, "--preset", preset, "--out", out), out=out)
    if preset == "paper":
        with np.load(GOLDEN / "caesium.npz") as golden, np.load(out) as ours:
            assert list(ours["buses"]) == list(golden["buses"])
            found = ours["gains_raw"][: len(golden["gains_raw"])]
            np.testing.assert_allclose(found, golden["gains_raw"], rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(("condition", "first_frame"), [("condition1", 0), ("condition2", 4)])
def test_features_of_the_paper_are_those_of_the_original(tmp_path: Path, condition: str, first_frame: int) -> None:
    """In the first four frames the filter of condition 2 still depends on the 10 s before the excerpt."""
    out = tmp_path / "features.npz"
    words = ("features", SONG, "--preset", "paper", "--features", condition, "--out", out)
    check(f"features {condition}", result_of(*words), out=out)
    with np.load(GOLDEN / "caesium.npz") as golden, np.load(out) as ours:
        for bus in golden["buses"]:
            expected = golden[f"features{condition[-1]}_{bus}"]
            found = ours[f"features_{bus}"][: len(expected)]
            np.testing.assert_allclose(found[first_frame:], expected[first_frame:], rtol=1e-6, atol=1e-20)


def test_features_of_the_default_preset(tmp_path: Path) -> None:
    out = tmp_path / "features.csv"
    check("features condition3", result_of("features", SONG, "--out", out), out=out)
    rows = [line.split(",") for line in out.read_text().splitlines()]
    check("features condition3 rows", [rows[0], *[[_number(word) for word in row] for row in rows[1::40]]])


def _number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_learn_and_show(home: Path, preset: str) -> None:
    name = f"learned {preset}"
    check(f"learn {preset}", result_of("learn", SONG, "--model", name, "--preset", preset), home=home)
    check(f"models show {preset}", result_of("models", "show", name), home=home)
    result_of("models", "remove", name)


def test_models_list_and_runs_list(home: Path) -> None:
    models = result_of("models", "list")["models"]
    shipped = [{key: model[key] for key in ("name", "preset", "features", "shipped")} for model in models]
    check("models list", {"all": shipped, "own": [model for model in models if not model["shipped"]]}, home=home)
    check("runs list", result_of("runs", "list"), home=home)


def test_evaluate_of_the_authors_matrices() -> None:
    matrices = GOLDEN / "rock_condition1.npz"
    result = result_of("evaluate", matrices, "--preset", "paper")
    check("evaluate matrices paper", result, golden=GOLDEN)
    expected = json.loads((GOLDEN / "evaluate.json").read_text())["rock_condition1"]
    assert list(result["songs"]) == list(expected)
    for title, errors in expected.items():
        assert result["songs"][title] == pytest.approx(errors, rel=1e-6), title
    check("evaluate matrices default", result_of("evaluate", matrices, "--preset", "default"), golden=GOLDEN)


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_evaluate_of_two_short_songs(tmp_path: Path, preset: str) -> None:
    dataset = tmp_path / "dataset"
    write_short_song(dataset / "first")
    write_short_song(dataset / "second", start_s=2.0)
    check(f"evaluate songs {preset}", result_of("evaluate", dataset, "--preset", preset), dataset=dataset)


def test_doctor_has_the_same_shape() -> None:
    """Its findings depend on the machine."""
    result = faderwise("doctor").result
    assert set(result) == {"version", "ok", "findings"}
    assert {tuple(finding) for finding in result["findings"]} == {("subject", "state", "found", "remedy")}
    subjects = {finding["subject"] for finding in result["findings"]}
    assert subjects >= {"environment", "command", "libraries", "versions", "folder", "runs", "keys", "server", "REAPER"}
    assert {finding["state"] for finding in result["findings"]} <= {"ok", "note", "failed"}


def test_bad_input_ends_with_exit_code_2(tmp_path: Path) -> None:
    shutil.copytree(SONG, tmp_path / "song")
    (tmp_path / "song" / "bass.flac").write_bytes(b"not audio")
    for words in (("mix", tmp_path / "gone"), ("mix", tmp_path / "song"), ("mix",), ("models", "show", "nobody")):
        run = faderwise(*words)
        assert run.code == 2, words
        assert run.result is None or run.result["error"]["problem"], words
        assert run.errors.strip(), words
