"""What each request does. Everything here runs in the loop's thread and never waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from analysis_server.server import messages, model_requests
from analysis_server.server.desk import Desk
from analysis_server.server.fingerprint import fingerprint
from analysis_server.server.job_runner import JobRunner
from analysis_server.server.jobs import Job, Listener, digest_of
from analysis_server.server.messages import PROTOCOL_VERSION, Answer, Request, error
from analysis_server.server.settings import CHUNK_BYTES, Settings
from analysis_server.server.uploads import Uploads
from analysis_server.server.verb_table import VERBS
from analysis_server.server.work import ending_of
from core import __version__
from core.errors import ServerError

Send = Callable[[bytes, Answer], None]


class Service:
    """Answers requests.

    Parameters
    ----------
    settings : what the server may use.
    send : sends an answer to a connection.
    runner : runs jobs.
    desk : does short work on other threads.
    """

    def __init__(self, settings: Settings, send: Send, *, runner: JobRunner, desk: Desk, uploads: Uploads) -> None:
        self._settings, self._send, self._runner, self._desk = settings, send, runner, desk
        self._uploads = uploads
        self._started_s = time.monotonic()
        self._decoder = msgspec.msgpack.Decoder(Request)
        self.stop: str | None = None
        """`now` or `idle` once somebody asked for it."""

    def take(self, peer: bytes, content: bytes) -> None:
        """Answer one message of a client."""
        try:
            request = self._decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            self._send(peer, error(_id_in(content), "malformed", f"the message cannot be understood: {problem}"))
            return
        version = getattr(request, "version", None) or PROTOCOL_VERSION
        if version != PROTOCOL_VERSION:
            text = f"the request is in version {version}, this server speaks version {PROTOCOL_VERSION}"
            self._send(peer, error(request.id, "version", text))
            return
        try:
            self._answer(peer, request)
        except ServerError as problem:
            self._send(peer, error(request.id, problem.code, str(problem), getattr(request, "job", None)))

    def _answer(self, peer: bytes, request: Request) -> None:
        match request:
            case messages.Hello():
                self._send(peer, self._welcome(request))
            case messages.Heartbeat():
                self._send(peer, self._alive(request))
            case messages.JobRequest():
                self._take_job(peer, request)
            case messages.AskJob():
                self._attach(self._known_job(request.job), Listener(peer, request.id))
            case messages.Cancel():
                self._cancel(peer, request)
            case messages.Received():
                self._runner.forget(request.job)
                self._send(peer, messages.Done(id=request.id))
            case messages.Fetch():
                self._fetch(peer, request)
            case messages.Models():
                self._at_the_desk(peer, request.id, lambda: model_requests.answer(request))
            case messages.Upload():
                offset = self._uploads.announce(request)
                self._send(peer, messages.Ready(id=request.id, upload=request.upload, offset=offset))
            case messages.Chunk():
                offset = self._uploads.add(request)
                self._send(peer, messages.Ready(id=request.id, upload=request.upload, offset=offset))
            case messages.Shutdown():
                self.stop = request.when if self.stop != "now" else "now"
                self._send(peer, messages.Done(id=request.id))

    def _welcome(self, request: messages.Hello) -> Answer:
        if PROTOCOL_VERSION not in request.versions:
            theirs = ", ".join(map(str, request.versions)) or "none"
            text = (
                f"this server (Faderwise {__version__}) speaks protocol version {PROTOCOL_VERSION}, the client {theirs}"
            )
            return error(request.id, "version", text)
        return messages.Welcome(
            id=request.id,
            version=PROTOCOL_VERSION,
            program=__version__,
            fingerprint=fingerprint(),
            pid=os.getpid(),
            uptime_s=time.monotonic() - self._started_s,
            limits=self._settings.limits,
        )

    def _alive(self, request: messages.Heartbeat) -> Answer:
        book = self._runner.book
        return messages.Alive(
            id=request.id,
            pid=os.getpid(),
            uptime_s=time.monotonic() - self._started_s,
            workers=self._runner.n_workers,
            running=book.count("running"),
            queued=book.count("queued"),
            finished=book.count("finished"),
        )

    def _take_job(self, peer: bytes, asked: messages.JobRequest) -> None:
        listener = Listener(peer, asked.id)
        known, digest = self._runner.book.get(asked.job), digest_of(asked)
        if known is not None:
            if known.digest != digest:
                raise ServerError(f"job {asked.job} stands for another request", code="conflict")
            self._attach(known, listener)
            return
        if self.stop is not None or self._runner.book.is_full:
            raise ServerError("the server is stopping" if self.stop else "too many jobs are waiting", code="busy")
        job = self._made_job(asked, digest)
        job.listener = listener
        self._send(peer, job.accepted(asked.id))
        self._runner.add(job)

    def _made_job(self, asked: messages.JobRequest, digest: bytes) -> Job:
        verb = type(asked).__name__.lower()
        try:
            request = msgspec.msgpack.decode(asked.request, type=VERBS[verb].request)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise ServerError(f"`request` is no {verb} request: {problem}", code="request") from problem
        _require_folders(asked)
        uploads = self._uploads.take(asked.job, asked.audio) if asked.audio else None
        lock = f"learn {request.model}" if verb == "learn" else None
        return Job(name=asked.job, verb=verb, request=request, asked=asked, digest=digest, lock=lock, uploads=uploads)

    def _known_job(self, name: str) -> Job:
        job = self._runner.book.get(name)
        if job is None:
            raise ServerError(f"job {name} is not known here", code="unknown_job")
        return job

    def _attach(self, job: Job, listener: Listener) -> None:
        job.listener = listener
        self._send(listener.peer, job.accepted(listener.request_id))
        final = job.final(listener.request_id)
        if final is not None:
            self._send(listener.peer, final)

    def _cancel(self, peer: bytes, request: messages.Cancel) -> None:
        job = self._known_job(request.job)
        self._send(peer, job.accepted(request.id))
        self._runner.cancel(job)

    def _fetch(self, peer: bytes, request: messages.Fetch) -> None:
        job = self._known_job(request.job)
        path = self._runner.made_file(job, request.file)
        if path is None:
            raise ServerError(f"job {request.job} made no file {request.file!r}", code="upload")
        self._at_the_desk(peer, request.id, lambda: _piece(request, path))

    def _at_the_desk(self, peer: bytes, request_id: str, work: Callable[[], Answer]) -> None:
        def told(outcome: Answer | BaseException) -> None:
            if isinstance(outcome, BaseException):
                code, text = ending_of(outcome)
                self._send(peer, error(request_id, code, text))
            else:
                self._send(peer, outcome)

        self._desk.ask(work, told)


def _piece(request: messages.Fetch, path: Path) -> messages.Data:
    with path.open("rb") as file:
        file.seek(request.offset)
        data = file.read(CHUNK_BYTES)
    size = path.stat().st_size
    return messages.Data(id=request.id, job=request.job, file=request.file, offset=request.offset, size=size, data=data)


def _require_folders(asked: messages.JobRequest) -> None:
    named = [folder for folder in (asked.folder, *asked.within) if folder is not None]
    if any(not Path(folder).is_absolute() for folder in named):
        raise ServerError("`folder` and `within` must be absolute paths", code="request")
    if asked.folder is None and not asked.audio:
        raise ServerError("`folder` is missing: the paths in `request` start from it", code="request")


class _IdOnly(msgspec.Struct):
    id: str


def _id_in(content: bytes) -> str:
    try:
        return msgspec.msgpack.decode(content, type=_IdOnly).id[:64]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
