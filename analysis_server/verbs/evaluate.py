"""`faderwise evaluate`: the paper's tables and figures on the user's own songs, leave-one-song-out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from analysis_server.opening import open_chosen
from analysis_server.telling import Tell, stage, untold
from analysis_server.verbs.estimate import estimated
from analysis_server.verbs.features import feature_set_of
from analysis_server.verbs.learn import song_folders
from core.decibels import FloatArray
from core.errors import InputError
from core.evaluation import EvaluationSong, Predictor, Scores, score
from core.learning import training_song
from core.matrices import load_matrices
from core.measurement import Measurement
from core.model import Model, TrainingSong
from core.prediction import predict
from core.predictors import PaperRegression, baselines
from core.song import Song


class EvaluateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evaluate on `dataset` (a DATASET_DIR or an NPZ of matrices), or train on it and test on `test_on`.

    `out` is a folder for the tables and figures; None writes nothing.
    """

    dataset: str
    test_on: str | None = None
    preset: str | None = None
    features: str | None = None
    out: str | None = None


class BaselineScores(msgspec.Struct, frozen=True, kw_only=True):
    """A simple rule's errors, means over songs."""

    mse: dict[str, float]
    balance_db: float | None


class EvaluateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The errors: `songs` maps titles to buses to MSE; `balance_db` titles to dB (None: no bus was active)."""

    preset: str
    features: str
    trained_on: str
    buses: list[str]
    songs: dict[str, dict[str, float]]
    mean: dict[str, float]
    std: dict[str, float]
    balance_db: dict[str, float | None]
    baselines: dict[str, BaselineScores]
    files: list[str]
    warnings: list[str]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Songs whose gains are known, and what else predictors and figures need of them, by title."""

    songs: list[EvaluationSong]
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    training: Mapping[str, TrainingSong] = field(default_factory=dict)
    audio: Mapping[str, Song] = field(default_factory=dict)
    warnings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything the tables and figures show: the tested dataset, its scores and the predicted gains."""

    tested: Dataset
    scores: Scores
    predicted: Mapping[str, FloatArray]


def run(request: EvaluateRequest, tell: Tell = untold) -> EvaluateResult:
    """Evaluate, and write tables and figures where a folder is given.

    Raises
    ------
    InputError
        The dataset cannot be read, has too few songs, or the preset does not fit it.
    """
    preset = request.preset or ("paper" if is_matrices(request.dataset) else "default")
    feature_set = feature_set_of(preset, request.features)
    share = 0.9 if request.test_on is None else 0.45
    trained = _dataset(request.dataset, preset, feature_set, tell, 0.0, share)
    tested = trained if request.test_on is None else _dataset(request.test_on, preset, feature_set, tell, share, 0.9)
    learn_from = None if request.test_on is None else trained.songs
    evaluation = evaluate(preset, feature_set, tested, trained, learn_from)
    files: list[str] = []
    if request.out:
        from analysis_server.figures import draw  # noqa: PLC0415 - matplotlib loads slowly, and only here

        files = draw(evaluation, Path(request.out), tell)
    return _result(request, preset, feature_set, evaluation, learn_from, files, [*trained.warnings, *tested.warnings])


def is_matrices(path: str) -> bool:
    """Tell whether `path` names training matrices rather than a folder of songs."""
    return path.lower().endswith(".npz")


def evaluate(
    preset: str,
    feature_set: str,
    tested: Dataset,
    trained: Dataset,
    learn_from: Sequence[EvaluationSong] | None,
) -> Evaluation:
    """Return the scores and predictions of the preset's own predictor."""
    regression: Predictor
    if feature_set == "condition3":
        regression = _BalanceRegression({**trained.measurements, **tested.measurements}, trained.training)
    else:
        regression = PaperRegression()
    predicted: dict[str, FloatArray] = {}

    def remember(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        predicted[song.title] = regression(song, others)
        return predicted[song.title]

    return Evaluation(tested=tested, scores=score(remember, tested.songs, learn_from), predicted=predicted)


@dataclass(frozen=True)
class _BalanceRegression:
    """Condition 3 as `mix` predicts it, from the songs it may learn from."""

    measurements: Mapping[str, Measurement]
    training: Mapping[str, TrainingSong]

    def __call__(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        model = Model(
            name="evaluation",
            preset="default",
            feature_set="condition3",
            songs=tuple(self.training[other.title] for other in others),
        )
        return predict(model, self.measurements[song.title]).gains


def _dataset(path: str, preset: str, feature_set: str, tell: Tell, start: float, end: float) -> Dataset:
    if is_matrices(path):
        if (preset, feature_set) != ("paper", "condition1"):
            raise InputError(f"{path}: matrices hold the paper's condition 1; use --preset paper --features condition1")
        return Dataset(songs=load_matrices(Path(path)))
    songs, measurements, training, audio, warnings = [], {}, {}, {}, []
    folders = song_folders([path])
    for number, folder in enumerate(folders):
        song = open_chosen(str(folder), {})
        step = (end - start) / len(folders)
        progress = stage(tell, f"estimating {song.title}", start + number * step, start + (number + 1) * step)
        found = estimated(song, preset, None, feature_set, progress)
        songs.append(
            EvaluationSong(
                title=song.title,
                buses=song.buses,
                features=found.measurement.features,
                gains=found.curves.gains,
                rms=found.measurement.rms,
            )
        )
        measurements[song.title], audio[song.title] = found.measurement, song
        training[song.title] = training_song(
            song, found.measurement, found.curves, feature_set=feature_set, domain=found.domain, fit=found.fit
        )
        warnings += [f"{song.title}: {warning}" for warning in found.warnings]
    return Dataset(songs=songs, measurements=measurements, training=training, audio=audio, warnings=warnings)


def _result(
    request: EvaluateRequest,
    preset: str,
    feature_set: str,
    evaluation: Evaluation,
    learn_from: Sequence[EvaluationSong] | None,
    files: list[str],
    warnings: list[str],
) -> EvaluateResult:
    scores = evaluation.scores
    rules = {name: score(rule, evaluation.tested.songs, learn_from) for name, rule in baselines().items()}
    return EvaluateResult(
        preset=preset,
        features=feature_set,
        trained_on=f"all of {request.dataset} but the song itself" if learn_from is None else request.dataset,
        buses=list(scores.buses),
        songs={title: dict(row) for title, row in scores.mse.items()},
        mean=scores.mean_mse(),
        std=scores.std_mse(),
        balance_db={title: _number(value) for title, value in scores.balance_db.items()},
        baselines={
            name: BaselineScores(mse=rule.mean_mse(), balance_db=_number(rule.mean_balance_db()))
            for name, rule in rules.items()
        },
        files=files,
        warnings=list(dict.fromkeys(warnings)),
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
