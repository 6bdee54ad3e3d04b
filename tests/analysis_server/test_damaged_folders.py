"""A damaged folder of automation is reported in one line, and an edit that fails writes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis_server.runs import run_folder
from analysis_server.verbs import edit, mix
from tests.expected_errors import raises_error
from tests.fuzz import material
from tests.fuzz.judging import hashes

Ran = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    song = material.write_song(tmp_path / "song")
    mix.run(mix.MixRequest(song=str(song), out=str(tmp_path / "MySong")))
    return tmp_path / "MySong"


@pytest.mark.parametrize(
    ("name", "damage", "problem"),
    [
        ("automation.csv", b"bus,time_s,gain_db\nbass,0.5,\xff\n", "save it as UTF-8"),
        ("automation.csv", b"bus,time_s,gain_db\nbass,0.5," + b"0" * 200_000, "field larger than field limit"),
        ("automation.json", b'{"buses": {"b\xff": {"points": []}}}', "save it as UTF-8"),
        ("run.json", b'{"runs": [{"title": "\xff"}]}', "is damaged"),
    ],
)
def test_files_that_are_not_text_are_reported_in_one_line(
    faderwise: Ran, folder: Path, name: str, damage: bytes, problem: str
) -> None:
    (folder / name).write_bytes(damage)
    before = hashes(folder)
    ran = faderwise("edit", folder, "--depth", "50")
    assert ran.code == 2
    assert [problem in line and name in line for line in ran.err_lines] == [True]
    assert hashes(folder) == before


def test_an_edit_that_cannot_write_one_of_the_files_writes_none(faderwise: Ran, folder: Path) -> None:
    content = json.loads((folder / "automation.json").read_bytes())
    del content["title"]
    (folder / "automation.json").write_text(json.dumps(content), encoding="utf-8")
    before = hashes(folder)
    assert faderwise("edit", folder, "--depth", "50").code == 2
    assert hashes(folder) == before


def test_an_edit_that_cannot_be_rendered_writes_no_file(faderwise: Ran, folder: Path) -> None:
    (folder.parent / "song" / "bass.wav").unlink()
    before = hashes(folder)
    assert faderwise("edit", folder, "--depth", "50", "--render").code == 2
    assert hashes(folder) == before


def test_a_rendered_edit_leaves_no_hidden_file(faderwise: Ran, folder: Path) -> None:
    assert faderwise("edit", folder, "--depth", "50", "--render").code == 0
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_record_cannot_have_other_files_written_than_the_automation(faderwise: Ran, folder: Path) -> None:
    edit.run(edit.EditRequest(target=str(folder), depth_percent=50.0))
    content = json.loads((folder / run_folder.NAME).read_bytes())
    content["runs"][-1]["files_before"] = {"../stranger.txt": "x"}
    (folder / run_folder.NAME).write_text(json.dumps(content), encoding="utf-8")
    ran = faderwise("revert", folder)
    assert (ran.code, (folder.parent / "stranger.txt").exists()) == (2, False)
    assert "would write ../stranger.txt" in ran.err


def test_edits_are_not_learned_without_the_points_of_every_bus(faderwise: Ran, folder: Path) -> None:
    head, *rows = (folder / "automation.csv").read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if not row.startswith("drums")]
    (folder / "automation.csv").write_text("\n".join([head, *kept, "vocals,0.8,-9", ""]), encoding="utf-8")
    ran = faderwise("learn", "--from", "edits", folder, "--model", "mine.json")
    assert (ran.code, "no points for the drums" in ran.err) == (2, True)


def test_runs_with_any_bytes_are_read_or_refused(folder: Path) -> None:
    (folder / run_folder.NAME).write_bytes(b'{"runs": ' + b"[" * 50_000)
    with raises_error(path=run_folder.NAME):
        run_folder.read(folder)


def test_runs_that_are_out_of_order_are_refused(folder: Path) -> None:
    edit.run(edit.EditRequest(target=str(folder), depth_percent=50.0))
    content = json.loads((folder / run_folder.NAME).read_bytes())
    for number in (2, 1 << 53):
        content["runs"][0]["number"] = number
        (folder / run_folder.NAME).write_text(json.dumps(content), encoding="utf-8")
        with raises_error(path=run_folder.NAME):
            run_folder.read(folder)
