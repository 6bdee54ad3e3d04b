"""A data folder for the whole session, with stored models."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frozen.material import write_session, write_short_song

STORED = Path(__file__).parent / "version_0_1_0"


@pytest.fixture(scope="package", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The program's data folder, with the models `mine` and `paper` of version 0.1.0; the current folder is empty."""
    folder = tmp_path_factory.mktemp("home")
    shutil.copytree(STORED / "models", folder / "models")
    before, on_terminate = Path.cwd(), signal.getsignal(signal.SIGTERM)
    os.chdir(tmp_path_factory.mktemp("current"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FADERWISE_HOME", str(folder))
        yield folder
    os.chdir(before)
    signal.signal(signal.SIGTERM, on_terminate)


@pytest.fixture
def short_song(tmp_path: Path) -> Path:
    """Six seconds of the bundled song with a mixdown of known fader moves."""
    return write_short_song(tmp_path / "Short song")


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A project of that short song with one track per bus."""
    return write_session(tmp_path / "Session")
