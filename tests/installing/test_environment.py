"""The environment: real ones in throw-away checkouts; only the step that needs the network is replaced."""

import contextlib
import sys
from pathlib import Path

import pytest

from core.errors import FaderwiseError
from tests.expected_errors import raises_error
from tests.installing.script import asides, install, posix, setup, venv_of


def test_made_once_then_kept(checkout, pip, capsys):
    environment = venv_of(checkout)
    environment.ensure()
    assert pip.calls == [(checkout / ".venv", ())]
    assert "Creating the environment" in capsys.readouterr().out
    before = sorted((path, path.stat().st_mtime_ns) for path in checkout.rglob("*"))
    environment.ensure()
    assert len(pip.calls) == 1
    assert capsys.readouterr().out == ""
    assert sorted((path, path.stat().st_mtime_ns) for path in checkout.rglob("*")) == before


def test_environment_is_a_separate_virtual_environment(checkout, pip):
    environment = venv_of(checkout)
    environment.ensure()
    done = setup.run([environment.program(), "-c", "import sys; print(sys.prefix, sys.base_prefix)"], quiet=True)
    assert done.stdout == f"{checkout / '.venv'} {sys.base_prefix}\n"


def test_changed_pyproject_is_installed_again_in_place(checkout, pip):
    venv_of(checkout, "test").ensure()
    (checkout / ".venv" / "kept").touch()
    (checkout / "pyproject.toml").write_text("[project]\nname = 'other'\n", "utf-8")
    venv_of(checkout).ensure()
    assert [extras for _, extras in pip.calls] == [("test",), ("test",)]
    assert (checkout / ".venv" / "kept").exists()
    assert venv_of(checkout, "test").examine() == ([], "")


def test_test_after_demo_adds_the_extra_and_demo_after_test_adds_nothing(checkout, pip):
    venv_of(checkout).ensure()
    assert venv_of(checkout, "test").examine()[0] == ["update"]
    venv_of(checkout, "test").ensure()
    venv_of(checkout).ensure()
    venv_of(checkout, "test").ensure()
    assert [extras for _, extras in pip.calls] == [(), ("test",)]


def test_sources_do_not_matter_to_an_editable_installation_but_to_a_copy(checkout, pip, data):
    copy = setup.Environment(data / "environment", editable=False)
    venv_of(checkout).ensure()
    copy.ensure()
    (checkout / "core" / "new.py").write_text("", "utf-8")
    assert venv_of(checkout).examine() == ([], "")
    assert copy.examine()[0] == ["update"]


def test_plain_failure_leaves_a_whole_environment_whole(checkout, pip):
    venv_of(checkout).ensure()
    pip.error = FaderwiseError("no network")
    with raises_error(FaderwiseError, facts=("no network",)):
        venv_of(checkout, "test").ensure()
    assert venv_of(checkout).examine() == ([], "")
    assert venv_of(checkout, "test").examine()[0] == ["update"]


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
    (environment.folder / setup.STAMP).unlink()


def _garble_stamp(environment):
    (environment.folder / setup.STAMP).write_text('{"home"', "utf-8")


def _other_python(environment):
    stamp = environment.folder / setup.STAMP
    version = f"Python 3.{sys.version_info[1]} "
    stamp.write_text(stamp.read_text("utf-8").replace(version, "Python 3.7 "), "utf-8")


@pytest.mark.parametrize(
    ("damage", "subject"),
    [
        pytest.param(_cut_off_python, "Python", marks=posix),
        (_lose_package, "numpy"),
        (_lose_project, "core"),
        (_lose_command, "faderwise"),
        (_lose_stamp, ""),
        (_garble_stamp, ""),
        (_other_python, "Python 3.7 "),
    ],
)
def test_broken_environment_is_recreated_with_a_reason(damage, subject, checkout, pip):
    environment = venv_of(checkout)
    environment.ensure()
    (environment.folder / "old").touch()
    damage(environment)
    steps, reason = environment.examine()
    assert steps == ["remove", "make", "fill"]
    assert subject in reason
    environment.ensure()
    assert len(pip.calls) == 2
    assert not (environment.folder / "old").exists()
    assert environment.examine() == ([], "")
    assert asides(checkout) == []


def test_lost_test_tool_matters_to_test_only(checkout, pip):
    venv_of(checkout, "test").ensure()
    next(checkout.rglob("site-packages/mypy.py")).unlink()
    assert venv_of(checkout).examine() == ([], "")
    steps, reason = venv_of(checkout, "test").examine()
    assert steps == ["remove", "make", "fill"]
    assert "mypy" in reason


def test_environment_of_a_moved_checkout_is_recreated(checkout, pip, monkeypatch):
    venv_of(checkout).ensure()
    moved = checkout.rename(checkout.with_name("elsewhere"))
    monkeypatch.setattr(setup, "ROOT", moved)
    steps, reason = venv_of(moved).examine()
    assert steps == ["remove", "make", "fill"]
    assert str(checkout) in reason


def test_interrupted_run_does_not_pass_as_whole(checkout, pip):
    pip.error = KeyboardInterrupt()
    assert install.main(["demo"]) == 130
    pip.error = None
    assert venv_of(checkout).examine()[0] == ["remove", "make", "fill"]
    venv_of(checkout).ensure()
    assert venv_of(checkout).examine() == ([], "")


def test_interrupted_addition_does_not_pass_as_whole(checkout, pip):
    venv_of(checkout).ensure()
    pip.error = KeyboardInterrupt()
    assert install.main(["test"]) == 130
    assert venv_of(checkout).examine()[0] == ["remove", "make", "fill"]


def test_failed_installation_is_reported_and_not_stamped(checkout, pip):
    pip.leaves_out = ("scipy",)
    with raises_error(FaderwiseError, facts=("scipy",), remedy_facts=("again",)):
        install.dispatch(["demo"])
    assert venv_of(checkout).read_stamp() == {}


def test_foreign_environment_is_renamed_not_deleted(checkout, pip):
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "precious.txt").write_text("mine", "utf-8")
    assert venv_of(checkout).examine()[0] == ["set aside", "make", "fill"]
    venv_of(checkout).ensure()
    (aside,) = asides(checkout)
    assert aside.name.startswith(".venv-broken-")
    assert (aside / "precious.txt").read_text("utf-8") == "mine"
    assert venv_of(checkout).examine() == ([], "")


@posix
def test_dangling_link_in_the_place_of_the_environment_is_renamed(checkout, pip):
    (checkout / ".venv").symlink_to("/no/such/folder")
    venv_of(checkout).ensure()
    assert [path.is_symlink() for path in asides(checkout)] == [True]
    assert venv_of(checkout).examine() == ([], "")


def test_second_run_waits_for_the_first(checkout, monkeypatch, capsys):
    before = (checkout / "pyproject.toml").read_bytes()
    first = contextlib.ExitStack()
    first.enter_context(setup.exclusive())
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            first.close()

    monkeypatch.setattr(setup.time, "sleep", nap)
    with setup.exclusive():
        assert len(naps) == 3
    assert capsys.readouterr().out.count("waiting for it to finish") == 1
    assert (checkout / "pyproject.toml").read_bytes() == before
