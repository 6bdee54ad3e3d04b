"""What version 0.1.0 wrote is read, audited, edited, reverted and learned from by this version."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.frozen.conftest import STORED
from tests.frozen.fixtures import check
from tests.frozen.material import SONG, write_session, write_short_song
from tests.frozen.program import result_of

PROJECT = STORED / "project"


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """The folder of a mix and an edit, without `mix.wav` and the report."""
    return Path(shutil.copytree(STORED / "folder", tmp_path / "Song-faderwise"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a mix, an edit and a point that was moved by hand afterwards."""
    path = write_session(tmp_path / "Session")
    assert path.read_bytes() == (PROJECT / "Song.RPP").read_bytes()
    return Path(shutil.copyfile(PROJECT / "Song edited by hand.RPP", path.with_name("Song-faderwise.RPP")))


@pytest.mark.parametrize("name", ["mine", "paper"])
def test_its_models_are_shown_and_mix_as_before(home: Path, name: str) -> None:
    check(f"0.1.0 model {name}", result_of("models", "show", name))
    check(f"0.1.0 mix with {name}", result_of("mix", SONG, "--model", name, "--dry-run"), home=home)


def test_a_song_is_added_to_its_model(home: Path, tmp_path: Path) -> None:
    shutil.copyfile(home / "models" / "mine.json", home / "models" / "grown.json")
    song = write_short_song(tmp_path / "Second", start_s=2.0)
    result = result_of("learn", song, "--model", "grown")
    assert len(result["songs"]) == 2
    check("0.1.0 model with another song", result, home=home)
    result_of("models", "remove", "grown")
    for kept in (home / "models").glob("grown.*"):
        kept.unlink()  # the model before the song was added; a list of models would show it


def test_its_run_folder_is_audited(run_folder: Path) -> None:
    check("0.1.0 folder audit", result_of("audit", run_folder, "--no-sound", "--curves"), folder=run_folder)


def test_its_run_folder_is_edited_and_reverted_to_the_byte(run_folder: Path) -> None:
    result = result_of("edit", run_folder, "--afresh", "--depth", "25")
    assert result["run"] == 3
    result_of("revert", run_folder)
    for path in (STORED / "folder before the edit").iterdir():
        assert (run_folder / path.name).read_bytes() == path.read_bytes(), path.name


def test_its_project_is_audited(project: Path) -> None:
    check("0.1.0 project audit", result_of("audit", project, "--no-sound", "--curves"), folder=project.parent)


@pytest.mark.parametrize(("to", "state"), [(1, "Song after run 1.RPP"), (0, "Song.RPP")])
def test_its_project_is_reverted_to_the_byte(project: Path, to: int, state: str) -> None:
    result_of("revert", project, "--to", to)
    assert project.read_bytes() == (PROJECT / state).read_bytes()


def test_the_long_record_of_a_match_is_audited_and_reverted(project: Path) -> None:
    shutil.copyfile(PROJECT / "Song matched.RPP", project)
    check("0.1.0 matched project audit", result_of("audit", project, "--no-sound", "--curves"), folder=project.parent)
    result_of("revert", project)
    assert project.read_bytes() == (PROJECT / "Song.RPP").read_bytes()


def test_its_project_is_edited_and_the_moved_point_is_kept(project: Path) -> None:
    check("0.1.0 project edit", result_of("edit", project, "--depth", "100"), folder=project.parent)
    assert b" 0.12345 0\n" in project.read_bytes()
    result_of("revert", project, "--to", "2")
    assert project.read_bytes() == (PROJECT / "Song edited by hand.RPP").read_bytes()


def test_its_project_is_mixed_again(project: Path) -> None:
    result_of("mix", project, "--model", "mine")
    assert result_of("audit", project, "--no-sound")["runs"][-1]["number"] == 3
    result_of("revert", project)
    assert project.read_bytes() == (PROJECT / "Song.RPP").read_bytes()


def test_its_project_is_learned_from_by_edits(project: Path, home: Path) -> None:
    result = result_of("learn", project, "--from", "edits", "--model", "from edits")
    check("0.1.0 learn from edits", result, home=home)
    result_of("models", "remove", "from edits")
