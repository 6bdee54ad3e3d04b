"""Which files a render writes, when REAPER asks or refuses, and that settings can be put back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reaper_host import ModalHang, ReaperHost
from tests.reaper_host.sessions import FLOAT_WAV, item, rendered, track, write_project


def test_an_existing_target_an_empty_range_and_a_recording_hang(empty_host: ReaperHost, folder: Path) -> None:
    empty_host.open(write_project(folder, track("A", item("tone.wav"))))
    rendered(empty_host, folder / "out")
    with pytest.raises(ModalHang, match="overwrite"):
        rendered(empty_host, folder / "out")
    empty_host.RPR.RPR_GetSetProjectInfo(0, "RENDER_BOUNDSFLAG", 0, True)
    with pytest.raises(ModalHang, match="Nothing to render"):
        rendered(empty_host, folder / "other")
    empty_host.play_state = 5
    with pytest.raises(ModalHang, match="recording"):
        rendered(empty_host, folder / "third")


def test_without_selected_tracks_no_file_is_written_and_no_question_asked(empty_host: ReaperHost, folder: Path) -> None:
    empty_host.open(write_project(folder, track("A", item("tone.wav"))))
    empty_host.RPR.RPR_GetSetProjectInfo(0, "RENDER_SETTINGS", 2, True)
    assert empty_host.RPR.RPR_GetSetProjectInfo_String(0, "RENDER_TARGETS", "", False)[3] == ""
    empty_host.RPR.RPR_Main_OnCommand(42230, 0)
    assert empty_host.project.last_rendered == []


def test_two_tracks_of_one_name_get_two_files(empty_host: ReaperHost, folder: Path) -> None:
    empty_host.open(write_project(folder, track("A", item("tone.wav")), track("A", item("tone.wav"))))
    for key, text in {"RENDER_FILE": "out", "RENDER_PATTERN": "$track"}.items():
        empty_host.RPR.RPR_GetSetProjectInfo_String(0, key, text, True)
    empty_host.RPR.RPR_GetSetProjectInfo(0, "RENDER_SETTINGS", 2, True)
    empty_host.RPR.RPR_Main_OnCommand(40296, 0)
    names = empty_host.RPR.RPR_GetSetProjectInfo_String(0, "RENDER_TARGETS", "", False)[3].split(";")
    assert [Path(name).name for name in names] == ["A.wav", "A-001.wav"]


def test_restored_settings_leave_the_file_unchanged(empty_host: ReaperHost, folder: Path) -> None:
    path = write_project(folder, track("A", item("tone.wav")))
    empty_host.open(path)
    api = empty_host.RPR
    numbers = {"RENDER_SETTINGS": 8194, "RENDER_NORMALIZE": 4 << 16, "RENDER_BOUNDSFLAG": 0, "RENDER_ENDPOS": 1.5}
    old = {key: api.RPR_GetSetProjectInfo(0, key, 0, False) for key in numbers}
    texts = {
        "RENDER_FILE": "some folder/x y",
        "RENDER_PATTERN": "$track",
        "RENDER_FORMAT": FLOAT_WAV,
        "RENDER_FORMAT2": "l3pm",
    }
    old_texts = {key: api.RPR_GetSetProjectInfo_String(0, key, "", False)[3] for key in texts}
    for values, old_values, function in (
        (numbers, old, api.RPR_GetSetProjectInfo),
        (texts, old_texts, api.RPR_GetSetProjectInfo_String),
    ):
        for key, value in values.items():
            function(0, key, value, True)
        assert empty_host.project.to_bytes() != path.read_bytes()
        for key, value in old_values.items():
            function(0, key, value, True)
    assert empty_host.project.to_bytes() == path.read_bytes()


def test_a_number_written_as_a_format_is_ignored(empty_host: ReaperHost) -> None:
    api = empty_host.RPR
    before = api.RPR_GetSetProjectInfo_String(0, "RENDER_FORMAT", "", False)[3]
    api.RPR_GetSetProjectInfo_String(0, "RENDER_FORMAT", "3", True)
    assert api.RPR_GetSetProjectInfo_String(0, "RENDER_FORMAT", "", False)[3] == before
