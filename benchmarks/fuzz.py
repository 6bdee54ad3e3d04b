"""Run trials with damaged input by the thousand: `python benchmarks/fuzz.py [--count N] [--seed N] [--kind KIND ...]`.

Each kind of input is damaged `--count` times and used. The program must not raise, hang, change its input, use memory
without bound, or leave incomplete files; it refuses input with one line and a remedy. `--keep DIR` keeps the files of
failed trials, and `--only NUMBER` repeats one trial.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.fuzz.campaign import Outcome, run
from tests.fuzz.kinds import KINDS

SHARED = Path(__file__).resolve().parents[2] / "shared" / "rpp"


def main() -> int:
    """Run the campaigns and print one row each; return 1 if a trial failed."""
    asked = _arguments()
    numbers = [asked.only] if asked.only is not None else range(asked.count)
    further = asked.projects if asked.projects.is_dir() else None
    print(
        f"{'kind':<12}{'trials':>8}{'done':>8}{'refused':>9}{'interrupted':>13}{'failed':>8}{'slowest':>10}{'peak':>9}"
    )
    has_failures = False
    for kind in asked.kind or KINDS:
        with tempfile.TemporaryDirectory(prefix="faderwise-fuzz-") as scratch:
            folder = (asked.keep or Path(scratch)) / f"{kind}-{asked.seed}"
            outcome = run(kind, asked.seed, numbers, folder, further=further, progress=_show_progress)
        print(row(outcome), flush=True)
        for found in outcome.distinct.values():
            print(f"\n{kind}, {len(found)} times, such as --seed {asked.seed} --only {found[0]}:")
            print(outcome.problems[found[0]], flush=True)
        has_failures = has_failures or bool(outcome.problems)
    return int(has_failures)


def row(outcome: Outcome) -> str:
    """Return a campaign's line of the table."""
    ends = outcome.results
    return (
        f"{outcome.kind:<12}{outcome.count:>8}{ends['done']:>8}{ends['refused']:>9}{ends['interrupted']:>13}"
        f"{len(outcome.problems):>8}{outcome.slowest_s:>8.1f} s{outcome.peak_mb:>6.0f} MB"
    )


def _show_progress(outcome: Outcome) -> None:
    if sys.stderr.isatty():
        print(f"{outcome.kind}: {outcome.count}, {len(outcome.problems)} failed", end="\r", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="trials of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", action="append", choices=tuple(KINDS), help="only this kind; may be given again")
    parser.add_argument("--only", type=int, help="only the trial of this number")
    parser.add_argument("--keep", type=Path, help="keep the files of failed trials in this folder")
    parser.add_argument("--projects", type=Path, default=SHARED, help="a folder of further projects to damage")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
