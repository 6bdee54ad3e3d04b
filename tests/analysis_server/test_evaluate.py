"""`faderwise evaluate`: the paper's tables and figures, on the paper's songs and on one's own."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from analysis_server.verbs.evaluate import EvaluateRequest, run
from core.song import Song

Faderwise = Callable[..., Any]
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FOUR_BUS_SONGS = ("caesium_a", "caesium_b", "falcon69", "sodium")
KEYS = {"buses", "songs", "mean", "std", "balance_db", "baselines"}
BUSES = ["drums", "bass", "melody", "vocals"]


@pytest.fixture(scope="module")
def excerpts(tmp_path_factory: pytest.TempPathFactory, caesium: Song) -> Path:
    """A dataset of two excerpts of the bundled song; the second one has no vocals. Do not write to it."""
    folder = tmp_path_factory.mktemp("excerpts")
    for number, title in enumerate(("Caesium, first part", "caesium: $2")):
        (folder / title).mkdir()
        for file in caesium.signals:
            samples = soundfile.read(file.path, frames=7 * 44_100, start=number * 10 * 44_100)[0]
            soundfile.write(folder / title / f"{file.path.stem}.wav", samples, 44_100, subtype="PCM_16")
    (folder / "caesium: $2" / "vocals.wav").unlink()
    return folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, excerpts: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of tables and figures of the excerpts, and the result in it. Do not write to it."""
    out = tmp_path_factory.mktemp("evaluated") / "tables"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FADERWISE_HOME", str(tmp_path_factory.mktemp("home")))
        run(EvaluateRequest(dataset=str(excerpts), preset="paper", out=str(out)))
    return out, json.loads((out / "evaluate.json").read_text(encoding="utf-8"))


def result_of(faderwise: Faderwise, *words: object) -> dict[str, Any]:
    ran = faderwise("evaluate", *words, "--json")
    assert ran.code == 0, ran.err
    result: dict[str, Any] = json.loads(ran.out)
    return result


# The paper's numbers


@pytest.mark.parametrize("condition", ["condition1", "condition2"])
def test_four_songs_give_the_originals_errors(
    faderwise: Faderwise, shared: Path, tmp_path: Path, condition: str
) -> None:
    for title in FOUR_BUS_SONGS:
        shutil.copytree(shared / "songs" / title, tmp_path / "four" / title)
    result = result_of(faderwise, tmp_path / "four", "--preset", "paper", "--features", condition)
    expected = json.loads((GOLDEN / "evaluate.json").read_text())[condition]
    assert set(result["songs"]) == set(expected)
    for title, row in expected.items():
        for bus, mse in row.items():
            assert result["songs"][title][bus] == pytest.approx(mse, rel=1e-6), (title, bus)


def test_the_authors_matrices_give_the_originals_errors_and_no_preset_need_be_named(faderwise: Faderwise) -> None:
    result = result_of(faderwise, GOLDEN / "rock_condition1.npz")
    expected = json.loads((GOLDEN / "evaluate.json").read_text())["rock_condition1"]
    assert set(result) >= KEYS
    assert (result["preset"], result["features"], result["buses"]) == ("paper", "condition1", BUSES)
    for title, row in expected.items():
        assert result["songs"][title] == pytest.approx(row, rel=1e-6), title
    for bus in BUSES:
        values = [row[bus] for row in expected.values()]
        assert result["mean"][bus] == pytest.approx(np.mean(values), rel=1e-6)
        assert result["std"][bus] == pytest.approx(np.std(values, ddof=1), rel=1e-6)
    assert np.mean(list(result["balance_db"].values())) == pytest.approx(5.90, abs=5e-3)


def test_the_rules_stand_beside_the_prediction(faderwise: Faderwise) -> None:
    baselines = result_of(faderwise, GOLDEN / "rock_condition1.npz")["baselines"]
    assert len(baselines) == 12
    for rule in baselines.values():
        assert list(rule["mse"]) == BUSES
    assert baselines["oracle (one gain a song)"]["balance_db"] == pytest.approx(0.0, abs=5e-3)
    assert baselines["equal level"]["balance_db"] == pytest.approx(2.09, abs=5e-3)
    assert np.mean(list(baselines["unity gain"]["mse"].values())) == pytest.approx(1.285, abs=5e-4)


# One's own songs


def test_a_song_that_lacks_a_bus_counts_for_the_buses_it_has(evaluated: tuple[Path, dict[str, Any]]) -> None:
    result = evaluated[1]
    assert set(result) >= KEYS
    assert result["buses"] == BUSES
    assert list(result["songs"]["caesium: $2"]) == BUSES[:3]
    assert list(result["songs"]["Caesium, first part"]) == BUSES
    assert result["mean"]["vocals"] == result["songs"]["Caesium, first part"]["vocals"]
    assert result["std"]["vocals"] == 0.0


def test_the_default_preset_is_evaluated_as_it_mixes(faderwise: Faderwise, excerpts: Path) -> None:
    result = result_of(faderwise, excerpts)
    assert (result["preset"], result["features"]) == ("default", "condition3")
    assert all(value is not None and 0.0 <= value < 12.0 for value in result["balance_db"].values())
    assert any("first part" in warning for warning in result["warnings"])


def test_songs_to_test_on_may_be_others(faderwise: Faderwise, excerpts: Path) -> None:
    result = result_of(faderwise, GOLDEN / "rock_condition1.npz", "--test-on", excerpts)
    assert set(result["songs"]) == {"Caesium, first part", "caesium: $2"}
    assert result["trained_on"] == str(GOLDEN / "rock_condition1.npz")


def test_matrices_may_be_tested_on_too(faderwise: Faderwise, excerpts: Path) -> None:
    result = result_of(faderwise, excerpts, "--preset", "paper", "--test-on", GOLDEN / "rock_condition1.npz")
    assert len(result["songs"]) == 7


def test_a_song_tested_on_itself_is_predicted_by_what_it_taught(faderwise: Faderwise, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(0.5, 1.5, (4000, 3))
    arrays = {
        "buses": np.array(["bass"]),
        "songs": np.array(["a"]),
        "song_starts": np.array([0, 4000]),
        "gains": np.full((4000, 1), 0.5),
        "features_bass": np.column_stack([np.full(4000, 2.0), features[:, 1:]]),
    }
    np.savez(tmp_path / "one.npz", **arrays)
    result = result_of(faderwise, tmp_path / "one.npz", "--test-on", tmp_path / "one.npz")
    fade_in = 0.25 * (0.81 ** np.arange(1, 4001)).mean()
    assert result["songs"]["a"]["bass"] == pytest.approx(fade_in, rel=1e-6)


def test_the_table_on_the_terminal_has_a_line_a_song_and_a_rule(faderwise: Faderwise) -> None:
    ran = faderwise("evaluate", GOLDEN / "rock_condition1.npz")
    assert "Purling Hiss - Lolita" in ran.out
    assert "  mean  " in ran.out
    assert "  spread  " in ran.out
    assert "equal level, gated" in ran.out


# Refusals


def refused(faderwise: Faderwise, *words: object) -> str:
    ran = faderwise("evaluate", *words, "--json")
    assert (ran.code, ran.out) == (2, "")
    (line,) = ran.err_lines
    return str(line)


def test_one_song_alone_is_refused(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_song, tmp_path / "one" / "song")
    assert "at least two songs" in refused(faderwise, tmp_path / "one")


def test_a_folder_without_songs_is_refused(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no song folders found" in refused(faderwise, tmp_path / "empty")


def test_a_broken_song_is_named_and_nothing_written(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    for title in ("good", "bad"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    bass = tmp_path / "two" / "bad" / "bass.wav"
    bass.write_bytes(bass.read_bytes()[:5000])
    assert str(bass) in refused(faderwise, tmp_path / "two", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_song_without_a_mixdown_is_named(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    for title in ("good", "bad"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    (tmp_path / "two" / "bad" / "mix.wav").unlink()
    assert "bad: no mixdown found" in refused(faderwise, tmp_path / "two")


@pytest.mark.parametrize("words", [("--preset", "default"), ("--features", "condition2")])
def test_matrices_hold_the_papers_condition_1_alone(faderwise: Faderwise, words: tuple[str, str]) -> None:
    assert "use --preset paper --features condition1" in refused(faderwise, GOLDEN / "rock_condition1.npz", *words)


def test_an_output_folder_whose_place_a_file_takes_is_refused(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    assert "taken" in refused(faderwise, GOLDEN / "rock_condition1.npz", "--out", tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


# Tables and figures


def test_each_song_has_its_figures_as_png_and_pdf(evaluated: tuple[Path, dict[str, Any]]) -> None:
    out, result = evaluated
    figures = {
        f"{song}-{figure}.{kind}"
        for song in ("Caesium, first part", "caesium_ _2")
        for figure in ("gains", "spectra")
        for kind in ("png", "pdf")
    }
    assert {path.name for path in out.iterdir()} == {*figures, "tables.csv", "evaluate.json"}
    assert {Path(file) for file in result["files"]} == set(out.iterdir())


def test_the_figures_are_images_that_show_something(evaluated: tuple[Path, dict[str, Any]]) -> None:
    from matplotlib.image import imread

    for path in evaluated[0].glob("*.png"):
        pixels = imread(path)
        assert pixels.shape[1] == 1200
        assert pixels.shape[0] > 500
        red = (pixels[..., 0] > 0.75) & (pixels[..., 1] < 0.3) & (pixels[..., 2] < 0.3)
        black = pixels[..., :3].max(axis=2) < 0.1
        assert red.sum() > 500, path.name
        assert black.sum() > 500, path.name
    for path in evaluated[0].glob("*.pdf"):
        assert path.read_bytes()[:5] == b"%PDF-"


def test_the_csv_holds_what_the_json_does(evaluated: tuple[Path, dict[str, Any]]) -> None:
    out, result = evaluated
    with (out / "tables.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["song"]: row for row in csv.DictReader(file)}
    assert list(rows) == [*result["songs"], "mean", "spread"]
    for title, by_bus in result["songs"].items():
        for bus in BUSES:
            cell = rows[title][f"mse_{bus}"]
            assert cell == "" if bus not in by_bus else float(cell) == by_bus[bus]
        assert float(rows[title]["balance_db"]) == result["balance_db"][title]
    for bus in BUSES:
        assert float(rows["mean"][f"mse_{bus}"]) == result["mean"][bus]
        assert float(rows["spread"][f"mse_{bus}"]) == result["std"][bus]
    assert float(rows["mean"]["balance_db"]) == pytest.approx(np.mean(list(result["balance_db"].values())))


def test_the_files_json_is_the_commands(faderwise: Faderwise, tmp_path: Path) -> None:
    result = result_of(faderwise, GOLDEN / "rock_condition1.npz", "--out", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "evaluate.json").read_text(encoding="utf-8")) == result
    assert len(result["files"]) == 2 * 7 + 2  # matrices have no audio, so no spectra
    assert all(Path(file).is_file() for file in result["files"])


def test_the_same_run_again_changes_no_file(faderwise: Faderwise, tmp_path: Path, tiny_song: Path) -> None:
    for title in ("a", "b"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    words = (tmp_path / "two", "--preset", "paper", "--features", "condition1", "--out", tmp_path / "out")
    result_of(faderwise, *words)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    time.sleep(1.1)  # a PDF's date would have moved on
    result_of(faderwise, *words)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_another_run_sets_the_earlier_files_aside(faderwise: Faderwise, tmp_path: Path, tiny_song: Path) -> None:
    for title in ("a", "b"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    words = (tmp_path / "two", "--preset", "paper", "--features", "condition1", "--out", tmp_path / "out")
    result_of(faderwise, *words)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    result_of(faderwise, *words, "--features", "condition2")
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert set(before) < set(after)
    assert all(content in after.values() for content in before.values())
    assert after["tables.csv"] != before["tables.csv"]


def test_an_interrupted_drawing_leaves_whole_files_alone(
    faderwise: Faderwise, tmp_path: Path, tiny_song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    for title in ("a", "b"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    words = ("evaluate", tmp_path / "two", "--preset", "paper", "--features", "condition1", "--out", tmp_path / "out")
    assert faderwise(*words).code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    savefig = Figure.savefig

    def interrupted(figure: Figure, path: Path, **options: Any) -> None:
        savefig(figure, path, **options)
        path.write_bytes(path.read_bytes()[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", interrupted)
    assert faderwise(*words, "--features", "condition2").code == 130
    after = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {name: after[name] for name in before if name != "tables.csv"} == {
        name: content for name, content in before.items() if name != "tables.csv"
    }
    assert len(after) == len(before) + 1  # the table of the interrupted run, whole; the earlier one beside it
    assert not [name for name in after if name.startswith(".")]


def test_a_process_of_its_own_draws_without_a_word_and_keeps_its_fonts_at_home(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.delenv("DISPLAY", raising=False)
    process = start("evaluate", GOLDEN / "rock_condition1.npz", "--out", tmp_path / "out", "--json")
    out, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (0, "")
    assert not [value for value in json.loads(out)["mean"].values() if not math.isfinite(value)]
    assert (own_home / "cache" / "matplotlib").is_dir()


def test_the_paper_preset_prints_both_conditions_unless_one_is_named(
    faderwise: Faderwise, excerpts: Path, tmp_path: Path
) -> None:
    result = result_of(faderwise, excerpts, "--preset", "paper", "--out", tmp_path / "out")
    assert list(result["conditions"]) == ["condition1", "condition2"]
    assert result["songs"] == result["conditions"]["condition1"]["songs"]
    assert result["songs"] != result["conditions"]["condition2"]["songs"]
    for condition in result["conditions"]:
        alone = result_of(faderwise, excerpts, "--preset", "paper", "--features", condition)
        assert alone["songs"] == result["conditions"][condition]["songs"]
        assert (tmp_path / "out" / condition / "evaluate.json").is_file()
