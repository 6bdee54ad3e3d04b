"""The client: one server for all, started when needed, started again when lost or when its code has changed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
import zmq

from analysis_server.server import client as client_module
from analysis_server.server.client import Client
from analysis_server.server.protocol import Failure, Hello, Limits, Welcome, error
from analysis_server.server.security import (
    Connection,
    ServerLock,
    client_keys,
    read_connection,
    server_keys,
    write_connection,
)
from analysis_server.verbs.match import MatchRequest, MatchResult
from analysis_server.verbs.mix import MixRequest
from core.errors import InputError, ServerError
from core.progress import no_progress
from tests.server.conftest import running, started, wait_for

_CLIENT = """
from analysis_server.server.client import Client
with Client(name="one of ten") as client:
    print(client.hello(deadline_s=200).pid)
"""


@pytest.fixture
def stopped_afterwards(home: Path) -> Iterator[Path]:
    """The data folder of a server that a client will start; the servers that this process started end, too."""
    yield home
    connection = read_connection(home)
    if connection is not None and ServerLock(home).is_taken():
        server = psutil.Process(connection.pid)
        children = server.children()
        server.terminate()
        psutil.wait_procs([server, *children], timeout=300)
    for child in client_module._started:
        child.terminate()
        child.wait()
    assert client_module.forget_ended()


def test_of_several_clients_that_start_a_server_at_once_one_succeeds(stopped_afterwards: Path) -> None:
    clients = [started(stopped_afterwards, "-c", _CLIENT) for _ in range(5)]
    printed = [client.communicate(timeout=250)[0].strip() for client in clients]
    connection = read_connection(stopped_afterwards)
    assert connection is not None
    assert set(printed) == {str(connection.pid)}
    log = (stopped_afterwards / "logs" / "server.jsonl").read_text()
    assert log.count('"event": "started"') == 1


def test_a_server_killed_during_a_job_is_started_again_and_the_call_continues(
    stopped_afterwards: Path, songs: Path, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_once(_fraction: float, _stage: str = "", /) -> None:
        connection = read_connection(stopped_afterwards)
        if not killed and connection is not None:
            killed.append(connection.pid)
            os.kill(connection.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)

    with Client(stopped_afterwards) as client:
        first = client.hello().pid
        request = MatchRequest(song=str(songs / "one"), out=str(tmp_path / "out"))
        result = client.run("match", request, progress=kill_once, result_type=MatchResult)
        assert client.hello().pid != first
    assert killed == [first]
    assert result.title == "one"
    assert Path(result.files["mix.wav"]).is_file()


def test_a_server_that_runs_other_code_is_replaced(stopped_afterwards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Client(stopped_afterwards) as client:
        old = client.hello().pid
    new = msgspec.structs.replace(_welcome(), fingerprint="new")
    monkeypatch.setattr(client_module, "fingerprint", lambda: new.fingerprint)
    with Client(stopped_afterwards, starts=False) as client:
        assert client.hello().pid == old, "a client that may not start a server does not stop one"
    with Client(stopped_afterwards) as client:
        monkeypatch.setattr(client_module, "_START_S", 3.0)
        with pytest.raises(ServerError):  # the new server has the real fingerprint, which is not "new" either
            client.hello()
    assert not psutil.pid_exists(old)


def test_workers_end_with_a_killed_server(tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server:
        server.wait_until_ready(1)
        workers = server.workers()
        server.child.kill()
        server.child.wait()
        _, alive = psutil.wait_procs(workers, timeout=300)
        assert not alive


def test_a_client_that_may_not_start_a_server_is_unreachable_without_one(home: Path) -> None:
    with Client(home, starts=False) as client, pytest.raises(ServerError) as raised:
        client.hello()
    assert raised.value.code == "unreachable"


def test_the_connection_file_of_a_killed_server_is_ignored(home: Path) -> None:
    leftover = Connection(protocol=2, address="tcp://127.0.0.1:9", public_key="0" * 40, pid=1, program="0")
    write_connection(home, leftover)
    with Client(home, starts=False) as client, pytest.raises(ServerError) as raised:
        client.hello()
    assert raised.value.code == "unreachable"


def test_a_server_of_another_version_is_named(home: Path) -> None:
    lock = ServerLock(home)
    assert lock.take()
    context, keys = zmq.Context(), server_keys(home)
    client_keys(home)
    router = context.socket(zmq.ROUTER)
    router.linger = 0
    router.curve_server = True
    router.curve_publickey, router.curve_secretkey = keys.public.encode(), keys.secret.encode()
    port = router.bind_to_random_port("tcp://127.0.0.1")
    address = f"tcp://127.0.0.1:{port}"
    write_connection(
        home, Connection(protocol=9, address=address, public_key=keys.public, pid=os.getpid(), program="9")
    )

    def refuse() -> None:
        peer, content = router.recv_multipart()
        hello = msgspec.msgpack.decode(content, type=Hello)
        failure = Failure(code="version", problem="this server supports protocol version 9, the client 2")
        router.send_multipart([peer, msgspec.msgpack.encode(error(hello.id, failure))])

    thread = threading.Thread(target=refuse)
    thread.start()
    with Client(home, starts=False) as client, pytest.raises(ServerError) as raised:
        client.hello()
    thread.join()
    router.close()
    context.term()
    lock.release()
    assert raised.value.code == "version"
    assert raised.value.remedy


def test_the_error_of_a_verb_arrives_with_its_fields(home: Path, tmp_path: Path) -> None:
    with running(home, n_workers=1) as server, server.client() as client:
        with pytest.raises(InputError) as raised:
            client.run("match", MatchRequest(song="nowhere"), folder=tmp_path)
        assert raised.value.path == "nowhere"
        assert raised.value.remedy
        wait_for(lambda: client.state().running == 0)


REQUEST = MixRequest(song="/there/is/no/such/song")


def _welcome() -> Welcome:
    limits = Limits(message_bytes=1, queued_jobs=1, kept_results=1, result_age_s=1.0)
    return Welcome(id="", version=2, program="x", fingerprint="this", pid=1, uptime_s=0.0, verbs=["mix"], limits=limits)


class FakeClient:
    """A client whose server has a given fingerprint and ends each job in one way."""

    def __init__(self, program: str, answer: str | Exception) -> None:
        self._program, self._answer = program, answer

    def __call__(self, **_options: object) -> FakeClient:
        return self

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def hello(self) -> Welcome:
        return msgspec.structs.replace(_welcome(), fingerprint=self._program)

    def run(self, _verb: str, _request: object, **_options: object) -> str:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def _perform(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> tuple[object, list[str]]:
    monkeypatch.setattr(client_module, "Client", fake)
    monkeypatch.setattr(client_module, "fingerprint", lambda: "this")
    warnings: list[str] = []
    try:
        result: object = client_module.perform(
            REQUEST,
            no_progress,
            name="test",
            folder=Path(),
            starts=True,
            on_fallback=warnings.append,
        )
    except Exception as raised:
        result = raised
    return result, warnings


def test_perform_returns_the_servers_result(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _perform(FakeClient("this", "mixed"), monkeypatch) == ("mixed", [])


def test_perform_does_the_work_itself_when_the_server_runs_other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    result, warnings = _perform(FakeClient("other", "mixed"), monkeypatch)
    assert isinstance(result, InputError)
    assert warnings == []


@pytest.mark.parametrize("code", ["busy", "stopped", "unreachable", "timeout"])
def test_perform_does_the_work_itself_and_reports_it_when_the_server_is_lost(
    code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, warnings = _perform(FakeClient("this", ServerError("lost", code)), monkeypatch)
    assert isinstance(result, InputError)
    assert result.path == REQUEST.song
    assert len(warnings) == 1


@pytest.mark.parametrize("raised", [ServerError("memory", "crashed"), InputError("no such file")])
def test_perform_raises_what_the_work_itself_raises(raised: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    result, warnings = _perform(FakeClient("this", raised), monkeypatch)
    assert result is raised
    assert warnings == []
