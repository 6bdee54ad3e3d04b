"""Who may connect: the ZAP handler (ZeroMQ RFC 27) that libzmq asks at every handshake.

It answers on its own thread, so that a flood of strangers keeps no client waiting.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import zmq
from zmq.utils import z85

from analysis_server.server.keys import authorized_keys
from core.errors import ServerError

_ADDRESS = "inproc://zeromq.zap.01"
DOMAIN = b"faderwise"
_YES, _NO = (b"200", b"OK"), (b"400", b"not a listed key")
_N_PARTS = 7


class Authenticator:
    """Answers libzmq while it is open; `folder` holds the keys."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], folder: Path) -> None:
        self._folder = folder
        self._listed = authorized_keys(folder)
        self._listed_of = self._stamp()
        self._socket = context.socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind(_ADDRESS)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._answer_all, name="authenticator", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering: every later handshake fails."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _answer_all(self) -> None:
        while not self._stop.is_set():
            if self._socket.poll(100):
                self._answer(self._socket.recv_multipart())

    def _answer(self, parts: list[bytes]) -> None:
        version, sequence = parts[0], parts[1] if len(parts) > 1 else b""
        allowed = len(parts) == _N_PARTS and parts[5] == b"CURVE" and self._is_listed(parts[6])
        status, text = _YES if allowed else _NO
        self._socket.send_multipart([version, sequence, status, text, b"user" if allowed else b"", b""])

    def _is_listed(self, key: bytes) -> bool:
        with suppress(OSError, ServerError):  # a damaged key file adds nobody, and takes nobody away
            stamp = self._stamp()
            if stamp != self._listed_of:
                self._listed, self._listed_of = authorized_keys(self._folder), stamp
        return z85.encode(key).decode() in self._listed

    def _stamp(self) -> tuple[int, ...]:
        keys = self._folder / "keys"
        return tuple(path.stat().st_mtime_ns for path in (keys, keys / "authorized") if path.is_dir())
