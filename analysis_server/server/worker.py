"""The worker processes: what runs in one, and how the server starts, feeds and replaces them.

`python -m analysis_server.server.worker TEMPORARY_FOLDER` reads tasks from standard input, runs them one by one, and
writes results to standard output. When its input ends, the server has ended and the worker exits at once; files that
it was writing are complete or invisible. A message on these streams is its length (four bytes, big-endian), followed by
a MessagePack map with a `type`.

Each worker is a new process (never forked) and stays warm between jobs. One that ends is replaced; one that ends
before it is ready is replaced after an increasing delay.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import zmq

from analysis_server.paths import PACKAGE_ROOT, child_environment, private_folder
from analysis_server.server.protocol import VERBS, Failure, encodable, failure_of
from core.errors import Cancelled, require_text
from core.files import recover
from core.progress import ProgressCallback

_PROGRESS_INTERVAL_S = 0.1
_NICENESS = 5
_LENGTH = struct.Struct(">I")


class Task(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="task"):
    """Run a verb; `request` is decoded in the worker, relative paths in it are relative to `folder`."""

    job: str
    verb: str
    request: msgspec.Raw
    folder: str


class CancelTask(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cancel"):
    """Stop the job if it is still running."""

    job: str


class Ready(msgspec.Struct, frozen=True, tag_field="type", tag="ready"):
    """The worker has imported everything and waits for tasks."""


class TaskProgress(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="progress"):
    """The progress of the job."""

    job: str
    fraction: float
    stage: str


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="finished"):
    """The end of a job: an encoded result, or a failure."""

    job: str
    result: bytes | None = None
    failure: Failure | None = None


ToWorker = Task | CancelTask
FromWorker = Ready | TaskProgress | Finished


def write_message(stream: BinaryIO, message: msgspec.Struct) -> None:
    """Write one message and flush."""
    body = msgspec.msgpack.encode(message)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_body(stream: BinaryIO) -> bytes | None:
    """Return one encoded message, or None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


class _Inbox:
    """The tasks that the server sent, and the job that it cancelled last."""

    def __init__(self, stream: BinaryIO) -> None:
        self.tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self.cancelled: str | None = None
        self._stream = stream
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def _read(self) -> None:
        decoder = msgspec.msgpack.Decoder(ToWorker)
        while (body := read_body(self._stream)) is not None:
            match decoder.decode(body):
                case Task() as task:
                    self.tasks.put(task)
                case CancelTask(job=job):
                    self.cancelled = job
        os._exit(0)


def main(temporary_folder: Path) -> None:
    """Run tasks until the input ends."""
    incoming, outgoing = _take_standard_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server handles the keyboard's interrupt
    inbox = _Inbox(incoming)
    for verb in VERBS.values():
        with suppress(Exception):  # a job that needs it reports why
            verb.request_type()
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(_NICENESS)
    write_message(outgoing, Ready())
    while True:
        task = inbox.tasks.get()
        temporary_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        finished = run_task(task, _progress_of(task.job, inbox, outgoing))
        os.chdir(temporary_folder.anchor)  # leaves the user's folder free to be moved or deleted
        write_message(outgoing, finished)


def run_task(task: Task, progress: ProgressCallback) -> Finished:
    """Run the verb and return how it ended; every exception becomes a failure."""
    try:
        require_text(task.folder)
        os.chdir(task.folder)
        verb = VERBS[task.verb]
        try:
            request = msgspec.msgpack.decode(task.request, type=verb.request_type())
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            problem = f"`request` is not a valid {task.verb} request: {error}"
            return Finished(job=task.job, failure=Failure(code="request", problem=problem))
        for text in _texts(msgspec.to_builtins(request)):
            require_text(text)
        result = msgspec.to_builtins(verb.run(request, progress))
        return Finished(job=task.job, result=msgspec.msgpack.encode(encodable(result)))
    except Exception as error:
        failure = failure_of(error)
        if failure.code == "internal":
            traceback.print_exc()
        return Finished(job=task.job, failure=failure)


def _texts(value: object) -> Iterator[str]:
    """Yield every text in plain data: all of them may be paths."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _progress_of(job: str, inbox: _Inbox, outgoing: BinaryIO) -> ProgressCallback:
    """Return a progress callback that reports to the server at intervals and stops a cancelled job."""
    next_s = 0.0

    def progress(fraction: float, stage: str = "", /) -> None:
        nonlocal next_s
        if inbox.cancelled == job:
            raise Cancelled("the job was cancelled")
        now = time.monotonic()
        if now >= next_s:
            next_s = now + _PROGRESS_INTERVAL_S
            shown = str(encodable(stage))
            write_message(outgoing, TaskProgress(job=job, fraction=min(max(fraction, 0.0), 1.0), stage=shown))

    return progress


def _take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the streams from and to the server; what libraries print goes to standard error."""
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return incoming, outgoing


_MAX_RESTART_DELAY_S = 30.0
_EXIT_WAIT_S = 2.0
_CREATION_FLAGS = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
_ADDRESS = "inproc://workers"


class _Output(msgspec.Struct):
    """The part of a request that names its output folder."""

    out: str | None = None


class Lost(msgspec.Struct, frozen=True):
    """A worker ended in the middle of a job, with this exit code (negative: a signal)."""

    job: str
    exit_code: int


class _Worker:
    """One worker process; `job` is the job it runs, `output` the output folder that the job's request names."""

    def __init__(self, home: Path, number: int, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.job: str | None = None
        self.output: Path | None = None
        self.is_ready = False
        self.kill_at_s: float | None = None
        self._number, self._context = number, context
        log = private_folder(home, "logs") / f"worker-{number}.log"
        self._log = os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._scratch = private_folder(home, "server", "spool", f"worker-{number}")
        self.child = subprocess.Popen(  # noqa: S603 - a list, no shell
            [sys.executable, "-m", "analysis_server.server.worker", str(self._scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=PACKAGE_ROOT.anchor,
            env=child_environment(home) | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._scratch)),
            creationflags=_CREATION_FLAGS,
        )
        self._thread = threading.Thread(target=self._forward, name=f"worker {number}", daemon=True)
        self._thread.start()

    def send(self, message: Task | CancelTask) -> None:
        """Send a message; a worker that has ended is noticed by the thread that reads from it."""
        assert self.child.stdin is not None  # noqa: S101 - opened as a pipe
        with suppress(OSError):
            write_message(self.child.stdin, message)  # type: ignore[arg-type]

    def close(self) -> int:
        """Wait for the process to end, delete its temporary files and return its exit code."""
        code = self.child.wait()
        self._thread.join()
        for stream in (self.child.stdin, self.child.stdout, self._log):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        shutil.rmtree(self._scratch, ignore_errors=True)
        return code

    def _forward(self) -> None:
        """Forward what the worker writes to the server's loop; an empty message reports that it has ended."""
        with self._context.socket(zmq.PUSH) as socket:
            socket.linger = 0
            socket.connect(_ADDRESS)
            number = self._number.to_bytes(4, "big")
            with suppress(OSError, ValueError):
                while (body := read_body(self.child.stdout)) is not None:  # type: ignore[arg-type]
                    socket.send_multipart([number, body])
            try:
                self.child.wait(_EXIT_WAIT_S)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
            if self.job is not None and self.output is not None:  # it ended in the middle of a job
                recover(self.output)
            with suppress(zmq.ZMQError):
                socket.send_multipart([number, b""], zmq.NOBLOCK)


class Workers:
    """All worker processes; `socket` is readable when one of them has sent something."""

    def __init__(self, home: Path, n_workers: int, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.socket = context.socket(zmq.PULL)
        self.socket.rcvhwm = 0
        self.socket.bind(_ADDRESS)
        self._home, self._context = home, context
        self._workers: dict[int, _Worker] = {}
        self._start_at_s: dict[int, float] = dict.fromkeys(range(n_workers), 0.0)
        self._n_failures = 0
        self._decoder = msgspec.msgpack.Decoder(FromWorker)

    def start_missing(self) -> None:
        """Start workers that are due, and kill those that did not end a cancelled job in time."""
        now = time.monotonic()
        for number, start_at_s in list(self._start_at_s.items()):
            if now >= start_at_s:
                del self._start_at_s[number]
                self._workers[number] = _Worker(self._home, number, self._context)
        for worker in self._workers.values():
            if worker.kill_at_s is not None and now >= worker.kill_at_s:
                worker.child.kill()

    @property
    def n_ready(self) -> int:
        """How many workers have started."""
        return sum(worker.is_ready for worker in self._workers.values())

    @property
    def is_one_free(self) -> bool:
        """Whether a worker can take a task."""
        return any(worker.is_ready and worker.job is None for worker in self._workers.values())

    def give(self, task: Task) -> None:
        """Send a task to a free worker."""
        worker = next(worker for worker in self._workers.values() if worker.is_ready and worker.job is None)
        worker.job, worker.output = task.job, None
        with suppress(msgspec.DecodeError):  # the worker reports invalid requests
            out = msgspec.msgpack.decode(task.request, type=_Output).out
            worker.output = None if out is None else Path(task.folder, out)
        worker.send(task)

    def cancel(self, job: str, within_s: float) -> bool:
        """Cancel a job that a worker runs, and kill the worker if it continues; return False if none runs it."""
        worker = next((worker for worker in self._workers.values() if worker.job == job), None)
        if worker is None:
            return False
        worker.kill_at_s = time.monotonic() + within_s
        worker.send(CancelTask(job=job))
        return True

    def receive(self) -> TaskProgress | Finished | Lost | None:
        """Read one message from `socket`; return its meaning for the jobs."""
        head, body = self.socket.recv_multipart()
        number = int.from_bytes(head, "big")
        worker = self._workers[number]
        message: Any = None
        if body:
            try:
                message = self._decoder.decode(body)
            except msgspec.DecodeError:
                worker.child.kill()
                return None
        match message:
            case None:
                return self._replace(number, worker)
            case Ready():
                worker.is_ready, self._n_failures = True, 0
                return None
            case Finished():
                worker.job, worker.kill_at_s = None, None
        return message

    def close(self) -> None:
        """End all workers at once."""
        for worker in self._workers.values():
            worker.child.kill()
        for worker in self._workers.values():
            worker.close()
        self.socket.close()

    def _replace(self, number: int, worker: _Worker) -> Lost | None:
        code = worker.close()
        del self._workers[number]
        self._n_failures = 0 if worker.is_ready else self._n_failures + 1
        delay_s = 0.0 if worker.is_ready else min(0.5 * 2.0**self._n_failures, _MAX_RESTART_DELAY_S)
        self._start_at_s[number] = time.monotonic() + delay_s
        return None if worker.job is None else Lost(worker.job, code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
