"""How long whole commands take, imports and report included.

    python benchmarks/commands.py [--seconds 300] [--channels 2] [--repeats 3] [--json] [--only mix]

Each command runs in turn with what it is compared with, so that other work on the machine affects both alike; a ratio
is the median over the turns. Small commands are compared with a bare interpreter
(`python -c "import argparse, json, pathlib"`), `mix` with a plain script (`benchmarks/plain_script.py`) and with the
floor of its work: reading the stems, their transforms, and writing the mix.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import material
from benchmarks.goals import Goal

ROOT = Path(__file__).resolve().parents[1]
_BARE = [sys.executable, "-c", "import argparse, json, pathlib"]
_COMMAND = [sys.executable, "-c", "import sys; from analysis_server.cli import main; sys.exit(main())"]
_PLAIN_SCRIPT = str(ROOT / "benchmarks" / "plain_script.py")
_FLOOR = [sys.executable, str(Path(__file__).resolve()), "--floor-of"]
_SMALL = {"--version": 4.0, "--help": 4.0, "mix --help": 4.0, "mix SONG --loud": 4.0, "models list": 6.0}
Work = Callable[[], None]


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="the song's length (300)")
    parser.add_argument("--channels", type=int, choices=(1, 2), default=2, help="of the stems (2)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (3)")
    parser.add_argument("--only", action="append", choices=("small", "mix", "match", "audit"), help="repeatable")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument("--floor-of", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.floor_of:
        _floor(*map(Path, asked.floor_of))
        return
    goals = figures(asked.seconds, asked.channels, asked.repeats, asked.only or ["small", "mix", "match", "audit"])
    if asked.json:
        found = [asdict(goal) | {"is_met": goal.is_met} for goal in goals]
        print(json.dumps({"seconds": asked.seconds, "channels": asked.channels, "goals": found}, indent=2))
    else:
        print("\n".join(map(str, goals)))


def figures(seconds: float, channels: int, repeats: int, only: list[str]) -> list[Goal]:
    """Return the ratios of whole commands to what they are compared with."""
    with tempfile.TemporaryDirectory(prefix="faderwise-commands-") as name:
        folder = Path(name)
        os.environ["FADERWISE_HOME"] = str(folder / "home")
        song = material.write_song(folder / "song", seconds=seconds)
        if channels == 1:
            _to_mono(song)
        return [goal for part in only for goal in _PARTS[part](folder, seconds, channels, repeats)]


def _small(folder: Path, _seconds: float, _channels: int, repeats: int) -> Iterator[Goal]:
    song, out = folder / "short", folder / "short-run"
    material.write_song(song, seconds=10.0)
    _process([*_COMMAND, "mix", str(song), "--out", str(out)])()
    words = {name: name.replace("SONG", str(song)).split() for name in _SMALL}
    bounds = {**_SMALL, "edit": 12.0, "doctor": 15.0}
    words |= {"edit": ["edit", str(out), "--depth", "50"], "doctor": ["doctor"]}
    for name, bound in bounds.items():
        ratio = _ratio(_process([*_COMMAND, *words[name]]), _process(_BARE), max(repeats, 5))
        yield Goal(f"{name}: times a bare interpreter", ratio, bound, at_least=False)


def _mix(folder: Path, seconds: float, channels: int, repeats: int) -> Iterator[Goal]:
    song, out = folder / "song", folder / "run"
    mix = _process([*_COMMAND, "mix", str(song), "--out", str(out)], out)
    plain = _process([sys.executable, _PLAIN_SCRIPT, str(song), str(folder / "plain.wav")])
    floor = _process([*_FLOOR, str(song), str(folder / "floor.wav")])
    kind = f"{seconds:g} s, {'stereo' if channels == 2 else 'mono'}"
    yield Goal(
        f"mix, {kind}: times as fast as the plain script",
        _ratio(plain, mix, repeats),
        4.0 if channels == 2 else 2.0,
        at_least=True,
    )
    yield Goal(f"mix, {kind}: times its floor", _ratio(mix, floor, repeats), 3.0, at_least=False)


def _match(folder: Path, seconds: float, channels: int, repeats: int) -> Iterator[Goal]:
    song, out = folder / "song", folder / "run"
    mix = _process([*_COMMAND, "mix", str(song), "--out", str(out)], out)
    match = _process([*_COMMAND, "match", str(song), "--out", str(out)], out)
    kind = f"{seconds:g} s, {'stereo' if channels == 2 else 'mono'}"
    yield Goal(f"match, {kind}: times mix", _ratio(match, mix, repeats), 1.5, at_least=False)


def _audit(folder: Path, seconds: float, channels: int, repeats: int) -> Iterator[Goal]:
    song, out = folder / "song", folder / "audited"
    _process([*_COMMAND, "mix", str(song), "--out", str(out)])()
    audit = _process([*_COMMAND, "audit", str(out)])
    mix = _process([*_COMMAND, "mix", str(song), "--out", str(folder / "run")], folder / "run")
    kind = f"{seconds:g} s, {'stereo' if channels == 2 else 'mono'}"
    yield Goal(f"audit, {kind}: times mix", _ratio(audit, mix, repeats), 0.5, at_least=False)


_PARTS: dict[str, Callable[[Path, float, int, int], Iterator[Goal]]] = {
    "small": _small,
    "mix": _mix,
    "match": _match,
    "audit": _audit,
}


def _process(words: list[str], removed: Path | None = None) -> Work:
    """Return work that runs a process, after removing a folder that it writes."""

    def run() -> None:
        if removed is not None:
            shutil.rmtree(removed, ignore_errors=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # measure with compiled modules, as they are installed
        subprocess.run(words, check=False, capture_output=True, env=environment)  # noqa: S603 - this interpreter

    return run


def _ratio(work: Work, against: Work, repeats: int) -> float:
    """Return the median ratio of the two times, measured in turns after one turn to warm up."""
    ratios = []
    for _ in range(repeats + 1):
        work_s, against_s = _time_s(work), _time_s(against)
        ratios.append(work_s / against_s)
    return statistics.median(ratios[1:])


def _time_s(work: Work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _to_mono(song: Path) -> None:
    for path in song.glob("*.wav"):
        samples, rate = soundfile.read(path, dtype="float32")
        soundfile.write(path, samples.mean(axis=1), rate)


def _floor(song: Path, out: Path) -> None:
    """Read every stem, transform each quarter of a second of it, and write a mix of the same length."""
    mix = np.zeros(0, np.float32)
    rate = 44_100
    for path in (song / f"{bus}.wav" for bus in material.BUSES):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        hop = rate // 4
        for start in range(0, len(samples) - hop + 1, hop):
            np.fft.rfft(samples[start : start + hop], axis=0)
        mix = mix + samples if len(mix) else samples
    soundfile.write(out, mix / np.float32(len(material.BUSES)), rate)


if __name__ == "__main__":
    main()
