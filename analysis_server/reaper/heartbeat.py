"""The relay's side of a job folder: progress, heartbeat and cancellation."""

from __future__ import annotations

import _thread
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

_INTERVAL_S = 0.5


class Heartbeat:
    """Write `progress.json` every half second, and interrupt the main thread when the job is cancelled or removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fraction, self._stage = 0.0, "Starting"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def update(self, fraction: float, stage: str = "", /) -> None:
        """Take note of the progress: a `core.progress.ProgressCallback`."""
        self._fraction, self._stage = fraction, stage or self._stage

    def _beat(self) -> None:
        while not self._ended.is_set():
            if (self._folder / "cancel").exists() or not (self._folder / "job.json").exists():
                _thread.interrupt_main()
                return
            content = {
                "fraction": self._fraction,
                "stage": self._stage,
                "heartbeat": time.time(),  # Unix time
                "pid": os.getpid(),
            }
            with suppress(OSError):  # a full disk may have room again at the next beat
                put(self._folder / "progress.json", content)
            self._ended.wait(_INTERVAL_S)


def put(path: Path, content: Any) -> None:
    """Write a JSON file of the job folder, all or nothing.

    Raises
    ------
    OSError
        The disk is full, or the folder is gone.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_bytes(msgspec.json.encode(content))
    temporary.replace(path)
