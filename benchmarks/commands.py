"""How long whole commands take, including imports and reports.

    python benchmarks/commands.py [--seconds 300] [--channels 2] [--repeats 3] [--cpu] [--only mix] [--json]

A command and what it is compared with run in turns, and a ratio is the median over the turns, so that other work on the
machine affects both. Small commands are compared with `python -c "import argparse, json, pathlib"`, `mix` with a plain
script (`benchmarks/plain_script.py`), `match` with `mix`, and `audit` with reading its inputs.
With `--cpu` the figures are processor time of the process tree instead of elapsed time, for a machine that is busy.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import material
from benchmarks.goals import Goal

ROOT = Path(__file__).resolve().parents[1]
_BARE = [sys.executable, "-c", "import argparse, json, pathlib"]
_COMMAND = [sys.executable, "-c", "import sys; from analysis_server.cli import main; sys.exit(main())"]
_PLAIN_SCRIPT = str(ROOT / "benchmarks" / "plain_script.py")
_SMALL = {
    "--version": 4.0,
    "--help": 4.0,
    "mix --help": 4.0,
    "mix SONG --loud": 4.0,
    "models list": 6.0,
    "edit RUN --depth 50": 12.0,
    "doctor": 15.0,
}
Work = Callable[[], None]


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300.0, help="the song's length (300)")
    parser.add_argument("--channels", type=int, choices=(1, 2), default=2, help="of the stems (2)")
    parser.add_argument("--repeats", type=int, default=3, help="turns (3)")
    parser.add_argument("--cpu", action="store_true", help="measure processor time")
    parser.add_argument("--only", action="append", choices=tuple(_PARTS), help="repeatable")
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.read:
        _read_all(asked.read)
        return
    goals = figures(asked.seconds, asked.channels, asked.repeats, asked.only or list(_PARTS), cpu=asked.cpu)
    if asked.json:
        found = [asdict(goal) | {"is_met": goal.is_met} for goal in goals]
        print(json.dumps({"seconds": asked.seconds, "channels": asked.channels, "goals": found}, indent=2))
    else:
        print("\n".join(map(str, goals)))


def figures(seconds: float, channels: int, repeats: int, only: Sequence[str], *, cpu: bool = False) -> list[Goal]:
    """Return the figures of the parts `only`, on a song of `seconds` with `channels`."""
    with tempfile.TemporaryDirectory(prefix="faderwise-commands-") as name:
        turns = _Turns(Path(name), seconds, channels, repeats, cpu)
        os.environ["FADERWISE_HOME"] = str(turns.folder / "home")
        return [goal for part in only for goal in _PARTS[part](turns)]


@dataclass(frozen=True)
class _Turns:
    """Where to work, on which song, and how often to measure."""

    folder: Path
    seconds: float
    channels: int
    repeats: int
    cpu: bool

    def song(self) -> Path:
        folder = self.folder / "song"
        if not folder.is_dir():
            material.write_song(folder, seconds=self.seconds)
            for path in folder.glob("*.wav") if self.channels == 1 else ():
                samples, rate = soundfile.read(path, dtype="float32")
                soundfile.write(path, samples.mean(axis=1), rate)
        return folder

    @property
    def kind(self) -> str:
        return f"{self.seconds:g} s, {'stereo' if self.channels == 2 else 'mono'}"

    def ratio(self, work: Work, against: Work, repeats: int = 0) -> float:
        """Return the median ratio of two times, measured in turns after one turn to warm up."""
        pairs = [(self.time_s(work), self.time_s(against)) for _ in range((repeats or self.repeats) + 1)]
        return statistics.median(one / other for one, other in pairs[1:])

    def difference_s(self, work: Work, against: Work) -> float:
        """Return the median difference of two times, as `ratio` does."""
        pairs = [(self.time_s(work), self.time_s(against)) for _ in range(self.repeats + 1)]
        return statistics.median(one - other for one, other in pairs[1:])

    def time_s(self, work: Work) -> float:
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        work()
        elapsed_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime if self.cpu else elapsed_s


def _small(turns: _Turns) -> Iterator[Goal]:
    song, out = turns.folder / "short", turns.folder / "short-run"
    material.write_song(song, seconds=10.0)
    _process([*_COMMAND, "mix", str(song), "--out", str(out)])()
    for line, bound in _SMALL.items():
        words = [{"SONG": str(song), "RUN": str(out)}.get(word, word) for word in line.split()]
        ratio = turns.ratio(_process([*_COMMAND, *words]), _process(_BARE), max(turns.repeats, 5))
        yield Goal(f"{line}: time relative to a bare interpreter", ratio, bound, at_least=False)


def _mix(turns: _Turns) -> Iterator[Goal]:
    bound = 2.0 if turns.channels == 1 else 4.0 if turns.seconds >= 240.0 else 3.0
    plain = _process([sys.executable, _PLAIN_SCRIPT, str(turns.song()), str(turns.folder / "plain.wav")])
    ratio = turns.ratio(plain, _mixing(turns))
    yield Goal(f"mix, {turns.kind}: speed relative to the plain script", ratio, bound, at_least=True)


def _match(turns: _Turns) -> Iterator[Goal]:
    out = turns.folder / "match"
    match = _process([*_COMMAND, "match", str(turns.song()), "--out", str(out)], out)
    yield Goal(f"match, {turns.kind}: time relative to mix", turns.ratio(match, _mixing(turns)), 1.5, at_least=False)


def _audit(turns: _Turns) -> Iterator[Goal]:
    _mixing(turns)()
    audit = _process([*_COMMAND, "audit", str(turns.folder / "run")])
    read = _process([sys.executable, str(Path(__file__).resolve()), "--read", str(turns.song())])
    longer_s = turns.difference_s(audit, read)
    yield Goal(f"audit, {turns.kind}: time in addition to reading its inputs", longer_s, 1.0, at_least=False, unit="s")


def _demo(turns: _Turns) -> Iterator[Goal]:
    out = turns.folder / "demo"
    demo = _process([*_COMMAND, "demo", "--out", str(out)], out)
    demo()
    yield Goal("demo: time", turns.time_s(demo), 6.0, at_least=False, unit="s")


def _install(turns: _Turns) -> Iterator[Goal]:
    """Install into a temporary folder, which needs the network, then measure a second installation."""
    home = {"HOME": str(turns.folder), "FADERWISE_HOME": str(turns.folder / "installed")}
    install = _process([sys.executable, str(ROOT / "install.py"), "--no-reaper", "--yes"], variables=home)
    install()
    yield Goal("install.py, environment exists: time", turns.time_s(install), 2.0, at_least=False, unit="s")


_PARTS: dict[str, Callable[[_Turns], Iterator[Goal]]] = {
    "small": _small,
    "mix": _mix,
    "match": _match,
    "audit": _audit,
    "demo": _demo,
    "install": _install,
}


def _mixing(turns: _Turns) -> Work:
    out = turns.folder / "run"
    return _process([*_COMMAND, "mix", str(turns.song()), "--out", str(out)], out)


def _process(words: list[str], removed: Path | None = None, variables: Mapping[str, str] | None = None) -> Work:
    """Return work that runs a process, after removing a folder that it writes.

    Raises
    ------
    RuntimeError
        The process failed, other than by the usage error that is measured.
    """

    def run() -> None:
        if removed is not None:
            shutil.rmtree(removed, ignore_errors=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(variables or {})}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # measure with compiled modules, as they are installed
        done = subprocess.run(words, check=False, capture_output=True, env=environment)  # noqa: S603 - own programs
        if done.returncode and "doctor" not in words and "--loud" not in words:  # both report problems by exit code
            raise RuntimeError(f"{' '.join(words)} failed: {done.stderr.decode(errors='replace')}")

    return run


def _read_all(song: Path) -> None:
    for path in song.glob("*.wav"):
        with soundfile.SoundFile(path) as file:
            while len(file.read(1 << 16, dtype="int16")):
                pass


if __name__ == "__main__":
    main()
