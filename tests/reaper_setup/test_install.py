"""Installing in a real REAPER folder and removing again: compared byte by byte."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from analysis_server.reaper_setup import find_reaper, install
from analysis_server.reaper_setup.config_files import library_set, read_lines
from analysis_server.reaper_setup.install import Prompter, install_actions, record_path, uninstall_actions
from analysis_server.reaper_setup.scripts import Application
from core.errors import FaderwiseError, InputError
from tests.expected_errors import raises_error
from tests.reaper_setup.conftest import KEYMAP, SETTINGS, User, tree, write_packages

pytestmark = pytest.mark.usefixtures("bundled")


def test_scripts_packages_and_the_location_of_the_application_are_installed(
    installed: Path, application: Application
) -> None:
    folder = installed / "Scripts" / "Faderwise"
    icons = {path.name for path in (installed / "Data" / "toolbar_icons").iterdir()}
    assert {"faderwise_auto_mix_buses.png", "faderwise_settings.png"} <= icons
    assert (installed / "MenuSets" / "Faderwise.ReaperMenu").read_text("utf-8").splitlines()[1:] == [
        "icon_0=faderwise_auto_mix_buses.png",
        "icon_1=faderwise_settings.png",
        "item_0=_FADERWISE_AUTO_MIX_BUSES Faderwise: Auto-mix buses",
        "item_1=_FADERWISE_SETTINGS Faderwise: Settings",
        "title=Faderwise",
    ]
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


def test_actions_are_registered_after_the_existing_lines(installed: Path) -> None:
    content = (installed / "reaper-kb.ini").read_bytes()
    assert content.startswith(KEYMAP + b"\n")
    added = content[len(KEYMAP) + 1 :].replace(b"\\", b"/").split(b"\n")
    assert added == [
        b'SCR 516 0 FADERWISE_AUTO_MIX_BUSES "Faderwise: Auto-mix buses" "Faderwise/faderwise_auto_mix_buses.py"',
        b'SCR 516 0 FADERWISE_SETTINGS "Faderwise: Settings" "Faderwise/faderwise_settings.py"',
    ]


def test_reaper_ini_names_an_existing_python_library(installed: Path) -> None:
    lines = read_lines(installed / "reaper.ini")
    library = library_set(lines)
    assert library is not None
    assert library.is_file()
    ours = (b"reascript=", b"pythonlib")
    kept = [line for line in lines.content.split(b"\r\n") if not line.startswith(ours)]
    assert b"\r\n".join(kept) == SETTINGS


def test_without_a_python_library_the_rest_is_installed_and_the_remedy_is_shown(
    resource: Path, application: Application, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "best_library", lambda processors: None)
    install_actions(application, user.prompter())
    assert install.NO_PYTHON in user.lines
    assert (resource / "reaper.ini").read_bytes() == SETTINGS
    assert b"FADERWISE_SETTINGS" in (resource / "reaper-kb.ini").read_bytes()


def test_a_second_installation_changes_nothing_and_asks_nothing(
    installed: Path, application: Application, user: User
) -> None:
    before = tree(installed)
    user.questions.clear()
    install_actions(application, user.prompter())
    assert tree(installed) == before
    assert user.questions == []
    assert user.lines[-1] == "The actions in REAPER are up to date."


def test_a_dry_run_shows_every_change_and_makes_none(resource: Path, application: Application, user: User) -> None:
    before, kept = tree(resource), tree(application.home)
    install_actions(application, user.prompter(), dry_run=True)
    assert user.questions == []
    for text in (
        "faderwise_auto_mix_buses.py",
        "faderwise_application.json",
        "reapy",
        "reascript=1",
        "pythonlibdll64=",
        "SCR 516 0",
        str(resource / "Scripts" / "Faderwise" / "installed.json"),
        str(resource / "reaper.before-faderwise-DATE.ini"),
        str(resource / "reaper-kb.before-faderwise-DATE.ini"),
    ):
        assert text in user.text
    assert (tree(resource), tree(application.home)) == (before, kept)


def test_a_question_follows_the_numbers_of_files_in_each_folder(
    bundled: Path, resource: Path, application: Application
) -> None:
    user = User()
    install_actions(application, Prompter(user.lines.append, lambda _: False, details=False))
    assert user.lines[0] == f"In {resource} (--dry-run lists each file and action):"
    assert "reaper-kb.ini: register 2 actions" in user.text and len(user.lines) < 18
    counted = {Path(place): int(number) for number, place in re.findall(r"write (\d+) files? in (.+)", user.text)}
    install_actions(application, User().prompter())
    for folder, number in counted.items():
        files = folder.rglob("*") if folder.name == "Faderwise" else folder.glob("faderwise*")
        written = [path for path in files if path.is_file() and path.name != "installed.json"]
        assert number == len(written) or folder.name == "MenuSets", folder


def test_a_dry_run_downloads_nothing(resource: Path, tmp_path: Path, user: User) -> None:
    home = tmp_path / "nowhere"
    install_actions(Application(home / "python", home), user.prompter(), dry_run=True)
    assert "Will download python-reapy 0.10.0 and typing-extensions" in user.text
    assert f"write {resource / 'Scripts' / 'Faderwise' / 'vendor'}{os.sep}" in user.text
    assert not home.exists()


def test_nothing_is_changed_if_the_user_declines(resource: Path, application: Application) -> None:
    before, user = tree(resource), User(answers=False)
    install_actions(application, user.prompter())
    assert tree(resource) == before
    assert user.lines[-1] == "REAPER was not changed."


def test_nothing_is_changed_while_reaper_is_running(
    resource: Path, application: Application, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_actions(application, user.prompter())
    before = tree(resource)
    monkeypatch.setattr(find_reaper, "running", lambda: ["reaper (process 7)"])
    with raises_error(facts=("process 7",)):
        install_actions(application, user.prompter())
    with raises_error(facts=("process 7",)):
        uninstall_actions(application.home, user.prompter())
    assert tree(resource) == before


def test_a_missing_reaper_is_reported_without_an_error(
    application: Application, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_reaper, "resource_folders", list)
    assert install_actions(application, user.prompter()) == []
    assert user.lines == [install.NO_REAPER]


def test_an_interrupted_installation_can_be_completed_or_removed(
    resource: Path, application: Application, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write = tree(resource), install.write_lines

    def full(*_: object) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr(install, "write_lines", full)
    with raises_error(facts=("disk is full",)):
        install_actions(application, user.prompter())
    uninstall_actions(application.home, user.prompter())
    assert tree(resource) == before
    assert "you changed" not in user.text
    write_packages(application.home)
    with raises_error(facts=("disk is full",)):
        install_actions(application, user.prompter())
    monkeypatch.setattr(install, "write_lines", write)
    install_actions(application, user.prompter())
    assert b"FADERWISE_SETTINGS" in (resource / "reaper-kb.ini").read_bytes()
    uninstall_actions(application.home, user.prompter())
    assert tree(resource) == before


def test_an_update_replaces_files_and_keeps_the_users_version_of_a_file(
    installed: Path, application: Application, user: User, bundled: Path
) -> None:
    folder = installed / "Scripts" / "Faderwise"
    (folder / "faderwise_auto_mix_buses.py").write_text("# my version\n", "utf-8")
    (bundled / "faderwise_bridge" / "new.py").write_text('"""New."""\n', "utf-8")
    (bundled / "faderwise_settings.py").unlink()
    install_actions(application, user.prompter())
    assert "your version is kept" in user.text
    assert (folder / "faderwise_bridge" / "new.py").is_file()
    assert not (folder / "faderwise_settings.py").exists()
    assert b"FADERWISE_SETTINGS" not in (installed / "reaper-kb.ini").read_bytes()
    (kept,) = folder.glob("faderwise_auto_mix_buses.*.py")
    assert kept.read_text("utf-8") == "# my version\n"
    assert len(list(installed.glob("reaper-kb.before-faderwise-*"))) == 1


def test_a_file_that_changes_during_the_question_is_not_overwritten(resource: Path, application: Application) -> None:
    class Slow(User):
        def _answer(self, question: str) -> bool:
            (resource / "reaper.ini").write_bytes(SETTINGS + b"new=1\r\n")
            return True

    with raises_error(path="reaper.ini"):
        install_actions(application, Slow().prompter())
    assert (resource / "reaper.ini").read_bytes() == SETTINGS + b"new=1\r\n"


def test_an_empty_reaper_ini_is_an_error_with_its_path(resource: Path, application: Application, user: User) -> None:
    (resource / "reaper.ini").write_bytes(b"")
    with raises_error(path="reaper.ini", facts=("[REAPER]",)):
        install_actions(application, user.prompter())
    assert user.questions == []


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything may be written by this user")
def test_a_folder_without_write_permission_is_an_error(resource: Path, application: Application, user: User) -> None:
    (resource / "Scripts").chmod(0o555)
    try:
        with pytest.raises(FaderwiseError) as caught:
            install_actions(application, user.prompter())
        assert caught.value.path is not None
    finally:
        (resource / "Scripts").chmod(0o755)


pytestmark = pytest.mark.usefixtures("bundled")


def test_removing_restores_the_same_bytes(resource: Path, application: Application, user: User) -> None:
    before = tree(resource)
    install_actions(application, user.prompter())
    assert tree(resource) != before
    assert uninstall_actions(application.home, user.prompter()) == [resource]
    assert tree(resource) == before
    assert not (application.home / "reaper").exists()
    assert uninstall_actions(application.home, user.prompter()) == []
    assert user.lines[-1] == "Faderwise is not installed in REAPER."


@pytest.mark.parametrize("keymap", [None, b"", b"KEY 1 65 40044 0\r\n"])
def test_removing_restores_the_bytes_of_an_almost_new_reaper(
    keymap: bytes | None, resource: Path, application: Application, user: User
) -> None:
    (resource / "reaper-kb.ini").unlink()
    (resource / "Scripts" / "Cockos").rmdir()
    (resource / "Scripts").rmdir()
    if keymap is not None:
        (resource / "reaper-kb.ini").write_bytes(keymap)
    before = tree(resource)
    install_actions(application, user.prompter())
    uninstall_actions(application.home, user.prompter())
    assert tree(resource) == before


def test_later_changes_of_reaper_and_the_user_are_kept(installed: Path, application: Application, user: User) -> None:
    folder = installed / "Scripts" / "Faderwise"
    (folder / "faderwise_settings.py").write_text("# mine now\n", "utf-8")
    (folder / "notes.txt").write_text("mine", "utf-8")
    (folder / "faderwise_bridge" / "__pycache__").mkdir()
    (folder / "faderwise_bridge" / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"compiled")
    keymap = installed / "reaper-kb.ini"
    keymap.write_bytes(b"KEY 9 66 _FADERWISE_SETTINGS 0\n" + keymap.read_bytes() + b'\nACT 0 0 "new" "Custom: n" 1\n')
    settings = installed / "reaper.ini"
    settings.write_bytes(settings.read_bytes().replace(b"csurf_cnt=0", b"csurf_cnt=1"))
    uninstall_actions(application.home, user.prompter())
    assert sorted(path.name for path in folder.iterdir()) == ["faderwise_settings.py", "notes.txt"]
    assert "faderwise_settings.py: you changed it" in user.text
    assert "1 keyboard shortcut" in user.text
    assert b"SCR 516 0 FADERWISE" not in keymap.read_bytes()
    assert keymap.read_bytes() == b"KEY 9 66 _FADERWISE_SETTINGS 0\n" + KEYMAP + b'\nACT 0 0 "new" "Custom: n" 1\n'
    assert settings.read_bytes() == SETTINGS.replace(b"csurf_cnt=0", b"csurf_cnt=1")
    backups = sorted(path.name for path in installed.glob("*.before-faderwise-*"))
    assert len(backups) == 2
    assert (installed / backups[1]).read_bytes() == SETTINGS
    assert all(f"keep {installed / backup}, the copy from before" in user.text for backup in backups)


def test_python_settings_that_the_user_changed_are_all_kept(
    installed: Path, application: Application, user: User
) -> None:
    settings = installed / "reaper.ini"
    mine = settings.read_bytes().replace(b"pythonlibpath64=", b"pythonlibpath64=/elsewhere")
    settings.write_bytes(mine)
    uninstall_actions(application.home, user.prompter())
    assert settings.read_bytes() == mine
    assert "you changed them" in user.text


def test_python_settings_that_existed_before_are_kept(resource: Path, application: Application, user: User) -> None:
    install_actions(application, user.prompter())
    lines = read_lines(resource / "reaper.ini").content
    uninstall_actions(application.home, user.prompter())
    (resource / "reaper.ini").write_bytes(lines)
    write_packages(application.home)
    install_actions(application, user.prompter())
    uninstall_actions(application.home, user.prompter())
    assert (resource / "reaper.ini").read_bytes() == lines


def test_what_was_agreed_to_before_is_not_listed_again(installed: Path, application: Application, user: User) -> None:
    user.lines.clear()
    assert uninstall_actions(application.home, install.Prompter(user.lines.append, None)) == [installed]
    assert user.lines == [f"Removed Faderwise from {installed}."]


def test_a_dry_run_of_removing_changes_nothing(installed: Path, application: Application, user: User) -> None:
    before = tree(installed)
    assert uninstall_actions(application.home, user.prompter(), dry_run=True) == [installed]
    assert "remove FADERWISE_SETTINGS" in user.text
    assert tree(installed) == before


def test_a_file_that_changes_during_the_question_about_removing_is_not_overwritten(
    installed: Path, application: Application
) -> None:
    mine = (installed / "reaper.ini").read_bytes() + b"new=1\r\n"

    class Slow(User):
        def _answer(self, question: str) -> bool:
            (installed / "reaper.ini").write_bytes(mine)
            return True

    with raises_error(path="reaper.ini"):
        uninstall_actions(application.home, Slow().prompter())
    assert (installed / "reaper.ini").read_bytes() == mine


def test_removing_can_be_repeated_after_a_file_could_not_be_removed(
    resource: Path, application: Application, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, unlink = tree(resource), Path.unlink
    install_actions(application, user.prompter())

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.name == "faderwise_settings.py":
            raise PermissionError(13, "in use", str(path))
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refused)
        with raises_error(path="faderwise_settings.py", facts=("in use",)):
            uninstall_actions(application.home, user.prompter())
    uninstall_actions(application.home, user.prompter())
    assert tree(resource) == before


def test_a_damaged_record_is_an_error_with_its_path(installed: Path, application: Application, user: User) -> None:
    record_path(installed).write_text("{", "utf-8")
    with raises_error(path="installed.json"):
        uninstall_actions(application.home, user.prompter())


def test_every_reaper_is_installed_to_and_removed_from(
    resource: Path, application: Application, user: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    portable = tmp_path / "portable"
    portable.mkdir()
    (portable / "reaper.ini").write_bytes(b"[REAPER]\n")
    before = tree(portable)
    monkeypatch.setattr(find_reaper, "resource_folders", lambda: [resource, portable])
    install_actions(application, user.prompter())
    assert (portable / "Scripts" / "Faderwise" / "faderwise_application.json").is_file()
    monkeypatch.setattr(find_reaper, "resource_folders", lambda: [resource])
    assert set(uninstall_actions(application.home, user.prompter())) == {resource, portable}
    assert tree(portable) == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("created", ["../../letter.txt"]),
        ("created", ["/etc/hosts"]),
        ("created", ["C:\\letter.txt"]),
        ("files", {"..\\letter.txt": "0" * 64}),
        ("backups", {"reaper.ini": "../letter.txt"}),
        ("created", ["mine.txt"]),
        ("files", {"other/script.lua": "0" * 64}),
        ("files", {"Data/toolbar_icons/mine.png": "0" * 64}),
        ("files", {"MenuSets/mine.ReaperMenu": "0" * 64}),
        ("backups", {"reaper.ini": "reaper.ini"}),
        ("backups", {"letter.txt": "letter.before-faderwise-20250101-000000.txt"}),
        ("commands", ["RS_anothers"]),
        ("settings", [[True, None, "eA=="]]),
        ("commands", [5]),
        ("layout", None),
    ],
)
def test_nothing_is_removed_for_a_record_with_foreign_names(
    installed: Path, application: Application, user: User, key: str, value: object
) -> None:
    path = record_path(installed)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), key: value}), "utf-8")
    before = tree(installed)
    with raises_error(path="installed.json"):
        uninstall_actions(application.home, user.prompter())
    assert tree(installed) == before
