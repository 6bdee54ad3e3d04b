"""`faderwise buses`: the bus of each file of a folder and each track of a project."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.analysis_server.outcomes import Faderwise

PROJECT = """<REAPER_PROJECT 0.1 "7.0/linux-x86_64" 1700000000
  <TRACK {00000000-0000-0000-0000-000000000001}
    NAME "DRUM BUS"
    ISBUS 1 1
  >
  <TRACK {00000000-0000-0000-0000-000000000002}
    NAME "Mic 7"
    ISBUS 2 -1
  >
  <TRACK {00000000-0000-0000-0000-000000000003}
    NAME "Vox Verb"
    AUXRECV 3 0 1 0 0 0 0 0 0 -1:U 0 -1 ''
  >
  <TRACK {00000000-0000-0000-0000-000000000004}
    NAME LeadVox
    MUTESOLO 1 0 0
  >
>
"""


@pytest.fixture
def song(tmp_path: Path) -> Path:
    folder = tmp_path / "Long Road"
    folder.mkdir()
    for name in ("01_Kick1.wav", "02 Alex.wav", "LeadVox.m4a", "Long Road.flac", "notes.txt", ".hidden.wav"):
        (folder / name).touch()
    return folder


def rows_of(faderwise: Faderwise, path: Path) -> list[dict[str, Any]]:
    ran = faderwise("buses", str(path), "--json")
    assert ran.code == 0
    result = json.loads(ran.out)
    return result["files"] if "files" in result else result["tracks"]


def test_every_audio_file_is_listed_with_its_bus_or_the_reason_for_none(faderwise: Faderwise, song: Path) -> None:
    rows = rows_of(faderwise, song)
    assert [(row["file"], row["bus"], row["role"]) for row in rows] == [
        ("01_Kick1.wav", "drums", "kick"),
        ("02 Alex.wav", None, "unknown"),
        ("LeadVox.m4a", "vocals", "lead vocal"),
        ("Long Road.flac", None, "mixdown"),
    ]
    assert all(row["reason"] for row in rows)


def test_every_track_is_listed(faderwise: Faderwise, tmp_path: Path) -> None:
    project = tmp_path / "session.RPP"
    project.write_text(PROJECT, encoding="utf-8")
    rows = rows_of(faderwise, project)
    assert [(row["track"], row["name"], row["bus"]) for row in rows] == [
        (1, "DRUM BUS", "drums"),
        (2, "Mic 7", "drums"),
        (3, "Vox Verb", None),
        (4, "LeadVox", "vocals"),
    ]
    assert "muted" in rows[3]["reason"]


def test_the_text_has_the_options_for_names_that_were_not_understood(faderwise: Faderwise, song: Path) -> None:
    ran = faderwise("buses", str(song))
    assert ran.code == 0
    assert f"faderwise mix '{song}' --bus 'bass=02 Alex.wav'" in ran.out
    assert "--bus 'bass=Long Road.flac'" not in ran.out


def test_the_text_has_an_option_for_every_file_and_track(faderwise: Faderwise, song: Path, tmp_path: Path) -> None:
    out = faderwise("buses", str(song)).out
    assert "\n  --bus drums=01_Kick1.wav\n  --bus 'BUS=02 Alex.wav'\n  --bus vocals=LeadVox.m4a\n" in out
    project = tmp_path / "session.RPP"
    project.write_text(PROJECT, encoding="utf-8")
    assert "\n  --bus drums=1\n  --bus drums=2\n  --bus BUS=3\n  --bus vocals=4\n" in faderwise("buses", project).out


def test_files_in_subfolders_are_listed_where_the_folder_has_none(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "Audio" / "Drums").mkdir(parents=True)
    (tmp_path / "Audio" / "Drums" / "Mic 3.wav").touch()
    (row,) = rows_of(faderwise, tmp_path)
    assert (row["file"], row["bus"]) == ("Audio/Drums/Mic 3.wav", "drums")


def test_files_without_a_bus_are_not_an_error(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "Alex.wav").touch()
    assert [row["bus"] for row in rows_of(faderwise, tmp_path)] == [None]


def test_files_that_are_not_read_are_reported(faderwise: Faderwise, tiny_song: Path) -> None:
    (tiny_song / "notes.txt").write_text("lyrics")
    (tiny_song / "take.wav").touch()
    (tiny_song / "gtr.wav").write_bytes(b"noise")
    for name in (".DS_Store", "Thumbs.db", "song.RPP", "drums.wav.reapeaks", "cover.jpg", ".cache"):
        (tiny_song / name).touch()
    ran = faderwise("buses", tiny_song, "--json")
    result = json.loads(ran.out)
    assert result["notes"] == ["not read: notes.txt (not audio)"]
    assert [warning.partition(";")[0] for warning in result["warnings"]] == [
        "not read: gtr.wav (is not audio that can be read (Format not recognised.))",
        "not read: take.wav (the file is empty)",
    ]
    ran = faderwise("buses", tiny_song)
    assert "Not read: notes.txt (not audio)." in ran.out
    assert ran.err_lines == [f"faderwise: warning: {warning}" for warning in result["warnings"]]


def test_a_mix_reports_the_same_files(faderwise: Faderwise, tiny_song: Path) -> None:
    (tiny_song / "notes.txt").write_text("lyrics")
    (tiny_song / "take.wav").touch()
    (tiny_song / "gtr.wav").touch()
    assert faderwise("mix", tiny_song, "--dry-run", "--json").code == 2
    ran = faderwise("mix", tiny_song, "--dry-run", "--json", "--bus", "none=gtr.wav")
    result = json.loads(ran.out)
    assert {"not read: notes.txt (not audio)", "gtr.wav was left out: --bus none"} <= set(result["notes"])
    assert "take.wav was left out: the file is empty" in result["warnings"]


def test_a_folder_without_audio_and_one_that_is_not_there_are_bad_input(faderwise: Faderwise, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing", tmp_path / "missing.RPP"):
        ran = faderwise("buses", str(path))
        assert (ran.code, len(ran.err_lines)) == (2, 1)
        assert str(path) in ran.err


def table_rows(printed: str) -> dict[str, str]:
    """Return the files or tracks of each bus in the table that is printed before the work."""
    lines = printed.splitlines()
    return dict(re.split(" {3,}", line.strip(), maxsplit=1) for line in lines[2 : lines.index("")])


def test_the_table_before_a_mix_lists_the_files_that_are_used(faderwise: Faderwise, tiny_song: Path) -> None:
    for bass in ("bass.wav", tiny_song / "bass.wav"):
        rows = table_rows(faderwise("mix", tiny_song, "--bus", f"drums={bass}", "--dry-run").out)
        assert rows["drums"] == "bass.wav"
        assert "drums.wav" in rows["no bus"]
        assert "bass" not in rows
