"""reapy itself, unmodified, on top of the host as inside REAPER."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reaper_host import ReaperCrash, ReaperHost

WriteScript = Callable[..., Path]


def test_reapy_detects_that_it_is_inside_reaper(host: ReaperHost, write_script: WriteScript) -> None:
    script = host.run_script(
        write_script(
            "import reapy\n"
            "assert reapy.is_inside_reaper()\n"
            "project = reapy.Project()\n"
            "for track in project.tracks:\n"
            "    reapy.print(track.name, track.depth, len(track.envelopes))\n"
        )
    )
    assert script.error is None
    names = [track.name or f"Track {track.index + 1}" for track in host.project.tracks]
    assert [line.rsplit(" ", 2)[0] for line in host.dialogs.console.splitlines()] == names


def test_reapy_defers_and_runs_its_exit_function(host: ReaperHost, write_script: WriteScript) -> None:
    script = host.run_script(
        write_script(
            "import reapy\n"
            "def count(number):\n"
            "    reapy.print(number)\n"
            "    if number < 3:\n"
            "        reapy.defer(count, number + 1)\n"
            "reapy.at_exit(reapy.print, 'bye')\n"
            "count(1)\n"
        )
    )
    assert host.dialogs.console == "1\n"
    host.tick()
    assert host.dialogs.console == "1\n2\n"
    host.run_to_end(timeout_s=240.0)
    assert host.dialogs.console == "1\n2\n3\nbye\n"
    assert script.error is None


def test_an_error_in_deferred_code_ends_the_script_and_is_shown_on_reapys_console(
    host: ReaperHost, write_script: WriteScript
) -> None:
    script = host.run_script(write_script("import reapy\nreapy.defer(lambda: 1 / 0)\n"))
    host.run_to_end(timeout_s=240.0)
    assert script.error is not None
    assert "ZeroDivisionError" in script.error
    assert "ZeroDivisionError" in host.dialogs.console


def test_reapys_undo_block_is_closed_when_the_script_fails(host: ReaperHost, write_script: WriteScript) -> None:
    host.run_script(
        write_script(
            "import reapy\n"
            "with reapy.undo_block('ours', -1):\n"
            "    reapy.Project().tracks[0].name = 'renamed'\n"
            "    raise ValueError\n"
        )
    )
    assert host.project.history.can_undo == "ours"


def test_the_time_selection_through_reapy(host: ReaperHost, write_script: WriteScript) -> None:
    host.project.time_selection = (1.5, 4.0)
    host.run_script(
        write_script("import reapy\ns = reapy.Project().time_selection\nreapy.print(s.start, s.end, s.length)\n")
    )
    assert host.dialogs.console == "1.5 4.0 2.5\n"


def test_a_stale_pointer_crashes_once_reapy_is_imported(host: ReaperHost, write_script: WriteScript) -> None:
    text = (
        "from reaper_python import *\n"
        "track = RPR_GetTrack(0, 0)\n"
        "RPR_DeleteTrack(track)\n"
        "RPR_ShowConsoleMsg(str(RPR_GetMediaTrackInfo_Value(track, 'D_VOL')))\n"
    )
    host.run_script(write_script(text))
    assert host.dialogs.console == "0.0"
    with pytest.raises(ReaperCrash):
        host.run_script(write_script("import reapy\n" + text))


def test_no_handler_of_a_script_hides_a_crash(host: ReaperHost, write_script: WriteScript) -> None:
    text = (
        "import reapy\n"
        "from reaper_python import *\n"
        "track = RPR_GetTrack(0, 0)\n"
        "RPR_DeleteTrack(track)\n"
        "try:\n"
        "    RPR_GetMediaTrackInfo_Value(track, 'D_VOL')\n"
        "except BaseException:\n"
        "    pass\n"
    )
    with pytest.raises(ReaperCrash):
        host.run_script(write_script(text))


def test_validate_ptr2_through_reapy_wants_a_number(host: ReaperHost, write_script: WriteScript) -> None:
    text = (
        "import reapy\n"
        "from reapy import reascript_api as RPR\n"
        "track = RPR.GetTrack(0, 0)\n"
        "address = int(track.split(')')[1], 16)\n"
        "reapy.print(RPR.ValidatePtr2(0, address, 'MediaTrack*'), RPR.ValidatePtr2(0, address + 4, 'MediaTrack*'))\n"
        "RPR.ValidatePtr2(0, track, 'MediaTrack*')\n"
    )
    script = host.run_script(write_script(text))
    assert host.dialogs.console.startswith("1 0\n")
    assert script.error is not None
    assert "TypeError" in script.error or "ArgumentError" in script.error


def test_compiling_reapy_again_raises_no_warning_that_is_an_error_here(
    host: ReaperHost, write_script: WriteScript, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "cache"))
    script = host.run_script(write_script("import reapy\n"))
    assert script.error is None
    assert list((tmp_path / "cache").rglob("additional_api*.pyc")), "reapy was not compiled again"
