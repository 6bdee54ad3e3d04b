"""`faderwise runs`: what REAPER's actions left is listed, and cleared where that was asked for."""

from __future__ import annotations

import io
import os
import re
import time
from pathlib import Path

import pytest

from tests.analysis_server.outcomes import Faderwise, as_json

DAY_S = 86_400


def leave(home: Path, name: str, days: float, *files: str) -> Path:
    """Make what a run left so many days ago."""
    folder = home / "runs" / name
    folder.mkdir(parents=True)
    then = time.time() - days * DAY_S
    for file in files:
        (folder / file).write_bytes(bytes(500_000))
        os.utime(folder / file, (then, then))
    os.utime(folder, (then, then))
    return folder


@pytest.fixture
def old(own_home: Path) -> Path:
    return leave(own_home, "Song 20260101-120000 mix", 40, "mix.wav", "report.html", "run.json")


@pytest.fixture
def fresh(own_home: Path) -> Path:
    return leave(own_home, "Song 20260301-120000 audit", 2, "Song-audit.html")


def test_runs_are_listed_oldest_first_with_their_sizes(faderwise: Faderwise, fresh: Path, old: Path) -> None:
    listed = as_json(faderwise("runs", "list", "--json"))
    assert [run["folder"] for run in listed["runs"]] == [str(old), str(fresh)]
    assert (listed["bytes"], listed["runs"][0]["bytes"]) == (2_000_000, 1_500_000)
    assert f"2 runs from REAPER, 2.0 MB in {old.parent}" in faderwise("runs").out


def test_runs_of_a_folder_are_listed_by_number_whenever_they_were_written(faderwise: Faderwise, tmp_path: Path) -> None:
    for number, days in (("2", 5), ("10", 4), ("1", 1)):
        leave(tmp_path, number, days, "audit.html")
    listed = as_json(faderwise("runs", "list", tmp_path, "--json"))
    assert [Path(run["folder"]).name for run in listed["runs"]] == ["1", "2", "10"]


def test_without_runs_there_is_nothing_to_list_or_clear(faderwise: Faderwise) -> None:
    assert "0 runs from REAPER, 0.0 MB" in faderwise("runs", "list").out
    assert "no runs" in faderwise("runs", "clear").out


def test_only_old_runs_are_cleared(faderwise: Faderwise, fresh: Path, old: Path) -> None:
    cleared = as_json(faderwise("runs", "clear", "--yes", "--json"))
    assert [run["folder"] for run in cleared["deleted"]] == [str(old)]
    assert (old.exists(), fresh.exists()) == (False, True)
    faderwise("runs", "clear", "--older-than", "1", "--yes")
    assert not fresh.exists()


def test_the_age_of_a_run_is_that_of_its_record_and_an_audit_does_not_renew_it(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for model in ("default", "equal-level"):
        faderwise("mix", tiny_song, "--out", out, "--model", model)
    record = out / "runs" / "1" / "run.json"
    record.write_text(re.sub(r'"made_at":"\d{4}', '"made_at":"2020', record.read_text()))
    faderwise("audit", record.parent)
    (listed,) = as_json(faderwise("runs", "list", out, "--json"))["runs"]
    assert listed["written_at"].startswith("2020")
    assert listed["summary"] == "mix of tiny song, model default"
    assert as_json(faderwise("runs", "clear", out, "--dry-run", "--json"))["deleted"] == []
    assert "1 earlier result would be deleted" in faderwise("runs", "clear", out, "--dry-run").out
    ran = faderwise("runs", "list", out)
    assert "1 earlier result, " in ran.out
    assert "The present result: mix of tiny song, model equal-level" in ran.out
    faderwise("edit", record.parent, "--depth", 50)
    assert "No earlier result is older than 30 days" in faderwise("runs", "clear", out, "--dry-run").out
    assert ", edited (1)" in faderwise("runs", "list", out).out


def test_a_folder_without_runs_is_refused_and_other_folders_are_left_alone(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    leave(tiny_song, "take one", 40, "mix.wav")
    ran = faderwise("runs", "clear", tiny_song, "--older-than", 0, "--yes")
    assert (ran.code, "has no run.json; give a folder that mix or match wrote" in ran.err) == (2, True)
    faderwise("mix", tiny_song)
    assert "; give tiny song-faderwise" in faderwise("runs", "list", tiny_song).err
    Path("Song.RPP").write_text("<REAPER_PROJECT 0.1\n>\n")
    assert "Song.RPP: is a project" in faderwise("runs", "list", "Song.RPP").err
    assert (tiny_song / "runs" / "take one" / "mix.wav").is_file()


def test_runs_that_are_not_old_are_counted(faderwise: Faderwise, fresh: Path) -> None:
    said = faderwise("runs", "clear", "--yes").out
    assert "1 run " in said
    assert "30 days" in said
    assert "--older-than 0" in said
    assert fresh.exists()


def test_a_dry_run_or_the_answer_no_deletes_nothing(
    faderwise: Faderwise, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "1 run would be deleted, 1.5 MB" in faderwise("runs", "clear", "--dry-run").out
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    ran = faderwise("runs", "clear")
    assert "can still be edited and reverted. [y/N]" in ran.err
    assert "1 run kept, 1.5 MB" in ran.out
    assert sorted(path.name for path in old.iterdir()) == ["mix.wav", "report.html", "run.json"]


def test_nothing_is_deleted_without_an_answer(faderwise: Faderwise, old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ran = faderwise("runs", "clear")
    assert (ran.code, old.is_dir()) == (2, True)
    assert "--yes" in ran.err


def test_other_files_are_not_deleted_but_listed(
    faderwise: Faderwise, own_home: Path, tmp_path: Path, old: Path
) -> None:
    (old / "my notes.txt").write_text("mine")
    os.utime(old / "my notes.txt", (0, 0))
    elsewhere = leave(tmp_path, "elsewhere", 40, "mix.wav")
    (own_home / "runs" / "linked").symlink_to(elsewhere, target_is_directory=True)
    ran = faderwise("runs", "clear", "--older-than", "0", "--yes")
    assert [path.name for path in old.iterdir()] == ["my notes.txt"]
    assert f"warning: {old / 'my notes.txt'} was not created by Faderwise and is kept" in ran.err
    assert (elsewhere / "mix.wav").is_file()


def test_replaced_pages_are_deleted_and_a_cleared_run_with_other_files_is_not_listed(
    faderwise: Faderwise, tmp_path: Path
) -> None:
    kept = leave(tmp_path, "1", 40, "audit.html", "audit.20260102-030405.html", "mix.20260102-030405-2.wav")
    (kept / "notes.txt").write_text("mine")
    os.utime(kept / "notes.txt", (0, 0))
    faderwise("runs", "clear", tmp_path, "--older-than", "0", "--yes")
    assert [path.name for path in kept.iterdir()] == ["notes.txt"]
    (tmp_path / "run.json").write_text("{}")
    assert as_json(faderwise("runs", "list", tmp_path, "--json"))["runs"] == []


def test_a_running_run_is_not_deleted(faderwise: Faderwise, own_home: Path, old: Path) -> None:
    (old / ".faderwise-abc").mkdir()
    os.utime(old, (0, 0))
    assert as_json(faderwise("runs", "clear", "--older-than", "0", "--yes", "--json"))["deleted"] == []
    assert (old / "mix.wav").is_file()


@pytest.mark.parametrize("days", ["soon", "-1", "nan"])
def test_an_invalid_number_of_days_is_reported_in_one_line(faderwise: Faderwise, days: str) -> None:
    ran = faderwise("runs", "clear", f"--older-than={days}")
    assert (ran.code, len(ran.err_lines)) == (2, 1)
    assert "expected a number of days, such as 30" in ran.err
