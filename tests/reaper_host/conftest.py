"""A host with a real project, and files for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reaper_host import ReaperHost
from tests.reaper_host.sessions import write_tone

PROJECTS = Path(__file__).resolve().parents[1] / "projects"


@pytest.fixture
def project_file(tmp_path: Path) -> Path:
    """A copy of a real project of eight tracks, one of them with a volume envelope."""
    return Path(shutil.copy(PROJECTS / "wincing.rpp", tmp_path / "wincing.rpp"))


@pytest.fixture
def host(tmp_path: Path, project_file: Path) -> Iterator[ReaperHost]:
    """REAPER with that project open."""
    with ReaperHost(tmp_path / "resource", project_file) as host:
        yield host


@pytest.fixture
def write_script(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a script file."""

    def write(text: str, name: str = "script.py") -> Path:
        path = tmp_path / "resource" / "Scripts" / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a session, with two seconds of a tone in it."""
    folder = tmp_path / "session"
    folder.mkdir()
    write_tone(folder)
    return folder


@pytest.fixture
def empty_host(tmp_path: Path) -> Iterator[ReaperHost]:
    """REAPER with a new project."""
    with ReaperHost(tmp_path / "resource") as host:
        yield host
