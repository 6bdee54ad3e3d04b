"""Who has no listed key gets nothing, and costs nothing that stays."""

from __future__ import annotations

import json
import os
import secrets
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgpack
import pytest
import zmq

from analysis_server.server.connection import Connection, read_connection
from analysis_server.server.keys import client_keys
from tests.server.conftest import Running, running
from tests.server.raw_client import RawClient

_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
_CURVE_GREETING = _GREETING.replace(b"NULL\0", b"CURVE")


def _silent() -> bytes:
    return b""


def _garbage() -> bytes:
    return secrets.token_bytes(2000)


def _http() -> bytes:
    return b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\n\r\n" + b"x" * 4000


def _announces_a_gibibyte() -> bytes:
    return _CURVE_GREETING + b"\x06" + struct.pack(">Q", 1 << 30) + bytes(4000)


def _announces_what_is_just_allowed() -> bytes:
    return _CURVE_GREETING + b"\x06" + struct.pack(">Q", 250_000) + bytes(100_000)


def _speaks_without_keys() -> bytes:
    return _GREETING + b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x06DEALER" + b"\0\x05hello"


def _old_protocol() -> bytes:
    return b"\x01\x00" + b"\x05\x00hello" * 50


STRANGERS = [
    _silent,
    _garbage,
    _http,
    _announces_a_gibibyte,
    _announces_what_is_just_allowed,
    _speaks_without_keys,
    _old_protocol,
]


def _address(connection: Connection) -> tuple[str, int]:
    parts = urlsplit(connection.address)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def _connection(server: Running) -> Connection:
    connection = read_connection(server.folder)
    assert connection is not None
    return connection


@pytest.mark.parametrize("kind", STRANGERS)
def test_a_stranger_gets_no_message(server: Running, kind: Callable[[], bytes]) -> None:
    with socket.create_connection(_address(_connection(server)), 5.0) as stranger:
        stranger.sendall(kind())
        stranger.settimeout(6.0)
        heard = b""
        try:
            while piece := stranger.recv(4096):
                heard += piece
        except ConnectionResetError:
            pass
    # its own greeting, and the mechanism's refusal, are all that libzmq ever sends before a handshake
    assert len(heard) <= 128
    assert b"type" not in heard


@pytest.mark.parametrize("curve", ["none", "another client's", "another server's"])
def test_a_wrong_key_gets_nothing(server: Running, curve: str) -> None:
    connection, context = _connection(server), zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    public, secret = zmq.curve_keypair()
    if curve != "none":
        other, _ = zmq.curve_keypair()
        dealer.curve_serverkey = other if curve == "another server's" else connection.public_key.encode()
        dealer.curve_publickey, dealer.curve_secretkey = public, secret
    dealer.connect(connection.address)
    dealer.send(msgpack.packb({"type": "hello", "id": "1", "versions": [1], "client": "stranger"}))
    assert not dealer.poll(1500)
    dealer.close()
    context.term()


def test_a_client_whose_key_is_put_in_the_folder_gets_in(server: Running) -> None:
    public, secret = zmq.curve_keypair()
    listed = server.folder / "keys" / "authorized"
    listed.mkdir()
    (listed / "broken.json").write_text("{")
    (listed / "studio.json").write_text(json.dumps({"public": public.decode()}))
    with RawClient(server.folder) as client:
        client.socket.disconnect(_connection(server).address)
        client.socket.curve_publickey, client.socket.curve_secretkey = public, secret
        client.socket.connect(_connection(server).address)
        assert client.ask("heartbeat")["type"] == "alive"


def test_ten_thousand_strangers_leave_the_server_as_it_was(tmp_path: Path) -> None:
    with running(tmp_path / "home") as server, RawClient(server.folder) as client:
        server.wait_until_warm()
        address = _address(_connection(server))
        _flood(address, 1000)
        _settled(client)
        before, slowest_s = server.memory_bytes(), 0.0
        for _ in range(10):
            _flood(address, 1000)
            asked_s = time.monotonic()
            assert client.ask("heartbeat")["type"] == "alive"
            slowest_s = max(slowest_s, time.monotonic() - asked_s)
        _wrong_keys(_connection(server), 50)
        _settled(client)
        after = server.memory_bytes()
        assert client.ask("hello", versions=[1], client="raw")["pid"] == server.pid
    assert after < 1.1 * before, f"memory went from {before} to {after} bytes"
    assert slowest_s < 2.0


def _flood(address: tuple[str, int], count: int) -> None:
    """Connect and misbehave `count` times, up to a hundred at once."""
    held: list[socket.socket] = []
    for number in range(count):
        stranger = socket.create_connection(address, 10.0)
        stranger.setblocking(False)
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            stranger.send(STRANGERS[number % len(STRANGERS)]())
        held.append(stranger)
        if len(held) == 100:
            for old in held:
                old.close()
            held.clear()
    for stranger in held:
        stranger.close()


def _wrong_keys(connection: Connection, count: int) -> None:
    context = zmq.Context()
    for _ in range(count):
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.curve_serverkey = connection.public_key.encode()
        dealer.curve_publickey, dealer.curve_secretkey = zmq.curve_keypair()
        dealer.connect(connection.address)
        dealer.send(b"x" * 1000)
        dealer.close()
    context.term()


def _settled(client: RawClient) -> None:
    time.sleep(4.0)  # a handshake has 3 s
    assert client.ask("heartbeat")["type"] == "alive"


def test_too_long_a_message_ends_its_connection_and_no_other(server: Running) -> None:
    with RawClient(server.folder) as good, RawClient(server.folder) as bad:
        assert bad.ask("heartbeat")["type"] == "alive"
        bad.socket.send(b"x" * 300_000)
        assert bad.hears_nothing(0.5)
        assert good.ask("heartbeat")["type"] == "alive"


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights in access lists, which icacls sets")
def test_keys_and_connection_file_are_their_users_alone(server: Running) -> None:
    private = [*(server.folder / "keys").glob("*.json"), server.folder / "server" / "connection.json"]
    private += [server.folder / "logs" / "server.jsonl"]
    assert len(private) == 4
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert {(server.folder / name).stat().st_mode & 0o777 for name in ("keys", "server", "logs", "cache")} == {0o700}


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights in access lists")
def test_a_key_that_others_could_read_is_made_anew(tmp_path: Path) -> None:
    first = client_keys(tmp_path)
    assert client_keys(tmp_path) == first
    (tmp_path / "keys" / "client.json").chmod(0o644)
    assert client_keys(tmp_path) != first
