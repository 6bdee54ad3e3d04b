"""Each run on a song has its own place, and the latest one is in the folder itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

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
    assert lines[1].split()[:2] == ["bus", "source"]
    assert {line.split()[0] for line in lines[2:4]} == {"drums", "bass"}
    assert f"Report: {out / 'report.html'}" in lines
    assert [line.split()[1] for line in lines[lines.index("Next:") + 1 :]] == ["edit", "audit"]


def test_the_report_is_opened_when_asked_for(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    import webbrowser
    from unittest import mock

    with mock.patch.object(webbrowser, "open") as opened:
        faderwise("mix", tiny_song, "--out", tmp_path / "out", "--open")
    opened.assert_called_once_with((tmp_path / "out" / "report.html").as_uri())


def test_audit_edit_and_revert_report_which_run_they_act_on(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    faderwise("mix", tiny_song, "--out", out)
    assert ": run 1, mix of " in faderwise("audit", out, "--no-sound", "--dry-run").out
    faderwise("mix", tiny_song, "--out", out, "--target-lufs", "-40")
    which = f"run 1 (1 earlier result is in {out / 'runs'})"
    assert which in faderwise("audit", out, "--no-sound", "--dry-run").out.lower().replace(str(out).lower(), str(out))
    edited = as_json(faderwise("edit", out, "--depth", 50, "--json"))
    assert (edited["edited"], edited["notes"]) == (1, [f"1 earlier result is in {out / 'runs'}"])
    tried = faderwise("revert", out, "--dry-run").out
    assert "run 2 would be reverted to the state after run 1" in tried
    assert "Next:" not in tried
    earlier = as_json(faderwise("edit", out / "runs" / "1", "--depth", 50, "--dry-run", "--json"))
    assert (earlier["edited"], earlier["notes"]) == (1, [])
    reverted = faderwise("revert", out).out
    assert [line.split()[1] for line in reverted.split("Next:\n")[1].splitlines()] == ["audit"]


def test_the_number_of_a_run_that_is_not_there_names_the_earlier_results(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    faderwise("mix", tiny_song, "--out", out)
    faderwise("match", tiny_song, "--out", out)
    earlier = f"; 1 earlier result is in {out / 'runs'}"
    for words in (("compare", f"{out}#2", out), ("revert", out), ("revert", out, "--to", 2)):
        assert earlier in faderwise(*words).err
    assert f"only compare accepts the number of a run; give {out}" in faderwise("audit", f"{out}#1").err


def test_results_that_were_moved_copied_or_deleted_are_separate(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out, moved, copied = tmp_path / "out", tmp_path / "moved", tmp_path / "copied"
    for model in ("default", "equal-level"):
        faderwise("mix", tiny_song, "--out", out, "--model", model)
    (out / "runs" / "1").rename(moved)
    faderwise("edit", moved, "--offset", "bass=3", "--render")
    shutil.copytree(moved, copied)
    reverted = as_json(faderwise("revert", copied, "--json"))
    assert {Path(path).parent for path in reverted["files"].values()} == {copied}
    assert (len(run_ids(moved)), len(run_ids(copied)), len(run_ids(out))) == (2, 1, 1)
    assert as_json(faderwise("runs", "list", out, "--json"))["runs"] == []
    faderwise("match", tiny_song, "--out", out)
    assert names(out / "runs") == {"1"}
    (out / "run.json").unlink()  # without its record a result is set aside file by file
    mix = (out / "mix.wav").read_bytes()
    faderwise("mix", tiny_song, "--out", out)
    assert mix in [path.read_bytes() for path in out.glob("mix.*.wav")]


def test_mix_edit_audit_and_compare_report_the_same_figures(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    out, matched = tmp_path / "out", tmp_path / "matched"
    mixed = as_json(faderwise("mix", tiny_song, "--out", out, "--json"))
    found = as_json(faderwise("match", tiny_song, "--out", matched, "--json"))
    compared = as_json(faderwise("compare", out, matched, "--json"))
    for bus in compared["buses"].values():
        assert bus["first_db"] == pytest.approx(mixed["buses"][bus["bus"]]["gain_db"], abs=0.02)
        assert bus["second_db"] == pytest.approx(found["buses"][bus["bus"]]["gain_db"], abs=0.02)
    present = as_json(faderwise("audit", out, "--dry-run", "--json"))
    for moment in ("before", "after"):
        assert present["figures"][f"loudness_{moment}_lufs"] == pytest.approx(mixed[f"loudness_{moment}_lufs"], abs=0.1)
    assert present["figures"]["true_peak_now_dbtp"] == pytest.approx(mixed["true_peak_dbtp"], abs=0.1)
    for track in present["tracks"]:
        loudness = mixed["buses"][track["bus"]]["loudness_after_lufs"]
        assert track["loudness_now_lufs"] == pytest.approx(loudness, abs=0.1)
    edited = as_json(faderwise("edit", out, "--offset", "bass=3", "--json"))
    audited = as_json(faderwise("audit", out, "--no-sound", "--dry-run", "--json"))
    assert edited["buses"]["bass"]["after_db"] == pytest.approx(mixed["buses"]["bass"]["gain_db"] + 3.0, abs=0.02)
    for track in audited["tracks"]:
        before, after = (edited["buses"][track["bus"]][name] for name in ("before_db", "after_db"))
        assert before == pytest.approx(mixed["buses"][track["bus"]]["gain_db"], abs=0.02)
        assert after == pytest.approx(track["gain_now_db"], abs=0.02)
        loudness = mixed["buses"][track["bus"]]["loudness_before_lufs"]
        assert track["loudness_before_lufs"] == pytest.approx(loudness, abs=0.1)
    for bus in as_json(faderwise("compare", f"{out}#1", out, "--json"))["buses"].values():
        gains = edited["buses"][bus["bus"]]
        assert bus["first_db"] == pytest.approx(gains["before_db"], abs=0.1)
        assert bus["second_db"] == pytest.approx(gains["after_db"], abs=0.1)


def test_paths_are_shown_without_steps_back(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = faderwise("mix", tiny_song, "--out", "../out").out
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in said.splitlines()


def test_an_audit_of_recovered_gains_is_not_said_to_give_reasons(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    shutil.copy(tiny_song / "drums.wav", tiny_song / "mix.wav")
    said = faderwise("match", tiny_song, "--out", tmp_path / "out").out
    assert "why each gain" not in said and "how certain each gain is" in said
