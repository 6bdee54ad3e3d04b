"""The worker processes, seen from the server.

Each one is a new process (never forked), stays warm between jobs, and is reached over its standard streams. A worker
that ends is replaced; one that ends before it is ready is replaced after an increasing delay.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import zmq

from analysis_server.paths import PACKAGE_ROOT, private_folder
from analysis_server.server.worker import (
    CancelTask,
    Finished,
    FromWorker,
    Ready,
    Task,
    TaskProgress,
    read_body,
    write_message,
)
from core.files import recover

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
        search_path = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.child = subprocess.Popen(  # noqa: S603 - a list, no shell
            [sys.executable, "-m", "analysis_server.server.worker", str(self._scratch)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=PACKAGE_ROOT.anchor,
            env={
                **os.environ,
                **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._scratch)),
                "FADERWISE_HOME": str(home),
                "PYTHONPATH": os.pathsep.join(search_path),
            },
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
