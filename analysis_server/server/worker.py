"""A worker process: reads tasks from standard input, runs them one by one, and writes results to standard output.

`python -m analysis_server.server.worker TEMPORARY_FOLDER`. When its input ends, the server has ended and the worker
exits at once; files that it was writing are complete or invisible.

A message on these streams is its length (four bytes, big-endian), followed by a MessagePack map with a `type`.
"""

from __future__ import annotations

import os
import queue
import signal
import struct
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from analysis_server.server.protocol import Failure, encodable, failure_of
from analysis_server.server.verb_table import VERBS
from core.errors import Cancelled, require_text
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
