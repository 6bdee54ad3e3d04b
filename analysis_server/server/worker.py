"""A worker process: reads tasks from standard input, does them one by one, tells of them on standard output.

`python -m analysis_server.server.worker CACHE_FOLDER CACHE_BYTES`. When the input ends, the server is gone, and so is
the worker, at once: everything it writes is whole or invisible.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from analysis_server.server.cache import Cache
from analysis_server.server.known_files import KnownFiles
from analysis_server.server.pipes import Task, Told, ToWorker, Warm, read_body, write_message
from analysis_server.server.work import do
from core.errors import Cancelled

_TOLD_EVERY_S = 0.05
_NICENESS = 5


class _Orders:
    """What the server wants: tasks in order, and which job to drop."""

    def __init__(self, stream: BinaryIO) -> None:
        self.tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self.dropped: str | None = None
        self._stream = stream
        threading.Thread(target=self._read, name="orders", daemon=True).start()

    def _read(self) -> None:
        decoder = msgspec.msgpack.Decoder(ToWorker)
        while (body := read_body(self._stream)) is not None:
            order = decoder.decode(body)
            if isinstance(order, Task):
                self.tasks.put(order)
            else:
                self.dropped = order.job
        os._exit(0)


class _Teller:
    """Tells the server how far a job is, not too often, and stops a dropped one."""

    def __init__(self, job: str, orders: _Orders, stream: BinaryIO) -> None:
        self._job, self._orders, self._stream = job, orders, stream
        self._next_s = 0.0

    def __call__(self, fraction: float, stage: str = "", /) -> None:
        if self._orders.dropped == self._job:
            raise Cancelled("the job was cancelled")
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _TOLD_EVERY_S
            write_message(self._stream, Told(job=self._job, fraction=min(max(fraction, 0.0), 1.0), stage=stage))


def main(cache_folder: str, cache_bytes: str) -> None:
    """Work until the input ends."""
    orders_stream, answers = _own_streams()
    _stay_behind()
    orders = _Orders(orders_stream)
    cache, known = Cache(Path(cache_folder), int(cache_bytes)), KnownFiles()
    home = Path.cwd()
    write_message(answers, Warm())
    while True:
        task = orders.tasks.get()
        known.take_in(task.known)
        known.news()
        ended = do(task, cache, known, _Teller(task.job, orders, answers))
        os.chdir(home)
        write_message(answers, msgspec.structs.replace(ended, known=known.news()))


def _own_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the streams to the server, and send what libraries print elsewhere."""
    orders = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.dup2(2, 1)
    return orders, answers


def _stay_behind() -> None:
    """Leave the keyboard's interrupt to the server, and the processor to those who wait for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(_NICENESS)


if __name__ == "__main__":
    main(*sys.argv[1:])
