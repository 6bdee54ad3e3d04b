"""Commands and options of install.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import FaderwiseError, InputError
from tests.expected_errors import raises_error
from tests.installing.script import SCRIPT, install, posix, setup, user_program, venv_of


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
    venv_of(checkout, "test").ensure()
    ran, real = {}, setup.run

    def run(command, folder=None, quiet=False):
        if folder != checkout or command[1] != "-m" or command[2] not in ("ruff", "mypy", "pytest"):
            return real(command, folder, quiet)
        name = " ".join(command[2:])
        ran[name] = quiet
        failed = failing is not None and name.startswith(failing)
        return subprocess.CompletedProcess(command, 3 if failed else 0, f"output of {name}" if quiet else None)

    monkeypatch.setattr(setup, "run", run)
    assert install.main(["test", "-k", "some"]) == (0 if failing is None else 1)
    assert [name for name, quiet in ran.items() if quiet] == ["ruff check .", "ruff format --check .", "mypy"]
    (pytest_name,) = (name for name, quiet in ran.items() if not quiet)
    assert pytest_name.startswith("pytest --numprocesses=")
    assert pytest_name.endswith(" -k some")
    printed = capsys.readouterr().out
    assert all(f"output of {name}" in printed for name, quiet in ran.items() if quiet)
    summary = printed.split("Summary:")[1].splitlines()[1:]
    assert [line.split("  ")[1] for line in summary] == list(install.CHECKS)
    assert [line.split("  ")[1] for line in summary if "FAILED" in line] == ([failing] if failing else [])


def test_install_puts_it_into_the_users_folder(checkout, pip, data, capsys):
    assert install.main(["--yes"]) == 0
    assert pip.calls == [(data / "environment", ())]
    printed = capsys.readouterr().out
    assert printed.count(f"the environment in {data / 'environment'}") == 1
    command = Path(printed.splitlines()[-1])
    assert command.is_file()
    assert command.is_relative_to(data / "environment")
    assert install.main(["install", "--yes"]) == 0
    assert len(pip.calls) == 1
    assert not (checkout / ".venv").exists()


def test_dry_run_prints_the_steps_and_does_nothing(checkout, pip, data, capsys):
    before = sorted(checkout.rglob("*"))
    assert install.main(["--dry-run", "--yes"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("Will ") == 2
    assert str(data / "environment") in printed
    assert pip.calls == []
    assert not data.exists()
    assert sorted(checkout.rglob("*")) == before


@pytest.mark.parametrize("command", ["demo", "test"])
def test_a_dry_run_of_demo_and_test_prints_the_steps_and_does_nothing(command, checkout, pip, capsys):
    before = sorted(checkout.rglob("*"))
    assert install.main([command, "--dry-run", "-k", "x"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("Will ") == 3
    assert printed.endswith(" -k x.\n")
    assert (pip.calls, sorted(checkout.rglob("*"))) == ([], before)


def test_uninstall_removes_only_the_environment(checkout, pip, data, capsys):
    install.main(["--yes"])
    (data / "models").mkdir()
    (data / "key").write_text("secret", "utf-8")
    capsys.readouterr()
    assert install.main(["uninstall", "--yes"]) == 0
    assert sorted(path.name for path in data.iterdir()) == ["key", "models"]
    assert "key, models" in capsys.readouterr().out
    assert install.main(["uninstall", "--yes"]) == 0


@posix
def test_install_links_the_command_into_a_folder_on_path(pip, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert install.main(["--yes"]) == 0
    link = tmp_path / "bin" / "faderwise"
    assert link.resolve() == Path(user_program().replace("python", "faderwise")).resolve()
    assert "You can call it as: faderwise" in capsys.readouterr().out
    assert install.main(["uninstall", "--yes"]) == 0
    assert not link.is_symlink()


@posix
def test_install_prints_the_line_that_makes_the_command_callable(checkout, pip, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/usr/bin")
    assert install.main(["--yes"]) == 0
    assert f'export PATH="$PATH:{tmp_path / "my data" / "environment" / "bin"}"' in capsys.readouterr().out
    assert not (tmp_path / "bin").exists()


@posix
def test_no_link_is_announced_where_the_environment_is_on_path(pip, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", os.pathsep.join([str(data / "environment" / "bin"), str(tmp_path / "bin")]))
    assert install.main(["--yes"]) == 0
    assert "Will link" not in capsys.readouterr().out
    assert not (tmp_path / "bin").exists()


@posix
def test_demo_ends_with_the_line_that_makes_the_command_callable(checkout, pip, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "/usr/bin")
    assert install.main(["demo"]) == 0
    assert f'source "{checkout / ".venv" / "bin" / "activate"}"' in capsys.readouterr().out.splitlines()[-1]


@posix
def test_install_keeps_a_file_of_the_users_called_faderwise(checkout, pip, tmp_path, monkeypatch, capsys):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "faderwise").write_text("mine", "utf-8")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert install.main(["--yes"]) == 0
    assert "export PATH=" in capsys.readouterr().out
    assert (tmp_path / "bin" / "faderwise").read_text("utf-8") == "mine"


def test_purge_also_removes_models_keys_and_settings(checkout, pip, data, capsys):
    install.main(["--yes"])
    (data / "models").mkdir()
    (data / "key").write_text("secret", "utf-8")
    assert install.main(["uninstall", "--purge", "--no-reaper", "--dry-run"]) == 0
    assert (data / "key").exists()
    assert install.main(["uninstall", "--purge", "--yes"]) == 0
    assert not data.exists()


def test_uninstall_stops_the_server_before_it_removes_the_program(checkout, pip, data, tmp_path, capsys):
    calls = tmp_path / "calls"
    pip.script = f'#!/bin/sh\necho "$@" >> "{calls}"\n'
    install.main(["--yes"])
    (data / "server").mkdir()
    (data / "server" / "connection.json").write_text("{}", "utf-8")
    calls.unlink(missing_ok=True)
    assert install.main(["uninstall", "--dry-run"]) == 0
    assert not calls.exists()
    assert install.main(["uninstall", "--purge", "--yes"]) == 0
    assert calls.read_text("utf-8") == "serve --stop\n"
    assert "Will stop the analysis server" in capsys.readouterr().out
    assert not data.exists()


def test_what_is_purged_is_listed_a_path_per_line_with_the_number_of_models(checkout, pip, data, capsys):
    install.main(["--yes"])
    (data / "models").mkdir()
    for name in ("mine.json", "ours.json", "old.removed"):
        (data / "models" / name).write_text("{}", "utf-8")
    capsys.readouterr()
    assert install.main(["uninstall", "--purge", "--dry-run"]) == 0
    listed = [line.removeprefix("Will remove ") for line in capsys.readouterr().out.splitlines()]
    assert listed == [
        str(data / "environment"),
        f"{data / 'models'} (3 files: your models, earlier versions and removed ones)",
    ]
    assert (data / "models" / "mine.json").exists()


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_reaper_setup_asks_unless_yes_is_given(command, pip, data, monkeypatch, capsys):
    answers = iter(["y", "n"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    install.main([command])
    assert "REAPER is changed" in capsys.readouterr().out
    install.main([command])
    assert "REAPER is changed" not in capsys.readouterr().out
    install.main([command, "--yes"])
    assert "REAPER is changed" in capsys.readouterr().out


def test_reaper_setup_gets_the_path_of_the_application(checkout, pip, data, reaper):
    python = Path(user_program())
    assert install.main(["--yes"]) == 0
    assert install.main(["--dry-run", "--yes"]) == 0
    assert install.main(["uninstall", "--yes"]) == 0
    assert reaper.calls == [
        ("set up", python, data, False),
        ("set up", python, data, True),
        ("take back", data, True),
        ("take back", data, False),
    ]


def test_reaper_is_not_set_up_with_no_reaper(checkout, pip, data, reaper):
    assert install.main(["--no-reaper", "--yes"]) == 0
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
    printed = capsys.readouterr()
    assert Path(printed.out.splitlines()[-1]).is_file()
    assert str(error) in printed.err
    assert "--no-reaper" in printed.err
    assert printed.err.count("\n") == 1


@pytest.fixture
def closed_input(monkeypatch):
    with Path(os.devnull).open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


@pytest.mark.usefixtures("closed_input")
def test_install_without_an_answer_changes_nothing_and_names_the_option(pip, data, reaper, capsys):
    for words in ([], ["--no-reaper"]):
        assert install.main(words) == 2
    printed = capsys.readouterr()
    assert "--yes" in printed.err
    assert "--no-reaper" not in printed.err
    assert str(data / "environment") in printed.out
    assert (pip.calls, data.exists()) == ([], False)
    assert all(dry_run for *_, dry_run in reaper.calls)


def test_install_asks_once_and_stops_at_no(checkout, pip, data, reaper, monkeypatch):
    answers = iter(["n", "y"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    assert install.main([]) == 1
    assert not data.exists()
    assert install.main([]) == 0
    assert (data / "environment").is_dir()
    assert next(answers, None) is None


def test_install_without_reaper_succeeds(checkout, pip, data, reaper, capsys):
    reaper.folders = []
    assert install.main(["--yes"]) == 0
    printed = capsys.readouterr().out
    assert Path(printed.splitlines()[-1]).is_file()
    assert "REAPER is changed" not in printed


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("", 1), ("no", 1)])
def test_uninstall_asks(answer, code, pip, data, monkeypatch):
    install.main(["--yes"])
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert install.main(["uninstall"]) == code
    assert (data / "environment").exists() == bool(code)


@pytest.mark.usefixtures("pip", "closed_input")
def test_uninstall_without_anyone_to_ask_removes_nothing(data, reaper, capsys):
    install.main(["--yes"])
    assert install.main(["uninstall", "--purge"]) == 2
    error = capsys.readouterr().err
    assert "--yes" in error
    assert "--no-reaper" not in error
    assert (data / "environment").exists()
    assert [call for call in reaper.calls if call[0] == "take back"] == [("take back", data, True)]


def test_uninstall_does_not_touch_a_foreign_folder(checkout, data):
    (data / "environment").mkdir(parents=True)
    assert install.main(["uninstall", "--yes"]) == 0
    assert (data / "environment").is_dir()


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
    monkeypatch.setattr(setup, "WINDOWS", system == "win32")
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


@pytest.mark.parametrize(
    ("word", "nearest"), [("unistall", "uninstall"), ("tset", "test"), ("--no-reper", "--no-reaper"), ("xyzzy", None)]
)
def test_misspelled_word_is_answered_with_the_nearest(word, nearest):
    with raises_error(facts=(word,)) as caught:
        install.dispatch([word])
    known = [name for name in (*install.COMMANDS, *install.OPTIONS) if repr(name) in caught.value.remedy]
    assert known == ([nearest] if nearest else [])


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["demo", "--help"], ["uninstall", "--help"]])
def test_help_teaches_and_does_nothing(words, checkout, pip, capsys):
    assert install.main(words) == 0
    printed = capsys.readouterr().out
    for needed in (
        "usage:",
        "for example:",
        "exit codes:",
        *install.COMMANDS,
        *install.OPTIONS,
        "FADERWISE_HOME",
        "REAPER_RESOURCE_PATH",
    ):
        assert needed in printed
    assert pip.calls == []


def test_the_installer_needs_nothing_but_pythons_own_library():
    bare = [sys.executable, "-I", "-S", str(SCRIPT), "--help"]  # -S: no site-packages, as on a new machine
    printed = subprocess.run(bare, capture_output=True, text=True, check=False)  # noqa: S603 - a list
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "demo" in printed.stdout


@posix
def test_closed_output_is_not_an_error_message():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, str(SCRIPT), "--help"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)  # noqa: S603 - a list
    os.close(writing)
    assert done.stderr == b""
