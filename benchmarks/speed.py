"""Compare the speed of the analysis with a direct port of the original method, and with its own floor.

    python benchmarks/speed.py [--seconds 60] [--repeats 5] [--json] [--long]

All contenders take turns in one process, so that other work on the machine affects all of them; a ratio is the
median over the turns. Times include everything: reading the files, weights, smoothing and features.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import floor, material, port
from benchmarks.goals import Goal
from core.audio.blocks import one_blas_thread
from core.audio.song import Song, open_song
from core.gains.estimate import Estimate, estimate, estimate_as_paper

_PAPER_GOAL, _DEFAULT_GOAL, _FLOOR_GOAL = 10.0, 25.0, 2.0
_MEMORY_GOAL_MB, _GROWTH_GOAL_MB = 400.0, 40.0
_AGREEMENT = 1e-6
_LONG_S = 3600.0
Contender = Callable[[], object]


def main() -> None:
    """Run the benchmark and print its figures."""
    asked = _arguments()
    if asked.peak_memory_of:
        _print_peak_memory(asked.peak_memory_of, asked.preset)
        return
    times_s, goals = figures(asked.seconds, asked.repeats, long=asked.long)
    if asked.json:
        found = [asdict(goal) | {"is_met": goal.is_met} for goal in goals]
        print(json.dumps({"seconds": asked.seconds, "median_s": times_s, "goals": found}, indent=2))
    else:
        _print(times_s, goals, asked.seconds, asked.repeats)


def figures(seconds: float, repeats: int, *, long: bool = False) -> tuple[dict[str, float], list[Goal]]:
    """Return each contender's median time in seconds, and the ratios and memory that have goals."""
    with tempfile.TemporaryDirectory(prefix="faderwise-speed-") as folder:
        times_s, goals = _speed(Path(folder), seconds, repeats)
        goals += _flat_memory(Path(folder), seconds)
        if long:
            goals.append(_long_memory(Path(folder)))
    return times_s, goals


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the song")
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--long", action="store_true", help="also 60 min x 8 buses; needs 6 GB of disk")
    parser.add_argument("--peak-memory-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--preset", choices=("paper", "default"), help=argparse.SUPPRESS)
    return parser.parse_args()


def _speed(folder: Path, seconds: float, repeats: int) -> tuple[dict[str, float], list[Goal]]:
    summed = open_song(material.write_song(folder / "summed", seconds=seconds))
    mastered = open_song(material.write_song(folder / "mastered", seconds=seconds, mastered=True))
    contenders: dict[str, Contender] = {
        "port": lambda: _port(summed),
        "paper": lambda: estimate_as_paper(summed, feature_set="condition1"),
        "default": lambda: estimate(summed),
        "default, mastered": lambda: estimate(mastered),
        "floor of paper": lambda: floor.paper(summed),
        "floor of default": lambda: floor.default(summed),
        "floor of default, mastered": lambda: floor.default_in_power(mastered),
    }
    error = _disagreement(_port(summed), estimate_as_paper(summed, feature_set="condition1"))
    times_s = _in_turns(contenders, repeats)
    goals = [
        Goal("paper: largest difference from the port", error, _AGREEMENT, at_least=False, unit=""),
        Goal("paper: times as fast as the port", _ratio(times_s, "port", "paper"), _PAPER_GOAL, at_least=True),
    ]
    for name in ("default", "default, mastered"):
        ratio = _ratio(times_s, "port", name)
        goals.append(Goal(f"{name}: times as fast as the port", ratio, _DEFAULT_GOAL, at_least=True))
    for name in ("paper", "default", "default, mastered"):
        ratio = _ratio(times_s, name, f"floor of {name}")
        goals.append(Goal(f"{name}: times as long as its floor", ratio, _FLOOR_GOAL, at_least=False))
    return {name: float(np.median(of_name)) for name, of_name in times_s.items()}, goals


def _port(song: Song) -> port.PortResult:
    assert song.mixdown is not None
    with one_blas_thread():
        return port.estimate([file.path for file in song.stems.values()], song.mixdown.path)


def _disagreement(original: port.PortResult, ours: Estimate) -> float:
    """Return the largest difference of the gains, and of the features relative to each one's largest value."""
    features = np.stack([ours.measurement.features[bus] for bus in ours.curves.buses], axis=1)
    scale = np.abs(original.features).max(axis=(0, 1))
    assert ours.curves.gains_raw is not None
    return max(
        float(np.abs(original.gains_raw - ours.curves.gains_raw).max()),
        float(np.abs(original.gains - ours.curves.gains).max()),
        float((np.abs(original.features - features) / scale).max()),
    )


def _in_turns(contenders: dict[str, Contender], repeats: int) -> dict[str, list[float]]:
    times_s: dict[str, list[float]] = {name: [] for name in contenders}
    for contender in list(contenders.values())[1:]:
        contender()
    for _ in range(repeats):
        for name, contender in contenders.items():
            start_s = time.perf_counter()
            contender()
            times_s[name].append(time.perf_counter() - start_s)
    return times_s


def _ratio(times_s: dict[str, list[float]], above: str, below: str) -> float:
    return float(np.median(np.array(times_s[above]) / np.array(times_s[below])))


def _flat_memory(folder: Path, seconds: float) -> list[Goal]:
    songs = [material.write_song(folder / f"memory-{factor}", seconds=factor * seconds) for factor in (1, 10)]
    goals = []
    for preset in ("paper", "default"):
        short_mb, long_mb = (_peak_memory_mb(song, preset) for song in songs)
        name = f"{preset}: memory for {10 * seconds:g} s over {seconds:g} s ({short_mb:.0f} MB)"
        goals.append(Goal(name, long_mb - short_mb, _GROWTH_GOAL_MB, at_least=False, unit="MB"))
    return goals


def _long_memory(folder: Path) -> Goal:
    song = material.write_song(folder / "long", seconds=_LONG_S, buses=material.MORE_BUSES)
    peak_mb = _peak_memory_mb(song, "default")
    return Goal("default: peak memory, 60 min x 8 buses", peak_mb, _MEMORY_GOAL_MB, at_least=False, unit="MB")


def _peak_memory_mb(song: Path, preset: str) -> float:
    command = [sys.executable, __file__, "--peak-memory-of", str(song), "--preset", preset]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def _print_peak_memory(folder: Path, preset: str) -> None:
    song = open_song(folder)
    if preset == "paper":
        estimate_as_paper(song, feature_set="condition1")
    else:
        estimate(song)
    print(_own_peak_mb())


def _own_peak_mb() -> float:
    """Return this process's peak memory; on Linux `ru_maxrss` would count the parent's at the fork as well."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _print(times_s: dict[str, float], goals: list[Goal], seconds: float, repeats: int) -> None:
    print(f"{seconds:g} s of stereo, 4 stems and a mixdown, 16-bit WAV; {os.cpu_count()} cores; {repeats} turns")
    for name, median_s in times_s.items():
        print(f"  {name:28} {median_s:7.3f} s")
    for goal in goals:
        print(goal)


if __name__ == "__main__":
    main()
