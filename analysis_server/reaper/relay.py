"""The process between a REAPER action and the analysis server.

It runs the phase that `job.json` asks for, and again for each line on its standard input: the bridge writes one when it
has changed `job.json`. It ends when its standard input ends, or with the job folder. The server does the work; where no
server can be used, it is done in this process. Until then nothing but the standard library, zmq and msgspec is loaded,
so that an action starts at once.
"""

from __future__ import annotations

import _thread
import os
import shutil
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from analysis_server.paths import home
from analysis_server.server.client import LOST_CODES, Client
from analysis_server.server.protocol import failure_of
from core.errors import Cancelled, ServerError
from core.progress import ProgressCallback

VERB = "reaper_job"
_MAX_LOSSES = 2


def main(folder: Path) -> int:
    """Run the phases of the job in `folder` until the standard input ends; return the exit code."""
    with Client(home(), starts=True, name="REAPER", max_losses=_MAX_LOSSES) as client:
        while True:
            answer(folder, client)
            line = sys.stdin.readline()
            if not (folder / "job.json").exists():  # the bridge has finished with the job
                shutil.rmtree(folder, ignore_errors=True)
                return 0
            if not line:
                return 0


def answer(folder: Path, client: Client | None) -> None:
    """Run the phase in `job.json`; an error becomes the answer, or `report_error.json` where there is an answer.

    Parameters
    ----------
    folder : the job folder.
    client : a client of the server that does the work; without one it is done in this process.
    """
    try:
        with Heartbeat(folder) as heartbeat:
            _run(folder, client, heartbeat.update)
    except (Cancelled, KeyboardInterrupt):
        _fail(folder, {"code": "cancelled", "problem": "the job was cancelled"})
    except Exception as error:  # a job ends here
        _fail(folder, msgspec.structs.asdict(failure_of(error)))


def _run(folder: Path, client: Client | None, progress: ProgressCallback) -> None:
    request = {"folder": str(folder)}
    if client is not None:
        try:
            client.run(VERB, request, folder=home(), progress=progress)
        except ServerError as error:
            if error.code not in LOST_CODES:
                raise
            sys.stderr.write(f"no server can be used ({error}); running the job in this process\n")
        else:
            return
    run_job = import_module("analysis_server.reaper.run_job")
    run_job.run(run_job.ReaperRequest(**request), progress)


def _fail(folder: Path, failure: dict[str, str | None]) -> None:
    is_answered = (folder / "result.json").exists()
    try:
        put(folder / ("report_error.json" if is_answered else "result.json"), {"error": failure})
    except OSError as error:
        if folder.exists():  # otherwise nothing waits for it
            sys.stderr.write(f"the answer cannot be written: {error.strerror}; free some space\n")


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
        The disk is full, or the folder was deleted.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    temporary.write_bytes(msgspec.json.encode(content))
    temporary.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
