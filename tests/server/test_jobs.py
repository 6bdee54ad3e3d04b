"""Jobs: cancelled, limited in number, ended once, found again; a failing job does not affect the server or others."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from analysis_server import models
from analysis_server.verbs.learn import LearnRequest
from analysis_server.verbs.mix import MixRequest
from analysis_server.verbs.tables import EstimateRequest, EstimateResult
from core.errors import Cancelled, ServerError
from tests.server.conftest import Running, running, wait_for
from tests.server.raw_client import RawClient, job_id


def _running_job(client: RawClient, verb: str, request: dict[str, Any]) -> tuple[str, str]:
    """Start a job, and return its id and its request's once it is running."""
    name = job_id()
    request_id = client.run(verb, request, job=name)
    while client.receive()["type"] != "progress":
        pass
    return name, request_id


def _files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("after_s", [0.0, 0.8, 2.4])
def test_a_cancelled_job_ends_once_and_leaves_no_files(
    server: Running, long_song: Path, tmp_path: Path, after_s: float
) -> None:
    with RawClient(server.folder) as client:
        name, request_id = _running_job(client, "mix", {"song": str(long_song), "out": str(tmp_path / "out")})
        time.sleep(after_s)
        cancel_id = client.send("cancel", job=name)
        end, _ = client.end_of(request_id)
        while client.socket.poll(300):  # the answer to the cancellation may follow the end of the job
            assert client.receive()["id"] == cancel_id, "a job has one end"
    if end["type"] == "error":
        assert end["code"] == "cancelled"
        assert not _files_in(tmp_path)


def test_a_full_queue_is_busy_and_waiting_jobs_can_be_cancelled(long_song: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", queued_jobs=2, n_workers=1) as server, RawClient(server.folder) as client:
        request = {"song": str(long_song), "dry_run": True}
        first, first_id = _running_job(client, "mix", request)
        waiting = [(job_id(), f"waits-{number}") for number in range(2)]
        for name, request_id in waiting:
            answer = client.ask("run", id=request_id, job=name, verb="mix", folder="/", request=request)
            assert answer["type"] == "job"
        assert client.ask("run", job=job_id(), verb="mix", folder="/", request=request)["code"] == "busy"
        state = client.ask("state")
        assert (state["running"], state["queued"]) == (1, 2)
        for name, request_id in waiting:
            client.send("cancel", job=name)
            assert client.end_of(request_id)[0]["code"] == "cancelled"
        client.send("cancel", job=first)
        assert client.end_of(first_id)[0]["code"] == "cancelled"


def test_a_job_continues_without_its_client_and_is_found_again(server: Running, songs: Path, tmp_path: Path) -> None:
    name, request = job_id(), {"song": "three", "out": str(tmp_path / "out")}
    with RawClient(server.folder) as client:
        client.ask("run", job=name, verb="match", folder=str(songs), request=request)
    with RawClient(server.folder) as client:
        end, _ = client.end_of(client.send("state", job=name))
        assert end["result"]["title"] == "three"
        assert client.receives_nothing(0.3)
    with RawClient(server.folder) as client:
        again, _ = client.end_of(client.send("state", job=name))
    assert again["result"] == end["result"]


def test_only_the_latest_connection_gets_the_end(server: Running, songs: Path, tmp_path: Path) -> None:
    name, request = job_id(), {"song": "two", "out": str(tmp_path / "out")}
    with RawClient(server.folder) as first, RawClient(server.folder) as second:
        first.ask("run", job=name, verb="match", folder=str(songs), request=request)
        end, _ = second.end_of(second.send("state", job=name))
        assert end["type"] == "result"
        while not first.receives_nothing(0.3):
            assert first.receive()["type"] == "progress"


def test_results_expire(songs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", result_age_s=0.5, n_workers=1) as server, RawClient(server.folder) as client:
        name, request = job_id(), {"song": "one", "out": str(tmp_path / "gains.csv")}
        end, _ = client.end_of(client.run("estimate", request, folder=songs, job=name))
        assert end["type"] == "result"
        wait_for(lambda: client.ask("state", job=name).get("code") == "unknown_job")


def test_a_killed_worker_ends_only_its_own_job(songs: Path, long_song: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as client:
        server.wait_until_ready(1)
        _, request_id = _running_job(client, "mix", {"song": str(long_song), "out": str(tmp_path / "out")})
        (worker,) = server.workers()
        worker.kill()
        end, _ = client.end_of(request_id)
        assert end["code"] == "crashed"
        assert client.receives_nothing(0.2)
        with server.client() as other:
            request = EstimateRequest(song=str(songs / "one"), out=str(tmp_path / "a.csv"))
            result = other.run("estimate", request, result_type=EstimateResult)
        assert result.title == "one"
        assert [new.pid for new in server.workers()] != [worker.pid]


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_AS"), reason="only Linux can limit another process's memory")
def test_a_worker_without_memory_ends_only_its_own_job(long_song: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as client:
        server.wait_until_ready(1)
        (worker,) = server.workers()
        limit = worker.memory_info().vms + 8 * 2**20
        worker.rlimit(psutil.RLIMIT_AS, (limit, limit))
        end, _ = client.end_of(client.run("mix", {"song": str(long_song), "dry_run": True}))
        assert end["code"] in ("out_of_memory", "crashed", "input"), end
        wait_for(lambda: client.ask("state")["workers"] == 1)


def test_a_missing_spool_folder_is_created_again(server: Running, songs: Path, tmp_path: Path) -> None:
    import shutil

    shutil.rmtree(server.folder / "server" / "spool")
    with RawClient(server.folder) as client:
        for number in range(2):
            request = {"song": "one", "out": str(tmp_path / f"out-{number}")}
            assert client.end_of(client.run("match", request, folder=songs))[0]["type"] == "result"


def test_the_client_cancels_its_job_when_its_callback_raises(server: Running, long_song: Path) -> None:
    class EnoughError(Exception):
        pass

    def progress(_fraction: float, _stage: str = "", /) -> None:
        raise EnoughError

    with server.client() as client:
        with pytest.raises(EnoughError):
            client.run("mix", MixRequest(song=str(long_song), dry_run=True), progress=progress)
        wait_for(lambda: client.state().running == 0)


def test_a_deadline_is_for_the_whole_call(server: Running, long_song: Path) -> None:
    with server.client() as client:
        with pytest.raises(ServerError) as raised:
            client.run("mix", MixRequest(song=str(long_song), dry_run=True), deadline_s=0.1)
        assert raised.value.code == "timeout"
        wait_for(lambda: client.state().running == 0)


def test_shutdown_now_ends_jobs_and_leaves_no_process(long_song: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home") as server, RawClient(server.folder) as client:
        _, request_id = _running_job(client, "mix", {"song": str(long_song), "dry_run": True})
        workers = server.workers()
        client.send("shutdown", when="now")
        assert client.end_of(request_id)[0]["code"] == "stopped"
        assert server.child.wait(300) == 0
        assert not any(worker.is_running() for worker in workers)
        assert not (server.folder / "server" / "connection.json").exists()


def test_shutdown_when_idle_lets_jobs_finish(songs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as client:
        request_id = client.run("mix", {"song": "one", "out": str(tmp_path / "out")}, folder=songs)
        client.send("shutdown", when="idle")
        assert client.end_of(request_id)[0]["type"] == "result"
        assert server.child.wait(300) == 0


def test_an_idle_server_stops(tmp_path: Path) -> None:
    with running(tmp_path / "home", idle_s=1.0, n_workers=1) as server:
        assert server.child.wait(300) == 0


def test_the_client_raises_cancelled(server: Running, long_song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FADERWISE_HOME", str(server.folder))
    name = job_id()
    with server.client() as client, RawClient(server.folder) as other:

        def progress(_fraction: float, _stage: str = "", /) -> None:
            other.send("cancel", job=name)

        with pytest.raises(Cancelled):
            client.run("learn", LearnRequest(songs=[str(long_song)], model="never"), job=name, progress=progress)
    assert "never" not in models.names()
