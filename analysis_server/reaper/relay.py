"""The process between a REAPER action and the analysis server.

It runs the phase that `job.json` asks for, and again for each line on its standard input: the bridge writes one when it
has changed `job.json`. It ends when its standard input ends, or with the job folder.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from analysis_server.reaper.heartbeat import Heartbeat, put
from core.errors import Cancelled, FaderwiseError, InputError, to_user_error
from core.progress import ProgressCallback


def main(folder: Path) -> int:
    """Run the phases of the job in `folder` until the standard input ends; return the exit code."""
    while True:
        answer(folder)
        line = sys.stdin.readline()
        if not line or not (folder / "job.json").exists():
            return 0


def answer(folder: Path) -> None:
    """Have the phase in `job.json` run; an error becomes the answer, or `report_error.json` after the answer."""
    try:
        with Heartbeat(folder) as heartbeat:
            _run(folder, heartbeat.update)
    except (Cancelled, KeyboardInterrupt):
        _fail(folder, {"code": "cancelled", "problem": "the job was cancelled"})
    except Exception as error:  # a job ends here
        _fail(folder, _fields(to_user_error(error)))


def _run(folder: Path, progress: ProgressCallback) -> None:
    run_job = import_module("analysis_server.reaper.run_job")
    run_job.run(run_job.ReaperRequest(folder=str(folder)), progress)


def _fields(error: BaseException) -> dict[str, str | None]:
    if not isinstance(error, FaderwiseError):
        return {"code": "internal", "problem": f"internal error ({type(error).__name__}: {error})"}
    code = "input" if isinstance(error, InputError) else "failed"
    fields = {"path": error.path, "remedy": error.remedy, "option": error.option}
    return {"code": code, "problem": error.problem, **fields}


def _fail(folder: Path, failure: dict[str, str | None]) -> None:
    is_answered = (folder / "result.json").exists()
    try:
        put(folder / ("report_error.json" if is_answered else "result.json"), {"error": failure})
    except OSError as error:
        if folder.exists():  # otherwise nobody waits for it
            sys.stderr.write(f"the answer cannot be written: {error.strerror}; free some space\n")
