"""Jobs that an earlier REAPER left, because it was closed or something went wrong: gone on with, or removed."""

from __future__ import annotations

import os
import time
from typing import Generator

from faderwise_bridge import dialogs, following, reaper, running
from faderwise_bridge.application import Application
from faderwise_bridge.concluding import conclude
from faderwise_bridge.job import Job, left_jobs

_IDLE_S = {"plan": 3600.0, "do": 10.0}
"""How long nobody follows a job of that phase before it counts as left."""


def went_on(application: Application) -> Generator[None, None, bool]:
    """Offer to go on with a job that was left in the project in front; return whether one was gone on with."""
    for job in left_jobs(application.home):
        if _is_anothers(job):
            continue
        if not _is_worth_it(job):
            job.cancel()
            job.remove()
        elif _is_of_this_project(job):
            if dialogs.agrees(f"{job.title}, begun {_begun_at(job)}, was not finished. Go on? (No removes it.)"):
                yield from _finished(application, job)
                return True
            job.cancel()
            job.remove()
    return False


def _finished(application: Application, job: Job) -> Generator[None, None, None]:
    with following.tidied(job):
        running.mark(job.folder)
        while job.answer() is None and following.is_alive(job):
            yield
        if job.answer() is None and not job.is_cancelled():
            answer = yield from following.answered(application, job, "do")
        else:
            answer = yield from following.followed(job, None)
        conclude(application, job, answer)


def _is_anothers(job: Job) -> bool:
    """Tell whether another REAPER is at it just now: it follows the job, or waits for its user."""
    return job.asked.get("reaper") != os.getpid() and job.idle_s() < _IDLE_S[job.asked["phase"]]


def _is_worth_it(job: Job) -> bool:
    """Tell whether a job got as far as its stems, and did not fail."""
    return job.asked["phase"] == "do" and "error" not in (job.answer() or {})


def _is_of_this_project(job: Job) -> bool:
    return set(job.asked.get("before") or {"none"}) <= set(reaper.tracks())


def _begun_at(job: Job) -> str:
    try:
        return time.strftime("%d %b %H:%M", time.localtime((job.folder / "job.json").stat().st_mtime))
    except OSError:
        return "earlier"
