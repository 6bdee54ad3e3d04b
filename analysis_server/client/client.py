"""A client of the analysis server: jobs, cancelled or resumed, over a connection that may be lost and made again.

A call has one deadline. A server that is not up is started (by exactly one of many clients); one that was lost is
started again and asked for the job, or given it anew, so a caller never sees the difference.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar, cast

import msgspec

from analysis_server.client.wire import Deadline, Wire
from analysis_server.home import home
from analysis_server.server import messages
from analysis_server.server.connection import Connection
from analysis_server.server.messages import PROTOCOL_VERSION, Answer
from analysis_server.server.settings import CHUNK_BYTES
from analysis_server.server.verb_table import VERBS, name_of
from analysis_server.telling import Tell, untold
from core.errors import Cancelled, DiskFullError, FaderwiseError, InputError, ModelError, ServerError

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
        tell: Tell = untold,
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
        tell : is told how far it is; if it raises, the job is cancelled.
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
            result = self._finished(asked, tell, Deadline(deadline_s))
        except (ServerError, InputError, Cancelled):
            raise
        except BaseException:  # `tell` wants no more of it, or the keyboard
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

    def _finished(self, asked: messages.JobRequest, tell: Tell, deadline: Deadline) -> messages.Result:
        """Send a job and wait for its end, over as many connections as it takes."""
        self._wire.send(asked, deadline)
        heard_s = asked_s = time.monotonic()
        losses = 0
        while True:
            answer = self._wire.receive(deadline.left_s(_SILENCE_S))
            now = time.monotonic()
            if answer is not None:
                heard_s = now
                if answer.id == asked.id and (result := _taken(answer, tell)) is not None:
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


def _taken(answer: Answer, tell: Tell) -> messages.Result | None:
    if isinstance(answer, messages.Error):
        raise raised(answer)
    if isinstance(answer, messages.Progress):
        tell(answer.fraction, answer.stage)
    return answer if isinstance(answer, messages.Result) else None
