"""What clients without an authorized key send to the port, and how to send it."""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgpack
import zmq

from analysis_server.server.security import Connection, read_connection

_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + b"\0" + bytes(31)
_CURVE_GREETING = _GREETING.replace(b"NULL\0", b"CURVE")

STRANGERS: dict[str, Callable[[], bytes]] = {
    "silence": lambda: b"",
    "garbage": lambda: secrets.token_bytes(2000),
    "HTTP": lambda: b"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 400000\r\n\r\n" + b"x" * 4000,
    "a gibibyte announced": lambda: _CURVE_GREETING + b"\x06" + struct.pack(">Q", 1 << 30) + bytes(4000),
    "half a message": lambda: _CURVE_GREETING + b"\x06" + struct.pack(">Q", 250_000) + bytes(100_000),
    "half a greeting": lambda: _CURVE_GREETING[:11],
    "no keys": lambda: _GREETING + b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x06DEALER" + b"\0\x05hello",
    "an old protocol": lambda: b"\x01\x00" + b"\x05\x00hello" * 50,
}
"""The bytes that each kind of unauthorized client sends on a plain TCP connection."""
MAX_ANSWER_BYTES = 128
"""libzmq sends its greeting and the mechanism's refusal before the handshake; a message would be longer."""


def connection_of(home: Path) -> Connection:
    connection = read_connection(home)
    assert connection is not None
    return connection


def address_of(connection: Connection) -> tuple[str, int]:
    parts = urlsplit(connection.address)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def answer_to(content: bytes, connection: Connection, within_s: float) -> bytes:
    """Send bytes on a plain TCP connection and return everything that comes back until it is closed, or in time."""
    answer = b""
    with socket.create_connection(address_of(connection), 10.0) as stranger:
        stranger.settimeout(within_s)
        with suppress(ConnectionResetError, BrokenPipeError, TimeoutError):
            stranger.sendall(content)
            while piece := stranger.recv(4096):
                answer += piece
    return answer


def is_answered(connection: Connection, keys: tuple[bytes, bytes] | None, server_key: bytes, within_s: float) -> bool:
    """Return whether a client with these keys (None: without encryption) gets a message."""
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    if keys is not None:
        dealer.curve_serverkey = server_key
        dealer.curve_publickey, dealer.curve_secretkey = keys
    dealer.connect(connection.address)
    dealer.send(msgpack.packb({"type": "hello", "id": "1", "versions": [2], "client": "stranger"}))
    found = bool(dealer.poll(int(1000 * within_s)))
    dealer.close()
    context.term()
    return found
