"""`faderwise doctor`: what it finds in a whole installation, and in one with each thing broken."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from analysis_server import doctor
from analysis_server.cli import main
from analysis_server.doctor import Finding, examine_application, examine_reaper
from analysis_server.paths import private_folder
from analysis_server.reaper_setup import find_reaper
from analysis_server.reaper_setup.install import install_actions
from analysis_server.reaper_setup.scripts import Application
from analysis_server.server.security import client_keys, write_private
from tests.reaper_setup.conftest import User, tree

Damage = Callable[[Path], None]


@pytest.fixture
def home(tmp_path: Path, downloaded: Path) -> Path:
    return Path(shutil.copytree(downloaded, tmp_path / "my data"))


@pytest.fixture
def installed(resource: Path, home: Path, user: User) -> Path:
    """A REAPER with the real scripts and the real packages."""
    install_actions(Application(Path(sys.executable), home), user.prompter())
    return resource


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


def test_all_is_right_after_setting_up_and_nothing_is_touched(installed: Path, home: Path) -> None:
    before = tree(installed)
    findings = by_subject(list(examine_reaper(home)))
    assert findings.pop("REAPER check").found == "not run yet"
    assert [(name, finding.state, finding.found) for name, finding in findings.items() if finding.state != "ok"] == []
    assert list(findings) == ["REAPER", "REAPER's Python", "scripts", "imports", "actions", "application"]
    assert "reapy 0.10.0 under Python 3." in findings["imports"].found
    assert tree(installed) == before


def _unset_python(installed: Path) -> None:
    settings = installed / "reaper.ini"
    lines = settings.read_bytes().split(b"\r\n")
    settings.write_bytes(b"\r\n".join(line for line in lines if not line.startswith(b"pythonlib")))


def _switch_python_off(installed: Path) -> None:
    settings = installed / "reaper.ini"
    settings.write_bytes(settings.read_bytes().replace(b"reascript=1", b"reascript=0"))


def _set_python(installed: Path, name: str, content: bytes | None) -> None:
    library = installed.parent / name
    if content is not None:
        library.write_bytes(content)
    _unset_python(installed)
    settings = installed / "reaper.ini"
    ours = f"reascript=1\r\npythonlibpath64={library.parent}\r\npythonlibdll64={library.name}".encode()
    settings.write_bytes(settings.read_bytes().replace(b"reascript=1", ours))


def _lose_python(installed: Path) -> None:
    _set_python(installed, "libpython3.11.so", None)


def _old_python(installed: Path) -> None:
    _set_python(installed, "libpython3.7.so", Path(sys.executable).resolve().read_bytes()[:4096])


def _other_processor(installed: Path) -> None:
    _set_python(installed, "libpython3.12.so", b"\x7fELF\x02\x01" + bytes(12) + b"\x28\x00" + bytes(44))


def _edit_script(installed: Path) -> None:
    (installed / "Scripts" / "Faderwise" / "faderwise_settings.py").write_text("# mine\n", "utf-8")


def _lose_script(installed: Path) -> None:
    (installed / "Scripts" / "Faderwise" / "faderwise_bridge" / "actions.py").unlink()


def _lose_reapy(installed: Path) -> None:
    shutil.rmtree(installed / "Scripts" / "Faderwise" / "vendor" / "reapy")


def _unregister(installed: Path) -> None:
    keymap = installed / "reaper-kb.ini"
    keymap.write_bytes(keymap.read_bytes().partition(b"SCR 516 0 FADERWISE_SETTINGS")[0])


def _move_application(installed: Path) -> None:
    file = installed / "Scripts" / "Faderwise" / "faderwise_application.json"
    file.write_text(json.dumps({"python": "/no/such/python"}), "utf-8")


def _lose_application(installed: Path) -> None:
    (installed / "Scripts" / "Faderwise" / "faderwise_application.json").unlink()


@pytest.mark.parametrize(
    ("damage", "subject", "found"),
    [
        (_unset_python, "REAPER's Python", "reaper.ini"),
        (_switch_python_off, "REAPER's Python", "switched off"),
        (_lose_python, "REAPER's Python", "libpython3.11.so"),
        (_old_python, "REAPER's Python", "is Python 3.7; 3.8 is the oldest"),
        (_other_processor, "REAPER's Python", "is made for arm, REAPER for"),
        (_edit_script, "scripts", "faderwise_settings.py"),
        (_lose_script, "scripts", "1 of them missing"),
        (_lose_script, "imports", "No module named 'faderwise_bridge.actions'"),
        (_lose_reapy, "imports", "No module named 'reapy'"),
        (_unregister, "actions", "Faderwise: Settings"),
        (_move_application, "application", "/no/such/python"),
        (_lose_application, "application", "does not contain the path of the application"),
    ],
)
def test_each_fault_is_found_and_fixed_by_its_remedy(
    damage: Damage, subject: str, found: str, installed: Path, home: Path
) -> None:
    damage(installed)
    finding = by_subject(list(examine_reaper(home)))[subject]
    assert finding.state == "failed"
    assert found in finding.found
    assert "faderwise reaper install" in finding.remedy
    install_actions(Application(Path(sys.executable), home), User().prompter())
    assert [left.found for left in examine_reaper(home) if left.state == "failed"] == []


def test_a_reaper_without_faderwise_is_reported(resource: Path, home: Path) -> None:
    wrong = {finding.subject for finding in examine_reaper(home) if finding.state == "failed"}
    assert wrong == {"REAPER's Python", "scripts", "actions", "application"}


def test_a_missing_reaper_is_a_note_and_not_a_fault(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_reaper, "resource_folders", list)
    (finding,) = examine_reaper(home)
    assert (finding.state, finding.found) == ("note", "none was found")


def test_a_damaged_record_and_a_wrong_folder_are_findings(
    installed: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (installed / "Scripts" / "Faderwise" / "installed.json").write_text("{", "utf-8")
    assert "installed.json" in by_subject(list(examine_reaper(home)))["REAPER's files"].found
    monkeypatch.setenv("REAPER_RESOURCE_PATH", str(home))
    assert "REAPER_RESOURCE_PATH" in by_subject(list(examine_reaper(home)))["REAPER"].remedy


@pytest.mark.parametrize("full", [False, True])
def test_application_is_checked(tmp_path: Path, full: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "my data"
    monkeypatch.setenv("MPLCONFIGDIR", "")  # so that what is set below is reset at the end
    monkeypatch.delenv("MPLCONFIGDIR")
    findings = by_subject(list(examine_application(home, full=full)))
    assert (home / "logs").exists() is full  # only the full check starts a server
    assert os.environ.get("MPLCONFIGDIR") == (str(home / "cache" / "matplotlib") if full else None)
    assert [(name, finding.found) for name, finding in findings.items() if finding.state == "failed"] == []
    assert list(findings) == ["environment", "command", "libraries", "versions", "folder", "runs", "keys", "server"]
    assert findings["server"].state == "ok"


def test_large_run_folders_are_reported_with_the_command_that_clears_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = tmp_path / "runs" / "Song 20260101-120000 mix" / "mix.wav"
    mix.parent.mkdir(parents=True)
    mix.write_bytes(bytes(3_000_000))
    finding = by_subject(list(islice(examine_application(tmp_path), 6)))["runs"]
    assert (finding.state, finding.found) == ("ok", f"1 run from REAPER, 3 MB in {tmp_path / 'runs'}")
    monkeypatch.setattr(doctor, "_MUCH_BYTES", 1_000_000)
    finding = by_subject(list(islice(examine_application(tmp_path), 6)))["runs"]
    assert finding.state == "note"
    assert "faderwise runs clear" in finding.remedy


def test_requirement_that_is_not_met_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = ["numpy>=999", "no-such-package>=1", 'other; extra == "test"', "msgspec>=0"]
    monkeypatch.setattr("importlib.metadata.requires", lambda _name: requirements)
    finding = by_subject(list(islice(examine_application(tmp_path), 4)))["versions"]
    assert finding.state == "failed"
    assert finding.found.startswith("numpy is ")
    assert finding.found.endswith("required is >=999; no-such-package>=1 is not installed")


def test_server_that_does_not_answer_is_noted(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "my data", "server")
    write_private(folder / "connection.json", b"damaged")
    finding = by_subject(list(examine_application(tmp_path / "my data")))["server"]
    assert finding.state == "note"
    assert "connection.json" in finding.found
    assert "--full" in finding.remedy


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_keys_that_others_can_read_are_reported_with_the_command_that_fixes_it(tmp_path: Path) -> None:
    client_keys(tmp_path)
    (tmp_path / "keys" / "client.json").chmod(0o644)
    finding = by_subject(list(islice(examine_application(tmp_path), 7)))["keys"]
    assert finding.state == "failed"
    assert finding.remedy == f"chmod go-rwx '{tmp_path / 'keys' / 'client.json'}'"


def test_what_cannot_even_be_looked_at_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> list[Path]:
        raise PermissionError(errno.EACCES, "Permission denied", "/home/me/.config/REAPER/reaper.ini")

    monkeypatch.setattr(find_reaper, "resource_folders", closed)
    monkeypatch.setattr(doctor, "examine_application", lambda _home, full: iter(()))
    (finding,) = doctor.run(tmp_path).findings
    assert finding.state == "failed"
    assert finding.found == "/home/me/.config/REAPER/reaper.ini: cannot be used (Permission denied)"
    assert "permissions" in finding.remedy


@pytest.mark.parametrize("said", ["", "{}", "[1]", "no json"])
def test_an_interpreter_with_unexpected_output_is_a_finding(
    installed: Path, home: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setattr("analysis_server.doctor.run_program", lambda _command: (True, said))
    finding = by_subject(list(examine_reaper(home)))["imports"]
    assert finding.state == "failed"
    assert "Python" in finding.found


def test_a_folder_that_cannot_be_written_to_is_a_finding(tmp_path: Path) -> None:
    place = tmp_path / "a file"
    place.write_text("", "utf-8")
    findings = by_subject(list(examine_application(place / "data", full=True)))
    assert findings["folder"].state == "failed"
    assert "FADERWISE_HOME" in findings["folder"].remedy
    assert findings["server"].state == "failed"


def test_the_command_ends_with_1_where_something_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(find_reaper, "resource_folders", list)
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path))
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "file" / "home"))
    (tmp_path / "file").touch()
    assert main(["doctor"]) == 1
    output = capsys.readouterr()
    assert output.err == "faderwise: to fix: folder\n"
    assert "!! folder" in output.out
    assert "writable, or set FADERWISE_HOME" in output.out
