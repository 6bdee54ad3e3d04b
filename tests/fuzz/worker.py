"""The process that runs trials: whatever happens to it, the one that watches lives on."""

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

from tests.fuzz.judging import BrokenPromiseError
from tests.fuzz.kinds import KINDS

MOST_ADDRESSES_BYTES = 8 << 30
"""A header that promises gigabytes must not be believed: past this there is no memory to be had."""


@dataclass(frozen=True)
class Told:
    """What a trial came to: `outcome`, `problem` where a promise was broken, seconds, and the peak memory in MB."""

    number: int
    outcome: str
    problem: str
    took_s: float
    peak_mb: float


def work(pipe: Connection, kind: str, seed: int, folder: Path, further: Path | None) -> None:
    """Run the trials whose numbers come through `pipe`, until it is closed."""
    _limit_memory()
    warnings.simplefilter("error")
    os.environ.update(FADERWISE_HOME=str(folder / "home"), FADERWISE_DEBUG="1")
    trial = KINDS[kind](folder / "material", further)
    pipe.send("ready")
    while (number := pipe.recv()) is not None:
        place = folder / f"trial-{number}"
        place.mkdir()
        started_s, problem, outcome = time.monotonic(), "", "broken"
        try:
            outcome = trial(place, Random(f"{kind} {seed} {number}"))  # noqa: S311 - chance, no secret
        except BrokenPromiseError as promise:
            problem = str(promise)
        except Exception:
            problem = traceback.format_exc()
        else:
            shutil.rmtree(place)
        pipe.send(Told(number, outcome, problem, time.monotonic() - started_s, _peak_mb()))


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES_BYTES, MOST_ADDRESSES_BYTES))


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
