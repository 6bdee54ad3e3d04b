"""Many trials of one kind in a process that is watched: for hangs, crashes, memory, and what it tells."""

from __future__ import annotations

import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import psutil

from tests.fuzz.worker import Told, work

HANG_S = 10.0
MOST_MB = 600.0
_SLOWDOWN = 6.0
"""How many times as long as its own time a busy machine may take for a trial."""
_START_S = 300.0


@dataclass
class Outcome:
    """What a campaign came to: how many trials ended how, what was broken, and the extremes."""

    kind: str
    seed: int
    ends: Counter[str] = field(default_factory=Counter)
    problems: dict[int, str] = field(default_factory=dict)
    slowest_s: float = 0.0
    peak_mb: float = 0.0

    @property
    def count(self) -> int:
        """How many trials there were."""
        return sum(self.ends.values())

    @property
    def distinct(self) -> dict[str, list[int]]:
        """The trials of each problem, by the problem's last line."""
        found: dict[str, list[int]] = {}
        for number, problem in self.problems.items():
            found.setdefault(re.sub(r"\d+", "#", problem.strip().splitlines()[-1][:300]), []).append(number)
        return found

    def add(self, told: Told) -> None:
        """Take one trial in."""
        self.ends[told.outcome] += 1
        self.slowest_s = max(self.slowest_s, told.took_s)
        self.peak_mb = max(self.peak_mb, told.peak_mb)
        if told.problem:
            self.problems[told.number] = told.problem
        elif told.peak_mb > MOST_MB:
            self.problems[told.number] = f"took {told.peak_mb:.0f} MB, {MOST_MB:.0f} are the most"


def run(
    kind: str,
    seed: int,
    numbers: Iterable[int],
    folder: Path,
    *,
    further: Path | None = None,
    tell: Callable[[Outcome], None] = lambda _: None,
) -> Outcome:
    """Run trials `numbers` of a kind below `folder`; what broke a promise is left there."""
    outcome = Outcome(kind, seed)
    child: _Child | None = None
    for number in numbers:
        child = child or _Child(kind, seed, folder / f"from-{number}", further)
        told = child.tries(number)
        outcome.add(told)
        tell(outcome)
        if told.outcome in ("hang", "crash") or told.peak_mb > MOST_MB:
            child = child.end()
    if child is not None:
        child.end()
    return outcome


def _used_s(process: psutil.Process) -> float:
    """Return the processor time a process has had, which says more than the clock where many share a machine."""
    return float(sum(process.cpu_times()[:2]))


class _Child:
    def __init__(self, kind: str, seed: int, folder: Path, further: Path | None) -> None:
        folder.mkdir(parents=True)
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(target=work, args=(theirs, kind, seed, folder, further))
        self._process.start()
        theirs.close()
        if not self._pipe.poll(_START_S) or self._pipe.recv() != "ready":
            raise RuntimeError(f"trials of {kind} could not begin")

    def tries(self, number: int) -> Told:
        self._pipe.send(number)
        process = psutil.Process(self._process.pid)
        started_s, used_s = time.monotonic(), _used_s(process)
        try:
            while not self._pipe.poll(HANG_S / 10.0):
                is_idle = time.monotonic() - started_s > HANG_S * _SLOWDOWN
                if is_idle or _used_s(process) - used_s > HANG_S:
                    return Told(number, "hang", f"told nothing for {HANG_S:g} s", HANG_S, 0.0)
            return self._answer(self._pipe)
        except (EOFError, psutil.NoSuchProcess):
            self._process.join()
            return Told(number, "crash", f"the process ended with {self._process.exitcode}", 0.0, 0.0)

    @staticmethod
    def _answer(pipe: Connection) -> Told:
        told = pipe.recv()
        if not isinstance(told, Told):
            raise TypeError(f"not a trial's answer: {told!r}")
        return told

    def end(self) -> None:
        with suppress(BrokenPipeError):
            self._pipe.send(None)
        self._process.join(1.0)
        self._process.kill()
        self._process.join()
        self._pipe.close()
