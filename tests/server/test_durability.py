"""Killed at any instant, on a full disk or not: what was finished stays, and everything is readable."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from analysis_server import models
from analysis_server.server.connection import read_connection
from tests.server import killed_worker
from tests.server.conftest import Running, running, started
from tests.server.raw_client import RawClient, job_id

N_WORKER_KILLS, N_SERVER_KILLS = 188, 12
pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills processes as only POSIX systems can")


def _require_readable(out: Path) -> int:
    """Read every file that predictions left, and return how many there were."""
    readers = {
        "automation.json": lambda path: json.loads(path.read_text()),
        "mix.wav": soundfile.read,
        "curves.npz": lambda path: list(np.load(path)),
    }
    found = [path for path in out.glob("*") if path.name in readers]
    for path in found:
        assert readers[path.name](path)
    return len(found)


def test_workers_killed_at_random_instants_lose_nothing(home: Path, short_songs: Path) -> None:
    home.mkdir()
    killing = started(home, "-m", "tests.server.killed_worker", str(short_songs), str(home), str(N_WORKER_KILLS), "1")
    told, problems = killing.communicate()
    assert killing.returncode == 0, problems[-2000:]
    assert int(told) == N_WORKER_KILLS
    assert not (home / "problems").exists(), (home / "problems").read_text()
    known = killed_worker.loaded(home)
    assert {f"model-{number}" for number in range(5)} <= set(known)
    assert sum(_require_readable(home / f"out-{number}") for number in range(3)) > 0
    assert (home / "cache" / "entries").is_dir()


def test_servers_killed_at_random_instants_lose_nothing(home: Path, short_songs: Path) -> None:
    dice = random.Random(2)  # noqa: S311 - no secret
    finished: dict[str, list[str]] = {}
    for number in range(N_SERVER_KILLS):
        with running(home) as server:
            _work_and_kill(server, short_songs, dice.uniform(0.0, 1.0), finished, number)
        connection = read_connection(home)
        assert connection is None or connection.pid
        for name, titles in finished.items():
            assert set(titles) <= {song.title for song in models.find(name).songs}
        assert all(models.find(name) for name in models.names())
    assert finished
    with running(home) as server, RawClient(server.folder) as client:
        assert client.ask("hello", versions=[1], client="raw")["type"] == "welcome"
        assert not [path for path in (home / "server" / "spool").rglob("*") if path.is_file() and path.suffix == ".wav"]


def _work_and_kill(
    server: Running, short_songs: Path, after_s: float, finished: dict[str, list[str]], number: int
) -> None:
    server.wait_until_warm()
    workers, kill_at_s = server.workers(), time.monotonic() + after_s
    with RawClient(server.folder) as client:
        name = f"model-{number % 3}"
        for title in ("one", "two", "three"):
            client.tell(
                "learn", id=title, job=job_id(), folder=str(short_songs), request={"songs": [title], "model": name}
            )
            out = {"song": title, "out": str(server.folder / "out")}
            client.tell("predict", job=job_id(), folder=str(short_songs), request=out)
        while (left_s := kill_at_s - time.monotonic()) > 0.0:
            if client.socket.poll(int(1000 * left_s)):
                answer = client.hear()
                if answer["type"] == "result" and answer["id"] in ("one", "two", "three"):
                    finished.setdefault(name, []).append(answer["id"])
        server.child.kill()
        server.child.wait()
    psutil.wait_procs(workers, timeout=5)


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_AS"), reason="limits another process's files, which only Linux can")
@pytest.mark.parametrize("kind", ["predict", "match"])
def test_a_full_disk_is_told_and_leaves_nothing(songs: Path, tmp_path: Path, kind: str) -> None:
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as client:
        server.wait_until_warm(1)
        (worker,) = server.workers()
        worker.rlimit(psutil.RLIMIT_FSIZE, (100_000, 100_000))
        request = {"song": str(songs / "one"), "out": str(tmp_path / "out")}
        end, _ = client.end_of(client.tell(kind, job=job_id(), folder="/", request=request))
        assert end["code"] == "disk_full", end
        assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_AS"), reason="limits another process's files, which only Linux can")
def test_a_model_that_does_not_fit_leaves_the_one_that_was(songs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as client:
        first = {"songs": ["one"], "model": "mine"}
        client.end_of(client.tell("learn", job=job_id(), folder=str(songs), request=first))
        model = tmp_path / "home" / "models" / "mine.json"
        before = model.read_bytes()
        (worker,) = server.workers()
        worker.rlimit(psutil.RLIMIT_FSIZE, (1000, psutil.RLIM_INFINITY))
        second = {"songs": ["two"], "model": "mine"}
        end, _ = client.end_of(client.tell("learn", job=job_id(), folder=str(songs), request=second))
        assert end["code"] == "disk_full", end
        assert "space" in end["remedy"]
        assert [path.name for path in model.parent.iterdir()] == ["mine.json"]
        assert model.read_bytes() == before
