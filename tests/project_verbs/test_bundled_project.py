"""The bundled session: `examples/caesium-session.RPP`, on the stems next to it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from core.rpp.project import read_project
from tests.project_verbs.reading import heard_gain
from tests.project_verbs.sessions import run
from tests.session_media import ROLES, STEMS

BUNDLED = STEMS.parent / "caesium-session.RPP"
FADERS_DB = {"drums": 3.4, "bass": 3.3, "melody": 3.3, "vocals": 1.2}


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A copy of the bundled session and its stems; the current folder is another one."""
    return Path(shutil.copytree(STEMS.parent, tmp_path / "examples")) / BUNDLED.name


def test_its_items_are_the_whole_stems() -> None:
    project = read_project(BUNDLED)
    assert project.sample_rate == 44_100
    for track in project.tracks:
        (item,) = track.items
        assert (item.position_s, item.length_s) == (0.0, 24.0)
    files = [item.takes[0].source.file for track in project.tracks for item in track.items if item.takes[0].source]
    assert files == [f"caesium/{role}.flac" for role in ROLES]


def test_its_mix_is_that_of_the_folder_and_reverted_to_the_byte(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = session.read_bytes()
    code, mixed, errors = run(capsys, "mix", str(session))
    assert (code, errors) == (0, "faderwise: warning: track 4 'Lead Vox' had volume automation; it was replaced\n")
    _, of_folder, _ = run(capsys, "mix", str(STEMS), "--dry-run")
    assert mixed["median_gain_db"] == pytest.approx(of_folder["median_gain_db"], abs=0.01)
    copy = session.with_name("caesium-session-faderwise.RPP")
    for command in (["edit", str(copy), "--depth", "50"], ["audit", str(copy)], ["revert", str(copy)]):
        code, _, errors = run(capsys, *command)
        assert code == 0, errors
    assert session.read_bytes() == copy.read_bytes() == original


def test_its_faders_and_its_envelope_are_the_moves_of_its_mixdown(
    session: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, result, errors = run(capsys, "match", str(session), "--mixdown", str(STEMS / "mix.flac"))
    assert code == 0, errors
    assert "lowered" not in errors  # no curve exceeds the top of its envelope
    apart = [result["median_gain_db"][role] - FADERS_DB[role] for role in ROLES]  # type: ignore[index]
    assert apart == pytest.approx([float(np.mean(apart))] * 4, abs=0.3)
    vocals = read_project(session).tracks[3]
    time_s = np.arange(1.0, 23.0, 0.25)
    own_db, matched_db = (
        20 * np.log10(heard_gain(path.read_bytes(), vocals, time_s))
        for path in (session, session.with_name("caesium-session-faderwise.RPP"))
    )
    assert np.std(matched_db - own_db) < np.std(matched_db) / 2


def test_a_model_learns_its_balance(session: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, "learn", str(session), "--from", "faders", "--model", "mine")
    assert code == 0, errors
    assert json.loads((home / "models" / "mine.json").read_text())["songs"][0]["source"] == "faders"
    _, by_default, _ = run(capsys, "mix", str(STEMS), "--dry-run")
    _, by_mine, _ = run(capsys, "mix", str(STEMS), "--dry-run", "--model", "mine")
    distance = [
        np.std([result["median_gain_db"][role] - FADERS_DB[role] for role in ROLES])  # type: ignore[index]
        for result in (by_mine, by_default)
    ]
    assert distance[0] < distance[1] / 2


def test_what_the_commands_write_next_to_it_is_ignored_by_git() -> None:
    written = (
        "caesium-session-faderwise.RPP",
        "caesium-session-faderwise.20260129-013400.RPP",
        "caesium-session-faderwise-audit.html",
        "caesium-session-faderwise-audit.20260129-014744.html",
    )
    by_reaper = ("caesium/drums.flac.reapeaks", "caesium-session.RPP-bak")
    paths = [f"examples/{name}" for name in (*written, *by_reaper)]
    command = ["git", "check-ignore", *paths]
    ran = subprocess.run(command, cwd=STEMS.parents[1], capture_output=True, text=True, check=False)  # noqa: S603 - a list
    if ran.returncode > 1:
        pytest.skip("needs the repository: this checkout has none")
    assert ran.stdout.split() == paths
