"""The worker's side of a job folder: progress, heartbeat and cancellation."""

from __future__ import annotations

import _thread
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

_BEAT_S = 0.5


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """`progress.json`: how far the work is, and when that was written (Unix time)."""

    fraction: float
    stage: str
    heartbeat: float
    pid: int


class AtWork:
    """Tells how far the work is; its thread writes it down, and interrupts the work when it is cancelled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fraction, self._stage = 0.0, "starting"
        self._ended = threading.Event()
        self.is_cancelled = False

    def tell(self, fraction: float, stage: str = "", /) -> None:
        """Take note of how far it is: a `ProgressCallback`."""
        self._fraction, self._stage = fraction, stage

    def beat(self) -> None:
        """Write down how far it is; interrupt the work if it was cancelled or its folder is gone."""
        if (self._folder / "cancel").exists() or not (self._folder / "job.json").exists():
            self.is_cancelled = True
            _thread.interrupt_main()
            return
        now = Progress(fraction=self._fraction, stage=self._stage, heartbeat=time.time(), pid=os.getpid())
        with suppress(OSError):  # the next beat may have room again
            put(self._folder / "progress.json", now)

    def end(self) -> None:
        """Let the thread end."""
        self._ended.set()

    def run(self) -> None:
        """Beat until the end, or until the work is interrupted."""
        while not self.is_cancelled:
            self.beat()
            if self._ended.wait(_BEAT_S):
                return


def put(path: Path, content: msgspec.Struct) -> None:
    """Write a file of the job folder, all or nothing.

    Raises
    ------
    OSError
        The disk is full, or the folder is gone.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_bytes(msgspec.json.encode(content))
    temporary.replace(path)


@contextmanager
def at_work(folder: Path) -> Iterator[AtWork]:
    """Give what a job's work is told by; while inside, the folder shows that it lives."""
    work = AtWork(folder)
    thread = threading.Thread(target=work.run, daemon=True)
    thread.start()
    try:
        yield work
    finally:
        work.end()
        thread.join()
