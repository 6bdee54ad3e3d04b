"""A job and the application's process on it, followed from tick to tick without waiting."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import Any, Generator, Iterator

from faderwise_bridge import dialogs, running, settings
from faderwise_bridge.application import Application
from faderwise_bridge.job import Job
from faderwise_bridge.trouble import Stopped, Trouble

Answer = dict  # what the application said: docs/development/bridge.md
_SILENT_S = 20.0
_LEAVES_S = 3.0
_CANCELS_S = 10.0
_TOLD_EVERY_S = 5.0
_NOTED_EVERY_S = 2.0


@contextmanager
def tidied(job: Job) -> Iterator[None]:
    """Remove the job at the end, unless it can be gone on with."""
    is_kept = False
    try:
        yield
    except Trouble as trouble:
        is_kept = trouble.keeps_job
        raise
    except Stopped:
        raise
    except BaseException:  # a mistake of the program, or REAPER closes: the next start goes on with it
        is_kept = True
        raise
    finally:
        if not is_kept:
            job.remove()


@contextmanager
def tidied_on_trouble(job: Job) -> Iterator[None]:
    """Remove the job if it does not even begin."""
    try:
        yield
    except BaseException:
        job.remove()
        raise


def answered(application: Application, job: Job, phase: str, **changes: Any) -> Generator[None, None, Answer]:
    """Have the application do a phase of the job; return its answer.

    Raises
    ------
    Trouble
        The application said what is wrong, or ended without an answer.
    Stopped
        The job was cancelled.
    """
    job.save(phase, **changes)
    running.mark(job.folder)
    return (yield from followed(job, application.start(job)))


def followed(job: Job, process: subprocess.Popen | None) -> Generator[None, None, Answer]:
    """Follow a job until it is answered; `process` is None for one that an earlier REAPER started."""
    running.mark(job.folder)
    console = _Console()
    cancelled_s = None
    while job.answer() is None:
        yield
        console.tell(job)
        if job.is_cancelled():
            cancelled_s = cancelled_s or time.monotonic()
            if time.monotonic() - cancelled_s > _CANCELS_S:
                _end(process)
        if _has_ended(job, process) and job.answer() is None:
            _tell_of_the_end(job)
    yield from _left(process)
    return _checked(job.answer() or {})


def is_alive(job: Job) -> bool:
    """Tell whether a process is at work on the job, by its heartbeat, or has just been started."""
    return _beats(job) or job.idle_s() < _SILENT_S


def _beats(job: Job) -> bool:
    return time.time() - float(job.progress().get("heartbeat") or 0.0) < _SILENT_S


def _has_ended(job: Job, process: subprocess.Popen | None) -> bool:
    return process.poll() is not None if process is not None else not _beats(job)


def _end(process: subprocess.Popen | None) -> None:
    if process is not None and process.poll() is None:
        process.kill()


def _left(process: subprocess.Popen | None) -> Iterator[None]:
    """Let a process that has answered leave by itself."""
    by_s = time.monotonic() + _LEAVES_S
    while process is not None and process.poll() is None:
        if time.monotonic() > by_s:
            process.kill()
        yield


def _tell_of_the_end(job: Job) -> None:
    if job.is_cancelled():
        raise Stopped
    try:
        last = (job.folder / "process.log").read_text("utf-8", "replace").strip().splitlines()[-1:]
    except OSError:
        last = []
    raise Trouble(
        f"{job.title}: the application ended without an answer ({' '.join(last) or 'it said nothing'}). Nothing was "
        "changed. Run the action again: it goes on from here.",
        keeps_job=job.asked["phase"] == "do",
    )


def _checked(answer: Answer) -> Answer:
    error = answer.get("error")
    if error and error.get("code") == "cancelled":
        dialogs.note("cancelled; nothing was changed")
        raise Stopped
    if error:
        raise Trouble(str(error.get("message")))
    return answer


class _Console:
    """Tells in REAPER's console how far a job is, now and then; and other REAPERs that it is followed."""

    def __init__(self) -> None:
        self._is_on = settings.value_of("progress") == "yes"
        self._told_s = self._noted_s = time.monotonic()

    def tell(self, job: Job) -> None:
        """Write a line if it is time for one."""
        now_s = time.monotonic()
        if now_s > self._noted_s + _NOTED_EVERY_S:
            self._noted_s = now_s
            job.note_followed()
        if self._is_on and now_s > self._told_s + _TOLD_EVERY_S:
            self._told_s = now_s
            far = job.progress()
            dialogs.note(f"{job.title}: {100.0 * float(far.get('fraction') or 0.0):3.0f} % {far.get('stage') or ''}")
