"""How good predictions are: `python benchmarks/accuracy.py [--songs DIR] [--scrambles N] [--write] [--json FILE]`.

Leave-one-song-out, with the paper's mean squared error and the balance error in dB (`core.models.evaluate`), on
the authors' rock matrices and on scrambled productions (`accuracy_songs`), for the simple rules, the paper's
regression and ours; then the share of true gains inside the 80 % bands, and how a model follows an engineer with habits
as songs come in. `--write` puts the tables into docs/reference/accuracy.md. Without a folder of productions only the
rock matrices are measured, and the other tables of the page stay as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis_server.paths import bundled_song
from benchmarks import accuracy_page as page
from benchmarks.accuracy_songs import MISLEADING, TREATMENTS, ScrambledSong, for_paper, scrambled_songs
from benchmarks.nested import chosen
from benchmarks.train_default import MATRICES, in_its_own_balance, rock_songs, trained
from core.decibels import FloatArray, db_to_gain, gain_to_db
from core.gains.curves import exponential
from core.models.balance import NAMES, BalancePrior
from core.models.evaluate import (
    BalanceRegression,
    EvaluationSong,
    PaperRegression,
    Predictor,
    balance_error_db,
    baselines,
)
from core.models.fit import EIGHTY_PERCENT
from core.models.model import Model, TrainingSong
from core.models.predict import least_squares_gains, predict_balance
from core.models.train import LEAST_SHARE, load_matrices

ROOT = Path(__file__).resolve().parents[1]
SONGS = ROOT.parent / "shared" / "songs"
RULES = (
    "unity gain",
    "mean gain",
    "level per bus",
    "equal RMS level",
    "vocals -18, rest -24 dB",
    "oracle (one gain a song)",
)
NESTED = "ours, its constants chosen without the song"
PAPER = {"the paper, condition 1": "condition1", "the paper, condition 2": "condition2"}
HABIT_DB = {"drums": 1.0, "bass": -2.5, "melody": -1.5, "vocals": 3.0}
"""An engineer's own taste, against equal levels, for the learning curve."""
SCATTERS_DB, COUNTS = (0.5, 2.5), (0, 1, 2, 4, 8)


def main() -> int:
    """Measure everything and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--songs", type=Path, default=SONGS, help="folder of productions (default: shared/songs next to the checkout)"
    )
    parser.add_argument("--scrambles", type=int, default=1, help="scrambles of each song")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/reference/accuracy.md")
    parser.add_argument("--json", type=Path, help="write every song's figures to this file")
    arguments = parser.parse_args()
    reports = measured(arguments.songs, arguments.scrambles)
    for marks, report in reports.items():
        print(page.text(report), end="\n\n")
        if arguments.write:
            page.write(ROOT / "docs" / "reference" / "accuracy.md", page.text(report), marks)
    if arguments.json:
        found = [asdict(report) for report in reports.values()]
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    if page.SCRAMBLED not in reports:
        print(f"{arguments.songs}: no productions, so scrambled songs were not measured; use --songs", file=sys.stderr)
    return 0


def measured(folder: Path, n_scrambles: int) -> dict[tuple[str, str], page.Report]:
    """Return the figures by their marks in the page: of the rock matrices, and of productions if `folder` has any."""
    rock = load_matrices(MATRICES)
    found = {page.ROCK: page.Report([_on_rock(rock)], {"rock matrices": coverage_on_rock(rock)})}
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return {**found, page.SCRAMBLED: _on_productions(folders, n_scrambles)} if folders else found


def _on_productions(folders: list[Path], n_scrambles: int) -> page.Report:
    tables, coverage = [], {}
    curve: dict[str, dict[str, float]] = {}
    for name, treatment in TREATMENTS.items():
        songs = scrambled_songs(folders, n_scrambles, treatment)
        label = f"scrambled songs, {name}"
        tables.append(_on_scrambled(label, songs))
        coverage[label] = _coverage_on_scrambled(songs)
        if treatment is None:
            for scatter_db in SCATTERS_DB:
                curve[f"songs differ by {scatter_db:g} dB"] = learning_curve(songs, scatter_db)
    return page.Report(tables=tables, coverage=coverage, learning_curve=curve)


def _on_rock(songs: Sequence[EvaluationSong]) -> page.Table:
    rules = baselines()
    predictors: dict[str, Predictor] = {name: rules[name] for name in RULES}
    predictors |= {f"{name}, gated": rules[f"{name}, gated"] for name in RULES}
    predictors["the paper, condition 1"] = PaperRegression()
    predictors["ours, condition 3"] = BalanceRegression(_rock_training(songs))
    predictors[NESTED] = _nested_on_rock
    rows = {name: page.Row() for name in predictors}
    for name, predictor in predictors.items():
        for song in songs:
            predicted = predictor(song, [other for other in songs if other is not song])
            rows[name].add(song.title, *_scores(song, predicted))
    return page.Table("rock matrices", rows)


def _nested_on_rock(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
    def ours(prior: BalancePrior) -> BalanceRegression:
        return BalanceRegression(_rock_training([song, *others]), prior=prior)

    def error_db(prior: BalancePrior, left_out: EvaluationSong, rest: Sequence[EvaluationSong]) -> float:
        return balance_error_db(left_out, db_to_gain(ours(prior).balance(left_out, rest).balance_db))

    return ours(chosen(others, lambda other: other.title, error_db))(song, others)


@cache
def _kept(title: str) -> TrainingSong:
    return next(song for song in rock_songs() if song.title == title)


def _rock_training(songs: Sequence[EvaluationSong]) -> dict[str, TrainingSong]:
    return {song.title: _kept(song.title) for song in songs}


def _on_scrambled(label: str, songs: Sequence[ScrambledSong]) -> page.Table:
    rules = baselines()
    names = [*RULES, *PAPER, "ours, as shipped", "ours, learned", NESTED]
    rows = {name: page.Row() for name in names}
    for song in songs:
        others = [other for other in songs if other.group != song.group and other.group not in MISLEADING]
        for name in RULES:
            learn_from = [replace(other.truth, gains=_estimated(other)) for other in others]
            rows[name].add(song.group, *_scores(song.truth, rules[name](song.truth, learn_from)))
        for name, condition in PAPER.items():
            asked = for_paper(song, condition)
            predicted = PaperRegression()(asked, [other.papers[condition] for other in others])
            rows[name].add(song.group, *_scores(asked, predicted))
        models = (shipped_without(song), _learned(song, others), _nested_on_scrambled(song, others))
        for name, model in zip(names[-3:], models, strict=True):
            balance = predict_balance(model, song.truth.buses, song.levels)
            gains = least_squares_gains(balance, song.truth.buses, song.levels)
            rows[name].add(song.group, *_scores(song.truth, gains))
    return page.Table(label, rows, {song.group: MISLEADING[song.group] for song in songs if song.group in MISLEADING})


def _nested_on_scrambled(song: ScrambledSong, others: Sequence[ScrambledSong]) -> Model:
    def error_db(prior: BalancePrior, left_out: ScrambledSong, rest: Sequence[ScrambledSong]) -> float:
        return _error_of(_learned(left_out, rest, prior), left_out, left_out.truth)

    return _learned(song, others, chosen(others, lambda other: other.group, error_db))


def _estimated(song: ScrambledSong) -> FloatArray:
    """Return the gains that the paper's estimate gives a rule to learn from."""
    return song.papers["condition1"].gains[: len(song.truth.gains)]


def shipped_without(song: ScrambledSong, prior: BalancePrior | None = None) -> Model:
    """Return the shipped model as it would be without the production that `song` comes from."""
    of_rock = trained([], prior)
    return of_rock if song.group == _bundled().title else of_rock.with_song(_bundled())


@cache
def _bundled() -> TrainingSong:
    return in_its_own_balance(bundled_song())


def _learned(song: ScrambledSong, others: Sequence[ScrambledSong], prior: BalancePrior | None = None) -> Model:
    """Return the model of a user who learned `others` on top of the shipped one; a production counts as one song."""
    prior = shipped_without(song, prior).as_prior()
    return _model(prior, [_weighted(other, others) for other in others])


def _weighted(song: ScrambledSong, songs: Sequence[ScrambledSong]) -> TrainingSong:
    return msgspec.structs.replace(song.ours, weight=1.0 / sum(other.group == song.group for other in songs))


def _model(prior: BalancePrior, songs: Sequence[TrainingSong]) -> Model:
    return Model(name="m", preset="default", feature_set="condition3", songs=tuple(songs), prior=prior)


def _scores(song: EvaluationSong, predicted: FloatArray) -> tuple[float, float]:
    """Return the mean squared error, mean over buses, and the balance error in dB."""
    return float(((predicted - song.gains) ** 2).mean()), balance_error_db(song, predicted)


def coverage_on_rock(songs: Sequence[EvaluationSong]) -> float:
    """Return the share of the matrices' true gains inside the 80 % band, mean over songs."""
    ours = BalanceRegression(_rock_training(songs))
    shares = []
    for song in songs:
        balance = ours.balance(song, [other for other in songs if other is not song])
        share = exponential(song.active.astype(np.float64), keep_first=True)
        truth_db = gain_to_db(song.gains / np.maximum(share, LEAST_SHARE))
        shares.append(
            _share_inside(truth_db, balance.balance_db, balance.deviation_db, song.active & (share > LEAST_SHARE))
        )
    return float(np.mean(shares))


def _coverage_on_scrambled(songs: Sequence[ScrambledSong]) -> float:
    shares: dict[str, list[float]] = {}
    songs = [song for song in songs if song.group not in MISLEADING]
    for song in songs:
        model = _learned(song, [other for other in songs if other.group != song.group])
        balance = predict_balance(model, song.truth.buses, song.levels)
        found = _share_inside(
            gain_to_db(song.truth.gains), balance.balance_db, balance.deviation_db, song.levels.active
        )
        shares.setdefault(song.group, []).append(found)
    return float(np.mean([np.mean(values) for values in shares.values()]))


def _share_inside(
    truth_db: FloatArray, predicted_db: FloatArray, deviation_db: FloatArray, where: npt.NDArray[np.bool_]
) -> float:
    """Return the share of frames and buses whose true gain is in the 80 % interval, without the common gain."""
    difference = np.where(where, truth_db - predicted_db, np.nan)
    powers = np.nanmean(10.0 ** (difference / 10.0), axis=0)
    difference -= np.mean(10.0 * np.log10(powers[np.isfinite(powers)]))
    inside = np.abs(difference) <= EIGHTY_PERCENT * deviation_db
    return float(np.mean([inside[where[:, i], i].mean() for i in range(where.shape[1]) if where[:, i].any()]))


def learning_curve(songs: Sequence[ScrambledSong], scatter_db: float, n_draws: int = 20) -> dict[str, float]:
    """Return the balance error after 0, 1, 2, ... songs of an engineer who sets buses `HABIT_DB` from equal levels.

    Each song's buses differ from that by `scatter_db`, as chance has it.
    """
    rng = np.random.default_rng(0)
    whims_db = [rng.normal(0.0, scatter_db, len(song.truth.buses)) for song in songs]
    kept = [_as_set_by_the_engineer(song, whim) for song, whim in zip(songs, whims_db, strict=True)]
    engineer = _model(BalancePrior(offsets=HABIT_DB, shared={"tone": -1.0}), [])
    rule = baselines()["equal RMS level"]
    errors: dict[str, list[float]] = {"equal RMS level": [], **{str(count): [] for count in COUNTS}}
    for number, song in enumerate(songs):
        wanted_db = predict_balance(engineer, song.truth.buses, song.levels).balance_db + whims_db[number]
        wanted = replace(song.truth, gains=10.0 ** (wanted_db / 20.0))
        others = [i for i, other in enumerate(songs) if other.group != song.group]
        errors["equal RMS level"].append(balance_error_db(wanted, rule(wanted, [songs[i].truth for i in others])))
        prior = shipped_without(song).as_prior()
        for count in COUNTS:
            drawn = [rng.permutation(others)[:count] for _ in range(n_draws if count else 1)]
            models = (_model(prior, [kept[i] for i in chosen]) for chosen in drawn)
            errors[str(count)].append(float(np.mean([_error_of(model, song, wanted) for model in models])))
    return {name: float(np.mean(values)) for name, values in errors.items()}


def _as_set_by_the_engineer(song: ScrambledSong, whim_db: FloatArray) -> TrainingSong:
    """Return the training song with the output levels that the engineer's habit and whim give it."""
    triangles = {}
    for i, bus in enumerate(song.truth.buses):
        triangle = np.array(song.ours.triangles[bus])
        triangle[:, -1] = (HABIT_DB[bus] + whim_db[i]) * triangle[:, 0] - triangle[:, NAMES.index("tone")]
        triangles[bus] = triangle.tolist()
    return msgspec.structs.replace(song.ours, triangles=triangles, title=song.truth.title, source="faders")


def _error_of(model: Model, song: ScrambledSong, wanted: EvaluationSong) -> float:
    balance = predict_balance(model, song.truth.buses, song.levels)
    return balance_error_db(wanted, db_to_gain(balance.balance_db))


if __name__ == "__main__":
    raise SystemExit(main())
