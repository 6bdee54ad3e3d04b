"""The worker processes, as the server sees them.

Each one is started afresh (never forked), kept warm, and spoken to over its standard streams. A worker that ends is
replaced; one that keeps ending before it is warm is replaced ever more slowly.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec

from analysis_server.server.desk import Inbox
from analysis_server.server.fingerprint import package_root
from analysis_server.server.keys import private_folder
from analysis_server.server.pipes import Drop, Ended, FromWorker, Task, Told, Warm, read_body, write_message
from analysis_server.server.settings import Settings

_SLOWEST_RESTART_S = 30.0
_LINGERS_S = 2.0
_BELOW_NORMAL = getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)


class Worker:
    """One worker process; `job` is what it does just now."""

    def __init__(
        self, settings: Settings, number: int, on_message: Callable[[Worker, FromWorker | None], None]
    ) -> None:
        self.job: str | None = None
        self.is_warm = False
        self.kill_at_s: float | None = None
        self._log = (settings.logs / f"worker-{number}.log").open("wb")
        self._scratch = settings.spool / f"worker-{number}"
        private_folder(self._scratch)
        command = [
            sys.executable,
            "-m",
            "analysis_server.server.worker",
            str(settings.cache),
            str(settings.cache_bytes),
        ]
        self._child = subprocess.Popen(  # noqa: S603 - a list, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=settings.spool,
            env=_environment(settings, self._scratch),
            creationflags=_BELOW_NORMAL,
        )
        self._on_message = on_message
        threading.Thread(target=self._listen, name=f"worker {number}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._child.pid

    @property
    def is_free(self) -> bool:
        """Whether it can take a task."""
        return self.is_warm and self.job is None

    def give(self, task: Task) -> None:
        """Have it do a task."""
        self.job = task.job
        self._write(task)

    def drop(self, job: str, within_s: float) -> None:
        """Have it end a job, and end it by force if it has not in time."""
        self.kill_at_s = time.monotonic() + within_s
        self._write(Drop(job=job))

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()

    def end(self) -> int:
        """Return its exit code once its output has ended; what it left behind is removed."""
        code = self._child.wait()
        for stream in (self._child.stdin, self._child.stdout, self._log):
            with suppress(OSError):
                _closed(stream)
        shutil.rmtree(self._scratch, ignore_errors=True)
        return code

    def _write(self, message: Task | Drop) -> None:
        assert self._child.stdin is not None  # noqa: S101 - it was opened as a pipe
        with suppress(OSError):  # it has ended: `_listen` tells
            write_message(self._child.stdin, message)  # type: ignore[arg-type]

    def _listen(self) -> None:
        assert self._child.stdout is not None  # noqa: S101 - it was opened as a pipe
        decoder = msgspec.msgpack.Decoder(FromWorker)
        with suppress(OSError, ValueError, msgspec.DecodeError):
            while (body := read_body(self._child.stdout)) is not None:  # type: ignore[arg-type]
                self._on_message(self, decoder.decode(body))
        try:
            self._child.wait(_LINGERS_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
        self._on_message(self, None)


def _closed(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


def _environment(settings: Settings, scratch: Path) -> dict[str, str]:
    known = [str(package_root()), *filter(None, [os.environ.get("PYTHONPATH")])]
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))  # what a kill leaves goes with it
    ours = {"FADERWISE_HOME": str(settings.folder), "PYTHONPATH": os.pathsep.join(known)}
    return {**os.environ, **temporary, **ours}


class Pool:
    """Keeps `n_workers` workers; everything but `_heard` runs in the loop's thread.

    `on_told` and `on_ended` are called for messages of a worker's present job, `on_lost` with the exit code when a
    worker ends in the middle of one.
    """

    def __init__(self, settings: Settings, inbox: Inbox) -> None:
        self._settings, self._inbox = settings, inbox
        self._workers: dict[int, Worker] = {}
        self._start_at_s: dict[int, float] = dict.fromkeys(range(settings.n_workers), 0.0)
        self._failures = 0
        self._is_open = True
        self.on_told: Callable[[Told], None] = lambda _told: None
        self.on_ended: Callable[[Ended], None] = lambda _ended: None
        self.on_lost: Callable[[str, int], None] = lambda _job, _code: None

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers.values())

    def free(self) -> Worker | None:
        """Return a worker that can take a task, if there is one."""
        return next((worker for worker in self if worker.is_free), None)

    def doing(self, job: str) -> Worker | None:
        """Return the worker that does a job, if there is one."""
        return next((worker for worker in self if worker.job == job), None)

    def tend(self) -> None:
        """Start the workers that are missing, and end those that were to end a job and did not."""
        now = time.monotonic()
        for number, start_at_s in list(self._start_at_s.items()):
            if now >= start_at_s:
                del self._start_at_s[number]
                self._workers[number] = Worker(self._settings, number, self._heard)
        for worker in self:
            if worker.kill_at_s is not None and now >= worker.kill_at_s:
                worker.kill()

    def close(self) -> None:
        """End all workers, whatever they do."""
        self._is_open = False
        for worker in self:
            worker.kill()
            worker.end()

    def _heard(self, worker: Worker, message: FromWorker | None) -> None:
        self._inbox.post(lambda: self._take(worker, message))

    def _take(self, worker: Worker, message: FromWorker | None) -> None:
        if message is None:
            self._replace(worker)
        elif isinstance(message, Warm):
            worker.is_warm, self._failures = True, 0
        elif isinstance(message, Told):
            self.on_told(message)
        else:
            worker.job, worker.kill_at_s = None, None
            self.on_ended(message)

    def _replace(self, worker: Worker) -> None:
        number = next((number for number, known in self._workers.items() if known is worker), None)
        if number is None or not self._is_open:
            return
        code = worker.end()
        del self._workers[number]
        self._failures = 0 if worker.is_warm else self._failures + 1
        wait_s = 0.0 if worker.is_warm else min(0.5 * 2.0**self._failures, _SLOWEST_RESTART_S)
        self._start_at_s[number] = time.monotonic() + wait_s
        if worker.job is not None:
            self.on_lost(worker.job, code)
