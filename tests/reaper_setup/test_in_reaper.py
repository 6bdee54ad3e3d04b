"""Set up and then used: the simulated REAPER finds the actions in its own files and runs them from its own folder."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis_server.reaper_setup.commands import set_up, take_back
from analysis_server.reaper_setup.keymap import actions_in
from analysis_server.reaper_setup.scripts import Application, bundled_scripts
from tests.reaper_host import ReaperHost
from tests.reaper_setup.conftest import Listener

PROJECT = Path(__file__).resolve().parents[1] / "projects" / "wincing.rpp"


@pytest.fixture
def home(tmp_path: Path, got_packages: Path) -> Path:
    return Path(shutil.copytree(got_packages, tmp_path / "my data"))


@pytest.fixture
def host(resource: Path, home: Path, person: Listener, tmp_path: Path) -> Iterator[ReaperHost]:
    """REAPER, started after Faderwise was put into it."""
    set_up(Application(Path(sys.executable), home), person.talk())
    with ReaperHost(resource, Path(shutil.copy(PROJECT, tmp_path / "song.rpp"))) as host:
        yield host


def test_every_action_is_in_the_action_list_and_its_script_where_it_says(host: ReaperHost) -> None:
    listed = {action.title: action for action in host.actions.actions.values()}
    for action in actions_in(bundled_scripts()):
        assert listed[action.description].path.is_file()
        assert host.actions.number_of(f"_{action.command}") > 0


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in reapy, as it is compiled for the first time
def test_an_action_runs_from_reapers_folder_with_the_reapy_beside_it(host: ReaperHost, resource: Path) -> None:
    host.dialogs.expect_message("OK")
    script = host.run_action("Faderwise: Revert bus automation")
    host.run_to_end(timeout_s=30)
    assert script.error is None
    folder = resource / "Scripts" / "Faderwise"
    assert Path(sys.modules["faderwise_bridge"].__file__ or "").is_relative_to(folder)
    assert Path(sys.modules["reapy"].__file__ or "").is_relative_to(folder / "vendor")


def test_what_reaper_wrote_in_its_own_way_is_taken_back_too(
    host: ReaperHost, resource: Path, home: Path, person: Listener
) -> None:
    before = {action.title for action in host.actions.actions.values()}
    host.actions.write()
    assert b'"Faderwise' not in (resource / "reaper-kb.ini").read_bytes().replace(b'"Faderwise: ', b"")
    take_back(home, person.talk())
    after = {action.title for action in ReaperHost(resource).actions.actions.values()}
    assert before - after == {action.description for action in actions_in(bundled_scripts())}
