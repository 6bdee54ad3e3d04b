"""The tables and figures that `evaluate --out` writes."""

from __future__ import annotations

import csv
import html
import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis_server.report.content import full_sentence
from tests.analysis_server.outcomes import as_json

Faderwise = Callable[..., Any]
GOLDEN = Path(__file__).resolve().parents[1] / "golden"
BUSES = ["drums", "bass", "melody", "vocals"]


@pytest.fixture(scope="module")
def two_songs_matrices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The matrices of the first two of the seven rock songs."""
    file = tmp_path_factory.mktemp("matrices") / "two.npz"
    with np.load(GOLDEN / "rock_condition1.npz") as whole:
        arrays = dict(whole)
    n_rows = arrays["song_starts"][2]
    parts = {name: rows[:n_rows] for name, rows in arrays.items() if name == "gains" or name.startswith("features_")}
    np.savez(file, **{**arrays, **parts, "song_starts": arrays["song_starts"][:3], "songs": arrays["songs"][:2]})
    return file


@pytest.fixture
def two_songs(tmp_path: Path, tiny_song: Path) -> Path:
    """A dataset of two tiny songs, the second without drums."""
    for title in ("a", "b"):
        shutil.copytree(tiny_song, tmp_path / "two" / title)
    (tmp_path / "two" / "b" / "drums.wav").unlink()
    return tmp_path / "two"


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def in_signs(text: str) -> str:
    """Return a text with a true minus sign before each number."""
    return re.sub(r"(?<![\w-])-(?=\d)", "\N{MINUS SIGN}", text)


def result_of(faderwise: Faderwise, *words: object) -> dict[str, Any]:
    return as_json(faderwise("evaluate", *words, "--json"))


def test_each_song_has_its_figures_as_png_and_pdf(evaluated: tuple[Path, dict[str, Any]]) -> None:
    out, result = evaluated
    figures = {
        f"{song}-{figure}.{kind}"
        for song in ("Caesium, first part", "caesium_ _2")
        for figure in ("gains", "spectra")
        for kind in ("png", "pdf")
    }
    assert {path.name for path in out.iterdir()} == {*figures, "tables.csv", "evaluate.json", "evaluate.html"}
    assert {Path(file) for file in result["files"].values()} == set(out.iterdir())


def test_the_page_has_the_verdict_every_method_and_a_chart_per_song_and_bus(
    evaluated: tuple[Path, dict[str, Any]],
) -> None:
    out, result = evaluated
    page = html.unescape((out / "evaluate.html").read_text(encoding="utf-8"))
    assert in_signs(result["verdict"]) in page
    row = r'<th scope="row">([^<]*)</th><td class="barred"><i style="--share:([0-9.]+)"></i>([0-9.]+) dB</td>'
    errors = {name: (float(share), float(error_db)) for name, share, error_db in re.findall(row, page)}
    largest_db = max(error_db for _, error_db in errors.values())
    for rule, scores in result["baselines"].items():
        if rule.endswith(", gated"):  # its balance error is that of the plain rule
            assert page.count(f'<th scope="row">{in_signs(rule)}</th>') == 1
            continue
        share, error_db = errors[in_signs(rule)]
        assert error_db == pytest.approx(scores["balance_db"], abs=0.005)
        assert share == pytest.approx(error_db / largest_db, abs=0.01)
    assert re.findall(r'<tr class="marked"><th scope="row">([^<]*)', page) == ["learned", "learned"]
    assert set(result["methods"]) == {"learned", *result["baselines"]}
    for name, meaning in result["methods"].items():
        if name.endswith(", gated"):
            continue
        assert f"<dt>{in_signs(name)}</dt>\n<dd>{full_sentence(in_signs(meaning))}</dd>" in page
    assert page.count('role="img"') == sum(len(row) for row in result["songs"].values())
    for file in out.iterdir():
        assert file.name == "evaluate.html" or f">{file.name}</a>" in page


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


def test_the_csv_and_the_json_have_the_same_content(evaluated: tuple[Path, dict[str, Any]]) -> None:
    out, result = evaluated
    with (out / "tables.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["song"]: row for row in csv.DictReader(file)}
    assert list(rows) == [*result["songs"], "mean", "std"]
    for title, by_bus in result["songs"].items():
        for bus in BUSES:
            cell = rows[title][f"mse_{bus}"]
            assert cell == "" if bus not in by_bus else float(cell) == by_bus[bus]
        assert float(rows[title]["balance_db"]) == result["balance_db"][title]
        for name, by_title in result["balance_db_of"].items():
            assert float(rows[title][f"balance_db of {name}"]) == by_title[title]
    for bus in BUSES:
        assert float(rows["mean"][f"mse_{bus}"]) == result["mean"][bus]
        assert float(rows["std"][f"mse_{bus}"]) == result["std"][bus]
    assert float(rows["mean"]["balance_db"]) == pytest.approx(np.mean(list(result["balance_db"].values())))
    for name, rule in result["baselines"].items():
        assert float(rows["mean"][f"balance_db of {name}"]) == rule["balance_db"]


def test_the_json_file_has_what_the_command_prints(
    faderwise: Faderwise, tmp_path: Path, two_songs_matrices: Path
) -> None:
    result = result_of(faderwise, two_songs_matrices, "--out", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "evaluate.json").read_text(encoding="utf-8")) == result
    assert len(result["files"]) == 2 * 2 + 3  # matrices have no audio, so no spectra
    assert all(Path(file).is_file() for file in result["files"].values())


def test_the_files_change_together_and_only_when_the_result_does(
    faderwise: Faderwise, tmp_path: Path, two_songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    out, savefig = tmp_path / "out", Figure.savefig
    words = (two_songs, "--preset", "paper", "--features", "condition1", "--out", out)
    result_of(faderwise, *words)
    before = files_in(out)
    time.sleep(1.1)  # a PDF's date would have moved on
    result_of(faderwise, *words)
    assert files_in(out) == before, "the same run again"

    def interrupted(figure: Figure, path: Path, **options: Any) -> None:
        savefig(figure, path, **options)
        path.write_bytes(path.read_bytes()[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Figure, "savefig", interrupted)
        assert faderwise("evaluate", *words, "--features", "condition2").code == 130
    assert files_in(out) == before, "an interrupted run"
    printed = faderwise("evaluate", *words, "--features", "condition2").out
    after = files_in(out)
    assert set(before) < set(after)
    assert f"Earlier: {len(after) - len(before)} copies next to them" in printed
    assert all(content in after.values() for content in before.values()), "another run"
    assert after["tables.csv"] != before["tables.csv"]


def test_a_separate_process_draws_silently_and_stores_its_font_cache_in_the_data_folder(
    start: Callable[..., subprocess.Popen[str]],
    two_songs_matrices: Path,
    tmp_path: Path,
    own_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.delenv("DISPLAY", raising=False)
    process = start("evaluate", two_songs_matrices, "--out", tmp_path / "out", "--json")
    out, err = process.communicate(timeout=200)
    assert (process.returncode, err) == (0, "")
    assert not [value for value in json.loads(out)["mean"].values() if not math.isfinite(value)]
    assert (own_home / "cache" / "matplotlib").is_dir()


def test_the_paper_preset_prints_both_conditions_unless_one_is_named(
    faderwise: Faderwise, two_songs: Path, tmp_path: Path
) -> None:
    result = result_of(faderwise, two_songs, "--preset", "paper", "--out", tmp_path / "out")
    assert list(result["conditions"]) == ["condition1", "condition2"]
    assert result["songs"] == result["conditions"]["condition1"]["songs"]
    assert result["songs"] != result["conditions"]["condition2"]["songs"]
    for condition in result["conditions"]:
        alone = result_of(faderwise, two_songs, "--preset", "paper", "--features", condition)
        assert alone["songs"] == result["conditions"][condition]["songs"]
        assert (tmp_path / "out" / condition / "evaluate.json").is_file()
