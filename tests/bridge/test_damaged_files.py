"""Files that the bridge and the application leave for each other, damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from analysis_server.bridge.job_file import read_job
from analysis_server.examining.reaper import examine_place
from core.errors import InputError
from core.rpp.buses import find_buses
from core.rpp.project import read_project
from tests.bridge.studio import ROOT, small_session

SOUND = {"action": "Auto-mix buses", "title": "Song", "phase": "do", "before": {}}


def inside(folder: Path, code: str) -> list[str]:
    """Run code with the bridge's modules that need no REAPER; return the lines it prints."""
    scripts = folder / "scripts"
    if not scripts.is_dir():
        shutil.copytree(ROOT / "reaper_scripts", scripts)
    head = f"import sys; sys.path.insert(0, {str(scripts)!r}); from pathlib import Path; from faderwise_bridge import "
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", head + code], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("content", [b'{"version": 1, "action": "\xff"}', b"[" * 100_000, b'{"version": 1}'])
def test_a_job_that_is_none_is_refused_whatever_its_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "job.json").write_bytes(content)
    with pytest.raises(InputError, match="is no job of this version"):
        read_job(tmp_path)


def test_of_the_jobs_that_were_left_the_damaged_ones_are_removed(tmp_path: Path) -> None:
    damage = [{"phase": True}, {"phase": ["do"]}, {"phase": "../x"}, {"before": 0.5}, {"title": None}]
    left = [json.dumps({**SOUND, **changed}).encode() for changed in ({}, *damage)]
    for number, content in enumerate([*left, b"[" * 100_000, b"\xff"]):
        (tmp_path / "jobs" / str(number)).mkdir(parents=True)
        (tmp_path / "jobs" / str(number) / "job.json").write_bytes(content)
    told = inside(tmp_path, f"job; print(*(one.folder.name for one in job.left_jobs(Path({str(tmp_path)!r}))))")
    assert told == ["0"]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["0"]


@pytest.mark.parametrize(
    "place",
    ['{"python": "' + "a" * 5000 + '"}', '{"home": "a\\u0000"}', '{"home": "~nobody-of-that-name"}', "[" * 100_000],
)
def test_a_place_that_is_none_says_how_to_install(tmp_path: Path, place: str) -> None:
    shutil.copytree(ROOT / "reaper_scripts", tmp_path / "scripts")
    file = tmp_path / "scripts" / "faderwise_application.json"
    file.write_text(place, encoding="utf-8")
    code = "application, trouble\ntry:\n    application.find()\nexcept trouble.Trouble as told:\n    print(told)"
    environment = "import os; os.environ['FADERWISE_HOME'] = '/none'\n"
    (line,) = inside(tmp_path, code.replace("\n", f"\n{environment}", 1))
    assert "not installed" in line
    assert "install.py" in line
    assert examine_place(file).remedy


def test_a_bus_without_a_track_is_refused(tmp_path: Path) -> None:
    project = read_project(small_session(tmp_path / "session"))
    with pytest.raises(InputError, match="no track was chosen for the bass"):
        find_buses(project, {"drums": ["1"], "bass": []})
