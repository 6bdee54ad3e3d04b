"""Compare balance rules on known balances: `python benchmarks/balance_facts.py [--write] [--measure SONG_DIR...]`.

`python benchmarks/balance_facts.py --facts FILE.csv --json` compares the rules on any file of levels (facts_rules.py).

`balance_facts.csv` contains the level of each bus in songs whose stems have the level that they have in the mix: gated
loudness, and how much more plain level a bus has than that; most of these songs may not be passed on themselves. All
faders at 0 dB are the producer's balance there, so a predictor's error is how far its output levels are from those. The
authors' rock matrices are added. `--measure` prints the lines of further songs; `--write` puts the tables into
docs/reference/accuracy.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import accuracy_page as page
from benchmarks.balance_songs import FACTS, Balanced, error_db, facts, output_db, rock
from benchmarks.facts_rules import compare_rules, read_facts
from benchmarks.nested import chosen
from core.analysis.measure import measure
from core.audio.song import open_song
from core.decibels import FloatArray
from core.errors import InputError
from core.models.balance import WRITTEN, BalancePrior, levels_of

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- more songs: python benchmarks/balance_facts.py --write -->", "<!-- end of more songs -->"
ROLES = ("drums", "bass", "melody", "vocals")
DIFFERENCE_DB = 0.3
_NINETY_FIVE_PERCENT, _EIGHTY_PERCENT_POWER = 1.96, 0.84


Errors = dict[str, FloatArray]


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=Path, nargs="+", help="print the lines of these songs, and nothing else")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/reference/accuracy.md")
    parser.add_argument("--facts", type=Path, help="compare the rules on this file of levels, and print JSON")
    parser.add_argument("--json", action="store_true", help="print JSON (always the case with --facts)")
    arguments = parser.parse_args()
    if arguments.facts or arguments.json:
        try:
            print(json.dumps(compare_rules(read_facts(arguments.facts or FACTS)), indent=1))
        except InputError as error:
            print(error, file=sys.stderr)
            return 2
        return 0
    if arguments.measure:
        csv.writer(sys.stdout, lineterminator="\n").writerows(row for path in arguments.measure for row in _rows(path))
        return 0
    text = tables([*facts(), *rock()])
    print(text)
    if arguments.write:
        page.write(ROOT / "docs" / "reference" / "accuracy.md", text, (BEGIN, END))
    return 0


def tables(songs: Sequence[Balanced]) -> str:
    """Return the page's part, Markdown."""
    kinds = {"multitracks": 1, "productions": 1, "rock matrices": 1, "separated": 0, "all buses": 0}
    parts = [_table(kind, _errors([song for song in songs if song.kind == kind])) for kind in kinds]
    known = [song for song in songs if kinds[song.kind]]
    together = _table("multitracks, productions and rock matrices", _all_errors(known))
    return "\n\n".join([*parts, together, _limits(known)])


def _errors(songs: Sequence[Balanced]) -> Errors:
    rules: dict[str, Callable[[Balanced], FloatArray]] = {
        "equal plain level": lambda song: np.zeros(len(song.buses)),
        "equal loudness": lambda song: song.tone_db,
        "ours, as written": lambda song: output_db(WRITTEN, song),
    }
    return {name: _by_producer(songs, [error_db(song, rule(song)) for song in songs]) for name, rule in rules.items()}


def _all_errors(songs: Sequence[Balanced]) -> Errors:
    def of_prior(prior: BalancePrior, song: Balanced, _: list[Balanced]) -> float:
        return error_db(song, output_db(prior, song))

    nested, learned = [], []
    for song in songs:
        others = [other for other in songs if other.producer != song.producer]
        nested.append(of_prior(_best(others, of_prior), song, []))
        learned.append(error_db(song, _role_levels(song, _fitted(others, with_tone=False))))
    found = _errors(songs)
    found["ours, its constants chosen without the producer"] = _by_producer(songs, nested)
    found["a level per role, learned from the other producers"] = _by_producer(songs, learned)
    for name, with_tone in (("a level per role", False), ("a level per role, and tone", True)):
        best = _fitted(songs, with_tone=with_tone)
        in_sample = [error_db(song, _role_levels(song, best)) for song in songs]
        found[f"{name}, the best for these very songs"] = _by_producer(songs, in_sample)
    return found


def _best(songs: Sequence[Balanced], error: Callable[[BalancePrior, Balanced, list[Balanced]], float]) -> BalancePrior:
    return chosen(songs, lambda song: song.producer, error)


def _role_levels(song: Balanced, fitted: FloatArray) -> FloatArray:
    levels = dict(zip(ROLES, fitted, strict=False))
    return np.array([levels.get(bus, 0.0) for bus in song.buses]) + fitted[len(ROLES)] * song.tone_db


def _fitted(songs: Sequence[Balanced], *, with_tone: bool) -> FloatArray:
    """Return the levels per role, dB, and tone's coefficient (or 0), that are nearest to `songs`, shape (5,)."""

    def mean_error_db(tried: FloatArray) -> float:
        whole = tried if with_tone else np.append(tried, 0.0)
        return float(np.mean([error_db(song, _role_levels(song, whole)) for song in songs]))

    found = minimize(mean_error_db, np.zeros(len(ROLES) + with_tone), method="Powell").x
    return found if with_tone else np.append(found, 0.0)


def _by_producer(songs: Sequence[Balanced], errors: Sequence[float]) -> FloatArray:
    """Return the errors' means by producer, in the order of their first songs."""
    found: dict[str, list[float]] = {}
    for song, error in zip(songs, errors, strict=True):
        found.setdefault(song.producer, []).append(error)
    return np.array([np.mean(values) for values in found.values()])


def _table(title: str, errors: Errors) -> str:
    reference = next(iter(errors.values()))
    head = f"{title[0].upper()}{title[1:]}, {len(reference)} producers"
    lines = [f"| {head} | balance, dB | 95 % | against equal plain level, dB | worst, dB |", "| --- |" + " --- |" * 4]
    for name, found in errors.items():
        difference = found - reference
        lines.append(
            f"| {name} | {found.mean():.2f} | {page.range_of(page.interval(found))} | {page.difference(difference)} | "
            f"{difference.max():+.2f} |"
        )
    return "\n".join(lines)


def _limits(songs: Sequence[Balanced]) -> str:
    best = _fitted(songs, with_tone=True)
    rests = [song.plain_db - _role_levels(song, best) for song in songs]
    left = np.concatenate([rest - rest.mean() for rest in rests])
    errors = _errors(songs)
    spread = float(errors["equal plain level"].std(ddof=1))
    paired = float((errors["ours, as written"] - errors["equal plain level"]).std(ddof=1))
    n_mean = (_NINETY_FIVE_PERCENT * spread / DIFFERENCE_DB) ** 2
    n_paired = ((_NINETY_FIVE_PERCENT + _EIGHTY_PERCENT_POWER) * paired / 0.1) ** 2
    return "\n".join(
        [
            "| what is left | |",
            "| --- | --- |",
            f"| deviation of a bus from the best level per role and tone, dB | {np.sqrt(np.mean(left**2)):.2f} |",
            f"| deviation of a producer's balance error from the mean, dB | {spread:.2f} |",
            f"| producers needed to know a mean error to {DIFFERENCE_DB} dB (95 %) | {np.ceil(n_mean):.0f} |",
            f"| producers needed to see that ours gains 0.1 dB (95 %, power 80 %) | {np.ceil(n_paired):.0f} |",
        ]
    )


def _rows(path: Path) -> list[tuple[str, ...]]:
    song = open_song(path)
    levels = levels_of(measure(song))
    values = zip(song.buses, levels.loudness_lufs, levels.tone_db, strict=True)
    return [("", "", song.title, "", bus, f"{loudness:.2f}", f"{tone:.2f}") for bus, loudness, tone in values]


if __name__ == "__main__":
    raise SystemExit(main())
