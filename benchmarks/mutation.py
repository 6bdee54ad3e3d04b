"""How much of core the tests hold: `python benchmarks/mutation.py [--sample 300] [--seed 1] [--module 'core.rpp.*']`.

mutmut (`pip install -e '.[mutation]'`) makes thousands of small changes to core, each a mutant; a sample of them is run
against tests/core, and a mutant that no test notices has survived. The work is done in a copy of the checkout; with
`--work DIR` the copy and its verdicts stay there, and the next run goes on: it brings the copy up to date, measures
which code the new tests reach, and tries those of the sample that have no verdict yet. `--count 50` tries that many and
leaves the rest to the next run; `--again` tries the survivors once more, against tests that were written since.
Printed are the survivors' share with its 95 % interval (Wilson's), and each survivor's change.
"""

from __future__ import annotations

import argparse
import filecmp
import fnmatch
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_Z95 = 1.96
_SURVIVED = frozenset({0, 5, 33})
"""mutmut's exit codes of a mutant that its tests let through, or that no test reaches."""
_UNTRIED = frozenset({None, 2})
"""Those of a mutant that was not run, or not to its end."""
_NOBODY = "core.nobody.*"
_ALL_TESTS = '["tests/core"]'


@dataclass(frozen=True)
class Verdicts:
    """What became of a sample of the `n_mutants` there are: each one's exit code, by name; `n_left` are untried."""

    n_mutants: int
    codes: dict[str, int | None]
    n_left: int

    @property
    def survivors(self) -> list[str]:
        """The names of those that no test noticed."""
        return sorted(name for name, code in self.codes.items() if code in _SURVIVED)

    @property
    def share(self) -> float:
        """The survivors' share of the sample."""
        return len(self.survivors) / len(self.codes)

    @property
    def interval(self) -> tuple[float, float]:
        """The share's 95 % interval."""
        n, z2 = len(self.codes), _Z95**2
        middle = (self.share + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z95 / (1 + z2 / n) * math.sqrt(self.share * (1 - self.share) / n + z2 / (4 * n * n))
        return middle - half, middle + half


def main() -> int:
    """Run a sample and print what became of it; 1 if too many survived."""
    asked = _arguments()
    with tempfile.TemporaryDirectory(prefix="faderwise-mutation-") as scratch:
        work = asked.work or Path(scratch)
        prepare(work, asked.tests, asked.processes)
        verdicts = tried(work, asked)
        print("\n".join(told(verdicts)))
        for name in verdicts.survivors:
            print(_mutmut(work, "show", name).strip(), end="\n\n")
    return int(verdicts.share > asked.most)


def prepare(work: Path, tests: Sequence[str] | None, processes: int) -> None:
    """Bring `work` up to date with the checkout, make all mutants there and measure which test reaches what."""
    settings = "pyproject.toml"
    text = (ROOT / settings).read_text(encoding="utf-8")
    if tests:
        text = text.replace(_ALL_TESTS, json.dumps(list(tests)))
    _copy(work, but=settings)
    (work / settings).write_text(text, encoding="utf-8")
    _mutmut(work, "run", "--max-children", str(processes), _NOBODY, check=False)


def tried(work: Path, asked: argparse.Namespace) -> Verdicts:
    """Run a sample of the mutants of the modules that `asked.module` match, in the prepared copy at `work`."""
    codes = _codes(work)
    modules = asked.module or ["*"]
    names = sorted(name for name in codes if any(fnmatch.fnmatch(name, module) for module in modules))
    chosen = random.Random(asked.seed).sample(names, min(asked.sample, len(names)))  # noqa: S311 - chance, no secret
    wanted = (_UNTRIED | _SURVIVED) if asked.again else _UNTRIED
    now = [name for name in chosen if codes[name] in wanted][: asked.count]
    if now:
        _mutmut(work, "run", "--max-children", str(asked.processes), *now)
        codes = _codes(work)
    done = {name: codes[name] for name in chosen if codes[name] not in _UNTRIED}
    return Verdicts(len(names), done, len(chosen) - len(done))


def told(verdicts: Verdicts) -> Iterator[str]:
    """Give the lines of the result."""
    low, high = verdicts.interval
    yield (
        f"{len(verdicts.survivors)} of {len(verdicts.codes)} mutants survived (of {verdicts.n_mutants} there are): "
        f"{100 * verdicts.share:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %"
    )
    if verdicts.n_left:
        yield f"  {verdicts.n_left} more are in the sample; the same command continues with them"
    for module, count in Counter(name.split(".x")[0] for name in verdicts.survivors).most_common():
        of = sum(name.startswith(f"{module}.x") for name in verdicts.codes)
        yield f"  {module}: {count} of {of}"


def _copy(work: Path, but: str) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)  # noqa: S607
    names = set(filter(None, listed.stdout.split("\0")))
    for name in names - {but}:
        source, copy = ROOT / name, work / name
        if not (copy.is_file() and filecmp.cmp(source, copy, shallow=False)):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    for module in [*work.glob("core/**/*.py"), *work.glob("tests/**/*.py")]:
        name = module.relative_to(work).as_posix()
        if name not in names:
            for gone in (work / name, work / "mutants" / name, work / "mutants" / f"{name}.meta"):
                gone.unlink(missing_ok=True)


def _mutmut(work: Path, *words: str, check: bool = True) -> str:
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-m", "mutmut", *words], cwd=work, capture_output=True, text=True, check=False, env=environment
    )
    if check and done.returncode:
        raise SystemExit(f"mutmut {words[0]}: {(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def _codes(work: Path) -> dict[str, int | None]:
    files = sorted((work / "mutants" / "core").rglob("*.meta"))
    return {name: code for file in files for name, code in json.loads(file.read_text())["exit_code_by_key"].items()}


def _arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--module", action="append", help="mutants' names, such as 'core.rpp.*'; repeatable")
    parser.add_argument("--tests", action="append", help="tests to run instead of all of tests/core; repeatable")
    parser.add_argument("--count", type=int, help="how many to try now; all of the sample by default")
    parser.add_argument("--again", action="store_true", help="try the survivors once more, with the tests of now")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, help="where the copy is kept; a temporary folder by default")
    parser.add_argument("--most", type=float, default=0.15, help="the share of survivors that is too many")
    return parser.parse_args(words)


if __name__ == "__main__":
    raise SystemExit(main())
