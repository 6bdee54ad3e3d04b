"""How near any balance can come: `python benchmarks/balance_facts.py [--write] [--measure SONG_DIR...]`.

`balance_facts.csv` holds how loud each bus is in songs whose stems lie at the level they have in the mix: gated
loudness, and how much more plain level a bus has than that; most of these songs may not be passed on themselves. All
faders at 0 dB are the producer's balance there, so a predictor's error is how far its output levels are from those. The
authors' rock matrices are added. `--measure` prints the lines of further songs; `--write` puts the tables into
docs/accuracy.md.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import accuracy_page as page
from benchmarks.accuracy_nested import chosen
from benchmarks.train_default import rock_songs
from core.audio.song import open_song
from core.decibels import FloatArray
from core.measuring.default_measurement import measure
from core.modelling.balance import StemLevels, levels_of
from core.modelling.balance_prediction import predict_balance
from core.modelling.balance_prior import WRITTEN, BalancePrior
from core.modelling.model import Model

ROOT = Path(__file__).resolve().parents[1]
FACTS = ROOT / "benchmarks" / "balance_facts.csv"
BEGIN, END = "<!-- more songs: python benchmarks/balance_facts.py --write -->", "<!-- end of more songs -->"
ROLES = ("drums", "bass", "melody", "vocals")
DIFFERENCE_DB = 0.3
_NINETY_FIVE_PERCENT, _EIGHTY_PERCENT_POWER = 1.96, 0.84


@dataclass(frozen=True)
class Balanced:
    """A song in its own balance: its buses' loudness and tone, shape (n_buses,), and what set and producer it is of."""

    kind: str
    producer: str
    title: str
    buses: tuple[str, ...]
    loudness_lufs: FloatArray
    tone_db: FloatArray

    @property
    def plain_db(self) -> FloatArray:
        """The buses' plain level, dB."""
        return self.loudness_lufs + self.tone_db


Errors = dict[str, FloatArray]


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", type=Path, nargs="+", help="print the lines of these songs, and nothing else")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/accuracy.md")
    arguments = parser.parse_args()
    if arguments.measure:
        csv.writer(sys.stdout, lineterminator="\n").writerows(row for path in arguments.measure for row in _rows(path))
        return 0
    text = tables([*facts(), *rock()])
    print(text)
    if arguments.write:
        page.write(ROOT / "docs" / "accuracy.md", text, (BEGIN, END))
    return 0


def facts() -> list[Balanced]:
    """Return the songs of `balance_facts.csv`."""
    found: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    with FACTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault((row["set"], row["producer"], row["song"]), []).append(row)
    return [
        Balanced(
            *key,
            tuple(row["bus"] for row in rows),
            np.array([float(row["loudness_lufs"]) for row in rows]),
            np.array([float(row["tone_db"]) for row in rows]),
        )
        for key, rows in found.items()
    ]


def rock() -> list[Balanced]:
    """Return the authors' rock songs: output levels as their method estimated them, of which spectra are not known."""
    return [
        Balanced(
            "rock matrices",
            song.title.split(" - ")[0],
            song.title,
            tuple(song.triangles),
            np.array([triangle[0][-1] / triangle[0][0] for triangle in map(np.array, song.triangles.values())]),
            np.zeros(len(song.triangles)),
        )
        for song in rock_songs()
    ]


def tables(songs: Sequence[Balanced]) -> str:
    """Return the page's part, Markdown."""
    kinds = {"multitracks": 1, "productions": 1, "rock matrices": 1, "separated": 0, "all buses": 0}
    parts = [_table(kind, _errors([song for song in songs if song.kind == kind])) for kind in kinds]
    known = [song for song in songs if kinds[song.kind]]
    return "\n\n".join(
        [*parts, _table("multitracks, productions and rock matrices", _all_errors(known)), _limits(known)]
    )


def _errors(songs: Sequence[Balanced]) -> Errors:
    rules: dict[str, Callable[[Balanced], FloatArray]] = {
        "equal plain level": lambda song: np.zeros(len(song.buses)),
        "equal loudness": lambda song: song.tone_db,
        "ours, as written": lambda song: output_db(WRITTEN, song),
    }
    return {name: _by_producer(songs, [error_db(song, rule(song)) for song in songs]) for name, rule in rules.items()}


def _all_errors(songs: Sequence[Balanced]) -> Errors:
    def of_belief(belief: BalancePrior, song: Balanced, _: list[Balanced]) -> float:
        return error_db(song, output_db(belief, song))

    nested, learned = [], []
    for song in songs:
        others = [other for other in songs if other.producer != song.producer]
        nested.append(of_belief(_best(others, of_belief), song, []))
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


def error_db(song: Balanced, output_db: FloatArray) -> float:
    """Return how far plain output levels (n_buses,) are from the song's balance, dB, as `core.modelling.evaluation`."""
    difference = song.plain_db - output_db
    return float(np.abs(difference - difference.mean()).mean())


def output_db(belief: BalancePrior, song: Balanced) -> FloatArray:
    """Return the plain levels that a model of this belief gives the song's buses, dB, shape (n_buses,)."""
    n_buses = len(song.buses)
    levels = StemLevels(
        loudness_lufs=song.loudness_lufs,
        tone_db=song.tone_db,
        covered_db=np.zeros(n_buses),
        presence=np.ones(n_buses),
        frame_lufs=song.loudness_lufs[None],
        active=np.ones((1, n_buses), bool),
    )
    model = Model(name="m", preset="default", feature_set="condition3", prior=belief)
    return song.plain_db + predict_balance(model, song.buses, levels).balance_db[0]


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
