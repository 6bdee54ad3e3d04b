"""Servers with separate data folders, and short songs cut from the bundled one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from analysis_server.server.client import Client
from analysis_server.server.security import read_connection

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "examples" / "caesium"
_SERVE = """
import json, sys
from pathlib import Path
from analysis_server.server.server import serve
from analysis_server.server.server import Settings
settings = json.loads(sys.argv[1])
settings["folder"] = Path(settings["folder"])
sys.exit(0 if serve(Settings(**settings), lambda connection: None, lambda: False) else 3)
"""


@dataclass
class Running:
    """A server in a separate process."""

    folder: Path
    child: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self.child.pid

    def client(self) -> Client:
        return Client(self.folder, starts=False, name="test")

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children()

    def memory_bytes(self) -> int:
        return int(psutil.Process(self.pid).memory_info().rss)

    def wait_until_ready(self, n_workers: int = 2) -> None:
        """Wait until the workers have started."""
        with self.client() as client:
            wait_for(lambda: client.state().workers == n_workers)


def environment(folder: Path) -> dict[str, str]:
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder.parent))  # killed processes leave files there
    return {**os.environ, **temporary, "FADERWISE_HOME": str(folder), "PYTHONPATH": str(ROOT)}


def started(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start Python with `folder` as FADERWISE_HOME; standard output and standard error are pipes."""
    command = [sys.executable, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(folder), cwd=ROOT, stdout=pipe, stderr=pipe, text=True)  # noqa: S603


def faderwise(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line."""
    run = "import sys; from analysis_server.cli import main; sys.exit(main())"
    return started(folder, "-c", run, *arguments)


@contextmanager
def running(folder: Path, **settings: float) -> Iterator[Running]:
    """Run a server of `folder` and end it, with its workers, afterwards."""
    chosen = {"folder": str(folder), "n_workers": 2, "idle_s": 300.0, **settings}
    command = [sys.executable, "-c", _SERVE, json.dumps(chosen)]
    child = subprocess.Popen(command, env=environment(folder))  # noqa: S603 - our own program
    try:
        server = Running(folder, child)
        wait_for(lambda: _is_up(server))
        yield server
    finally:
        child.kill() if child.poll() is None else None
        child.wait()


def _is_up(server: Running) -> bool:
    connection = read_connection(server.folder)
    return connection is not None and connection.pid == server.pid


def wait_for(condition: Callable[[], bool], within_s: float = 300.0) -> None:
    """Wait until `condition` is true; the limit only bounds a failing test."""
    give_up_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_s, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("FADERWISE_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server") / "home") as server:
        yield server


def _dataset(folder: Path, duration_s: float) -> Path:
    for title, start_s in (("one", 2.0), ("two", 9.0), ("three", 15.0)):
        _cut(folder / title, start_s, duration_s)
    return folder


@pytest.fixture(scope="session")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three excerpts of the bundled song, 3 s each: one, two, three."""
    return _dataset(tmp_path_factory.mktemp("songs"), 3.0)


@pytest.fixture(scope="session")
def short_songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `songs`, 1 s each."""
    return _dataset(tmp_path_factory.mktemp("short"), 1.0)


@pytest.fixture(scope="session")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes: the bundled song five times over."""
    folder = tmp_path_factory.mktemp("long") / "long"
    _cut(folder, 0.0, 24.0, times=5)
    return folder


def _cut(folder: Path, start_s: float, length_s: float, times: int = 1) -> None:
    folder.mkdir()
    for path in BUNDLED.glob("*.flac"):
        rate = soundfile.info(path).samplerate
        samples, _ = soundfile.read(path, int(length_s * rate), int(start_s * rate), dtype="int16")
        soundfile.write(folder / f"{path.stem}.wav", np.tile(samples, (times, 1)), rate)
