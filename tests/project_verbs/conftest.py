"""A separate data folder for each test, and a small session."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.project_verbs.sessions import bus, template
from tests.session_media import ROLES, STEMS


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FADERWISE_HOME", str(folder))
    monkeypatch.chdir(tmp_path_factory.mktemp("current"))
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A session of the bundled stems: four tracks, faders at different places, relative media."""
    folder = tmp_path / "session"
    folder.mkdir()
    for role in ROLES:
        shutil.copyfile(STEMS / f"{role}.flac", folder / f"{role}.flac")
    volumes = (0.8, 1.2, 0.7, 0.9)
    path = folder / "Song.RPP"
    path.write_bytes(
        template(*(bus(f"{role.upper()} BUS", f"{role}.flac", v) for role, v in zip(ROLES, volumes, strict=True)))
    )
    return path
