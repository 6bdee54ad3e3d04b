"""The client: one server for all, started when needed, started again when lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
import zmq

from analysis_server.server.client import Client
from analysis_server.server.connection import Connection, ServerLock, connection_path, read_connection, write_connection
from analysis_server.server.keys import client_keys, server_keys
from analysis_server.server.messages import Hello, error
from analysis_server.verbs.match import MatchRequest
from core.errors import InputError, ServerError
from tests.server.conftest import running, started, wait_for

_CLIENT = """
from analysis_server.server.client import Client
with Client(name="one of ten") as client:
    print(client.hello().pid)
"""


@pytest.fixture
def stopped_afterwards(home: Path) -> Iterator[Path]:
    """The folder of a server that a client will start."""
    yield home
    connection = read_connection(home)
    if connection is not None and ServerLock(home).is_taken():
        server = psutil.Process(connection.pid)
        children = server.children()
        server.terminate()
        psutil.wait_procs([server, *children], timeout=10)


def test_of_ten_clients_that_start_a_server_at_once_one_wins(stopped_afterwards: Path) -> None:
    clients = [started(stopped_afterwards, "-c", _CLIENT) for _ in range(10)]
    told = [client.communicate(timeout=120)[0].strip() for client in clients]
    connection = read_connection(stopped_afterwards)
    assert connection is not None
    assert set(told) == {str(connection.pid)}
    log = (stopped_afterwards / "logs" / "server.jsonl").read_text()
    assert log.count('"event": "started"') == 1


@pytest.mark.parametrize("content", [b"", b'{"address": "\xff"}', b"[" * 100_000])
def test_a_connection_file_that_is_none_is_told(home: Path, content: bytes) -> None:
    connection_path(home).parent.mkdir(parents=True)
    connection_path(home).write_bytes(content)
    with pytest.raises(ServerError, match="is no connection file"):
        read_connection(home)


def test_a_server_killed_in_the_middle_is_started_again_and_the_call_goes_on(
    stopped_afterwards: Path, songs: Path, tmp_path: Path
) -> None:
    killed: list[int] = []

    def kill_once(_fraction: float, _stage: str) -> None:
        connection = read_connection(stopped_afterwards)
        if not killed and connection is not None:
            killed.append(connection.pid)
            os.kill(connection.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)

    with Client(stopped_afterwards) as client:
        first = client.hello().pid
        request = MatchRequest(song=str(songs / "one"), out=str(tmp_path / "out"))
        result = client.run(request, progress=kill_once, deadline_s=100)
        assert client.hello().pid != first
    assert killed == [first]
    assert result.title == "one"
    assert Path(result.files["mix.wav"]).is_file()


def test_workers_end_with_a_killed_server(tmp_path: Path) -> None:
    with running(tmp_path / "home") as server:
        server.wait_until_warm()
        workers = server.workers()
        server.child.kill()
        server.child.wait()
        _, alive = psutil.wait_procs(workers, timeout=5)
        assert not alive


def test_without_a_server_and_without_leave_to_start_one_it_says_so(home: Path) -> None:
    with Client(home, starts=False) as client, pytest.raises(ServerError, match="no server is up"):
        client.hello()


def test_a_connection_file_that_a_killed_server_left_does_not_mislead(home: Path) -> None:
    leftover = Connection(protocol=1, address="tcp://127.0.0.1:9", public_key="0" * 40, pid=1, program="0")
    write_connection(home, leftover)
    started_s = time.monotonic()
    with Client(home, starts=False) as client, pytest.raises(ServerError, match="no server is up"):
        client.hello()
    assert time.monotonic() - started_s < 1.0


def test_another_version_is_told_clearly(home: Path) -> None:
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
        text = "this server (Faderwise 9) speaks protocol version 9, the client 1"
        router.send_multipart([peer, msgspec.msgpack.encode(error(hello.id, "version", text))])

    thread = threading.Thread(target=refuse)
    thread.start()
    with Client(home) as client, pytest.raises(ServerError, match=r"protocol version 9.*serve --stop") as told:
        client.hello()
    thread.join()
    router.close()
    context.term()
    lock.release()
    assert told.value.code == "version"


def test_a_verbs_own_error_comes_through_as_it_is(home: Path, tmp_path: Path) -> None:
    with running(home) as server, server.client() as client:
        with pytest.raises(InputError, match="no such folder"):
            client.run(MatchRequest(song="nowhere"), folder=tmp_path, deadline_s=30)
        wait_for(lambda: client.heartbeat().running == 0, 2.0)


def test_files_that_only_the_client_sees_are_sent_and_fetched(home: Path, songs: Path) -> None:
    with running(home) as server, server.client() as client:
        audio = {f"one/{path.name}": client.upload(path) for path in (songs / "one").iterdir()}
        result = client.run(MatchRequest(song="one"), audio=audio, job="a-job-of-my-own-0001", deadline_s=60)
        wave = client.fetch("a-job-of-my-own-0001", result.files["mix.wav"])
        assert wave[:4] == b"RIFF"
        client.received("a-job-of-my-own-0001")
