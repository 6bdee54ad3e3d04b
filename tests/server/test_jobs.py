"""Jobs: cancelled in time, bounded in number, ended once, found again, and none of them takes the server along."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from analysis_server.server.settings import MIB
from analysis_server.verbs.estimate import EstimateRequest
from analysis_server.verbs.learn import LearnRequest
from analysis_server.verbs.mix import MixRequest
from core.errors import Cancelled, ServerError
from tests.server.conftest import Running, running, wait_for
from tests.server.raw_client import RawClient, job_id


def _running_job(client: RawClient, kind: str, request: dict[str, Any]) -> tuple[str, str]:
    """Start a job, and return its id and its request's once it is under way."""
    name = job_id()
    request_id = client.tell(kind, job=name, folder="/", request=request)
    while client.hear()["type"] != "progress":
        pass
    return name, request_id


def _leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("after_s", [0.0, 0.4, 0.8, 1.6, 3.0, 5.0])
def test_cancel_takes_effect_within_a_second(server: Running, long_song: Path, tmp_path: Path, after_s: float) -> None:
    with RawClient(server.folder) as client:
        request = {"song": str(long_song), "out": str(tmp_path / "out"), "target_lufs": -20.0 - after_s}
        name, request_id = _running_job(client, "predict", request)
        time.sleep(after_s)
        asked_s = time.monotonic()
        client.tell("cancel", job=name)
        end, _ = client.end_of(request_id)
        took_s = time.monotonic() - asked_s
        assert client.hears_nothing(0.3), "a job has one end"
    assert end["code"] == "cancelled"
    assert took_s < 1.0
    assert not _leftovers(tmp_path)
    wait_for(lambda: not _leftovers(server.folder / "server" / "spool"), 5.0)


def test_past_the_queue_a_job_is_told_busy_and_waiting_ones_can_be_cancelled(long_song: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", queued_jobs=2, n_workers=1) as server, RawClient(server.folder) as client:
        request = {"song": str(long_song), "dry_run": True}
        first, first_id = _running_job(client, "predict", request)
        waiting = [(job_id(), f"waits-{number}") for number in range(2)]
        for name, request_id in waiting:
            answer = client.ask("predict", id=request_id, job=name, folder="/", request=request)
            assert answer["type"] == "accepted"
        assert client.ask("predict", job=job_id(), folder="/", request=request)["code"] == "busy"
        alive = client.ask("heartbeat")
        assert (alive["running"], alive["queued"]) == (1, 2)
        for name, request_id in waiting:
            client.tell("cancel", job=name)
            assert client.end_of(request_id)[0]["code"] == "cancelled"
        client.tell("cancel", job=first)
        assert client.end_of(first_id)[0]["code"] == "cancelled"


def test_a_job_goes_on_without_its_client_and_is_found_again(server: Running, songs: Path, tmp_path: Path) -> None:
    name = job_id()
    with RawClient(server.folder) as client:
        client.ask("match", job=name, folder=str(songs), request={"song": "three", "out": str(tmp_path / "out")})
    with RawClient(server.folder) as client:
        request_id = client.tell("job", job=name)
        end, _ = client.end_of(request_id)
        assert end["result"]["title"] == "three"
        assert client.hears_nothing(0.3)
    with RawClient(server.folder) as client:
        again, _ = client.end_of(client.tell("job", job=name))
    assert again["result"] == end["result"]


def test_the_latest_connection_gets_the_end_and_no_other(server: Running, songs: Path, tmp_path: Path) -> None:
    name = job_id()
    with RawClient(server.folder) as first, RawClient(server.folder) as second:
        first.ask("match", job=name, folder=str(songs), request={"song": "two", "out": str(tmp_path / "out")})
        end, _ = second.end_of(second.tell("job", job=name))
        assert end["type"] == "result"
        while not first.hears_nothing(0.3):
            assert first.hear()["type"] == "progress"


def test_results_age(songs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", result_age_s=0.5) as server, RawClient(server.folder) as client:
        name = job_id()
        request = {"song": "one", "out": str(tmp_path / "gains.csv")}
        end, _ = client.end_of(client.tell("estimate", job=name, folder=str(songs), request=request))
        assert end["type"] == "result"
        time.sleep(1.0)
        assert client.ask("job", job=name)["code"] == "unknown_job"


def test_a_killed_worker_ends_its_job_alone(server: Running, songs: Path, long_song: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client, server.client() as other:
        server.wait_until_warm()
        idle = {worker.pid: sum(worker.cpu_times()[:2]) for worker in server.workers()}
        request = {"song": str(long_song), "out": str(tmp_path / "out"), "target_lufs": -30.0}
        _, request_id = _running_job(client, "predict", request)
        time.sleep(0.3)
        busy = max(server.workers(), key=lambda worker: sum(worker.cpu_times()[:2]) - idle[worker.pid])
        busy.kill()
        end, _ = client.end_of(request_id)
        assert end["code"] == "crashed"
        assert "SIGKILL" in end["message"]
        assert client.hears_nothing(0.2)
        result = other.run(EstimateRequest(song=str(songs / "one"), out=str(tmp_path / "a.csv")), deadline_s=30)
        assert result.title == "one"
    assert not _leftovers(tmp_path / "out")
    wait_for(lambda: len(server.workers()) == 2, 5.0)


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_AS"), reason="limits another process's memory, which only Linux can")
def test_a_worker_without_memory_ends_its_job_alone(long_song: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as client:
        server.wait_until_warm(1)
        (worker,) = server.workers()
        limit = worker.memory_info().vms + 8 * MIB
        worker.rlimit(psutil.RLIMIT_AS, (limit, limit))
        request = {"song": str(long_song), "dry_run": True}
        end, _ = client.end_of(client.tell("predict", job=job_id(), folder="/", request=request))
        assert end["code"] in ("out_of_memory", "crashed")
        assert "memory" in end["message"] or end["code"] == "crashed"
        assert client.ask("heartbeat")["workers"] == 1


def test_learning_into_one_model_from_many_sides_loses_no_song(server: Running, songs: Path) -> None:
    with RawClient(server.folder) as client:
        wanted = ("one", "two", "three")
        asked = [
            client.tell("learn", job=job_id(), folder=str(songs), request={"songs": [title], "model": "shared"})
            for title in wanted
        ]
        ends: dict[str, str] = {}
        while len(ends) < len(asked):
            answer = client.hear(30.0)
            if answer["type"] in ("result", "error"):
                ends[answer["id"]] = answer["type"]
        assert set(ends.values()) == {"result"}
        shown = client.ask("models", action="show", name="shared")["models"][0]
    assert sorted(shown["songs"]) == sorted(wanted)


def test_the_client_stops_a_job_when_its_teller_raises(server: Running, long_song: Path) -> None:
    class EnoughError(Exception):
        pass

    def tell(_fraction: float, _stage: str) -> None:
        raise EnoughError

    with server.client() as client:
        with pytest.raises(EnoughError):
            client.run(MixRequest(song=str(long_song), dry_run=True), progress=tell, deadline_s=30)
        wait_for(lambda: client.heartbeat().running == 0, 2.0)


def test_a_deadline_is_one_for_the_whole_call(server: Running, long_song: Path) -> None:
    with server.client() as client:
        started_s, name = time.monotonic(), job_id()
        with pytest.raises(ServerError, match="in time"):
            client.run(MixRequest(song=str(long_song), dry_run=True), job=name, deadline_s=0.7)
        assert time.monotonic() - started_s < 1.5
        client.cancel(name)


def test_shutdown_ends_jobs_with_a_word_and_leaves_no_process(long_song: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home") as server, RawClient(server.folder) as client:
        _, request_id = _running_job(client, "predict", {"song": str(long_song), "dry_run": True})
        workers = server.workers()
        client.tell("shutdown", when="now")
        assert client.end_of(request_id)[0]["code"] == "stopped"
        assert server.child.wait(5) == 0
        assert not any(psutil.pid_exists(worker.pid) and worker.is_running() for worker in workers)
        assert not (server.folder / "server" / "connection.json").exists()


def test_shutdown_when_idle_lets_jobs_finish(songs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home") as server, RawClient(server.folder) as client:
        request = {"song": "one", "out": str(tmp_path / "out")}
        request_id = client.tell("predict", job=job_id(), folder=str(songs), request=request)
        client.tell("shutdown", when="idle")
        assert client.end_of(request_id)[0]["type"] == "result"
        assert server.child.wait(5) == 0


def test_an_idle_server_stops(tmp_path: Path) -> None:
    with running(tmp_path / "home", idle_s=1.0) as server:
        assert server.child.wait(10) == 0


def test_cancelled_is_what_the_client_raises(server: Running, long_song: Path) -> None:
    name = job_id()
    with server.client() as client, RawClient(server.folder) as other:

        def tell(_fraction: float, _stage: str) -> None:
            other.tell("cancel", job=name)

        with pytest.raises(Cancelled):
            client.run(LearnRequest(songs=[str(long_song)], model="never"), job=name, progress=tell, deadline_s=30)
        assert "never" not in [model.name for model in client.models("list").models]
