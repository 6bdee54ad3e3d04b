"""Setting Faderwise up in REAPER: a real folder, before and after."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from analysis_server.reaper_setup import commands, find_reaper, install
from analysis_server.reaper_setup.commands import set_up, take_back
from analysis_server.reaper_setup.config_file import read_lines
from analysis_server.reaper_setup.scripts import Application
from analysis_server.reaper_setup.settings import library_set
from core.errors import FaderwiseError, InputError
from tests.reaper_setup.conftest import KEYMAP, SETTINGS, Listener, lay_packages, tree

pytestmark = pytest.mark.usefixtures("scripts")


def test_scripts_packages_and_the_application_are_put_beside_each_other(
    installed: Path, application: Application
) -> None:
    folder = installed / "Scripts" / "Faderwise"
    assert {name for name, kind in tree(folder).items() if kind != "folder"} == {
        "faderwise_application.json",
        "faderwise_auto_mix_buses.py",
        "faderwise_bridge/__init__.py",
        "faderwise_settings.py",
        "installed.json",
        "vendor/requirements.txt",
        "vendor/reapy/__init__.py",
        "vendor/typing_extensions.py",
    }
    described = json.loads((folder / "faderwise_application.json").read_text("utf-8"))
    assert described["python"] == str(application.python)
    assert described["home"] == str(application.home)


def test_actions_are_registered_below_what_was_there(installed: Path) -> None:
    content = (installed / "reaper-kb.ini").read_bytes()
    assert content.startswith(KEYMAP + b"\n")
    added = content[len(KEYMAP) + 1 :].replace(b"\\", b"/").split(b"\n")
    assert added == [
        b'SCR 516 0 FADERWISE_AUTO_MIX_BUSES "Faderwise: Auto-mix buses" "Faderwise/faderwise_auto_mix_buses.py"',
        b'SCR 516 0 FADERWISE_SETTINGS "Faderwise: Settings" "Faderwise/faderwise_settings.py"',
    ]


def test_reascript_gets_a_python_library_that_exists(installed: Path) -> None:
    lines = read_lines(installed / "reaper.ini")
    library = library_set(lines)
    assert library is not None
    assert library.is_file()
    ours = (b"reascript=", b"pythonlib")
    kept = [line for line in lines.content.split(b"\r\n") if not line.startswith(ours)]
    assert b"\r\n".join(kept) == SETTINGS


def test_without_any_python_library_the_rest_is_set_up_and_the_remedy_told(
    resource: Path, application: Application, person: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "best_library", lambda processors: None)
    set_up(application, person.talk())
    assert commands.NO_PYTHON in person.heard
    assert (resource / "reaper.ini").read_bytes() == SETTINGS
    assert b"FADERWISE_SETTINGS" in (resource / "reaper-kb.ini").read_bytes()


def test_a_second_run_changes_nothing_and_asks_nothing(
    installed: Path, application: Application, person: Listener
) -> None:
    before = tree(installed)
    person.questions.clear()
    set_up(application, person.talk())
    assert tree(installed) == before
    assert person.questions == []
    assert person.heard[-1] == "REAPER is set up already; nothing to change."


def test_a_dry_run_tells_every_change_and_makes_none(
    resource: Path, application: Application, person: Listener
) -> None:
    before, kept = tree(resource), tree(application.home)
    set_up(application, person.talk(), dry_run=True)
    assert person.questions == []
    for told in (
        "faderwise_auto_mix_buses.py",
        "faderwise_application.json",
        "reapy",
        "reascript=1",
        "pythonlibdll64=",
        "SCR 516 0",
    ):
        assert told in person.text
    assert (tree(resource), tree(application.home)) == (before, kept)


def test_a_dry_run_before_anything_is_installed_gets_nothing(resource: Path, tmp_path: Path, person: Listener) -> None:
    home = tmp_path / "nowhere"
    set_up(Application(home / "python", home), person.talk(), dry_run=True)
    assert "Would get python-reapy 0.10.0 and typing-extensions" in person.text
    assert not home.exists()


def test_who_says_no_keeps_reaper_as_it_is(resource: Path, application: Application) -> None:
    before, person = tree(resource), Listener(answers=False)
    set_up(application, person.talk())
    assert tree(resource) == before
    assert person.heard[-1] == "REAPER stays as it is."


def test_nothing_is_touched_while_reaper_runs(
    resource: Path, application: Application, person: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(application, person.talk())
    before = tree(resource)
    monkeypatch.setattr(find_reaper, "running", lambda: ["reaper (process 7)"])
    with pytest.raises(InputError, match=r"process 7.*close it"):
        set_up(application, person.talk())
    with pytest.raises(InputError, match=r"process 7.*close it"):
        take_back(application.home, person.talk())
    assert tree(resource) == before


def test_no_reaper_is_fine_and_told(
    application: Application, person: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_reaper, "resource_folders", list)
    assert set_up(application, person.talk()) == []
    assert person.heard == [commands.NO_REAPER]


def test_an_interrupted_run_is_finished_by_the_next_and_can_be_taken_back(
    resource: Path, application: Application, person: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write = tree(resource), install.write_lines

    def full(*_: object) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr(install, "write_lines", full)
    with pytest.raises(InputError, match="disk is full"):
        set_up(application, person.talk())
    take_back(application.home, person.talk())
    assert tree(resource) == before
    assert "you changed" not in person.text
    lay_packages(application.home)
    with pytest.raises(InputError, match="disk is full"):
        set_up(application, person.talk())
    monkeypatch.setattr(install, "write_lines", write)
    set_up(application, person.talk())
    assert b"FADERWISE_SETTINGS" in (resource / "reaper-kb.ini").read_bytes()
    take_back(application.home, person.talk())
    assert tree(resource) == before


def test_an_update_replaces_what_is_ours_and_sets_the_users_version_aside(
    installed: Path, application: Application, person: Listener, scripts: Path
) -> None:
    folder = installed / "Scripts" / "Faderwise"
    (folder / "faderwise_auto_mix_buses.py").write_text("# my version\n", "utf-8")
    (scripts / "faderwise_bridge" / "new.py").write_text('"""New."""\n', "utf-8")
    (scripts / "faderwise_settings.py").unlink()
    set_up(application, person.talk())
    assert "your version is set aside" in person.text
    assert (folder / "faderwise_bridge" / "new.py").is_file()
    assert not (folder / "faderwise_settings.py").exists()
    assert b"FADERWISE_SETTINGS" not in (installed / "reaper-kb.ini").read_bytes()
    (aside,) = folder.glob("faderwise_auto_mix_buses.*.py")
    assert aside.read_text("utf-8") == "# my version\n"
    assert len(list(installed.glob("reaper-kb.before-faderwise-*"))) == 1


def test_a_file_changed_while_the_question_stood_is_not_overwritten(resource: Path, application: Application) -> None:
    class Slow(Listener):
        def _answer(self, question: str) -> bool:
            (resource / "reaper.ini").write_bytes(SETTINGS + b"new=1\r\n")
            return True

    with pytest.raises(InputError, match="changed meanwhile"):
        set_up(application, Slow().talk())
    assert (resource / "reaper.ini").read_bytes() == SETTINGS + b"new=1\r\n"


def test_a_reaper_that_never_ran_is_told_by_name(resource: Path, application: Application, person: Listener) -> None:
    (resource / "reaper.ini").write_bytes(b"")
    with pytest.raises(InputError, match=r"reaper\.ini: there is no section .*start REAPER once"):
        set_up(application, person.talk())
    assert person.questions == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything may be written by this user")
def test_a_folder_that_cannot_be_written_to_is_told(resource: Path, application: Application, person: Listener) -> None:
    (resource / "Scripts").chmod(0o555)
    try:
        with pytest.raises(FaderwiseError, match="cannot be written"):
            set_up(application, person.talk())
    finally:
        (resource / "Scripts").chmod(0o755)
