"""`faderwise reaper` as a user types it, and the simulated REAPER running what was installed."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis_server.cli import main
from analysis_server.reaper_setup import find_reaper
from analysis_server.reaper_setup.install import install_actions, uninstall_actions
from analysis_server.reaper_setup.scripts import Application, actions_in, bundled_scripts
from tests.reaper.studio import end_server
from tests.reaper_host import ReaperHost
from tests.reaper_setup.conftest import User, tree


@pytest.fixture(autouse=True)
def home(tmp_path: Path, downloaded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(downloaded, tmp_path / "my data"))
    monkeypatch.setenv("FADERWISE_HOME", str(folder))
    return folder


def test_installing_and_removing_ask_first(
    resource: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(resource)
    monkeypatch.setattr(sys, "stdin", io.StringIO("no\nyes\ny\n"))
    assert main(["reaper", "install"]) == 0
    assert tree(resource) == before
    assert main(["reaper", "install"]) == 0
    output = capsys.readouterr()
    assert "Make these changes? [y/N]" in output.err
    described = json.loads((resource / "Scripts" / "Faderwise" / "faderwise_application.json").read_text("utf-8"))
    assert described["python"] == sys.executable
    assert main(["reaper", "uninstall"]) == 0
    assert tree(resource) == before


def test_without_an_answer_the_error_names_the_option_yes(
    resource: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(resource)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["reaper", "install"]) == 2
    assert capsys.readouterr().err.endswith("faderwise: no answer could be read; run it again with --yes\n")
    assert tree(resource) == before


def test_installing_without_reaper_fails_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(find_reaper, "resource_folders", list)
    assert main(["reaper", "install", "--yes", "--json"]) == 1
    assert "REAPER_RESOURCE_PATH" in json.loads(capsys.readouterr().out)["error"]["remedy"]


def test_json_output_is_one_object(resource: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reaper", "install", "--dry-run", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["folders"] == [str(resource)]
    assert any("SCR 516 0 FADERWISE_SETTINGS" in line for line in result["messages"])
    assert main(["reaper", "install", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["messages"][-2].startswith("The actions are installed.")


PROJECT = Path(__file__).resolve().parents[1] / "projects" / "wincing.rpp"


@pytest.fixture
def host(resource: Path, home: Path, user: User, tmp_path: Path) -> Iterator[ReaperHost]:
    """REAPER, started after Faderwise was installed in it."""
    install_actions(Application(Path(sys.executable), home), user.prompter())
    with ReaperHost(resource, Path(shutil.copy(PROJECT, tmp_path / "song.rpp"))) as host:
        yield host
    end_server(home)


def test_every_action_is_in_the_action_list_with_an_existing_script(host: ReaperHost) -> None:
    listed = {action.title: action for action in host.actions.actions.values()}
    for action in actions_in(bundled_scripts()):
        assert listed[action.description].path.is_file()
        assert host.actions.number_of(f"_{action.command}") > 0


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in reapy, as it is compiled for the first time
def test_an_action_runs_from_reapers_folder_with_the_installed_reapy(host: ReaperHost, resource: Path) -> None:
    host.dialogs.expect_message("OK")
    script = host.run_action("Faderwise: Revert bus automation")
    host.run_to_end(timeout_s=240.0)
    assert script.error is None
    folder = resource / "Scripts" / "Faderwise"
    assert Path(sys.modules["faderwise_bridge"].__file__ or "").is_relative_to(folder)
    assert Path(sys.modules["reapy"].__file__ or "").is_relative_to(folder / "vendor")


def test_lines_that_reaper_has_rewritten_are_removed_too(
    host: ReaperHost, resource: Path, home: Path, user: User
) -> None:
    before = {action.title for action in host.actions.actions.values()}
    host.actions.write()
    assert b'"Faderwise' not in (resource / "reaper-kb.ini").read_bytes().replace(b'"Faderwise: ', b"")
    uninstall_actions(home, user.prompter())
    after = {action.title for action in ReaperHost(resource).actions.actions.values()}
    assert before - after == {action.description for action in actions_in(bundled_scripts())}
