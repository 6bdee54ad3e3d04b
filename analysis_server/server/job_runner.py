"""Jobs on their way: looked up in the cache, given to a worker, ended once. Runs in the loop's thread."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from analysis_server.server.cache import Cache
from analysis_server.server.desk import Desk
from analysis_server.server.jobs import Job, JobBook
from analysis_server.server.known_files import KnownFile, KnownFiles
from analysis_server.server.logs import Log
from analysis_server.server.messages import Answer, Error, Result, error
from analysis_server.server.pipes import Ended, Task, Told
from analysis_server.server.pool import Pool
from analysis_server.server.settings import Settings
from analysis_server.server.uploads import Uploads
from analysis_server.server.work import answer_from_cache, inputs_of_task

_CANCEL_S = 0.6
_EVICT_EVERY_S = 2.0


class JobRunner:
    """Runs jobs; `book` knows them all."""

    def __init__(
        self,
        settings: Settings,
        send: Callable[[bytes, Answer], None],
        *,
        pool: Pool,
        desk: Desk,
        uploads: Uploads,
        log: Log,
    ) -> None:
        self.book = JobBook(settings.queued_jobs, settings.kept_results, settings.result_age_s)
        self.n_workers = settings.n_workers
        self._settings, self._send, self._pool, self._desk = settings, send, pool, desk
        self._uploads, self._log = uploads, log
        self._cache = Cache(settings.cache, settings.cache_bytes)
        self._known = KnownFiles()
        self._known.load(settings.cache / "known_files.msgpack")
        self._evict_at_s = 0.0
        pool.on_told, pool.on_ended, pool.on_lost = self._told, self._ended, self._lost

    def add(self, job: Job) -> None:
        """Take in a job: first it is looked up, then it waits for a worker."""
        self.book.add(job)
        song = getattr(job.request, "song", None)
        self._log.write("asked", job=job.name, verb=job.verb, song=Path(song).name if song else None)
        task = self._task(job)
        self._desk.ask(lambda: self._looked_up(task), lambda found: self._found(job, found))

    def start_waiting(self) -> None:
        """Give waiting jobs to free workers."""
        while (worker := self._pool.free()) is not None and (job := self.book.next_ready()) is not None:
            job.state, job.started_s = "running", time.monotonic()
            worker.give(self._task(job))

    def cancel(self, job: Job) -> None:
        """End a job: a waiting one at once, a running one within a second."""
        job.is_cancelled = True
        worker = self._pool.doing(job.name)
        if worker is not None:
            worker.drop(job.name, _CANCEL_S)
        elif job.end is None:
            self._fail(job, "cancelled", "the job was cancelled")

    def stop(self) -> None:
        """End every job that has not ended, and write down what is known."""
        for job in self.book:
            if job.end is None:
                self._fail(job, "stopped", "the server was told to stop")
        self._known.save(self._settings.cache / "known_files.msgpack")

    def tend(self) -> None:
        """Forget what has aged, and keep the cache in its bounds."""
        self.book.age(self._clean_up)
        self._uploads.age()
        if 0.0 < self._evict_at_s <= time.monotonic():
            self._evict_at_s = 0.0
            self._desk.ask(self._cache.evict, lambda _done: None)

    def forget(self, name: str) -> None:
        """Forget a finished job and its files."""
        self.book.forget(name, self._clean_up)

    def made_file(self, job: Job, name: str) -> Path | None:
        """Return a file that a job on uploaded audio made."""
        made = self._staging(job) / "out"
        if job.uploads is None or job.state != "finished" or ".." in PurePosixPath(name).parts:
            return None
        path = (made / name).resolve()
        return path if path.is_relative_to(made.resolve()) and path.is_file() else None

    def _looked_up(self, task: Task) -> tuple[Any | None, list[KnownFile]]:
        try:
            found = answer_from_cache(task, self._cache, self._known)
            return found, ([] if found is not None else self._known.among(inputs_of_task(task)))
        except Exception:  # whatever is wrong with the request, the worker says it properly
            return None, []

    def _found(self, job: Job, found: tuple[Any | None, list[KnownFile]] | BaseException) -> None:
        if job.end is not None:
            return
        result, known = (None, []) if isinstance(found, BaseException) else found
        if result is not None:
            self._succeed(job, result, cached=True)
            return
        job.is_ready, job.known = True, known
        self.start_waiting()

    def _told(self, told: Told) -> None:
        job = self.book.get(told.job)
        if job is not None and (progress := job.told(told.fraction, told.stage)) is not None:
            assert job.listener is not None  # noqa: S101 - nothing is told without one
            self._send(job.listener.peer, progress)

    def _ended(self, ended: Ended) -> None:
        self._known.take_in(ended.known)
        self._evict_at_s = self._evict_at_s or time.monotonic() + _EVICT_EVERY_S
        job = self.book.get(ended.job)
        if job is not None:
            if ended.result is not None:
                self._succeed(job, msgspec.msgpack.decode(ended.result), cached=ended.cached)
            else:
                self._fail(job, ended.code or "internal", ended.message)
        self.start_waiting()

    def _lost(self, name: str, code: int) -> None:
        job = self.book.get(name)
        if job is None:
            return
        if job.is_cancelled:
            self._fail(job, "cancelled", "the job was cancelled")
        else:
            self._fail(job, "crashed", f"the worker {_how_it_ended(code)} in the middle of the job; the server goes on")

    def _succeed(self, job: Job, result: Any, *, cached: bool) -> None:
        elapsed_s = time.monotonic() - job.asked_s
        self._finish(job, Result(id="", job=job.name, result=result, cached=cached, elapsed_s=elapsed_s))
        self._log.write("done", job=job.name, verb=job.verb, cached=cached, elapsed_s=round(elapsed_s, 3))

    def _fail(self, job: Job, code: str, message: str) -> None:
        self._finish(job, error("", code, message, job.name))
        self._log.write("failed", job=job.name, verb=job.verb, code=code)

    def _finish(self, job: Job, end: Result | Error) -> None:
        if job.end is not None:
            return
        job.finish(end)
        if job.uploads is None or isinstance(end, Error):
            self._clean_up(job)
        if job.listener is not None:
            final = job.final(job.listener.request_id)
            assert final is not None  # noqa: S101 - it has just been set
            self._send(job.listener.peer, final)

    def _clean_up(self, job: Job) -> None:
        self._uploads.release(job.name)
        staging = self._staging(job)
        left = [Path(path) for path in (job.uploads or {}).values()]
        self._desk.ask(lambda: _remove(staging, left), lambda _done: None)

    def _staging(self, job: Job) -> Path:
        return self._settings.spool / "jobs" / job.name

    def _task(self, job: Job) -> Task:
        return Task(
            job=job.name,
            verb=job.verb,
            request=job.asked.request,
            folder=job.asked.folder,
            within=job.asked.within,
            audio=job.uploads,
            staging=str(self._staging(job)),
            known=job.known,
        )


def _remove(staging: Path, files: list[Path]) -> None:
    shutil.rmtree(staging, ignore_errors=True)
    for file in files:
        file.unlink(missing_ok=True)


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = str(-code)
    hint = ", perhaps because memory ran out," if name == "SIGKILL" else ""
    return f"was ended by the signal {name}{hint}"
