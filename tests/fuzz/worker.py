"""The child process that runs the trials."""

from __future__ import annotations

import os
import shutil
import time
import traceback
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from tests.fuzz.judging import RequirementError
from tests.fuzz.kinds import KINDS

MAX_ADDRESS_SPACE_BYTES = 8 << 30
"""Allocations beyond this fail, such as one for the gigabytes that a damaged header claims."""


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial; `problem` is empty unless it failed."""

    number: int
    result: str
    problem: str
    took_s: float
    peak_mb: float


def work(pipe: Connection, kind: str, seed: int, folder: Path, further: Path | None) -> None:
    """Run the trials whose numbers come through `pipe`, until None comes."""
    _limit_memory()
    warnings.simplefilter("error")
    os.environ.update(FADERWISE_HOME=str(folder / "home"), FADERWISE_DEBUG="1")
    trial = KINDS[kind](folder / "material", further)
    pipe.send("ready")
    while (number := pipe.recv()) is not None:
        place = folder / f"trial-{number}"
        place.mkdir()
        started_s, problem, result = time.monotonic(), "", "failed"
        try:
            result = trial(place, Random(f"{kind} {seed} {number}"))  # noqa: S311 - not a secret
        except RequirementError as error:
            problem = str(error)
        except Exception:
            problem = traceback.format_exc()
        else:
            shutil.rmtree(place)
        pipe.send(TrialResult(number, result, problem, time.monotonic() - started_s, _peak_mb()))


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESS_SPACE_BYTES, MAX_ADDRESS_SPACE_BYTES))


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
