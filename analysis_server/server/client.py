"""A client of the analysis server, and running a request through it.

A call has one deadline. A server that is not up is started (by exactly one of many clients); one that was lost is
started again and asked for the job, or given it anew, so a caller never sees the difference.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar, cast

import msgspec
import zmq

from analysis_server.paths import home
from analysis_server.server import messages
from analysis_server.server.connection import Connection, ServerLock, read_connection
from analysis_server.server.fingerprint import fingerprint, package_root
from analysis_server.server.keys import client_keys, private_folder
from analysis_server.server.messages import PROTOCOL_VERSION, Answer, Error, Hello, Welcome
from analysis_server.server.settings import CHUNK_BYTES
from analysis_server.server.verb_table import VERBS, name_of
from core import __version__
from core.errors import Cancelled, DiskFullError, FaderwiseError, InputError, ModelError, ServerError
from core.progress import ProgressCallback, no_progress

_DETACHED = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)

_started: list[subprocess.Popen[bytes]] = []
"""Servers this process has started: known until they end, so that none of them stays behind as a zombie."""


def start_server(folder: Path) -> subprocess.Popen[bytes]:
    """Start a server that keeps everything in `folder` and outlives this process.

    If one is up already, or another one is faster, the new one leaves by itself.
    """
    known = [str(package_root()), *filter(None, [os.environ.get("PYTHONPATH")])]
    child = subprocess.Popen(
        [sys.executable, "-m", "analysis_server.server"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=private_folder(folder / "server"),
        env={**os.environ, "FADERWISE_HOME": str(folder), "PYTHONPATH": os.pathsep.join(known)},
        start_new_session=os.name != "nt",
        creationflags=_DETACHED,
    )
    forget_ended()
    _started.append(child)
    return child


def forget_ended() -> bool:
    """Forget the servers this process has started that have ended; tell whether none is left."""
    _started[:] = [child for child in _started if child.poll() is None]
    return not _started


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


Given = TypeVar("Given", bound=msgspec.Struct)
_AboutJob = type[messages.AskJob] | type[messages.Cancel] | type[messages.Received]
_SILENCE_S, _LOST_S = 1.0, 3.0
_AS_INPUT = ("input", "outside")


class Client:
    """Talks to the server of one folder; to be used from one thread.

    Parameters
    ----------
    folder : where the server keeps everything; the user's by default.
    starts : whether to start a server where none answers.
    name : the client's name, for the server's log.
    connection : another server than the folder's own.
    most_losses : how often `run` may lose the server and start it again; any number of times by default.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        starts: bool = True,
        name: str = "python",
        connection: Connection | None = None,
        most_losses: int | None = None,
    ) -> None:
        self._most_losses = most_losses
        self._wire = Wire(folder or home(), starts=starts, name=name, connection=connection)
        self._numbers = iter(range(1, 1 << 62))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; jobs go on."""
        self._wire.close()

    def hello(self, *, deadline_s: float | None = 30.0) -> messages.Welcome:
        """Connect, and return which server this is.

        Raises
        ------
        ServerError
            No server is up and none may be started, or it speaks another version of the protocol.
        """
        self._wire.connect(Deadline(deadline_s))
        assert self._wire.welcome is not None  # noqa: S101 - `connect` sets it or raises
        return self._wire.welcome

    def heartbeat(self, *, deadline_s: float | None = 5.0) -> messages.Alive:
        """Return what the server does just now."""
        return self._asked(self._request(messages.Heartbeat), messages.Alive, Deadline(deadline_s))

    def run(
        self,
        request: Any,
        *,
        folder: Path | None = None,
        within: Iterable[str] = (),
        audio: Mapping[str, str] | None = None,
        job: str | None = None,
        progress: ProgressCallback = no_progress,
        deadline_s: float | None = None,
    ) -> Any:
        """Have the server do a verb's request, and return the verb's result.

        Parameters
        ----------
        request : a verb's request, such as `analysis_server.verbs.mix.MixRequest`.
        folder : relative paths start from it; the current folder by default.
        within : further folders that audio may lie in.
        audio : uploads by path in a tree, as `upload` gives them; then all paths are relative to that tree.
        job : the job's id, to resume it; chosen at random by default.
        progress : is told how far it is; if it raises, the job is cancelled.
        deadline_s : how long this may take.

        Raises
        ------
        InputError, ModelError, Cancelled
            As the verb itself.
        ServerError
            The server ended the job otherwise, or did not answer in time.
        """
        verb = name_of(request)
        kind = {"learn": messages.Learn, "predict": messages.Predict, "estimate": messages.Estimate}
        kind |= {"match": messages.Match, "evaluate": messages.Evaluate}
        name = job or secrets.token_hex(16)
        asked = self._request(
            kind[verb],
            job=name,
            request=msgspec.Raw(msgspec.msgpack.encode(request)),
            folder=None if audio else str((folder or Path.cwd()).absolute()),
            within=list(within),
            audio=dict(audio or {}),
        )
        try:
            result = self._finished(asked, progress, Deadline(deadline_s))
        except (ServerError, InputError, Cancelled):
            raise
        except BaseException:  # `progress` wants no more of it, or the keyboard
            self.cancel(name)
            raise
        if not audio:
            self.received(name)
        return msgspec.convert(result.result, VERBS[verb].result)

    def cancel(self, job: str, *, deadline_s: float | None = 2.0) -> messages.Accepted | None:
        """End a job; None if the server does not know it any more."""
        return self._about(messages.Cancel, job, messages.Accepted, deadline_s)

    def state(self, job: str, *, deadline_s: float | None = 5.0) -> messages.Accepted | None:
        """Return a job's state; from now on, what becomes of it comes here. None if the server does not know it."""
        return self._about(messages.AskJob, job, messages.Accepted, deadline_s)

    def received(self, job: str, *, deadline_s: float | None = 5.0) -> None:
        """Let the server forget a finished job."""
        self._about(messages.Received, job, messages.Done, deadline_s)

    def models(
        self,
        action: Literal["list", "show", "remove", "export", "import"],
        *,
        name: str | None = None,
        file: str | None = None,
        song: str | None = None,
        deadline_s: float | None = 30.0,
    ) -> messages.ModelList:
        """List, show, remove, export or import models."""
        request = self._request(messages.Models, action=action, name=name, file=file, song=song)
        return self._asked(request, messages.ModelList, Deadline(deadline_s))

    def shutdown(self, when: Literal["now", "idle"] = "now", *, deadline_s: float | None = 5.0) -> None:
        """Stop the server."""
        self._asked(self._request(messages.Shutdown, when=when), messages.Done, Deadline(deadline_s))

    def upload(self, file: Path, *, deadline_s: float | None = None) -> str:
        """Send a file to the server, and return the upload's id for `run`."""
        deadline, name, content = Deadline(deadline_s), secrets.token_hex(16), file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        announced = self._request(messages.Upload, upload=name, size=len(content), sha256=digest)
        offset = self._asked(announced, messages.Ready, deadline).offset
        while offset < len(content):
            data = content[offset : offset + CHUNK_BYTES]
            chunk = self._request(messages.Chunk, upload=name, offset=offset, data=data)
            offset = self._asked(chunk, messages.Ready, deadline).offset
        return name

    def fetch(self, job: str, file: str, *, deadline_s: float | None = None) -> bytes:
        """Return a file that a job on uploaded audio made."""
        deadline, pieces, offset, size = Deadline(deadline_s), [], 0, 1
        while offset < size:
            request = self._request(messages.Fetch, job=job, file=file, offset=offset)
            piece = self._asked(request, messages.Data, deadline)
            pieces.append(piece.data)
            offset, size = offset + len(piece.data), piece.size
        return b"".join(pieces)

    def _finished(self, asked: messages.JobRequest, progress: ProgressCallback, deadline: Deadline) -> messages.Result:
        """Send a job and wait for its end, over as many connections as it takes."""
        self._wire.send(asked, deadline)
        heard_s = asked_s = time.monotonic()
        losses = 0
        while True:
            answer = self._wire.receive(deadline.left_s(_SILENCE_S))
            now = time.monotonic()
            if answer is not None:
                heard_s = now
                if answer.id == asked.id and (result := _taken(answer, progress)) is not None:
                    return result
            elif now > heard_s + _LOST_S or not self._wire.may_be_up():
                self._wire.lose()
                losses += 1
                if self._most_losses is not None and losses > self._most_losses:
                    raise ServerError("the server was lost again and again; see its log", "unreachable")
                self._wire.send(asked, deadline)
                heard_s = now
            elif now > asked_s + _SILENCE_S:
                asked_s = now
                self._wire.send(self._request(messages.Heartbeat), deadline)

    def _about(self, kind: _AboutJob, job: str, answer: type[Given], limit_s: float | None) -> Given | None:
        try:
            return self._asked(self._request(kind, job=job), answer, Deadline(limit_s))
        except ServerError as error:
            if error.code == "unknown_job":
                return None
            raise

    def _asked(self, request: Any, kind: type[Given], deadline: Deadline) -> Given:
        """Send a request and return its answer; it is sent again when the connection was lost."""
        while True:
            self._wire.send(request, deadline)
            give_up_s = time.monotonic() + _LOST_S
            while time.monotonic() < give_up_s:
                answer = self._wire.receive(deadline.left_s(_SILENCE_S))
                if isinstance(answer, messages.Error) and answer.id == request.id:
                    raise raised(answer)
                if isinstance(answer, kind) and cast(Answer, answer).id == request.id:
                    return answer
            self._wire.lose()

    def _request(self, kind: Any, **fields: Any) -> Any:
        return kind(id=str(next(self._numbers)), version=PROTOCOL_VERSION, **fields)


def raised(answer: messages.Error) -> FaderwiseError:
    """Return the exception an error stands for: the one the verb itself would have raised, where it was the verb."""
    if answer.code == "cancelled":
        return Cancelled(answer.message)
    if answer.code == "model":
        return ModelError(answer.message)
    if answer.code == "disk_full":
        return DiskFullError(answer.message)
    if answer.code in _AS_INPUT:
        return InputError(answer.message)
    return ServerError(f"{answer.message}. {answer.remedy}", code=answer.code)


def _taken(answer: Answer, progress: ProgressCallback) -> messages.Result | None:
    if isinstance(answer, messages.Error):
        raise raised(answer)
    if isinstance(answer, messages.Progress):
        progress(answer.fraction, answer.stage)
    return answer if isinstance(answer, messages.Result) else None


_WORKS_WITHOUT = frozenset({"busy", "stopped", "unreachable", "version", "timeout"})
"""Errors of the server that say nothing about the request: it is done here then."""


def perform(
    request: Any,
    progress: ProgressCallback,
    *,
    name: str,
    folder: Path,
    starts: bool,
    within: Sequence[str] = (),
    most_losses: int | None = None,
) -> Any:
    """Return the verb's result for `request`.

    Parameters
    ----------
    request : a verb's request.
    progress : is told how far it is; if it raises, the work is cancelled.
    name : who asks, for the server's log.
    folder : relative paths start from it.
    starts : whether to start a server where none is up.
    within : further folders that audio may lie in.
    most_losses : how often a server may be lost before the work is done here; any number of times by default.

    Raises
    ------
    InputError, ModelError, Cancelled
        As the verb itself.
    ServerError
        The server ended the job, and would again.
    """
    try:
        with Client(starts=starts, name=name, most_losses=most_losses) as client:
            if client.hello().fingerprint == fingerprint():
                return client.run(request, folder=folder, within=within, progress=progress)
    except ServerError as error:
        if error.code not in _WORKS_WITHOUT:
            raise
    return VERBS[name_of(request)].run(request, progress)
