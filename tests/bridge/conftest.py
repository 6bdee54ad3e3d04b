"""A studio with a small session in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bridge.studio import Studio, small_session
from tests.reaper_host import ReaperHost

StudioFor = Callable[[Path], Studio]


@pytest.fixture
def studio_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StudioFor]:
    """Return a function that opens a project in a REAPER with Faderwise installed."""
    monkeypatch.setenv("BROWSER", "true")
    open_ones: list[tuple[ReaperHost, Studio]] = []

    def opened(path: Path) -> Studio:
        host = ReaperHost(tmp_path / "resource", path)
        host.__enter__()
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        studio = Studio(host, path, home)
        open_ones.append((host, studio))
        return studio

    yield opened
    for host, studio in open_ones:
        host.__exit__(None, None, None)
        studio.close()


@pytest.fixture
def studio(studio_for: StudioFor, tmp_path: Path) -> Studio:
    """The small session, open."""
    return studio_for(small_session(tmp_path / "session"))
