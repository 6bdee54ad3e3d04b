"""`faderwise evaluate`: the paper's tables and figures on the user's own songs, leave-one-song-out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import scipy

from analysis_server.paths import home
from analysis_server.presets import FeatureSet, Preset, feature_set_of
from analysis_server.sources.folder import require_mixdowns, song_folders
from analysis_server.training import (
    SongSettings,
    is_matrices,
    learn_folders,
    matrices_songs,
)
from core.decibels import FloatArray
from core.errors import InputError
from core.files import replacing_set, write_text
from core.models.evaluate import (
    BalanceRegression,
    Dataset,
    Evaluation,
    EvaluationSong,
    PaperRegression,
    Predictor,
    Scores,
    baselines,
    score,
)
from core.progress import ProgressCallback, no_progress, part_of

TABLE = "evaluate.json"


class EvaluateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evaluate on `dataset` (a DATASET_DIR or an NPZ of matrices), or train on it and test on `test_on`.

    `out` is a folder for the tables and figures; None writes nothing. `dask` is the address of a dask scheduler
    whose workers see the songs under the same paths.
    """

    dataset: str
    test_on: str | None = None
    preset: Preset | None = None
    features: FeatureSet | None = None
    out: str | None = None
    dask: str | None = None


class BaselineScores(msgspec.Struct, frozen=True, kw_only=True):
    """A simple rule's errors, means over songs."""

    mse: dict[str, float]
    balance_db: float | None


class EvaluateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The errors: `songs` maps titles to buses to MSE; `balance_db` titles to dB (None: no bus was active).

    Where several feature sets were asked for, `conditions` has each one's result, and the rest is the first one's.
    """

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
    notes: list[str] = []
    verdict: str = ""
    conditions: dict[str, EvaluateResult] = {}


def by_condition(request: EvaluateRequest) -> list[EvaluateRequest]:
    """Return one request for each of the paper's conditions where none is named, each with its own folder."""
    any_matrices = is_matrices(request.dataset) or is_matrices(request.test_on or "")
    if request.preset != "paper" or request.features or any_matrices:
        return [request]
    return [
        msgspec.structs.replace(
            request, features=condition, out=str(Path(request.out) / condition) if request.out else None
        )
        for condition in ("condition1", "condition2")
    ]


def together(results: Sequence[EvaluateResult]) -> EvaluateResult:
    """Return one result that combines `results`."""
    if len(results) == 1:
        return results[0]
    return msgspec.structs.replace(results[0], conditions={result.features: result for result in results})


def run(request: EvaluateRequest, progress: ProgressCallback = no_progress) -> EvaluateResult:
    """Evaluate, and write tables and figures where a folder is given.

    Raises
    ------
    InputError
        The dataset cannot be read, has too few songs, or the preset does not fit it.
    """
    preset = request.preset or ("paper" if is_matrices(request.dataset) else "default")
    feature_set = feature_set_of(preset, request.features)
    require_mixdowns(
        song_folders([path for path in (request.dataset, request.test_on) if path and not is_matrices(path)]), {}
    )
    share = 0.9 if request.test_on is None else 0.45
    settings = SongSettings(
        preset=preset, feature_set=feature_set, paper_buses=preset == "paper", with_measurement=True
    )
    trained = _dataset(request.dataset, settings, request.dask, part_of(progress, 0.0, share))
    if request.test_on is None and len(trained.songs) < 2:
        raise InputError(
            "leave-one-song-out needs at least two songs",
            path=request.dataset,
            remedy="add songs, or name a folder of others to test on with --test-on",
        )
    tested, learn_from = trained, None
    if request.test_on is not None:
        tested = _dataset(request.test_on, settings, request.dask, part_of(progress, share, 0.9))
        learn_from = trained.songs
    evaluation = evaluate(preset, feature_set, tested, trained, learn_from)
    rules = {name: score(rule, tested.songs, learn_from) for name, rule in baselines().items()}
    scores = evaluation.scores
    result = EvaluateResult(
        preset=preset,
        features=feature_set,
        trained_on=request.dataset if request.test_on else f"all songs of {request.dataset} except the one tested",
        buses=list(scores.buses),
        songs={title: dict(row) for title, row in scores.mse.items()},
        mean=scores.mean_mse(),
        std=scores.std_mse(),
        balance_db={title: _number(value) for title, value in scores.balance_db.items()},
        baselines={
            name: BaselineScores(mse=rule.mean_mse(), balance_db=_number(rule.mean_balance_db()))
            for name, rule in rules.items()
        },
        files=[],
        warnings=list(dict.fromkeys([*trained.warnings, *tested.warnings])),
        notes=list(dict.fromkeys([*trained.notes, *tested.notes])),
        verdict=verdict(scores.balance_db, {name: rule.balance_db for name, rule in rules.items()}),
    )
    if request.out is None:
        return result
    title = Path(request.test_on or request.dataset).resolve().name
    writing = part_of(progress, 0.9, 1.0)
    return _written(result, evaluation, rules, title=title, folder=Path(request.out), progress=writing)


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
        regression = BalanceRegression(trained.training, {**trained.levels(), **tested.levels()})
    else:
        regression = PaperRegression()
    predicted: dict[str, FloatArray] = {}

    def remember(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        predicted[song.title] = regression(song, others)
        return predicted[song.title]

    return Evaluation(tested=tested, scores=score(remember, tested.songs, learn_from), predicted=predicted)


def _dataset(path: str, settings: SongSettings, dask: str | None, progress: ProgressCallback) -> Dataset:
    if is_matrices(path):
        songs = matrices_songs(path, settings.preset, settings.feature_set)
        training = {song.title: kept for song, kept in songs}
        return Dataset(songs=[song for song, _ in songs], training=training)
    folders = song_folders([path])
    learned = {one.song.title: one for one in learn_folders(folders, settings, dask, progress)}
    return Dataset(
        songs=[one.evaluation_song() for one in learned.values()],
        measurements={title: one.measurement for title, one in learned.items() if one.measurement},
        training={title: one.song for title, one in learned.items()},
        audio={song.title: song for song in map(settings.open, folders)},
        warnings=[warning for one in learned.values() for warning in one.warnings],
        notes=[note for one in learned.values() for note in one.notes],
    )


def best_rule(ours_db: Mapping[str, float], rules_db: Mapping[str, Mapping[str, float]]) -> str | None:
    """Return the simple rule with the smallest balance error over the songs where the model has one; None without any.

    Arguments as for `verdict`. An oracle is not a rule: it uses the true gains.
    """
    titles = [title for title, value in ours_db.items() if np.isfinite(value)]
    means = {
        name: float(np.mean([errors[title] for title in titles]))
        for name, errors in rules_db.items()
        if titles and not name.startswith("oracle") and all(np.isfinite(errors.get(t, np.nan)) for t in titles)
    }
    return min(means, key=lambda name: means[name]) if means else None


def verdict(ours_db: Mapping[str, float], rules_db: Mapping[str, Mapping[str, float]]) -> str:
    """Return in one sentence whether the model or the best simple rule has the smaller balance error.

    Parameters
    ----------
    ours_db : the model's balance error of each song, dB; NaN where no bus was active.
    rules_db : the same of each simple rule, by name.

    Notes
    -----
    The difference counts as beyond chance if the 95 % interval of its mean over the songs (Student's t, paired)
    excludes 0.
    """
    best = best_rule(ours_db, rules_db)
    if best is None:
        return "No song has a balance error to compare."
    titles = [title for title, value in ours_db.items() if np.isfinite(value)]
    differences = np.array([rules_db[best][title] - ours_db[title] for title in titles])
    mean, n = float(differences.mean()), len(differences)
    if mean > 0.0:
        better = f"The model is better than the best simple rule, {best!r},"
    else:
        better = f"The simple rule {best!r} is better than the model"
    sentence = f"{better} by {abs(mean):.2f} dB of balance error on average over {n} song{'s' if n != 1 else ''}"
    if n < 3:
        return f"{sentence}; too few songs for a significance test."
    half_width = float(scipy.special.stdtrit(n - 1, 0.975) * differences.std(ddof=1) / np.sqrt(n))
    interval = f"95 % interval {abs(mean) - half_width:+.2f} to {abs(mean) + half_width:+.2f} dB"
    if abs(mean) > half_width:
        return f"{sentence}, significant ({interval})."
    return f"{sentence}, but the difference is within chance: not significant ({interval}, which contains 0)."


def _written(
    result: EvaluateResult,
    evaluation: Evaluation,
    rules: Mapping[str, Scores],
    *,
    title: str,
    folder: Path,
    progress: ProgressCallback,
) -> EvaluateResult:
    """Write the page, the tables and figures, and the result itself; return it with the files' names."""
    os.environ.setdefault("MPLCONFIGDIR", str(home() / "cache" / "matplotlib"))  # read when matplotlib is imported
    from analysis_server.report.evaluate import PAGE, draw, evaluation_page  # noqa: PLC0415 - matplotlib loads slowly, and only here

    with replacing_set(folder) as files:
        drawn = draw(evaluation, files.folder, progress)
        page = evaluation_page(
            evaluation,
            rules,
            best_rule=best_rule(evaluation.scores.balance_db, {name: rule.balance_db for name, rule in rules.items()}),
            title=title,
            verdict=result.verdict,
            summary=f"Preset {result.preset}, features {result.features}; trained on {result.trained_on}.",
            warnings=result.warnings,
            notes=result.notes,
            files=[TABLE, *drawn],
        )
        write_text(files.folder / PAGE, page)
        names = [PAGE, *drawn, TABLE]
        result = msgspec.structs.replace(result, files=[str(folder / name) for name in names])
        write_text(files.folder / TABLE, msgspec.json.format(msgspec.json.encode(result), indent=1).decode() + "\n")
        for name in names:
            files.new(folder / name)  # where it is now, in the set's own folder
    return result


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
