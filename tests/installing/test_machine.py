"""install.py on suitable and unsuitable machines, and its messages when a step fails."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import DiskFullError, FaderwiseError, InputError
from tests.expected_errors import raises_error
from tests.installing.script import SCRIPT, install, setup, venv_of
from tests.reaper_setup.conftest import write_packages


def test_what_runs_before_the_version_is_looked_at_can_be_read_by_python_3_8():
    folder = SCRIPT.parent
    setup = sorted((folder / "analysis_server" / "reaper_setup").glob("*.py"))
    for path in (SCRIPT, folder / "analysis_server" / "environment.py", *setup):
        assert ast.parse(path.read_text("utf-8"), feature_version=(3, 8)).body


def test_it_runs_with_nothing_installed(tmp_path):
    variables = {"FADERWISE_HOME": str(tmp_path / "data"), "HOME": str(tmp_path), "PATH": ""}
    base = setup.base_python()
    done = subprocess.run(  # noqa: S603 - a list
        [base, "-I", "-S", str(SCRIPT), "--dry-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=variables,
        check=True,
    )
    assert done.stdout.splitlines()[-1].startswith(str(tmp_path / "data" / "environment"))
    assert list(tmp_path.iterdir()) == []


_SET_UP_AND_REMOVE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from analysis_server.reaper_setup import find_reaper, install
from analysis_server.reaper_setup.scripts import Application
find_reaper.running = list
home, settings = Path(sys.argv[2]), Path(sys.argv[3])
before = settings.read_bytes()
install.install_actions(Application(Path(sys.executable), home), install.Prompter(print, None))
assert b"reascript=1" in settings.read_bytes()
install.uninstall_actions(home, install.Prompter(print, None))
assert settings.read_bytes() == before
"""


def test_reaper_is_set_up_and_restored_with_nothing_installed(tmp_path):
    home, resource = tmp_path / "data", tmp_path / "REAPER"
    write_packages(home)
    resource.mkdir()
    (resource / "reaper.ini").write_bytes(b"[REAPER]\nlastproject=song.rpp\n")
    subprocess.run(  # noqa: S603 - a list
        [setup.base_python(), "-I", "-S", "-c", _SET_UP_AND_REMOVE, SCRIPT.parent, home, resource / "reaper.ini"],
        env={"REAPER_RESOURCE_PATH": str(resource), "PATH": "", "HOME": str(tmp_path)},
        check=True,
    )


def test_too_old_python_is_reported_with_a_remedy(checkout, pip, monkeypatch):
    monkeypatch.setattr(install.sys, "version_info", (3, 8, 18, "final", 0))
    monkeypatch.setattr(setup.shutil, "which", lambda name: name if name == "python3.12" else None)
    name = Path(sys.executable).name
    with raises_error(path=name, facts=("3.10", "3.8.18"), remedy_facts=("python3.12 install.py",)):
        install.dispatch(["demo"])
    assert not (checkout / ".venv").exists()


def test_too_old_python_without_a_newer_one_names_where_to_get_it(checkout, monkeypatch):
    monkeypatch.setattr(install.sys, "version_info", (3, 9, 1, "final", 0))
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    with raises_error(path=Path(sys.executable).name, facts=("3.9.1",), remedy_facts=("python.org",)):
        install.dispatch([])


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_missing_module_names_the_package_to_install(module, checkout, pip, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else found(name))
    package = f"python3.{sys.version_info[1]}-venv"
    with raises_error(path=Path(sys.executable).name, facts=(module,), remedy_facts=(package,)):
        install.dispatch(["demo"])
    assert not (checkout / ".venv").exists()


def test_pip_commands(checkout, monkeypatch):
    commands = []
    monkeypatch.setattr(setup, "run_step", lambda doing, command, show=None: commands.append(command))
    environment = venv_of(checkout)
    environment.install_packages(("test",))
    setup.Environment(checkout / "copy", editable=False).install_packages(())
    assert commands[2][0] == environment.program()
    assert commands[2][3:5] == ["pip", "install"]
    assert commands[2][-2:] == ["--editable", ".[test]"]
    assert commands[5][-1] == "."
    assert "--editable" not in commands[5]


def test_variables_do_not_lead_children_astray(checkout, monkeypatch):
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "somewhere")
    monkeypatch.setenv("PIP_USER", "1")
    code = "from os import environ as e; print(sorted(n for n in e if e[n] == 'somewhere'), e['PIP_USER'])"
    done = setup.run([sys.executable, "-c", code], quiet=True)
    assert (done.returncode, done.stdout) == (0, "['PIP_INDEX_URL'] 0\n")


def test_a_step_passes_its_lines_on_and_the_number_of_packages_is_printed(checkout, capsys):
    code = "print('Collecting a'); print('Installing collected packages: a, b, c')"
    setup.run_step("Installing with pip", [sys.executable, "-c", code], setup.show_pip_step)
    assert capsys.readouterr().out == "Installing 3 packages ...\n"


@pytest.mark.parametrize(
    ("output", "kind", "remedy"),
    [
        (
            "WARNING: Retrying\nNewConnectionError('...')\nERROR: No matching distribution",
            FaderwiseError,
            "PIP_INDEX_URL",
        ),
        ("ERROR: Could not find a version (from versions: none)", FaderwiseError, "PIP_INDEX_URL"),
        ("OSError: [Errno 28] No space left on device", DiskFullError, "GB"),
        ("[Errno 13] Permission denied: '/x'", InputError, "folder"),
        ("[WinError 32] used by another process", InputError, "Faderwise"),
        ("OSError: sndfile library not found", InputError, "libsndfile1"),
        ("something else", FaderwiseError, "output"),
    ],
)
def test_failed_step_shows_its_last_lines_and_the_remedy(output, kind, remedy, checkout):
    words = [sys.executable, "-c", f"import sys; sys.exit({'first' + chr(10) * 2 + output!r})"]
    with raises_error(kind, facts=("pip", output.splitlines()[-1]), remedy_facts=(remedy,)) as caught:
        setup.run_step("Installing with pip", words, setup.show_pip_step)
    assert type(caught.value) is kind


def test_long_output_is_cut_to_its_last_lines():
    problem = setup.explained("It", "\n".join(f"line {number}" for number in range(100))).problem
    assert "line 99" in problem
    assert "line 50" not in problem


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything may be written by this user")
def test_folder_without_write_permission_is_reported(checkout, pip):
    checkout.chmod(0o555)
    try:
        assert install.main(["demo"]) == 2
    finally:
        checkout.chmod(0o755)


def test_operating_system_error_is_reported_in_one_line(checkout, pip, capsys):
    pip.error = PermissionError(13, "Permission denied", "/somewhere")
    assert install.main(["demo"]) == 2
    error = capsys.readouterr().err
    assert "/somewhere" in error
    assert error.count("\n") == 1
