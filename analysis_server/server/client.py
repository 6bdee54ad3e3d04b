"""A client of the analysis server, and running a request through it.

Every call has one deadline. A server that is not running is started (by exactly one of several clients). When a server
is lost, it is started again and asked for the job, or given the job again, so that a caller does not notice.
"""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import msgspec
import zmq

from analysis_server.paths import child_environment, fingerprint, private_folder
from analysis_server.paths import home as data_folder
from analysis_server.server.protocol import (
    PROTOCOL_VERSION,
    VERBS,
    Answer,
    Cancel,
    Done,
    Error,
    GetState,
    Hello,
    Progress,
    Result,
    Run,
    ServerState,
    Shutdown,
    Welcome,
    exception_of,
    name_of,
)
from analysis_server.server.security import Connection, ServerLock, client_keys, read_connection
from core import __version__
from core.errors import Cancelled, FaderwiseError, ServerError
from core.progress import ProgressCallback, no_progress

Answered = TypeVar("Answered", bound=msgspec.Struct)

_CREATION_FLAGS = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
_ANSWER_S = 2.0
_START_S = 20.0
_SILENCE_S, _LOST_S = 1.0, 3.0
LOST_CODES = frozenset({"busy", "stopped", "unreachable", "version", "timeout", "insecure"})
"""Errors that say nothing about the request: the work can be done in this process instead."""
_DECODER = msgspec.msgpack.Decoder(Answer)
_started: list[subprocess.Popen[bytes]] = []
"""Servers that this process started and that have not ended; waiting for them prevents zombies."""


def start_server(home: Path) -> subprocess.Popen[bytes]:
    """Start a server of the data folder `home` that outlives this process.

    If another one is running already, the new one exits by itself.
    """
    child = subprocess.Popen(
        [sys.executable, "-m", "analysis_server.server.server"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=private_folder(home, "server"),
        env=child_environment(home),
        start_new_session=os.name != "nt",
        creationflags=_CREATION_FLAGS,
    )
    forget_ended()
    _started.append(child)
    return child


def forget_ended() -> bool:
    """Reap the servers that this process started and that have ended; return whether none is left."""
    _started[:] = [child for child in _started if child.poll() is None]
    return not _started


class Deadline:
    """A moment on the monotonic clock, or none."""

    def __init__(self, seconds: float | None) -> None:
        self._at_s = None if seconds is None else time.monotonic() + seconds

    def remaining_s(self, at_most_s: float) -> float:
        """Return how long to wait now, at most `at_most_s`.

        Raises
        ------
        ServerError
            The deadline has passed.
        """
        if self._at_s is None:
            return at_most_s
        remaining_s = self._at_s - time.monotonic()
        if remaining_s <= 0.0:
            raise ServerError("the server did not answer in time", "timeout", remedy="see the server's log")
        return min(remaining_s, at_most_s)


class Client:
    """A connection to the server of a data folder. Use it from one thread, and in a `with` block.

    Parameters
    ----------
    home : the data folder; this user's by default.
    starts : start a server where none is running, and replace one that runs other code than this process.
    name : the client's name.
    max_losses : how often a job's server may be lost before `run` gives up; None for any number of times.
    """

    def __init__(
        self, home: Path | None = None, *, starts: bool = True, name: str = "client", max_losses: int | None = None
    ) -> None:
        self._home = home or data_folder()
        self._starts, self._name, self._max_losses = starts, name, max_losses
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket: zmq.Socket[bytes] | None = None
        self._welcome: Welcome | None = None
        self._numbers = itertools.count(1)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection for good."""
        self._disconnect()
        self._context.term()

    def hello(self, *, deadline_s: float | None = 30.0) -> Welcome:
        """Connect where needed and return what the server answered.

        Raises
        ------
        ServerError
            No server can be reached, or it supports another protocol version.
        """
        if self._socket is None or self._welcome is None:
            self._connect(Deadline(deadline_s))
        assert self._welcome is not None  # noqa: S101 - `_connect` sets it or raises
        return self._welcome

    def run(
        self,
        verb: str,
        request: Any,
        *,
        folder: Path | None = None,
        progress: ProgressCallback = no_progress,
        result_type: Any = Any,
        job: str | None = None,
        deadline_s: float | None = None,
    ) -> Any:
        """Run a verb as a job and return its result.

        Parameters
        ----------
        verb : a name in `protocol.VERBS`.
        request : the verb's request struct, or plain data of the same form.
        folder : what relative paths in the request are relative to; the working directory by default.
        progress : called with the fraction done and the stage; when it raises, the job is cancelled.
        result_type : the type to convert the result to; plain data by default.
        job : the job's id, to resume it; random by default.
        deadline_s : how long this may take.

        Raises
        ------
        FaderwiseError
            What the verb raised, with the same class and fields.
        ServerError
            The server ended the job for another reason, or did not answer in time.
        """
        name = job or secrets.token_hex(16)
        message = Run(
            id=self._next_id(),
            version=PROTOCOL_VERSION,
            job=name,
            verb=verb,
            request=msgspec.Raw(msgspec.msgpack.encode(request)),
            folder=str((folder or Path.cwd()).absolute()),
        )
        try:
            result = self._wait_for_result(message, progress, Deadline(deadline_s))
        except FaderwiseError as error:
            if isinstance(error, Cancelled) or (isinstance(error, ServerError) and error.code == "timeout"):
                self._cancel_quietly(name)
            raise
        except BaseException:  # `progress` raised, or an interrupt from the keyboard
            self._cancel_quietly(name)
            raise
        self._cancel_quietly(name)  # discards the result, which is here now
        return msgspec.msgpack.decode(result.result, type=result_type)

    def state(self, *, deadline_s: float | None = 5.0) -> ServerState:
        """Return what the server is doing."""
        return self._ask(GetState(id=self._next_id(), version=PROTOCOL_VERSION), ServerState, Deadline(deadline_s))

    def shutdown(self, when: Literal["now", "idle"] = "now", *, deadline_s: float | None = 5.0) -> None:
        """Stop the server: `now`, or when it is `idle`."""
        self._ask(Shutdown(id=self._next_id(), when=when), Done, Deadline(deadline_s))

    def _wait_for_result(self, request: Run, progress: ProgressCallback, deadline: Deadline) -> Result:
        """Send a job and wait for its end, over as many connections as it takes."""
        self._send(request, deadline)
        heard_s = asked_s = time.monotonic()
        n_losses = 0
        while True:
            answer = self._receive(deadline.remaining_s(_SILENCE_S))
            now = time.monotonic()
            if answer is not None:
                heard_s = now
                if answer.id != request.id:
                    continue
                match answer:
                    case Result():
                        return answer
                    case Error():
                        raise exception_of(answer)
                    case Progress(fraction=fraction, stage=stage):
                        progress(fraction, stage)
            elif now > heard_s + _LOST_S or not ServerLock(self._home).is_taken():
                self._disconnect()
                n_losses += 1
                if self._max_losses is not None and n_losses > self._max_losses:
                    raise ServerError("the server was lost repeatedly", "unreachable", remedy="see the server's log")
                self._send(request, deadline)
                heard_s = time.monotonic()
            elif now > asked_s + _SILENCE_S:
                asked_s = now
                self._send(GetState(id=self._next_id(), version=PROTOCOL_VERSION), deadline)

    def _cancel_quietly(self, job: str) -> None:
        """Send a cancel without waiting for the answer; where no server is connected, there is nothing to cancel."""
        if self._socket is not None:
            message = Cancel(id=self._next_id(), version=PROTOCOL_VERSION, job=job)
            self._socket.send(msgspec.msgpack.encode(message))

    def _ask(self, request: Any, kind: type[Answered], deadline: Deadline) -> Answered:
        """Send a request and return its answer; send it again when the connection was lost."""
        while True:
            self._send(request, deadline)
            give_up_s = time.monotonic() + _LOST_S
            while time.monotonic() < give_up_s:
                answer = self._receive(deadline.remaining_s(_SILENCE_S))
                if isinstance(answer, Error) and answer.id == request.id:
                    raise exception_of(answer)
                if isinstance(answer, kind) and answer.id == request.id:
                    return answer
            self._disconnect()

    def _next_id(self) -> str:
        return str(next(self._numbers))

    def _send(self, message: msgspec.Struct, deadline: Deadline) -> None:
        if self._socket is None:
            self._connect(deadline)
        assert self._socket is not None  # noqa: S101 - `_connect` sets it or raises
        self._socket.send(msgspec.msgpack.encode(message))

    def _receive(self, wait_s: float) -> Answer | None:
        """Return the next message, or None if none comes in time."""
        if self._socket is None or not self._socket.poll(int(1000.0 * wait_s) + 1):
            return None
        return _DECODER.decode(self._socket.recv())

    def _disconnect(self) -> None:
        """Close the connection; the next message opens another one."""
        if self._socket is not None:
            self._socket.close(linger=200)
            self._socket = None

    def _connect(self, deadline: Deadline) -> None:
        """Connect to the server, started where needed.

        Raises
        ------
        ServerError
            No server is running and none may be started, none came up, or it supports another protocol version.
        """
        if self._is_welcome(deadline):
            return
        if not self._starts:
            raise ServerError("no server is running", "unreachable", remedy="`faderwise serve` starts one")
        start_by_s = time.monotonic() + _START_S
        child = start_server(self._home)
        while time.monotonic() < start_by_s:
            deadline.remaining_s(1.0)
            if self._is_welcome(deadline):
                return
            if child.poll() is not None and not ServerLock(self._home).is_taken():
                child = start_server(self._home)  # another one was faster and has just stopped
            time.sleep(0.05)
        problem = f"the server does not start; see {self._home / 'logs' / 'server.jsonl'}"
        raise ServerError(problem, "unreachable", remedy="`faderwise serve --stop` ends a server that hangs")

    def _is_welcome(self, deadline: Deadline) -> bool:
        """Connect to the address in the connection file; return whether a server of the same program answers."""
        self._disconnect()
        connection = read_connection(self._home)
        if connection is None or not ServerLock(self._home).is_taken():
            return False
        self._socket = self._open_socket(connection)
        hello = Hello(id="hello", versions=[PROTOCOL_VERSION], client=self._name)
        self._socket.send(msgspec.msgpack.encode(hello))
        answer = self._receive(deadline.remaining_s(_ANSWER_S))
        if isinstance(answer, Error) and not self._starts:
            self._disconnect()
            problem = f"{answer.problem}; this program is Faderwise {__version__}"
            raise ServerError(problem, answer.code, remedy=answer.remedy)
        if isinstance(answer, Welcome) and (not self._starts or answer.fingerprint == fingerprint()):
            self._welcome = answer
            return True
        if answer is not None:  # it runs other code than this process: replace it when its jobs are done
            self._socket.send(msgspec.msgpack.encode(Shutdown(id="replace", when="idle")))
        self._disconnect()
        return False

    def _open_socket(self, connection: Connection) -> zmq.Socket[bytes]:
        keys = client_keys(self._home)
        socket = self._context.socket(zmq.DEALER)
        socket.linger = 200
        socket.curve_serverkey = connection.public_key.encode()
        socket.curve_publickey, socket.curve_secretkey = keys.public.encode(), keys.secret.encode()
        socket.ipv6 = "[" in connection.address
        socket.connect(connection.address)
        return socket


def perform(
    request: Any,
    progress: ProgressCallback,
    *,
    name: str,
    folder: Path,
    starts: bool,
    max_losses: int | None = None,
    on_fallback: Callable[[str], None] = lambda _warning: None,
) -> Any:
    """Return the result of `request`, from a server that runs the same code, or computed in this process.

    Parameters
    ----------
    request : a verb's request struct.
    progress : called with the fraction done and the stage; when it raises, the work is cancelled.
    name : the client's name.
    folder : what relative paths are relative to.
    starts : start a server where none is running.
    max_losses : how often a server may be lost before the work is done in this process.
    on_fallback : called with a sentence when a server that had taken the job was lost.

    Raises
    ------
    FaderwiseError
        What the verb raised.
    """
    verb = name_of(request)
    is_running = False
    try:
        with Client(starts=starts, name=name, max_losses=max_losses) as client:
            if client.hello().fingerprint == fingerprint():
                is_running = True
                return client.run(
                    verb, request, folder=folder, progress=progress, result_type=VERBS[verb].result_type()
                )
    except UnicodeEncodeError:  # a path that is not valid Unicode cannot be sent
        pass
    except ServerError as error:
        if error.code not in LOST_CODES:
            raise
        if is_running:
            on_fallback(f"the analysis server was lost ({error.problem}); finishing the work in this process")
    return VERBS[verb].run(request, progress)
