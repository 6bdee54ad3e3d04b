"""Scripts run as in REAPER: one interpreter, deferred texts, and windows that stop everything."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reaper_host import HostFault, ModalHang, NotSimulated, ReaperHost

WriteScript = Callable[..., Path]
PRELUDE = "from reaper_python import *\nimport sys\n"


def lines(host: ReaperHost) -> list[str]:
    return host.dialogs.console.splitlines()


def test_a_script_finds_what_reaper_gives_it_and_no_more(host: ReaperHost, write_script: WriteScript) -> None:
    script = host.run_script(
        write_script(
            PRELUDE
            + "def say(x): RPR_ShowConsoleMsg(str(x) + '\\n')\n"
            + "say(__name__)\nsay(hasattr(sys.modules['__main__'], 'obj'))\nsay(sys.path[0])\n"
            + "say('__file__' in globals())\nsay('RPR_get_action_context' in globals())\nsay(sys.executable)\n"
        )
    )
    assert script.error is None
    assert lines(host) == ["__main__", "True", str(host.resource_path / "Scripts"), "False", "False", "REAPER"]
    assert sys.executable != "REAPER"


def test_printing_goes_nowhere(host: ReaperHost, write_script: WriteScript, capsys: pytest.CaptureFixture[str]) -> None:
    assert host.run_script(write_script("print('unseen')\n")).error is None
    assert capsys.readouterr().out == ""
    script = host.run_script(write_script("import sys\nsys.stdout.write('no such thing')\n"))
    assert script.error is not None
    assert "NoneType" in script.error


def test_deferred_text_runs_in_the_next_cycle_in_the_scripts_own_names(
    host: ReaperHost, write_script: WriteScript
) -> None:
    script = host.run_script(
        write_script(
            PRELUDE
            + "count = 0\n"
            + "def again():\n"
            + "    global count\n"
            + "    count += 1\n"
            + "    RPR_ShowConsoleMsg(f'{count}\\n')\n"
            + "    if count < 3: RPR_defer('again()')\n"
            + "RPR_runloop('again()')\n"
            + "RPR_atexit('RPR_ShowConsoleMsg(\"bye\")')\n"
        )
    )
    assert lines(host) == []
    host.tick()
    assert lines(host) == ["1"]
    host.tick(2)
    assert lines(host) == ["1", "2", "3", "bye"]
    assert not script.is_running
    host.tick()
    assert lines(host) == ["1", "2", "3", "bye"]


@pytest.mark.parametrize("shares", [True, False])
def test_scripts_may_share_their_names(host: ReaperHost, write_script: WriteScript, shares: bool) -> None:
    host.switches.scripts_share_main = shares
    text = PRELUDE + "def say(): RPR_ShowConsoleMsg('{0}\\n')\nRPR_defer('say()')\n"
    host.run_script(write_script(text.format("one"), "one.py"))
    host.run_script(write_script(text.format("two"), "two.py"))
    host.tick()
    assert lines(host) == (["two", "two"] if shares else ["one", "two"])


def test_a_callable_cannot_be_deferred(host: ReaperHost, write_script: WriteScript) -> None:
    script = host.run_script(write_script("RPR_defer(print)\n"))
    assert script.error is not None
    assert "TypeError" in script.error


def test_an_uncaught_exception_ends_only_the_script(host: ReaperHost, write_script: WriteScript) -> None:
    broken = host.run_script(write_script("RPR_defer('1 / 0')\nRPR_defer('never()')\n", "broken.py"))
    sound = host.run_script(write_script(PRELUDE + "RPR_defer('RPR_ShowConsoleMsg(\"on\")')\n", "sound.py"))
    host.tick()
    assert broken.error is not None
    assert "ZeroDivisionError" in broken.error
    assert "never" not in broken.error
    assert not broken.is_running
    assert sound.error is None
    assert host.dialogs.console == "on"


def test_modules_stay_imported_from_one_run_to_the_next(host: ReaperHost, write_script: WriteScript) -> None:
    write_script(
        "from reaper_python import RPR_ShowConsoleMsg\nRPR_ShowConsoleMsg('imported\\n')\nruns = 0\n", "kept_one.py"
    )
    script = write_script(PRELUDE + "import kept_one\nkept_one.runs += 1\nRPR_ShowConsoleMsg(f'{kept_one.runs}\\n')\n")
    host.run_script(script)
    host.run_script(script)
    assert lines(host) == ["imported", "1", "2"]
    assert "kept_one" in sys.modules


def test_a_closed_host_leaves_no_module_behind(tmp_path: Path) -> None:
    path = list(sys.path)
    with ReaperHost(tmp_path / "resource") as host:
        scripts = host.resource_path / "Scripts"
        (scripts / "kept_two.py").write_text("", encoding="utf-8")
        (scripts / "script.py").write_text("import kept_two, reapy\n", encoding="utf-8")
        assert host.run_script(scripts / "script.py").error is None
        assert "reapy" in sys.modules
    assert not {"kept_two", "reapy", "reaper_python"} & set(sys.modules)
    assert sys.path == path


def test_an_unexpected_window_hangs_and_stops_what_was_deferred(host: ReaperHost, write_script: WriteScript) -> None:
    waiting = host.run_script(write_script("RPR_defer('never()')\n", "waiting.py"))
    with pytest.raises(ModalHang, match="Really"):
        host.run_script(
            write_script(
                PRELUDE + "try:\n    RPR_ShowMessageBox('Really?', 'Title', 4)\nexcept BaseException:\n    pass\n"
            )
        )
    assert not waiting.is_running
    host.tick()
    assert waiting.error is None


def test_an_expected_window_is_answered(host: ReaperHost, write_script: WriteScript) -> None:
    host.dialogs.expect_message("No", containing="Really")
    host.run_script(write_script(PRELUDE + "RPR_ShowConsoleMsg(str(RPR_ShowMessageBox('Really?', 'Title', 4)))\n"))
    assert host.dialogs.console == "7"
    assert [(shown.title, shown.text, shown.answer) for shown in host.dialogs.shown] == [("Title", "Really?", "No")]


def test_a_button_the_window_has_not_cannot_be_pressed(host: ReaperHost) -> None:
    host.dialogs.expect_message("Cancel")
    with pytest.raises(ModalHang, match="no button"):
        host.RPR.RPR_ShowMessageBox("text", "title", 0)


def test_inputs_are_filled_in_or_cancelled(host: ReaperHost) -> None:
    host.dialogs.expect_inputs(["1", "b"])
    captions = "Drums,*Bass,separator=;,extrawidth=200"
    answer = host.RPR.RPR_GetUserInputs("Buses", 2, captions, "x;y", 1024)
    assert answer == (1, "Buses", 2, captions, "1;b", 1024)
    assert host.dialogs.shown[0].defaults == ("x", "y")
    host.dialogs.expect_inputs(None)
    answer = host.RPR.RPR_GetUserInputs("Buses", 1, "Drums", "x", 1024)
    assert (answer[0], answer[4]) == (0, "x")
    host.dialogs.expect_inputs(lambda captions, defaults: [text.upper() for text in defaults])
    assert host.RPR.RPR_GetUserInputs("Buses", 2, "A,B", "x,y", 1024)[4] == "X,Y"
    assert host.complaints == []


def test_a_file_is_chosen_or_not(host: ReaperHost) -> None:
    host.dialogs.expect_file("/songs/mix.wav", containing="mixdown")
    assert host.RPR.RPR_GetUserFileNameForRead("", "Choose the mixdown", "wav")[:2] == (1, "/songs/mix.wav")
    host.dialogs.expect_file(None)
    assert host.RPR.RPR_GetUserFileNameForRead("first", "Choose", "wav")[:2] == (0, "first")


def test_brackets_in_the_defaults_are_complained_of(host: ReaperHost) -> None:
    host.dialogs.expect_inputs(["x"])
    host.RPR.RPR_GetUserInputs("Buses", 1, "Drums", "Drums (old)", 1024)
    assert "brackets" in host.complaints[0]


def test_opening_a_project_stops_deferred_scripts(
    host: ReaperHost, write_script: WriteScript, project_file: Path
) -> None:
    script = host.run_script(write_script("RPR_defer('never()')\n"))
    host.open(project_file)
    host.tick()
    assert not script.is_running
    assert script.error is None


def test_refreshes_that_are_not_given_back_are_complained_of(host: ReaperHost, write_script: WriteScript) -> None:
    host.run_script(write_script(PRELUDE + "RPR_PreventUIRefresh(1)\n"))
    assert "PreventUIRefresh" in host.complaints[0]


def test_ticks_record_the_scripts_share_of_their_time(host: ReaperHost, write_script: WriteScript) -> None:
    text = PRELUDE + "import time\nRPR_defer('time.sleep(0.05)')\nRPR_defer('RPR_ExecProcess(program, 0)')\n"
    host.run_script(write_script(text + f"program = '{sys.executable} -c \"import time; time.sleep(0.1)\"'\n"))
    host.tick()
    tick = host.ticks[-1]
    assert tick.wall_s >= 0.15
    assert 0.05 <= tick.script_s <= tick.wall_s - 0.1


def test_what_is_not_simulated_cannot_be_hidden(host: ReaperHost, write_script: WriteScript) -> None:
    with pytest.raises(NotSimulated):
        host.run_script(write_script(PRELUDE + "try:\n    RPR_TrackFX_GetCount('')\nexcept BaseException:\n    pass\n"))


def test_an_error_of_the_test_is_not_attributed_to_the_script(host: ReaperHost, write_script: WriteScript) -> None:
    host.dialogs.expect_inputs(["too", "many"])
    with pytest.raises(HostFault, match="fields"):
        host.run_script(write_script(PRELUDE + "RPR_GetUserInputs('Title', 1, 'A', '', 100)\n"))


def test_a_script_started_again_while_it_runs_asks(host: ReaperHost, write_script: WriteScript) -> None:
    script = write_script("RPR_defer('RPR_defer(\"1\")')\n")
    host.run_script(script)
    with pytest.raises(ModalHang, match="already running"):
        host.run_script(script)
