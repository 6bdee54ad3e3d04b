"""The jobs a server knows: waiting, running, finished, each with at most one listener."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from analysis_server.server.known_files import KnownFile
from analysis_server.server.messages import Accepted, Error, JobRequest, Progress, Result, State

_TOLD_EVERY_S = 0.1
_ETA_FROM = 0.02


@dataclass(frozen=True)
class Listener:
    """Who waits for a job: a connection, and the id of its request."""

    peer: bytes
    request_id: str


@dataclass(kw_only=True, eq=False)
class Job:
    """A job from its request to its end.

    Attributes
    ----------
    name, verb, request : its id, what it does, and the verb's struct.
    asked : the message it came in.
    digest : hash of what was asked, to tell the same job from another one of the same id.
    lock : what only one running job may hold, if anything.
    uploads : the uploaded files it uses, by path in its tree.
    known : hashes of the files it reads, as far as they are known.
    is_ready : whether it was looked up in the cache and now waits for a worker.
    """

    name: str
    verb: str
    request: Any
    asked: JobRequest
    digest: bytes
    lock: str | None = None
    uploads: dict[str, str] | None = None
    listener: Listener | None = None
    state: State = "queued"
    is_ready: bool = False
    is_cancelled: bool = False
    fraction: float = 0.0
    stage: str = ""
    asked_s: float = field(default_factory=time.monotonic)
    started_s: float = 0.0
    ended_s: float = 0.0
    end: Result | Error | None = None
    told_s: float = 0.0
    known: list[KnownFile] = field(default_factory=list)

    def accepted(self, request_id: str) -> Accepted:
        """Return the answer that the job is known."""
        return Accepted(id=request_id, job=self.name, state=self.state)

    def told(self, fraction: float, stage: str) -> Progress | None:
        """Take note of how far it is; return what to tell, if anybody listens and was not told just now."""
        self.fraction, self.stage = max(self.fraction, fraction), stage
        now = time.monotonic()
        if self.listener is None or now < self.told_s + _TOLD_EVERY_S:
            return None
        self.told_s = now
        return Progress(
            id=self.listener.request_id, job=self.name, fraction=self.fraction, stage=stage, eta_s=self._eta_s(now)
        )

    def _eta_s(self, now: float) -> float | None:
        if self.fraction < _ETA_FROM:
            return None
        return (now - self.started_s) * (1.0 - self.fraction) / self.fraction

    def finish(self, end: Result | Error) -> None:
        """Take note of the end; only the first one counts."""
        if self.end is None:
            self.end, self.state, self.ended_s = end, "finished", time.monotonic()
            self.asked = msgspec.structs.replace(self.asked, request=msgspec.Raw(b"\xc0"))
            self.request, self.known = None, []

    def final(self, request_id: str) -> Result | Error | None:
        """Return the final message for that request, if the job has ended."""
        return None if self.end is None else msgspec.structs.replace(self.end, id=request_id)


def digest_of(asked: JobRequest) -> bytes:
    """Return the hash of a job request without its id."""
    content = [type(asked).__name__, bytes(asked.request), asked.folder, asked.within, sorted(asked.audio.items())]
    return hashlib.sha256(msgspec.msgpack.encode(content)).digest()


class JobBook:
    """All jobs by id. Waiting ones start in the order they came, those whose lock is free."""

    def __init__(self, queued_jobs: int, kept_results: int, result_age_s: float) -> None:
        self._jobs: dict[str, Job] = {}
        self._queued_jobs = queued_jobs
        self._kept_results = kept_results
        self._result_age_s = result_age_s

    def __iter__(self) -> Iterator[Job]:
        return iter(list(self._jobs.values()))

    def get(self, name: str) -> Job | None:
        """Return the job of that id, if it is known."""
        return self._jobs.get(name)

    def count(self, state: State) -> int:
        """Return how many jobs are in a state."""
        return sum(job.state == state for job in self._jobs.values())

    @property
    def is_full(self) -> bool:
        """Whether no further job may wait."""
        return self.count("queued") >= self._queued_jobs

    def add(self, job: Job) -> None:
        """Take in a job that waits."""
        self._jobs[job.name] = job

    def next_ready(self) -> Job | None:
        """Return the job to start next, if there is one."""
        held = {job.lock for job in self._jobs.values() if job.state == "running"} - {None}
        for job in self._jobs.values():
            if job.state == "queued" and job.is_ready and job.lock not in held:
                return job
        return None

    def forget(self, name: str, on_forgotten: Callable[[Job], None]) -> None:
        """Forget a finished job."""
        job = self._jobs.get(name)
        if job is not None and job.state == "finished":
            del self._jobs[name]
            on_forgotten(job)

    def age(self, on_forgotten: Callable[[Job], None]) -> None:
        """Forget finished jobs nobody asked for in time, and the oldest when there are too many."""
        finished = sorted((job for job in self if job.state == "finished"), key=lambda job: job.ended_s)
        oldest_kept_s = time.monotonic() - self._result_age_s
        too_many = len(finished) - self._kept_results
        for number, job in enumerate(finished):
            if number < too_many or job.ended_s < oldest_kept_s:
                self.forget(job.name, on_forgotten)
