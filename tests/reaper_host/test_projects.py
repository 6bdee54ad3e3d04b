"""Projects as REAPER keeps them: undo by whole states, what scripts store, copies, tabs, settings, actions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.reaper_host import ModalHang, ReaperHost
from tests.reaper_host.actions import TERMINATE
from tests.reaper_host.sessions import envelope, track, write_project


def rename(host: ReaperHost, name: str) -> None:
    host.RPR.RPR_GetSetMediaTrackInfo_String(host.RPR.RPR_GetTrack(0, 0), "P_NAME", name, True)


def test_an_undo_block_is_one_step_and_undo_restores_every_byte(host: ReaperHost, project_file: Path) -> None:
    api = host.RPR
    api.RPR_Undo_BeginBlock2(0)
    rename(host, "one")
    api.RPR_SetMediaTrackInfo_Value(api.RPR_GetTrack(0, 1), "D_VOL", 0.25)
    api.RPR_Undo_EndBlock2(0, "our step", -1)
    changed = host.project.to_bytes()
    assert api.RPR_Undo_CanUndo2(0) == "our step"
    assert api.RPR_Undo_DoUndo2(0) == 1
    assert host.project.to_bytes() == project_file.read_bytes()
    assert api.RPR_Undo_CanRedo2(0) == "our step"
    assert api.RPR_Undo_DoRedo2(0) == 1
    assert host.project.to_bytes() == changed
    assert host.complaints == []


def test_an_empty_block_adds_no_step(host: ReaperHost) -> None:
    host.RPR.RPR_Undo_BeginBlock2(0)
    host.RPR.RPR_Undo_EndBlock2(0, "nothing", -1)
    with pytest.raises(AttributeError):
        host.RPR.RPR_Undo_CanUndo2(0)
    assert host.RPR.RPR_Undo_DoUndo2(0) == 0


def test_undo_takes_what_was_not_recorded_along(host: ReaperHost, project_file: Path) -> None:
    host.RPR.RPR_Undo_BeginBlock2(0)
    rename(host, "one")
    host.RPR.RPR_Undo_EndBlock2(0, "step", -1)
    host.RPR.RPR_SetEditCurPos(3.5, False, False)
    host.RPR.RPR_Undo_DoUndo2(0)
    assert host.project.to_bytes() == project_file.read_bytes()


@pytest.mark.parametrize("restores", [True, False])
def test_undo_may_leave_what_scripts_stored(host: ReaperHost, restores: bool) -> None:
    host.switches.undo_restores_ext_state = restores
    api = host.RPR
    api.RPR_Undo_BeginBlock2(0)
    rename(host, "one")
    api.RPR_SetProjExtState(0, "faderwise", "run", "1")
    api.RPR_Undo_EndBlock2(0, "step", -1)
    api.RPR_Main_OnCommand(40029, 0)
    assert host.project.tracks[0].name != "one"
    assert api.RPR_GetProjExtState(0, "faderwise", "run", "", 9)[4] == ("" if restores else "1")
    assert (b"<FADERWISE" in host.project.to_bytes()) != restores


def test_pointers_are_stale_after_undo(host: ReaperHost) -> None:
    pointer = host.RPR.RPR_GetTrack(0, 0)
    host.RPR.RPR_Undo_BeginBlock2(0)
    rename(host, "one")
    host.RPR.RPR_Undo_EndBlock2(0, "step", -1)
    host.RPR.RPR_Undo_DoUndo2(0)
    assert host.RPR.RPR_GetTrackName(pointer, "", 512)[0] == 0


def test_a_block_left_open_is_closed_at_the_cycles_end(host: ReaperHost) -> None:
    host.RPR.RPR_Undo_BeginBlock2(0)
    rename(host, "one")
    host.tick()
    assert host.RPR.RPR_Undo_CanUndo2(0) == "ReaScript: Run"
    host.RPR.RPR_Undo_EndBlock2(0, "too late", -1)
    assert host.RPR.RPR_Undo_CanUndo2(0) == "ReaScript: Run"
    assert host.complaints == ["the undo block 'too late' was ended but not begun in this cycle"]


@pytest.mark.parametrize(
    ("flags", "leaves_out"), [(-1, ""), (32 | 1 | 8, ""), (32, "tracks"), (1, "envelopes"), (0, "tracks")]
)
def test_flags_that_leave_out_a_change_are_complained_of(
    host: ReaperHost, tmp_path: Path, flags: int, leaves_out: str
) -> None:
    host.open(write_project(tmp_path, track("A", envelope("0 1 0"))))
    api = host.RPR
    api.RPR_Undo_BeginBlock2(0)
    rename(host, "one")
    pointer = api.RPR_GetTrackEnvelopeByName(api.RPR_GetTrack(0, 0), "Volume")
    api.RPR_InsertEnvelopePoint(pointer, 1.0, 700.0, 0, 0, False, False)
    api.RPR_Undo_EndBlock2(0, "step", flags)
    if leaves_out:
        assert any(leaves_out in complaint for complaint in host.complaints)
    else:
        assert host.complaints == []


def test_the_change_count_counts_steps_and_not_writes(host: ReaperHost) -> None:
    before = host.RPR.RPR_GetProjectStateChangeCount(0)
    rename(host, "one")
    assert host.RPR.RPR_GetProjectStateChangeCount(0) == before
    host.RPR.RPR_Undo_BeginBlock2(0)
    host.RPR.RPR_Undo_EndBlock2(0, "step", -1)
    assert host.RPR.RPR_GetProjectStateChangeCount(0) == before + 1


def test_stored_values_are_read_in_any_case_and_saved_in_upper_case(host: ReaperHost, tmp_path: Path) -> None:
    host.open(write_project(tmp_path, track("A"), line_end="\r\n"))
    before = host.project.to_bytes()
    api = host.RPR
    api.RPR_SetProjExtState(0, "faderwise", "buses", '{"drums": "a b"}')
    assert api.RPR_GetProjExtState(0, "faderwise", "Buses", "", 1000)[4] == '{"drums": "a b"}'
    saved = host.save()
    assert b'  <EXTSTATE\r\n    <FADERWISE\r\n      BUSES \'{"drums": "a b"}\'\r\n    >\r\n  >\r\n' in saved
    assert host.project.path is not None
    host.open(host.project.path)
    assert api.RPR_GetProjExtState(0, "FADERWISE", "buses", "", 1000)[4] == '{"drums": "a b"}'
    assert api.RPR_EnumProjExtState(0, "faderwise", 0, "", 100, "", 100)[4:8:2] == ("BUSES", '{"drums": "a b"}')
    assert api.RPR_EnumProjExtState(0, "faderwise", 1, "", 100, "", 100)[0] == 0
    api.RPR_SetProjExtState(0, "faderwise", "buses", "")
    assert api.RPR_GetProjExtState(0, "faderwise", "buses", "", 1000)[0] == 0
    assert host.project.to_bytes() == before


def test_an_empty_key_deletes_the_section(host: ReaperHost) -> None:
    host.RPR.RPR_SetProjExtState(0, "faderwise", "a", "1")
    host.RPR.RPR_SetProjExtState(0, "faderwise", "b", "2")
    host.RPR.RPR_SetProjExtState(0, "faderwise", "", "")
    assert host.RPR.RPR_EnumProjExtState(0, "faderwise", 0, "", 9, "", 9)[0] == 0


def test_a_tracks_extension_data_can_be_removed(host: ReaperHost) -> None:
    before = host.project.to_bytes()
    api = host.RPR
    pointer = api.RPR_GetTrack(0, 0)
    api.RPR_GetSetMediaTrackInfo_String(pointer, "P_EXT:faderwise", "a b", True)
    assert api.RPR_GetSetMediaTrackInfo_String(pointer, "P_EXT:faderwise", "", False)[3] == "a b"
    api.RPR_GetSetMediaTrackInfo_String(pointer, "P_EXT:faderwise", "", True)
    assert host.project.to_bytes() == before


def test_a_saved_copy_leaves_the_tab_its_name_and_dirty(host: ReaperHost, tmp_path: Path, project_file: Path) -> None:
    api = host.RPR
    rename(host, "one")
    assert api.RPR_IsProjectDirty(0) == 1
    api.RPR_Main_SaveProjectEx(0, str(tmp_path / "copy.rpp"), 0)
    assert (tmp_path / "copy.rpp").read_bytes() == host.project.to_bytes()
    assert api.RPR_EnumProjects(-1, "", 4096)[2] == str(project_file)
    assert api.RPR_IsProjectDirty(0) == 1
    api.RPR_Main_SaveProjectEx(0, str(tmp_path / "adopted.rpp"), 8)
    assert api.RPR_EnumProjects(-1, "", 4096)[2] == str(tmp_path / "adopted.rpp")
    assert api.RPR_IsProjectDirty(0) == 0


def test_a_project_that_cannot_be_saved_stays_dirty(host: ReaperHost, tmp_path: Path) -> None:
    rename(host, "one")
    host.project.path = tmp_path / "no such folder" / "song.rpp"
    host.dialogs.expect_message("OK", containing="Could not write")
    host.RPR.RPR_Main_SaveProject(0, False)
    assert host.RPR.RPR_IsProjectDirty(0) == 1


def test_a_file_that_cannot_be_written_shows_a_window(host: ReaperHost, tmp_path: Path) -> None:
    with pytest.raises(ModalHang, match="Could not write"):
        host.RPR.RPR_Main_SaveProjectEx(0, str(tmp_path / "no such folder" / "copy.rpp"), 0)


def test_opening_over_changes_asks_unless_disabled(host: ReaperHost, project_file: Path) -> None:
    rename(host, "one")
    with pytest.raises(ModalHang, match="Save changes"):
        host.RPR.RPR_Main_openProject(str(project_file))
    host.RPR.RPR_Main_openProject(f"noprompt:{project_file}")
    assert host.project.to_bytes() == project_file.read_bytes()
    host.RPR.RPR_Main_openProject("noprompt:/no/such.rpp")
    assert (host.project.path, host.project.tracks) == (None, [])


def test_tabs_open_and_close(host: ReaperHost, project_file: Path) -> None:
    api = host.RPR
    api.RPR_Main_OnCommand(40859, 0)
    assert api.RPR_EnumProjects(-1, "", 4096)[2] == ""
    assert api.RPR_CountTracks(0) == 0
    first = api.RPR_EnumProjects(0, "", 4096)[0]
    assert api.RPR_CountTracks(first) > 0
    api.RPR_Main_OnCommand(40860, 0)
    assert api.RPR_EnumProjects(-1, "", 4096)[2] == str(project_file)


def test_moving_a_fader_and_back_does_not_change_the_file(host: ReaperHost, project_file: Path) -> None:
    api = host.RPR
    for place in range(api.RPR_CountTracks(0)):
        pointer = api.RPR_GetTrack(0, place)
        for name in (
            "D_VOL",
            "D_PAN",
            "D_WIDTH",
            "D_PANLAW",
            "D_DUALPANL",
            "I_RECARM",
            "B_MUTE",
            "I_SOLO",
            "I_AUTOMODE",
        ):
            old = api.RPR_GetMediaTrackInfo_Value(pointer, name)
            api.RPR_SetMediaTrackInfo_Value(pointer, name, 0.0 if old else 1.0)
            api.RPR_SetMediaTrackInfo_Value(pointer, name, old)
    span = host.project.time_selection
    api.RPR_GetSet_LoopTimeRange2(0, True, False, 1.0, 2.0, False)
    api.RPR_GetSet_LoopTimeRange2(0, True, False, *span, False)
    assert host.project.to_bytes() == project_file.read_bytes()


def test_folders_have_depth_and_parents(host: ReaperHost, tmp_path: Path) -> None:
    tracks = track("BUS", "ISBUS 1 1"), track("SUB", "ISBUS 1 1"), track("A", "ISBUS 2 -2"), track("B")
    host.open(write_project(tmp_path, *tracks))
    api = host.RPR
    pointers = [api.RPR_GetTrack(0, place) for place in range(4)]
    assert [api.RPR_GetTrackDepth(pointer) for pointer in pointers] == [0, 1, 2, 0]
    assert [api.RPR_GetMediaTrackInfo_Value(pointer, "I_FOLDERDEPTH") for pointer in pointers] == [1, 1, -2, 0]
    assert api.RPR_GetParentTrack(pointers[2]) == pointers[1]
    assert "0x0000000000000000" in api.RPR_GetParentTrack(pointers[3])


def test_settings_last_over_restarts_where_they_should(tmp_path: Path) -> None:
    with ReaperHost(tmp_path / "resource") as host:
        host.RPR.RPR_SetExtState("faderwise", "model", "mine", True)
        host.RPR.RPR_SetExtState("faderwise", "once", "x", False)
    with ReaperHost(tmp_path / "resource") as host:
        assert host.RPR.RPR_GetExtState("Faderwise", "Model") == "mine"
        assert host.RPR.RPR_HasExtState("faderwise", "once") == 0
        host.RPR.RPR_DeleteExtState("faderwise", "model", True)
    with ReaperHost(tmp_path / "resource") as host:
        assert host.RPR.RPR_GetExtState("faderwise", "model") == ""


def test_actions_are_registered_looked_up_and_run(tmp_path: Path) -> None:
    with ReaperHost(tmp_path / "resource") as host:
        scripts = host.resource_path / "Scripts"
        (scripts / "Our action.py").write_text(
            "from reaper_python import *\nRPR_ShowConsoleMsg('ran')\n", encoding="utf-8"
        )
        (host.resource_path / "reaper-kb.ini").write_text("KEY 1 65 40406 0\n", encoding="utf-8")
        api = host.RPR
        number = api.RPR_AddRemoveReaScript(True, 0, str(scripts / "Our action.py"), True)
        assert number > 0
        assert api.RPR_AddRemoveReaScript(True, 0, str(scripts / "missing.py"), True) == 0
        name = api.RPR_ReverseNamedCommandLookup(number)
        assert name.startswith("RS")
        api.RPR_Main_OnCommand(api.RPR_NamedCommandLookup(f"_{name}"), 0)
        assert host.dialogs.console == "ran"
        text = (host.resource_path / "reaper-kb.ini").read_text(encoding="utf-8")
        assert text == f'KEY 1 65 40406 0\nSCR 4 0 {name} "Custom: Our action.py" "Our action.py"\n'
    with ReaperHost(tmp_path / "resource") as host:
        assert host.run_action("Our action.py").error is None
        assert host.dialogs.console == "ran"
        assert host.RPR.RPR_AddRemoveReaScript(False, 0, "Our action.py", True) == 1
        assert "SCR" not in (host.resource_path / "reaper-kb.ini").read_text(encoding="utf-8")


def test_an_action_may_end_its_earlier_run(tmp_path: Path) -> None:
    with ReaperHost(tmp_path / "resource") as host:
        scripts = host.resource_path / "Scripts"
        (scripts / "loop.py").write_text("def loop(): RPR_defer('loop()')\nloop()\n", encoding="utf-8")
        line = f'SCR {TERMINATE} 0 RSabc "Custom: loop.py" loop.py\n'
        (host.resource_path / "reaper-kb.ini").write_text(line, encoding="utf-8")
    with ReaperHost(tmp_path / "resource") as host:
        first, second = host.run_action("loop.py"), host.run_action("loop.py")
        assert (first.is_running, second.is_running) == (False, True)


def test_processes_need_a_full_path_and_give_code_and_output(host: ReaperHost) -> None:
    api = host.RPR
    program = f'"{sys.executable}" -c'
    assert api.RPR_ExecProcess(f'{program} "print(7); raise SystemExit(3)"', 0) == "3\n7\n"
    assert api.RPR_ExecProcess(f'{program} "import os; print(os.getcwd())"', 0) == f"0\n{host.working_folder}\n"
    assert api.RPR_ExecProcess(f'{program} "import time; time.sleep(60)"', 300).startswith("-9\n")
    api.RPR_ExecProcess(f'{program} "import time; time.sleep(60)"', -1)
    assert host.processes[0].poll() is None
    with pytest.raises(AttributeError):
        api.RPR_ExecProcess('python3 -c "1"', 0)


def test_long_stored_values_are_cut_when_a_project_is_saved_and_read(host: ReaperHost, project_file: Path) -> None:
    host.RPR.RPR_SetProjExtState(0, "faderwise", "short", "x" * 900)
    host.RPR.RPR_SetProjExtState(0, "faderwise", "long", "y" * 9000)
    assert len(host.RPR.RPR_GetProjExtState(0, "faderwise", "long", "", 65536)[4]) == 9000
    host.save()
    host.open(project_file)
    assert host.RPR.RPR_GetProjExtState(0, "faderwise", "short", "", 65536)[4] == "x" * 900
    assert host.RPR.RPR_GetProjExtState(0, "faderwise", "long", "", 65536)[4] == "y" * (4094 - len("LONG "))
