"""Run many trials of one kind in a child process, and watch it for hangs, crashes and memory."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess, SpawnContext, SpawnProcess
from pathlib import Path

import psutil

from tests.fuzz.worker import TrialResult, work

HANG_CPU_S = 30.0
"""Processor time that a trial may take. Elapsed time would say little on a busy machine."""
MAX_MEMORY_MB = 600.0
_POLL_S = 1.0
_END_S = 60.0
_DEADLINE_S = 600.0
"""Ends a trial that waits for something without using the processor, and a child that does not start."""


@dataclass
class Outcome:
    """The results of a campaign: how many trials ended in which way, the failures, and the extremes."""

    kind: str
    seed: int
    results: Counter[str] = field(default_factory=Counter)
    problems: dict[int, str] = field(default_factory=dict)
    slowest_s: float = 0.0
    peak_mb: float = 0.0

    @property
    def count(self) -> int:
        """The number of trials."""
        return sum(self.results.values())

    @property
    def distinct(self) -> dict[str, list[int]]:
        """The numbers of the failed trials, grouped by the last line of their problem."""
        found: dict[str, list[int]] = {}
        for number, problem in self.problems.items():
            found.setdefault(re.sub(r"\d+", "#", problem.strip().splitlines()[-1][:300]), []).append(number)
        return found

    def add(self, trial: TrialResult) -> None:
        """Add the result of one trial."""
        self.results[trial.result] += 1
        self.slowest_s = max(self.slowest_s, trial.took_s)
        self.peak_mb = max(self.peak_mb, trial.peak_mb)
        if trial.problem:
            self.problems[trial.number] = trial.problem
        elif trial.peak_mb > MAX_MEMORY_MB:
            self.problems[trial.number] = f"used {trial.peak_mb:.0f} MB of memory, more than {MAX_MEMORY_MB:.0f} MB"


def run(
    kind: str,
    seed: int,
    numbers: Iterable[int],
    folder: Path,
    *,
    further: Path | None = None,
    progress: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Run the trials `numbers` of a kind in `folder`, which keeps the files of those that failed.

    Parameters
    ----------
    kind : a key of `KINDS`.
    seed : together with a trial's number it determines the damage.
    numbers : the numbers of the trials.
    folder : the folder to work in.
    further : a folder of further projects to damage.
    progress : called with the outcome after every trial.
    """
    outcome = Outcome(kind, seed)
    child: _Child | None = None
    for number in numbers:
        child = child or _Child(kind, seed, folder / f"from-{number}", further)
        trial = child.run(number)
        outcome.add(trial)
        progress(outcome)
        if trial.result in ("hang", "crash") or trial.peak_mb > MAX_MEMORY_MB:
            child = child.end()
    if child is not None:
        child.end()
    return outcome


def _context() -> ForkServerContext | SpawnContext:
    """Return a way to start children that imports the program once for all of them, where the system has one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.fuzz.worker"])
    return context


def _cpu_s(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


class _Child:
    """A child process that runs one trial after the other."""

    def __init__(self, kind: str, seed: int, folder: Path, further: Path | None) -> None:
        folder.mkdir(parents=True)
        context = _context()
        self._pipe, theirs = context.Pipe()
        self._process: ForkServerProcess | SpawnProcess = context.Process(
            target=work, args=(theirs, kind, seed, folder, further)
        )
        self._process.start()
        theirs.close()
        if not self._pipe.poll(_DEADLINE_S) or self._pipe.recv() != "ready":
            raise RuntimeError(f"the trials of {kind} could not be started")

    def run(self, number: int) -> TrialResult:
        self._pipe.send(number)
        process = psutil.Process(self._process.pid)
        deadline_s, cpu_s = time.monotonic() + _DEADLINE_S, _cpu_s(process)
        try:
            while not self._pipe.poll(_POLL_S if HANG_CPU_S > 0.0 else 0.0):
                if time.monotonic() > deadline_s or _cpu_s(process) - cpu_s > HANG_CPU_S:
                    return TrialResult(number, "hang", "did not end", HANG_CPU_S, 0.0)
            return self._result(self._pipe)
        except (EOFError, psutil.NoSuchProcess):
            self._process.join()
            return TrialResult(number, "crash", f"the process ended with {self._process.exitcode}", 0.0, 0.0)

    @staticmethod
    def _result(pipe: Connection) -> TrialResult:
        result = pipe.recv()
        if not isinstance(result, TrialResult):
            raise TypeError(f"not a trial result: {result!r}")
        return result

    def end(self) -> None:
        """Let the child end, which stops the server that some kinds start; kill it if it does not."""
        with suppress(BrokenPipeError):
            self._pipe.send(None)
        self._process.join(_END_S)
        self._process.kill()
        self._process.join()
        self._pipe.close()
