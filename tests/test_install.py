"""install.py: real environments in throw-away checkouts; only the step that needs the network is replaced."""

import ast
import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import FaderwiseError, InputError

SCRIPT = Path(__file__).resolve().parents[1] / "install.py"
MODULES = ("core", "analysis_server", "numpy", "scipy", "soundfile")
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in for the command is a shell script")


def _load():
    spec = importlib.util.spec_from_file_location("faderwise_install_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


install = _load()
house = install.house


class Pip:
    """Stands in for the pip step: notes the extras asked for and lays stand-ins of the packages."""

    def __init__(self):
        self.calls = []
        self.error = None
        self.leaves_out = ()
        self.script = "#!/bin/sh\nexit 0\n"

    def install_packages(self, environment, extras):
        self.calls.append((environment.folder, extras))
        if self.error:
            raise self.error
        site = next(environment.folder.rglob("site-packages"))
        tools = [tool for extra in extras for tool in house.TOOLS[extra]]
        for name in {*MODULES, *tools}.difference(self.leaves_out):
            (site / f"{name}.py").write_text("", "utf-8")
        command = Path(environment.program("faderwise"))
        command.write_text(self.script, "utf-8")
        command.chmod(0o755)


class Reaper:
    """What REAPER's set-up was asked for."""

    def __init__(self):
        self.calls = []
        self.error = None

    def set_up(self, application, talk, *, dry_run):
        self.calls.append(("set up", application.python, application.home, dry_run))
        self._ask(talk)

    def take_back(self, home, talk, *, dry_run):
        self.calls.append(("take back", home, dry_run))
        self._ask(talk)

    def _ask(self, talk):
        if self.error:
            raise self.error
        if talk.ask("Make these changes?"):
            talk.say("REAPER is changed")


@pytest.fixture
def pip(monkeypatch):
    stand_in = Pip()

    def install_packages(environment, extras):
        stand_in.install_packages(environment, extras)

    monkeypatch.setattr(house.Environment, "install_packages", install_packages)
    return stand_in


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    root = tmp_path / "check out ü"
    (root / "core").mkdir(parents=True)
    (root / "core" / "__init__.py").write_text("", "utf-8")
    (root / "pyproject.toml").write_text("[project]\nname = 'faderwise'\n", "utf-8")
    monkeypatch.setattr(house, "ROOT", root)
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "my data"))
    return root


@pytest.fixture(autouse=True)
def reaper(monkeypatch):
    """Stands in for REAPER's set-up, which tests/reaper_setup looks at: notes what was asked of it, and may fail."""
    stand_in = Reaper()
    monkeypatch.setattr(install, "set_up", stand_in.set_up)
    monkeypatch.setattr(install, "take_back", stand_in.take_back)
    return stand_in


@pytest.fixture
def data(tmp_path, checkout):
    return tmp_path / "my data"


def _environment(checkout, *extras):
    return house.Environment(checkout / ".venv", editable=True, extras=extras)


def _user_program():
    return install.user_environment().program()


def _asides(folder):
    return [path for path in folder.iterdir() if "-broken-" in path.name]


# the machine


def test_what_runs_before_the_version_is_looked_at_can_be_read_by_python_3_8():
    folder = SCRIPT.parent
    setup = sorted((folder / "analysis_server" / "reaper_setup").glob("*.py"))
    for path in (SCRIPT, folder / "analysis_server" / "environment.py", *setup):
        assert ast.parse(path.read_text("utf-8"), feature_version=(3, 8)).body


def test_it_runs_with_nothing_installed(tmp_path):
    variables = {"FADERWISE_HOME": str(tmp_path / "data"), "HOME": str(tmp_path), "PATH": ""}
    base = house.base_python()
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


def test_too_old_python_is_told_with_the_remedy(checkout, pip, monkeypatch, capsys):
    monkeypatch.setattr(install.sys, "version_info", (3, 8, 18, "final", 0))
    monkeypatch.setattr(house.shutil, "which", lambda name: name if name == "python3.12" else None)
    assert install.main(["demo"]) == 2
    error = capsys.readouterr().err
    assert "Python 3.10 or newer is needed, found 3.8.18" in error
    assert "`python3.12 install.py`" in error
    assert error.count("\n") == 1
    assert not (checkout / ".venv").exists()


def test_too_old_python_without_a_newer_one_names_where_to_get_it(checkout, monkeypatch, capsys):
    monkeypatch.setattr(install.sys, "version_info", (3, 9, 1, "final", 0))
    monkeypatch.setattr(house.shutil, "which", lambda name: None)
    assert install.main([]) == 2
    assert "python.org" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["ensurepip", "venv"])
def test_missing_module_names_the_package_to_install(module, checkout, pip, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == module else found(name))
    assert install.main(["demo"]) == 2
    error = capsys.readouterr().err
    assert f"lacks {module};" in error
    assert f"sudo apt install python3.{sys.version_info[1]}-venv" in error
    assert error.count("\n") == 1
    assert not (checkout / ".venv").exists()


# making, keeping, changing


def test_made_once_then_kept(checkout, pip, capsys):
    environment = _environment(checkout)
    environment.ensure()
    assert pip.calls == [(checkout / ".venv", ())]
    assert "Making the environment" in capsys.readouterr().out
    before = sorted((path, path.stat().st_mtime_ns) for path in checkout.rglob("*"))
    environment.ensure()
    assert len(pip.calls) == 1
    assert capsys.readouterr().out == ""
    assert sorted((path, path.stat().st_mtime_ns) for path in checkout.rglob("*")) == before


def test_environment_is_a_real_one_of_its_own(checkout, pip):
    environment = _environment(checkout)
    environment.ensure()
    done = house.run([environment.program(), "-c", "import sys; print(sys.prefix, sys.base_prefix)"], quiet=True)
    assert done.stdout == f"{checkout / '.venv'} {sys.base_prefix}\n"


def test_changed_pyproject_is_installed_again_in_place(checkout, pip, capsys):
    _environment(checkout, "test").ensure()
    (checkout / ".venv" / "kept").touch()
    (checkout / "pyproject.toml").write_text("[project]\nname = 'other'\n", "utf-8")
    capsys.readouterr()
    _environment(checkout).ensure()
    assert [extras for _, extras in pip.calls] == [("test",), ("test",)]
    assert "pyproject.toml has changed" in capsys.readouterr().out
    assert (checkout / ".venv" / "kept").exists()
    assert _environment(checkout, "test").examine() == ([], "")


def test_test_after_demo_adds_the_extra_and_demo_after_test_adds_nothing(checkout, pip):
    _environment(checkout).ensure()
    assert _environment(checkout, "test").examine() == (["update"], "not yet there: test")
    _environment(checkout, "test").ensure()
    _environment(checkout).ensure()
    _environment(checkout, "test").ensure()
    assert [extras for _, extras in pip.calls] == [(), ("test",)]


def test_sources_do_not_matter_to_an_editable_installation_but_to_a_copy(checkout, pip, data):
    copy = house.Environment(data / "environment", editable=False)
    _environment(checkout).ensure()
    copy.ensure()
    (checkout / "core" / "new.py").write_text("", "utf-8")
    assert _environment(checkout).examine() == ([], "")
    assert copy.examine() == (["update"], "the checkout has changed")


def test_plain_failure_leaves_a_whole_environment_whole(checkout, pip):
    _environment(checkout).ensure()
    pip.error = house.Trouble("no network", 1)
    with pytest.raises(house.Trouble, match="no network"):
        _environment(checkout, "test").ensure()
    assert _environment(checkout).examine() == ([], "")
    assert _environment(checkout, "test").examine()[0] == ["update"]


# repairing


def _cut_off_python(environment):
    Path(environment.program()).unlink()
    Path(environment.program()).symlink_to("/no/such/python")


def _lose_package(environment):
    next(environment.folder.rglob("site-packages/numpy.py")).unlink()


def _lose_project(environment):
    next(environment.folder.rglob("site-packages/core.py")).unlink()


def _lose_command(environment):
    Path(environment.program("faderwise")).unlink()


def _lose_stamp(environment):
    (environment.folder / house.STAMP).unlink()


def _garble_stamp(environment):
    (environment.folder / house.STAMP).write_text('{"home"', "utf-8")


def _other_python(environment):
    stamp = environment.folder / house.STAMP
    version = f"Python 3.{sys.version_info[1]} "
    stamp.write_text(stamp.read_text("utf-8").replace(version, "Python 3.7 "), "utf-8")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(_cut_off_python, "its Python does not start", marks=posix),
        (_lose_package, "No module named 'numpy'"),
        (_lose_project, "no core"),
        (_lose_command, "its command faderwise is missing"),
        (_lose_stamp, "an earlier run did not finish"),
        (_garble_stamp, "an earlier run did not finish"),
        (_other_python, "it was made for Python 3.7 "),
    ],
)
def test_broken_environment_is_made_anew_and_told_why(damage, reason, checkout, pip, capsys):
    environment = _environment(checkout)
    environment.ensure()
    (environment.folder / "old").touch()
    damage(environment)
    capsys.readouterr()
    environment.ensure()
    told = capsys.readouterr().out.splitlines()[0]
    assert told.startswith("Removing")
    assert reason in told
    assert len(pip.calls) == 2
    assert not (environment.folder / "old").exists()
    assert environment.examine() == ([], "")
    assert _asides(checkout) == []


def test_lost_test_tool_matters_to_test_only(checkout, pip):
    _environment(checkout, "test").ensure()
    next(checkout.rglob("site-packages/mypy.py")).unlink()
    assert _environment(checkout).examine() == ([], "")
    assert _environment(checkout, "test").examine() == (
        ["remove", "make", "fill"],
        "it does not work (no mypy)",
    )


def test_moved_checkout_is_made_anew(checkout, pip, monkeypatch):
    _environment(checkout).ensure()
    moved = checkout.rename(checkout.with_name("elsewhere"))
    monkeypatch.setattr(house, "ROOT", moved)
    steps, reason = _environment(moved).examine()
    assert steps == ["remove", "make", "fill"]
    assert str(checkout) in reason


def test_interrupted_run_does_not_pass_as_whole(checkout, pip, capsys):
    pip.error = KeyboardInterrupt()
    assert install.main(["demo"]) == 130
    assert "safe" in capsys.readouterr().err
    pip.error = None
    assert _environment(checkout).examine() == (["remove", "make", "fill"], "an earlier run did not finish")
    _environment(checkout).ensure()
    assert _environment(checkout).examine() == ([], "")


def test_interrupted_addition_does_not_pass_as_whole(checkout, pip):
    _environment(checkout).ensure()
    pip.error = KeyboardInterrupt()
    assert install.main(["test"]) == 130
    assert _environment(checkout).examine()[1] == "an earlier run did not finish"


def test_installation_that_does_not_work_is_told_and_not_stamped(checkout, pip, capsys):
    pip.leaves_out = ("scipy",)
    assert install.main(["demo"]) == 1
    assert "No module named 'scipy'" in capsys.readouterr().err
    assert _environment(checkout).read_stamp() == {}


def test_foreign_environment_is_renamed_not_deleted(checkout, pip, capsys):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "precious.txt").write_text("mine", "utf-8")
    _environment(checkout).ensure()
    (aside,) = _asides(checkout)
    assert aside.name.startswith(".venv-broken-")
    assert (aside / "precious.txt").read_text("utf-8") == "mine"
    assert "it was not made by install.py" in capsys.readouterr().out
    assert _environment(checkout).examine() == ([], "")


@posix
def test_dangling_link_in_the_place_of_the_environment_is_renamed(checkout, pip):
    (checkout / ".venv").symlink_to("/no/such/folder")
    _environment(checkout).ensure()
    assert [path.is_symlink() for path in _asides(checkout)] == [True]
    assert _environment(checkout).examine() == ([], "")


def test_second_run_waits_for_the_first(checkout, monkeypatch, capsys):
    before = (checkout / "pyproject.toml").read_bytes()
    first = contextlib.ExitStack()
    first.enter_context(house.alone())
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            first.close()

    monkeypatch.setattr(house.time, "sleep", nap)
    with house.alone():
        assert len(naps) == 3
    assert capsys.readouterr().out.count("waiting for it to finish") == 1
    assert (checkout / "pyproject.toml").read_bytes() == before


# the steps and what they say


def test_pip_commands(checkout, monkeypatch):
    commands = []
    monkeypatch.setattr(house, "step", lambda doing, command: commands.append(command))
    environment = _environment(checkout)
    environment.install_packages(("test",))
    house.Environment(checkout / "copy", editable=False).install_packages(())
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
    done = house.run([sys.executable, "-c", code], quiet=True)
    assert (done.returncode, done.stdout) == (0, "['PIP_INDEX_URL'] 0\n")


@pytest.mark.parametrize(
    ("output", "code", "remedy"),
    [
        ("WARNING: Retrying\nNewConnectionError('...')\nERROR: No matching distribution", 1, "PIP_INDEX_URL"),
        ("ERROR: Could not find a version (from versions: none)", 1, "network"),
        ("OSError: [Errno 28] No space left on device", 1, "disk is full"),
        ("[Errno 13] Permission denied: '/x'", 2, "folder that is yours"),
        ("[WinError 32] used by another process", 2, "close Faderwise"),
        ("OSError: sndfile library not found", 2, "libsndfile1"),
        ("something else", 1, "Nothing half-made"),
    ],
)
def test_failed_step_shows_its_last_lines_and_the_remedy(output, code, remedy, checkout):
    words = [sys.executable, "-c", f"import sys; sys.exit({'first' + chr(10) * 2 + output!r})"]
    with pytest.raises(house.Trouble) as caught:
        house.step("Installing with pip", words)
    message, found = caught.value.args
    assert found == code
    assert remedy in message.splitlines()[-1]
    assert "run the same command again; that is safe" in message
    assert output.splitlines()[-1] in message


def test_long_output_is_cut_to_its_last_lines():
    message, _ = house.explain("It", "\n".join(f"line {number}" for number in range(100))).args
    assert "line 99" in message
    assert "line 50" not in message


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="everything may be written by this user")
def test_folder_without_write_permission_is_told(checkout, pip, capsys):
    checkout.chmod(0o555)
    try:
        assert install.main(["demo"]) == 2
    finally:
        checkout.chmod(0o755)
    assert "No permission to write" in capsys.readouterr().err


def test_operating_system_error_is_told_in_one_line(checkout, pip, capsys):
    pip.error = PermissionError(13, "Permission denied", "/somewhere")
    assert install.main(["demo"]) == 2
    error = capsys.readouterr().err
    assert "/somewhere" in error
    assert "No permission to write" in error
    assert error.count("\n") == 1


# the commands


@posix
def test_demo_passes_words_and_exit_code_on(checkout, pip, capfd):
    pip.script = '#!/bin/sh\nprintf "<%s>" "$@"\nexit 7\n'
    assert install.main(["demo", "--out", "a folder", "x", "--help"]) == 7
    assert "<demo><--out><a folder><x><--help>" in capfd.readouterr().out


@posix
def test_demo_killed_by_a_signal_is_a_failure(checkout, pip):
    pip.script = "#!/bin/sh\nkill -9 $$\n"
    assert install.main(["demo"]) == 137


@pytest.mark.parametrize("failing", [None, "ruff check .", "pytest"])
def test_test_runs_every_check_and_sums_up(failing, checkout, pip, monkeypatch, capsys):
    _environment(checkout, "test").ensure()
    ran, real = [], house.run

    def run(command, folder=None, quiet=False):
        if quiet:
            return real(command, folder, quiet)
        ran.append((" ".join(command[2:]), folder))
        failed = failing is not None and ran[-1][0].startswith(failing)
        return subprocess.CompletedProcess(command, 3 if failed else 0)

    monkeypatch.setattr(house, "run", run)
    assert install.main(["test", "-k", "some"]) == (0 if failing is None else 1)
    assert [name for name, _ in ran] == ["ruff check .", "ruff format --check .", "mypy", "pytest -k some"]
    assert {folder for _, folder in ran} == {checkout}
    summary = capsys.readouterr().out.split("Summary:")[1].splitlines()[1:]
    assert [line.split("  ")[1] for line in summary] == list(install.CHECKS)
    assert [line.split("  ")[1] for line in summary if "FAILED" in line] == ([failing] if failing else [])


def test_install_puts_it_into_the_users_folder(checkout, pip, data, capsys):
    assert install.main(["--yes"]) == 0
    assert pip.calls == [(data / "environment", ())]
    command = Path(capsys.readouterr().out.splitlines()[-1])
    assert command.is_file()
    assert command.is_relative_to(data / "environment")
    assert install.main(["install", "--yes"]) == 0
    assert len(pip.calls) == 1
    assert not (checkout / ".venv").exists()


def test_dry_run_tells_the_steps_and_does_nothing(checkout, pip, data, capsys):
    before = sorted(checkout.rglob("*"))
    assert install.main(["--dry-run", "--yes"]) == 0
    told = capsys.readouterr().out
    assert told.count("Would do: ") == 2
    assert str(data / "environment") in told
    assert pip.calls == []
    assert not data.exists()
    assert sorted(checkout.rglob("*")) == before


def test_uninstall_removes_only_the_environment(checkout, pip, data, capsys):
    install.main(["--yes"])
    (data / "models").mkdir()
    (data / "key").write_text("secret", "utf-8")
    capsys.readouterr()
    assert install.main(["uninstall", "--yes"]) == 0
    assert sorted(path.name for path in data.iterdir()) == ["key", "models"]
    assert "key, models" in capsys.readouterr().out
    assert install.main(["uninstall", "--yes"]) == 0
    assert "Nothing to remove" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_reaper_is_asked_about_unless_yes_is_said(command, pip, data, monkeypatch, capsys):
    answers = iter(["y", "n"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    install.main([command])
    assert "REAPER is changed" in capsys.readouterr().out
    install.main([command])
    assert "REAPER is changed" not in capsys.readouterr().out
    install.main([command, "--yes"])
    assert "REAPER is changed" in capsys.readouterr().out


def test_reaper_is_told_where_the_application_is(checkout, pip, data, reaper):
    python = Path(_user_program())
    assert install.main(["--yes"]) == 0
    assert install.main(["--dry-run", "--yes"]) == 0
    assert install.main(["uninstall", "--yes"]) == 0
    assert reaper.calls == [
        ("set up", python, data, False),
        ("set up", python, data, True),
        ("take back", data, False),
    ]


def test_reaper_is_left_alone_when_told_so(checkout, pip, data, reaper):
    assert install.main(["--no-reaper"]) == 0
    assert install.main(["uninstall", "--no-reaper", "--yes"]) == 0
    assert reaper.calls == []
    assert not (data / "environment").exists()


@posix
def test_demo_and_test_do_not_touch_reaper(checkout, pip, reaper, monkeypatch):
    assert install.main(["demo"]) == 0
    monkeypatch.setattr(install, "CHECKS", ())
    assert install.main(["test"]) == 0
    assert reaper.calls == []


@pytest.mark.usefixtures("pip", "data")
@pytest.mark.parametrize(("error", "code"), [(InputError("REAPER is running"), 2), (FaderwiseError("no network"), 1)])
def test_application_is_installed_where_reaper_cannot_be_set_up(error, code, reaper, capsys):
    reaper.error = error
    assert install.main(["--yes"]) == code
    told = capsys.readouterr()
    assert Path(told.out.splitlines()[-1]).is_file()
    assert str(error) in told.err
    assert "--no-reaper" in told.err
    assert told.err.count("\n") == 1


def test_nobody_to_ask_about_reaper_is_told_with_the_way_out(checkout, pip, data, monkeypatch, capsys):
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert install.main([]) == 2
    told = capsys.readouterr()
    assert "--yes" in told.err
    assert "--no-reaper" in told.err
    assert Path(told.out.splitlines()[-1]).is_file()


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 1), ("no", 1)])
def test_uninstall_asks(answer, code, pip, data, monkeypatch):
    install.main(["--yes"])
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert install.main(["uninstall"]) == code
    assert (data / "environment").exists() == bool(code)


def test_uninstall_without_anyone_to_ask_removes_nothing(checkout, pip, data, monkeypatch, capsys):
    install.main(["--yes"])
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert install.main(["uninstall"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert (data / "environment").exists()


def test_uninstall_leaves_a_foreign_folder_alone(checkout, data, capsys):
    (data / "environment").mkdir(parents=True)
    assert install.main(["uninstall", "--yes"]) == 0
    assert (data / "environment").is_dir()
    assert "Nothing to remove" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        ("linux", {}, ".local/share/faderwise/environment"),
        ("linux", {"XDG_DATA_HOME": "data"}, "data/faderwise/environment"),
        ("darwin", {}, "Library/Application Support/faderwise/environment"),
        ("win32", {"LOCALAPPDATA": "Local"}, "Local/faderwise/environment"),
        ("win32", {}, "AppData/Local/faderwise/environment"),
        ("linux", {"FADERWISE_HOME": "own"}, "own/environment"),
    ],
)
def test_place_of_the_users_installation(system, variables, expected, tmp_path, monkeypatch):
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA", "FADERWISE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setattr(install.sys, "platform", system)
    monkeypatch.setattr(house, "WINDOWS", system == "win32")
    monkeypatch.setattr(install.Path, "home", lambda: tmp_path)
    assert install.user_environment().folder == tmp_path / expected


@pytest.mark.parametrize(
    "words", [["bogus"], ["--bogus"], ["install", "--force"], ["uninstall", "--force"], ["install", "more"]]
)
def test_wrong_usage_is_one_line_and_exit_code_2(words, tmp_path):
    done = subprocess.run([sys.executable, str(SCRIPT), *words], cwd=tmp_path, capture_output=True, text=True)  # noqa: PLW1510, S603 - a list
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert repr(words[-1]) in done.stderr
    assert "--help" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["demo", "--help"], ["uninstall", "--help"]])
def test_help_teaches_and_does_nothing(words, checkout, pip, capsys):
    assert install.main(words) == 0
    told = capsys.readouterr().out
    for needed in (
        "usage:",
        "for example:",
        "exit codes:",
        *install.COMMANDS,
        *install.OPTIONS,
        "FADERWISE_HOME",
        "REAPER_RESOURCE_PATH",
    ):
        assert needed in told
    assert pip.calls == []
