"""Taking Faderwise out of REAPER: the same bytes as before, but for what the user and REAPER changed since."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from analysis_server.reaper_setup import find_reaper, record
from analysis_server.reaper_setup.commands import set_up, take_back
from analysis_server.reaper_setup.config_file import read_lines
from analysis_server.reaper_setup.scripts import Application
from core.errors import InputError
from tests.reaper_setup.conftest import KEYMAP, SETTINGS, Listener, lay_packages, tree

pytestmark = pytest.mark.usefixtures("scripts")


def test_taking_back_gives_the_same_bytes(resource: Path, application: Application, person: Listener) -> None:
    before = tree(resource)
    set_up(application, person.talk())
    assert tree(resource) != before
    assert take_back(application.home, person.talk()) == [resource]
    assert tree(resource) == before
    assert not (application.home / "reaper").exists()
    assert take_back(application.home, person.talk()) == []
    assert person.heard[-1] == "Nothing to take out of REAPER."


@pytest.mark.parametrize("keymap", [None, b"", b"KEY 1 65 40044 0\r\n"])
def test_taking_back_gives_the_same_bytes_in_an_almost_new_reaper(
    keymap: bytes | None, resource: Path, application: Application, person: Listener
) -> None:
    (resource / "reaper-kb.ini").unlink()
    (resource / "Scripts" / "Cockos").rmdir()
    (resource / "Scripts").rmdir()
    if keymap is not None:
        (resource / "reaper-kb.ini").write_bytes(keymap)
    before = tree(resource)
    set_up(application, person.talk())
    take_back(application.home, person.talk())
    assert tree(resource) == before


def test_what_reaper_and_the_user_changed_since_stays(
    installed: Path, application: Application, person: Listener
) -> None:
    folder = installed / "Scripts" / "Faderwise"
    (folder / "faderwise_settings.py").write_text("# mine now\n", "utf-8")
    (folder / "notes.txt").write_text("mine", "utf-8")
    (folder / "faderwise_bridge" / "__pycache__").mkdir()
    (folder / "faderwise_bridge" / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"compiled")
    keymap = installed / "reaper-kb.ini"
    keymap.write_bytes(b"KEY 9 66 _FADERWISE_SETTINGS 0\n" + keymap.read_bytes() + b'\nACT 0 0 "new" "Custom: n" 1\n')
    settings = installed / "reaper.ini"
    settings.write_bytes(settings.read_bytes().replace(b"csurf_cnt=0", b"csurf_cnt=1"))
    take_back(application.home, person.talk())
    assert sorted(path.name for path in folder.iterdir()) == ["faderwise_settings.py", "notes.txt"]
    assert "faderwise_settings.py: you changed it" in person.text
    assert "1 keyboard shortcut" in person.text
    assert b"SCR 516 0 FADERWISE" not in keymap.read_bytes()
    assert keymap.read_bytes() == b"KEY 9 66 _FADERWISE_SETTINGS 0\n" + KEYMAP + b'\nACT 0 0 "new" "Custom: n" 1\n'
    assert settings.read_bytes() == SETTINGS.replace(b"csurf_cnt=0", b"csurf_cnt=1")
    backups = sorted(path.name for path in installed.glob("*.before-faderwise-*"))
    assert len(backups) == 2
    assert (installed / backups[1]).read_bytes() == SETTINGS


def test_pythons_settings_the_user_changed_stay_all_three(
    installed: Path, application: Application, person: Listener
) -> None:
    settings = installed / "reaper.ini"
    mine = settings.read_bytes().replace(b"pythonlibpath64=", b"pythonlibpath64=/elsewhere")
    settings.write_bytes(mine)
    take_back(application.home, person.talk())
    assert settings.read_bytes() == mine
    assert "you changed them" in person.text


def test_a_python_the_user_set_stays(resource: Path, application: Application, person: Listener) -> None:
    set_up(application, person.talk())
    lines = read_lines(resource / "reaper.ini").content
    take_back(application.home, person.talk())
    (resource / "reaper.ini").write_bytes(lines)
    lay_packages(application.home)
    set_up(application, person.talk())
    take_back(application.home, person.talk())
    assert (resource / "reaper.ini").read_bytes() == lines


def test_taking_back_can_be_tried_too(installed: Path, application: Application, person: Listener) -> None:
    before = tree(installed)
    take_back(application.home, person.talk(), dry_run=True)
    assert "take out FADERWISE_SETTINGS" in person.text
    assert tree(installed) == before


def test_a_file_changed_while_taking_back_was_asked_about_is_not_overwritten(
    installed: Path, application: Application
) -> None:
    mine = (installed / "reaper.ini").read_bytes() + b"new=1\r\n"

    class Slow(Listener):
        def _answer(self, question: str) -> bool:
            (installed / "reaper.ini").write_bytes(mine)
            return True

    with pytest.raises(InputError, match="changed meanwhile"):
        take_back(application.home, Slow().talk())
    assert (installed / "reaper.ini").read_bytes() == mine


def test_a_file_that_cannot_be_removed_is_told_and_the_rest_can_be_taken_back_later(
    resource: Path, application: Application, person: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, unlink = tree(resource), Path.unlink
    set_up(application, person.talk())

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.name == "faderwise_settings.py":
            raise PermissionError(13, "in use", str(path))
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refused)
        with pytest.raises(InputError, match=r"faderwise_settings\.py: cannot be removed \(in use\)"):
            take_back(application.home, person.talk())
    take_back(application.home, person.talk())
    assert tree(resource) == before


def test_a_damaged_record_is_told_by_name(installed: Path, application: Application, person: Listener) -> None:
    record.record_path(installed).write_text("{", "utf-8")
    with pytest.raises(InputError, match=r"installed\.json: is no record"):
        take_back(application.home, person.talk())


def test_every_reaper_is_set_up_and_taken_back(
    resource: Path, application: Application, person: Listener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    portable = tmp_path / "portable"
    portable.mkdir()
    (portable / "reaper.ini").write_bytes(b"[REAPER]\n")
    before = tree(portable)
    monkeypatch.setattr(find_reaper, "resource_folders", lambda: [resource, portable])
    set_up(application, person.talk())
    assert (portable / "Scripts" / "Faderwise" / "faderwise_application.json").is_file()
    monkeypatch.setattr(find_reaper, "resource_folders", lambda: [resource])
    assert set(take_back(application.home, person.talk())) == {resource, portable}
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
        ("backups", {"reaper.ini": "reaper.ini"}),
        ("backups", {"letter.txt": "letter.before-faderwise-20250101-000000.txt"}),
        ("commands", ["RS_anothers"]),
        ("settings", [[True, None, "eA=="]]),
        ("commands", [5]),
        ("layout", None),
    ],
)
def test_a_record_that_names_what_it_cannot_have_added_takes_nothing_out(
    installed: Path, application: Application, person: Listener, key: str, value: object
) -> None:
    path = record.record_path(installed)
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), key: value}), "utf-8")
    before = tree(installed)
    with pytest.raises(InputError, match="is no record of what was added"):
        take_back(application.home, person.talk())
    assert tree(installed) == before
