"""Each run on a song has its own place, and the latest one is in the folder itself."""

from __future__ import annotations

import json
from pathlib import Path

from tests.analysis_server.outcomes import OUTCOME, Faderwise, as_json, names


def run_ids(folder: Path) -> list[str]:
    return [run["id"] for run in json.loads((folder / "run.json").read_text())["runs"]]


def test_another_run_moves_the_earlier_one_into_its_own_folder(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    faderwise("mix", tiny_song, "--out", out)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    faderwise("mix", tiny_song, "--out", out, "--target-lufs", "-40")
    assert names(out) == OUTCOME | {"runs"}
    assert {path.name: path.read_bytes() for path in (out / "runs" / "1").iterdir()} == first
    faderwise("match", tiny_song, "--out", out)
    assert names(out / "runs") == {"1", "2"}
    assert len({*run_ids(out), *run_ids(out / "runs" / "1"), *run_ids(out / "runs" / "2")}) == 3


def test_the_same_run_again_takes_its_own_place(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    faderwise("mix", tiny_song, "--out", out)
    faderwise("mix", tiny_song, "--out", out)
    assert names(out) == OUTCOME


def test_an_earlier_run_with_edits_is_kept_and_can_be_edited(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    faderwise("mix", tiny_song, "--out", out)
    assert faderwise("edit", out, "--depth", 50).code == 0
    faderwise("mix", tiny_song, "--out", out, "--target-lufs", "-40")
    assert len(run_ids(out / "runs" / "1")) == 2
    assert len(run_ids(out)) == 1
    edited = as_json(faderwise("edit", out / "runs" / "1", "--depth", 20, "--json"))
    assert edited["run"] == 3
    assert all(Path(path).parent == out / "runs" / "1" for path in edited["files"].values())


def test_runs_lists_and_clears_the_earlier_runs_of_a_folder(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    faderwise("mix", tiny_song, "--out", out)
    faderwise("mix", tiny_song, "--out", out, "--target-lufs", "-40")
    listed = as_json(faderwise("runs", "list", out, "--json"))
    assert [Path(run["folder"]) for run in listed["runs"]] == [out / "runs" / "1"]
    assert faderwise("runs", "clear", out, "--older-than", 0, "--yes").code == 0
    assert names(out / "runs") == set()
    assert names(out) == OUTCOME | {"runs"}


def test_the_result_begins_with_one_sentence_and_ends_with_what_to_do_next(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    lines = faderwise("mix", tiny_song, "--out", out).out.splitlines()
    assert lines[0].startswith("Buses of tiny song ")
    lines = lines[lines.index("") + 1 :]
    assert lines[0].startswith("tiny song: ")
    assert "confidence" in lines[0]
    assert lines[1].split()[:2] == ["bus", "files"]
    assert {line.split()[0] for line in lines[2:4]} == {"drums", "bass"}
    assert f"Report: {out / 'report.html'}" in lines
    assert [line.split()[1] for line in lines[lines.index("Next:") + 1 :]] == ["edit", "audit"]


def test_the_report_is_opened_when_asked_for(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    import webbrowser
    from unittest import mock

    with mock.patch.object(webbrowser, "open") as opened:
        faderwise("mix", tiny_song, "--out", tmp_path / "out", "--open")
    opened.assert_called_once_with((tmp_path / "out" / "report.html").as_uri())
