"""Run actions and their jobs from tick to tick, one action at a time.

An action is a generator that continues at every defer tick until it ends. The running job is noted in REAPER's ext
state (until REAPER closes), which every script sees, whether or not REAPER gives each run a separate interpreter. A
note that was not renewed belongs to a loop that REAPER has stopped.
"""

from __future__ import annotations

import os
import time
import traceback
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Generator, Iterator

import reapy
from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import BridgeError, UserCancelled, dialogs, reaper_api, settings
from faderwise_bridge.application import Application, Job, Relay, job_in, left_jobs, read_json

SECTION, _KEY = "Faderwise", "AT_WORK"
_RENEW_S, _LOST_S = 0.5, 4.0


class _Running:
    """The noted job, and when it was noted last."""

    folder = ""
    noted_s = 0.0


def start(flow: Iterator[None]) -> None:
    """Start an action; while another one is running, offer to cancel that one instead."""
    other = running_job()
    if other is None:
        _continue(flow)
        return
    percent = 100.0 * float(other.progress().get("fraction") or 0.0)
    if dialogs.agrees(f"{other.title} is running ({percent:.0f} %). Cancel it?"):
        other.cancel()


def note_running(folder: Path) -> None:
    """Note that the job in `folder` is running."""
    _Running.folder, _Running.noted_s = str(folder), 0.0
    _renew()


def note_ended() -> None:
    """Note that no job is running; other actions can be started."""
    if _Running.folder:
        _Running.folder = ""
        RPR.DeleteExtState(SECTION, _KEY, False)


def running_job() -> Job | None:
    """Return the job that is running in this REAPER."""
    noted, _, folder = RPR.GetExtState(SECTION, _KEY).partition(" ")
    try:
        is_lost = time.time() - float(noted) > _LOST_S
    except ValueError:
        return None
    return None if is_lost else job_in(Path(folder))


def _continue(flow: Iterator[None]) -> None:
    try:
        next(flow)
    except (StopIteration, UserCancelled):
        note_ended()
    except BridgeError as error:
        note_ended()
        dialogs.show(str(error))
    except Exception as error:  # an action ends here
        note_ended()
        RPR.ShowConsoleMsg(traceback.format_exc())
        dialogs.show(
            f"Internal error ({type(error).__name__}: {error}); see the REAPER console. The project was not changed "
            "halfway. Please report it."
        )
    else:
        _renew()
        reapy.defer(_continue, flow)


def _renew() -> None:
    if _Running.folder and abs(time.time() - _Running.noted_s) > _RENEW_S:
        _Running.noted_s = time.time()
        RPR.SetExtState(SECTION, _KEY, f"{_Running.noted_s:.1f} {_Running.folder}", False)


Answer = Dict[str, Any]
_SILENT_S = 20.0
_CANCEL_S = 10.0
_CONSOLE_INTERVAL_S = 5.0
_FOLLOW_INTERVAL_S = 2.0
_REPORT_S = 600.0
_IDLE_S = {"plan": 3600.0, "do": 10.0}
"""How long a job of that phase may be without polling before it counts as abandoned."""


class Worker:
    """Runs the phases of a job, in one relay process as long as that lives."""

    def __init__(self, application: Application, job: Job) -> None:
        self.application, self.job = application, job
        self._relay: Relay | None = None

    def run(self, phase: str, **changes: Any) -> Generator[None, None, Answer]:
        """Run a phase and return the answer.

        Raises
        ------
        BridgeError
            The application reported an error, or ended without an answer.
        UserCancelled
            The job was cancelled.
        """
        self.job.save(phase, **changes)
        note_running(self.job.folder)
        if self._relay is None or not self._relay.run_again():
            self._relay = self.application.start(self.job)
        return (yield from self._poll())

    def resume(self) -> Generator[None, None, Answer]:
        """Return the answer of a job that another process works on, or run it again if there is none."""
        note_running(self.job.folder)
        while self.job.answer() is None and (_beats(self.job) or self.job.idle_s() < _SILENT_S):
            yield
        if self.job.answer() is None and not self.job.is_cancelled():
            return (yield from self.run("do"))
        return (yield from self._poll())

    def wait_for_report(self, report: Path) -> Generator[None, None, bool]:
        """Wait until the report exists; return False, with a note in the console, if it could not be written."""
        by_s = time.monotonic() + _REPORT_S
        while not report.exists():
            error = (read_json(self.job.folder / "report_error.json") or {}).get("error")
            is_alive = self._relay.is_running() if self._relay is not None else _beats(self.job)
            if error or not is_alive or time.monotonic() > by_s:
                reason = sentence(error, self.job) if error else "the application ended"
                dialogs.note(f"the report could not be written: {reason}")
                return False
            yield
        return True

    def end(self) -> None:
        """Let the relay process end."""
        if self._relay is not None:
            self._relay.let_end()

    def remove_job(self) -> None:
        """Remove the job: the relay does it, because deleting large stems takes longer than a tick."""
        self.job.forget()
        self.end()
        if self._relay is None or not self._relay.is_running():
            self.job.remove()

    def _poll(self) -> Generator[None, None, Answer]:
        job, console, cancelled_s = self.job, _Console(), 0.0
        while job.answer() is None:
            yield
            console.update(job)
            if job.is_cancelled():
                cancelled_s = cancelled_s or time.monotonic()
                if time.monotonic() - cancelled_s > _CANCEL_S and self._relay is not None:
                    self._relay.kill()
            has_ended = not self._relay.is_running() if self._relay is not None else not _beats(job)
            if has_ended and job.answer() is None:
                _raise_ended(job)
        answer = job.answer() or {}
        error = answer.get("error")
        if error and error.get("code") == "cancelled":
            dialogs.note("cancelled; nothing was changed")
            raise UserCancelled
        if error:
            raise BridgeError(sentence(error, job))
        return answer


@contextmanager
def removed_at_the_end(worker: Worker) -> Iterator[None]:
    """Let the worker end and remove its job at the end, unless it can be resumed."""
    job = worker.job
    is_kept = False
    try:
        yield
    except BridgeError as error:
        is_kept = error.keeps_job
        raise
    except UserCancelled:
        raise
    except BaseException:  # an internal error, or REAPER closes: the next start offers to resume it
        is_kept = job.asked.get("phase") != "report"
        raise
    finally:
        if is_kept:
            worker.end()
        else:
            worker.remove_job()


def sentence(error: dict[str, Any], job: Job) -> str:
    """Return the fields of an error as sentences for a dialog; the copy's path becomes the project's name."""
    path, option = str(error.get("path") or ""), str(error.get("option") or "").lstrip("-")
    subject = [job.asked["title"] if path == job.asked.get("project") else path, option[:1].upper() + option[1:]]
    problem = ": ".join([*filter(None, subject), str(error.get("problem") or "unknown error")])
    parts = [problem, str(error.get("remedy") or "")]
    return " ".join(f"{part[:1].upper()}{part[1:]}{'' if part.endswith('.') else '.'}" for part in parts if part)


def left_job(home: Path) -> Job | None:
    """Return a job that was left in the project in front and that the user wants to resume; others are removed."""
    for job in left_jobs(home):
        if job.asked["phase"] == "report" and _beats(job):
            continue
        if job.asked.get("reaper") != os.getpid() and job.idle_s() < _IDLE_S.get(job.asked["phase"], 0.0):
            continue  # another REAPER is polling it, or waits for its user
        if job.asked["phase"] != "do" or "error" in (job.answer() or {}):
            job.cancel()
            job.remove()
        elif set(job.asked.get("before") or {"none"}) <= set(reaper_api.tracks()):
            if dialogs.agrees(f"{job.title}, started {_started_at(job)}, is unfinished. Continue? (No discards it.)"):
                return job
            job.cancel()
            job.remove()
    return None


def _started_at(job: Job) -> str:
    try:
        return time.strftime("%d %b %H:%M", time.localtime((job.folder / "job.json").stat().st_mtime))
    except OSError:
        return "earlier"


def _beats(job: Job) -> bool:
    return time.time() - float(job.progress().get("heartbeat") or 0.0) < _SILENT_S


def _raise_ended(job: Job) -> None:
    if job.is_cancelled():
        raise UserCancelled
    try:
        last = (job.folder / "process.log").read_text("utf-8", "replace").strip().splitlines()[-1:]
    except OSError:
        last = []
    raise BridgeError(
        f"{job.title}: the application ended without an answer ({' '.join(last) or 'without a message'}). Nothing was "
        "changed. Run the action again: it continues from here.",
        keeps_job=job.asked["phase"] == "do",
    )


class _Console:
    """Writes the progress to REAPER's console at intervals, and notes that the job is being polled."""

    def __init__(self) -> None:
        self._is_on = settings.value_of("progress") == "yes"
        self._shown_s = self._noted_s = time.monotonic()

    def update(self, job: Job) -> None:
        """Write a line if it is time for one."""
        now_s = time.monotonic()
        if now_s > self._noted_s + _FOLLOW_INTERVAL_S:
            self._noted_s = now_s
            job.note_polled()
        if self._is_on and now_s > self._shown_s + _CONSOLE_INTERVAL_S:
            self._shown_s = now_s
            found = job.progress()
            percent = 100.0 * float(found.get("fraction") or 0.0)
            dialogs.note(f"{job.title}: {percent:3.0f} % {found.get('stage') or ''}")
