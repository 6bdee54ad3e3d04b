"""A studio with a small session in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.reaper.studio import Studio, end_server, small_session
from tests.reaper_host import ReaperHost

StudioFor = Callable[[Path], Studio]


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the application keeps everything: one folder for all tests, so that its server is started once."""
    home = tmp_path_factory.mktemp("home")
    yield home
    end_server(home)


@pytest.fixture
def studio_for(tmp_path: Path, shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StudioFor]:
    """Return a function that opens a project in a REAPER with Faderwise installed, nothing left of other tests."""
    monkeypatch.setenv("BROWSER", "true")
    (shared_home / "reaper_check.json").unlink(missing_ok=True)
    for name in ("jobs", "runs", "models"):
        if (shared_home / name).is_file():
            (shared_home / name).unlink()
        shutil.rmtree(shared_home / name, ignore_errors=True)
    open_ones: list[ReaperHost] = []

    def opened(path: Path) -> Studio:
        host = ReaperHost(tmp_path / "resource", path)
        host.__enter__()
        open_ones.append(host)
        return Studio(host, path, shared_home)

    yield opened
    for host in open_ones:
        host.__exit__(None, None, None)


@pytest.fixture
def studio(studio_for: StudioFor, tmp_path: Path) -> Studio:
    """The small session, open."""
    return studio_for(small_session(tmp_path / "session"))
