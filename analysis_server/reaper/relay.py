"""The process between a REAPER action and the analysis server.

It runs the phase that `job.json` asks for, and again for each line on its standard input: the bridge writes one when it
has changed `job.json`. It ends when its standard input ends, or with the job folder. The server does the work; where no
server can be used, it is done in this process. Until then nothing but the standard library, zmq and msgspec is loaded,
so that an action starts at once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import msgspec

from analysis_server.paths import home
from analysis_server.reaper.heartbeat import Heartbeat, put
from analysis_server.server.client import Client
from analysis_server.server.protocol import failure_of
from core.errors import Cancelled, ServerError
from core.progress import ProgressCallback

VERB = "reaper_job"
_MAX_LOSSES = 2
_WITHOUT_SERVER = frozenset({"busy", "stopped", "unreachable", "version", "timeout", "insecure"})
"""Errors of the server that are not about the job: it is run in this process instead."""


def main(folder: Path) -> int:
    """Run the phases of the job in `folder` until the standard input ends; return the exit code."""
    with Client(home(), starts=True, name="REAPER", max_losses=_MAX_LOSSES) as client:
        while True:
            answer(folder, client)
            line = sys.stdin.readline()
            if not line or not (folder / "job.json").exists():
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
            if error.code not in _WITHOUT_SERVER:
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
        if folder.exists():  # otherwise nobody waits for it
            sys.stderr.write(f"the answer cannot be written: {error.strerror}; free some space\n")
