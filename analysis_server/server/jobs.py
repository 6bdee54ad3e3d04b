"""The jobs of a server: queued, running and finished, each with at most one connection, and the log of them."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from analysis_server.paths import private_folder
from analysis_server.server.protocol import (
    Answer,
    Error,
    Failure,
    JobState,
    Limits,
    Progress,
    Result,
    Run,
    State,
    error,
)
from analysis_server.server.worker import Finished, Lost, Task, TaskProgress, Workers
from core.errors import ServerError

_CANCEL_S = 0.6
_ETA_FROM = 0.02
_CANCELLED = Failure(code="cancelled", problem="the job was cancelled")
_BYTES_PER_FILE = 1 << 20
_FILES = 3


@dataclass(kw_only=True, eq=False)
class Job:
    """A job from its request to its end.

    Attributes
    ----------
    task : what the worker is sent; None once the job has finished.
    digest : hash of the request, to distinguish a repeated request from another one with the same id.
    peer, request_id : the connection that the job's messages go to, and the id they carry.
    end : the final message.
    """

    name: str
    verb: str
    task: Task | None
    digest: bytes
    peer: bytes | None
    request_id: str
    state: State = "queued"
    is_cancelled: bool = False
    fraction: float = 0.0
    requested_s: float = field(default_factory=time.monotonic)
    started_s: float = 0.0
    finished_s: float = 0.0
    end: Result | Error | None = None


class Jobs:
    """Runs jobs in the order they came. Used from the server's loop only; nothing here waits."""

    def __init__(self, limits: Limits, send: Callable[[bytes, Answer], None], *, workers: Workers, log: Log) -> None:
        self._limits, self._send, self._workers, self._log = limits, send, workers, log
        self._jobs: dict[str, Job] = {}

    def count(self, state: State) -> int:
        """Return how many jobs are in a state."""
        return sum(job.state == state for job in self._jobs.values())

    def run(self, peer: bytes, request: Run, *, is_stopping: bool) -> None:
        """Queue a job; a repeated request attaches the connection to the job it started.

        Raises
        ------
        ServerError
            The id belongs to another request, the queue is full, or the server is stopping.
        """
        digest = hashlib.sha256(msgspec.msgpack.encode([request.verb, bytes(request.request), request.folder])).digest()
        known = self._jobs.get(request.job)
        if known is not None:
            if known.digest != digest:
                raise ServerError(f"job {request.job} belongs to another request", "conflict")
            self.attach(request.job, peer, request.id)
            return
        if is_stopping or self.count("queued") >= self._limits.queued_jobs:
            raise ServerError("the server is stopping" if is_stopping else "too many jobs are waiting", "busy")
        task = Task(
            job=request.job, verb=request.verb, request=msgspec.Raw(bytes(request.request)), folder=request.folder
        )
        job = Job(name=request.job, verb=request.verb, task=task, digest=digest, peer=peer, request_id=request.id)
        self._jobs[job.name] = job
        self._send(peer, JobState(id=request.id, job=job.name, state=job.state))
        self._log.write("queued", job=job.name, verb=job.verb)
        self.start_waiting()

    def attach(self, name: str, peer: bytes, request_id: str) -> None:
        """Answer with the job's state, and send its later messages, or its end, to this connection.

        Raises
        ------
        ServerError
            The job is unknown.
        """
        job = self._known(name)
        job.peer, job.request_id = peer, request_id
        self._send(peer, JobState(id=request_id, job=name, state=job.state))
        if job.end is not None:
            self._send(peer, msgspec.structs.replace(job.end, id=request_id))

    def cancel(self, name: str, peer: bytes, request_id: str) -> None:
        """Cancel a queued or running job; discard a finished one.

        Raises
        ------
        ServerError
            The job is unknown.
        """
        job = self._known(name)
        self._send(peer, JobState(id=request_id, job=name, state=job.state))
        if job.end is not None:
            del self._jobs[name]
            return
        job.is_cancelled = True
        if not self._workers.cancel(name, _CANCEL_S):
            self._fail(job, _CANCELLED)

    def start_waiting(self) -> None:
        """Give queued jobs to free workers."""
        for job in list(self._jobs.values()):
            if job.state == "queued" and job.task is not None:
                if not self._workers.is_one_free:
                    return
                job.state, job.started_s = "running", time.monotonic()
                self._workers.give(job.task)

    def take(self, message: TaskProgress | Finished | Lost) -> None:
        """Handle what a worker sent, or its end."""
        job = self._jobs.get(message.job)
        if job is None or job.end is not None:
            return
        match message:
            case TaskProgress():
                self._report(job, message)
            case Finished(result=None, failure=failure):
                self._fail(job, failure or Failure(code="internal", problem="the worker returned no result"))
            case Finished(result=result):
                elapsed_s = time.monotonic() - job.requested_s
                assert result is not None  # noqa: S101 - the case above
                self._finish(job, Result(id="", job=job.name, result=msgspec.Raw(result), elapsed_s=elapsed_s))
                self._log.write("finished", job=job.name, verb=job.verb, elapsed_s=round(elapsed_s, 3))
            case Lost():
                self._fail(job, _CANCELLED if job.is_cancelled else _crash(message.exit_code))

    def discard_old(self) -> None:
        """Discard finished jobs that are too old, and the oldest when there are too many."""
        finished = sorted((job for job in self._jobs.values() if job.end is not None), key=lambda job: job.finished_s)
        n_too_many = len(finished) - self._limits.kept_results
        expired_s = time.monotonic() - self._limits.result_age_s
        for number, job in enumerate(finished):
            if number < n_too_many or job.finished_s < expired_s:
                del self._jobs[job.name]

    def detach_all(self) -> None:
        """Forget which connections the jobs' messages go to: all of them have been closed."""
        for job in self._jobs.values():
            job.peer = None

    def stop(self) -> None:
        """End every job that has not finished."""
        for job in list(self._jobs.values()):
            if job.end is None:
                self._fail(job, Failure(code="stopped", problem="the server was stopped"))

    def _known(self, name: str) -> Job:
        if name not in self._jobs:
            raise ServerError(f"job {name} is unknown", "unknown_job")
        return self._jobs[name]

    def _report(self, job: Job, message: TaskProgress) -> None:
        job.fraction = max(job.fraction, message.fraction)
        if job.peer is None:
            return
        eta_s = None
        if job.fraction >= _ETA_FROM:
            eta_s = (time.monotonic() - job.started_s) * (1.0 - job.fraction) / job.fraction
        self._send(
            job.peer,
            Progress(id=job.request_id, job=job.name, fraction=job.fraction, stage=message.stage, eta_s=eta_s),
        )

    def _fail(self, job: Job, failure: Failure) -> None:
        self._finish(job, error("", failure, job.name))
        self._log.write("failed", job=job.name, verb=job.verb, code=failure.code)

    def _finish(self, job: Job, end: Result | Error) -> None:
        job.end, job.state, job.finished_s, job.task = end, "finished", time.monotonic(), None
        if job.peer is not None:
            self._send(job.peer, msgspec.structs.replace(end, id=job.request_id))


def _crash(exit_code: int) -> Failure:
    if exit_code >= 0:
        how = f"ended with exit code {exit_code}"
    else:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = str(-exit_code)
        how = f"was ended by the signal {name}" + (", possibly for lack of memory," if name == "SIGKILL" else "")
    return Failure(code="crashed", problem=f"the worker process {how} during the job")


class Log:
    """Writes events to `logs/server.jsonl`; on a full disk lines are lost, and the server continues."""

    def __init__(self, home: Path) -> None:
        path = private_folder(home, "logs") / "server.jsonl"
        self._handler = _Handler(path, maxBytes=_BYTES_PER_FILE, backupCount=_FILES, encoding="utf-8")

    def write(self, event: str, **fields: str | float | None) -> None:
        """Write one line: the time, the event and its fields."""
        line = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event, **fields}
        text = json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace").decode()
        self._handler.handle(logging.LogRecord("faderwise", logging.INFO, "", 0, text, None, None))

    def close(self) -> None:
        """Close the file."""
        self._handler.close()


class _Handler(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return TextIOWrapper(os.fdopen(os.open(self.baseFilename, flags, 0o600), "ab"), encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Ignore a line that cannot be written."""
