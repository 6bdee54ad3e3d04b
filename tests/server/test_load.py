"""Thousands of unauthorized clients and mutated messages, with counts (`-m slow -s`); a few by default."""

from __future__ import annotations

import random
import socket
import statistics
import time
from contextlib import suppress
from pathlib import Path

import msgpack
import pytest
import zmq

from tests.fuzz.mutations import damaged_bytes, damaged_value
from tests.server.conftest import Running, running, wait_for
from tests.server.raw_client import RawClient, job_id
from tests.server.strangers import MAX_ANSWER_BYTES, STRANGERS, address_of, connection_of

slow = [pytest.mark.slow, pytest.mark.timeout(7200)]
_GROWTH = 1.1
_HELD = 50
"""How many connections are open at once."""


def _latencies_ms(client: RawClient, count: int) -> list[float]:
    latencies = []
    for _ in range(count):
        started_s = time.monotonic()
        assert client.ask("state")["type"] == "server"
        latencies.append(1000.0 * (time.monotonic() - started_s))
        time.sleep(0.005)
    return latencies


def _send_without_a_valid_key(address: tuple[str, int], content: bytes, held: list[socket.socket]) -> bytes:
    """Connect, send and keep the connection half open; return the answer to an earlier client."""
    stranger = socket.create_connection(address, 30.0)
    stranger.setblocking(False)
    with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
        stranger.send(content)
    held.append(stranger)
    if len(held) <= _HELD:
        return b""
    answer = b""
    with held.pop(0) as oldest, suppress(BlockingIOError, ConnectionResetError):
        answer = oldest.recv(4096)
    return answer


def _send_with_wrong_keys(address: str, server_key: str, context: zmq.Context[zmq.Socket[bytes]]) -> bool:
    """Connect with a key that is not authorized; return whether there was an answer."""
    with context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.curve_serverkey = server_key.encode()
        dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
        dealer.connect(address)
        dealer.send(msgpack.packb({"type": "hello", "id": "1", "versions": [2], "client": "stranger"}))
        return bool(dealer.poll(20))


@pytest.mark.parametrize(
    ("n_strangers", "n_keys"), [(200, 10), pytest.param(10_000, 300, marks=slow, id="10000 unauthorized clients")]
)
def test_unauthorized_clients_get_no_answer_and_use_no_memory(tmp_path: Path, n_strangers: int, n_keys: int) -> None:
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as client:
        server.wait_until_ready(1)
        connection, kinds = connection_of(server.folder), list(STRANGERS)
        address, held, n_answered = address_of(connection), list[socket.socket](), 0
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        for number in range(n_strangers // 5):  # the allocator keeps what it once needed
            _send_without_a_valid_key(address, STRANGERS[kinds[number % len(kinds)]](), held)
        before, latencies = server.memory_bytes(), []
        for number in range(n_strangers):
            answer = _send_without_a_valid_key(address, STRANGERS[kinds[number % len(kinds)]](), held)
            n_answered += len(answer) > MAX_ANSWER_BYTES or b"type" in answer
            if number % 50 == 0:
                latencies += _latencies_ms(client, 2)
        for _ in range(n_keys):
            n_answered += _send_with_wrong_keys(connection.address, connection.public_key, context)
        for stranger in held:
            stranger.close()
        context.term()
        latencies += _latencies_ms(client, 50)
        after = server.memory_bytes()
        quantiles = statistics.quantiles(latencies, n=100)
        print(
            f"\nunauthorized clients: tried {n_strangers} and {n_keys} wrong keys, answered {n_answered}; "
            f"requests of a client: answered {len(latencies)}; memory {before / 2**20:.1f} → {after / 2**20:.1f} MiB; "
            f"state p50 {quantiles[49]:.1f} ms, p99 {quantiles[98]:.1f} ms"
        )
    assert n_answered == 0
    assert after < _GROWTH * before, (before, after)


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_half_open_connection_is_closed(server: Running, kind: str) -> None:
    connection = connection_of(server.folder)
    with socket.create_connection(address_of(connection), 30.0) as stranger:
        with suppress(ConnectionResetError, BrokenPipeError):
            stranger.sendall(STRANGERS[kind]())
        stranger.settimeout(30.0)
        with suppress(ConnectionResetError):
            while stranger.recv(4096):
                pass


@pytest.mark.parametrize("n_messages", [100, pytest.param(5_000, marks=slow, id="5000 messages")])
def test_mutated_messages_are_answered_and_crash_nothing(tmp_path: Path, short_songs: Path, n_messages: int) -> None:
    chance = random.Random(n_messages)  # noqa: S311 - not a secret
    n_errors = n_lost = 0
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as watch:
        server.wait_until_ready(1)
        before, workers = server.memory_bytes(), {worker.pid for worker in server.workers()}
        for _ in range(n_messages):
            request = {"song": str(short_songs / "one"), "dry_run": True, "buses": {"bass": "bass.wav"}}
            message = {"type": "run", "id": "1", "version": 2, "job": job_id(), "verb": "match", "folder": "/"}
            message |= {"request": damaged_value(request, chance)}
            content = b"\xc1"
            with suppress(OverflowError, ValueError):
                content = msgpack.packb(message)
            if chance.random() < 0.7:
                content = damaged_bytes(content, chance)
            with RawClient(server.folder) as client:
                client.socket.send(content)
                if client.socket.poll(60_000):
                    n_errors += msgpack.unpackb(client.socket.recv())["type"] == "error"
                else:
                    n_lost += len(content) < 262_112
        wait_for(lambda: (state := watch.ask("state"))["running"] == state["queued"] == 0, 300.0)
        after, state = server.memory_bytes(), watch.ask("state")
        print(
            f"\nmutated messages: tried {n_messages}, answered {n_messages - n_lost} ({n_errors} with an error), "
            f"lost {n_lost}; memory {before / 2**20:.1f} → {after / 2**20:.1f} MiB"
        )
        assert state["pid"] == server.pid
        assert {worker.pid for worker in server.workers()} == workers
    assert n_lost == 0
