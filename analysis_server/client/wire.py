"""A client's socket: one connection to the server, made anew when it is lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypeVar

import msgspec
import zmq

from analysis_server.client.starting import start_server
from analysis_server.server.connection import Connection, ServerLock, read_connection
from analysis_server.server.keys import client_keys
from analysis_server.server.messages import PROTOCOL_VERSION, Answer, Error, Hello, Welcome
from core import __version__
from core.errors import ServerError

Kind = TypeVar("Kind")
_ANSWER_S = 2.0
_START_S = 20.0
_DECODER = msgspec.msgpack.Decoder(Answer)


class Deadline:
    """A moment on the monotonic clock; None means there is no hurry."""

    def __init__(self, seconds: float | None) -> None:
        self._at_s = None if seconds is None else time.monotonic() + seconds

    def left_s(self, at_most_s: float) -> float:
        """Return how long may be waited now, no longer than `at_most_s`.

        Raises
        ------
        ServerError
            The moment has passed.
        """
        if self._at_s is None:
            return at_most_s
        left_s = self._at_s - time.monotonic()
        if left_s <= 0.0:
            raise ServerError("the server did not answer in time; give it more, or look at its log", "timeout")
        return min(left_s, at_most_s)


class Wire:
    """Sends messages to the server of `folder`, and gives what comes back.

    Parameters
    ----------
    folder : where the server keeps everything.
    starts : whether to start a server where none answers.
    name : the client's name, for the server's log.
    connection : another server than the one of `folder`, which then is never started.
    """

    def __init__(self, folder: Path, *, starts: bool, name: str, connection: Connection | None = None) -> None:
        self._folder, self._name, self._connection = folder, name, connection
        self._starts = starts and connection is None
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self.welcome: Welcome | None = None

    def send(self, message: msgspec.Struct, deadline: Deadline) -> None:
        """Send one message, over a connection that answered lately."""
        if self._socket is None:
            self.connect(deadline)
        assert self._socket is not None  # noqa: S101 - `connect` sets it or raises
        self._socket.send(msgspec.msgpack.encode(message))

    def receive(self, wait_s: float) -> Answer | None:
        """Return the next message, or None if none comes in time."""
        if self._socket is None or not self._socket.poll(int(1000.0 * wait_s) + 1):
            return None
        return _DECODER.decode(self._socket.recv())

    def connect(self, deadline: Deadline) -> None:
        """Say hello to the server, started if need be.

        Raises
        ------
        ServerError
            There is none and none may be started, none came up, or it speaks another version.
        """
        if self._says_hello(deadline):
            return
        if not self._starts:
            raise ServerError("no server is up; `faderwise serve` starts one", "unreachable")
        start_by_s = time.monotonic() + _START_S
        child = start_server(self._folder)
        while time.monotonic() < start_by_s:
            deadline.left_s(1.0)
            if self._says_hello(deadline):
                return
            if child.poll() is not None and not ServerLock(self._folder).is_taken():
                child = start_server(self._folder)  # the one that was faster has just stopped
            time.sleep(0.05)
        raise ServerError(f"the server does not start; see {self._folder / 'logs' / 'server.jsonl'}", "unreachable")

    def may_be_up(self) -> bool:
        """Tell whether the server's process may still be there; of another machine's nobody knows."""
        return self._connection is not None or ServerLock(self._folder).is_taken()

    def close(self) -> None:
        """Close the connection for good."""
        self.lose()
        self._context.term()

    def lose(self) -> None:
        """Close the connection; the next `send` makes another one."""
        if self._socket is not None:
            self._socket.close(linger=200)
            self._socket = None

    def _says_hello(self, deadline: Deadline) -> bool:
        """Connect to where the connection file says, and tell whether a server answers there."""
        self.lose()
        connection = self._connection or read_connection(self._folder)
        if connection is None or not self.may_be_up():
            return False
        self._socket = self._connected(connection)
        self._socket.send(msgspec.msgpack.encode(Hello(id="hello", versions=[PROTOCOL_VERSION], client=self._name)))
        answer = self.receive(deadline.left_s(_ANSWER_S))
        if isinstance(answer, Welcome):
            self.welcome = answer
            return True
        self.lose()
        if isinstance(answer, Error):
            raise ServerError(
                f"{answer.message}; this program is Faderwise {__version__}. {answer.remedy}", code=answer.code
            )
        return False

    def _connected(self, connection: Connection) -> zmq.Socket[bytes]:
        keys = client_keys(self._folder)
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 200
        socket.curve_serverkey = connection.public_key.encode()
        socket.curve_publickey, socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
        socket.ipv6 = "[" in connection.address
        socket.connect(connection.address)
        return socket
