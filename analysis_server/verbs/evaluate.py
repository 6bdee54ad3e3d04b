"""`faderwise evaluate`: how close `learn` comes to the user's own songs, leave-one-song-out, and the paper's tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from analysis_server import models
from analysis_server.paths import by_name, home
from analysis_server.presets import FeatureSet, Preset, feature_set_of
from analysis_server.sources.folder import require_mixdowns, require_titles_apart, song_folders
from analysis_server.training import (
    SongSettings,
    is_matrices,
    learn_folders,
    matrices_songs,
)
from core.decibels import FloatArray
from core.errors import InputError
from core.files import replacing_set, write_text
from core.models.comparison import LEAST_SONGS, SIGNIFICANCE, Difference, holm, paired_difference
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
from core.models.model import Model, TrainingSong
from core.progress import ProgressCallback, no_progress, part_of
from core.wording import capitalised, first_few, listed, shown_difference

TABLE = "evaluate.json"
LEARNED, DEFAULT, FIXED_RULE = "learned", "default", "equal RMS level"
"""The tested model, the shipped one, and the simple rule that the verdict compares with, whichever rule is the best."""
METHODS = {
    LEARNED: "the model that learn makes from the songs to learn from, starting from the default model",
    DEFAULT: "the default model as shipped, without learning",
    "unity gain": "every fader at 0 dB",
    "mean gain": "each bus at its mean gain in the songs to learn from: right if your stems have the same levels in "
    "every song",
    "level per bus": "each bus at the mean RMS level that it has in the mixes of the songs to learn from",
    FIXED_RULE: "all buses at the same RMS level",
    "vocals -18, rest -24 dB": "the vocals at an RMS level of -18 dBFS, each other bus at -24 dBFS",
    "oracle (one gain a song)": "each bus at its own true mean gain: no rule with one gain per bus and song is better",
}
"""Each method in one phrase."""
_ALL_LEARNED = (
    "No verdict: the model has learned all of the tested songs, so its errors are smaller than those of new songs. To "
    "leave each song out when it is tested, omit --test-on."
)
_OF_PAPER = "the paper's regression, learned from the songs to learn from"


class EvaluateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evaluate on `dataset` (folders of songs, or an NPZ of matrices), or train on it and test on `test_on`.

    `out` is a folder for the tables and figures; None writes nothing. `dask` is the address of a dask scheduler
    whose workers see the songs under the same paths. `mixed_by` is as for `learn`.
    """

    dataset: str | list[str]
    test_on: str | None = None
    preset: Preset | None = None
    features: FeatureSet | None = None
    out: str | None = None
    dask: str | None = None
    mixed_by: Literal["me", "others"] = "me"

    @property
    def datasets(self) -> list[str]:
        """The paths of `dataset`."""
        return [self.dataset] if isinstance(self.dataset, str) else self.dataset


class BaselineScores(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of a simple rule or of the default model, means over songs."""

    mse: dict[str, float]
    balance_db: float | None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How much closer the tested model is to the producers' balance than another method.

    Attributes
    ----------
    closer_db : the mean over `n_songs` songs; negative where the other method is closer.
    interval_db : its 95 % interval; None for fewer than 3 songs, or where all songs have the same difference.
    p_value : corrected for the number of comparisons (Holm); None where it is not tested.
    significant : whether it is below 0.05; None where it is not tested.
    """

    closer_db: float
    n_songs: int
    interval_db: tuple[float, float] | None
    p_value: float | None
    significant: bool | None


class EvaluateResult(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of the tested model: `songs` maps titles to buses to MSE; `balance_db` titles to dB.

    `default` has those of the shipped default model (None for the paper's preset), `baselines` those of the simple
    rules, `balance_db_of` the balance error of each of them per song, `comparisons` how much closer the tested model
    is, and `methods` what each method does. A balance error is None where no bus was active. Where several feature sets
    were asked for, `conditions` has each one's result, and the rest is the first one's.
    """

    preset: str
    features: str
    trained_on: str
    buses: list[str]
    songs: dict[str, dict[str, float]]
    mean: dict[str, float]
    std: dict[str, float]
    balance_db: dict[str, float | None]
    default: BaselineScores | None
    baselines: dict[str, BaselineScores]
    balance_db_of: dict[str, dict[str, float | None]]
    comparisons: dict[str, Comparison]
    methods: dict[str, str]
    files: dict[str, str]
    warnings: list[str]
    notes: list[str] = []
    verdict: str = ""
    remarks: list[str] = []
    conditions: dict[str, EvaluateResult] = {}


def by_condition(request: EvaluateRequest) -> list[EvaluateRequest]:
    """Return one request for each of the paper's conditions where none is named, each with its own folder."""
    any_matrices = any(map(is_matrices, [*request.datasets, request.test_on or ""]))
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
    matrices = [path for path in request.datasets if is_matrices(path)]
    if not request.datasets:
        raise InputError("no dataset was given", remedy="give a folder of songs")
    if matrices and len(request.datasets) > 1:
        raise InputError("matrices cannot be combined with other songs", path=matrices[0], remedy="evaluate them alone")
    preset = request.preset or ("paper" if matrices else "default")
    feature_set = feature_set_of(preset, request.features)
    given = [*request.datasets, *([request.test_on] if request.test_on else [])]
    require_mixdowns(song_folders([path for path in given if not is_matrices(path)]), {})
    share = 0.9 if request.test_on is None else 0.45
    settings = SongSettings(
        preset=preset, feature_set=feature_set, paper_buses=preset == "paper", with_measurement=True
    )
    if request.mixed_by != "me" and feature_set != "condition3":
        raise InputError(
            "the paper's regression does not use this", option="--mixed-by", remedy="leave it out, or use condition3"
        )
    trained = _without_copies(_dataset(request, request.datasets, settings, part_of(progress, 0.0, share)))
    if request.test_on is None and len(trained.songs) < 2:
        raise InputError(
            "leave-one-song-out needs at least two different songs",
            path=request.datasets[0],
            remedy="add songs, or name a folder of others to test on with --test-on",
        )
    tested, learn_from, has_new_songs = trained, None, True
    if request.test_on is not None:
        tested = _without_copies(_dataset(request, [request.test_on], settings, part_of(progress, share, 0.9)))
        learn_from = trained.songs
        tested, has_new_songs = _new_songs(tested, trained)
    evaluation, others = evaluate(feature_set, tested, trained, learn_from)
    scores = evaluation.scores
    errors_db = {name: one.balance_db for name, one in others.items()}
    comparisons = compared(scores.balance_db, errors_db) if has_new_songs else {}
    means_db = {LEARNED: scores.mean_balance_db(), **{name: one.mean_balance_db() for name, one in others.items()}}
    baselines_of = {
        name: BaselineScores(mse=one.mean_mse(), balance_db=_number(means_db[name])) for name, one in others.items()
    }
    sentences = verdict(comparisons, means_db) if has_new_songs else [_ALL_LEARNED]
    result = EvaluateResult(
        preset=preset,
        features=feature_set,
        trained_on=listed(request.datasets) if request.test_on else "all songs except the one tested",
        buses=list(scores.buses),
        songs={title: dict(row) for title, row in scores.mse.items()},
        mean=scores.mean_mse(),
        std=scores.std_mse(),
        balance_db={title: _number(value) for title, value in scores.balance_db.items()},
        default=baselines_of.pop(DEFAULT, None),
        baselines=baselines_of,
        balance_db_of={
            name: {title: _number(value) for title, value in of_song.items()} for name, of_song in errors_db.items()
        },
        comparisons=comparisons,
        methods=methods_of(preset),
        files={},
        warnings=list(dict.fromkeys([*trained.warnings, *tested.warnings])),
        notes=list(dict.fromkeys([*trained.notes, *tested.notes, *_songs_of_default(tested, feature_set)])),
        verdict=sentences[0],
        remarks=sentences[1:],
    )
    if request.out is None:
        return result
    tested_on = [request.test_on] if request.test_on else request.datasets
    title = first_few([Path(path).resolve().name for path in tested_on], 1)
    writing = part_of(progress, 0.9, 1.0)
    return _written(result, evaluation, others, title=title, folder=Path(request.out), progress=writing)


def methods_of(preset: str) -> dict[str, str]:
    """Return what each method of an evaluation does, by name."""
    rules = {name: text for name, text in METHODS.items() if name not in (LEARNED, DEFAULT)}
    gated = {f"{name}, gated": f"as {name!r}, with gains of 0 while the bus is silent" for name in rules}
    return (METHODS if preset != "paper" else {LEARNED: _OF_PAPER}) | rules | gated


def evaluate(
    feature_set: str,
    tested: Dataset,
    trained: Dataset,
    learn_from: Sequence[EvaluationSong] | None,
) -> tuple[Evaluation, dict[str, Scores]]:
    """Return the scores and predictions of the model that `learn` makes, and the scores of what it is compared with.

    Songs of the default model are tested with the default model without them.
    """
    predicted: dict[str, FloatArray] = {}
    regression: Predictor = PaperRegression()
    balance: Predictor | None = None
    others: dict[str, Scores] = {}
    if feature_set == "condition3":
        default = models.bundled_default()

        @cache
        def start(song: EvaluationSong) -> Model:
            return _without(default, tested.training[song.title])

        learned = BalanceRegression(trained.training, {**trained.levels(), **tested.levels()}, start=start)
        regression, balance = learned, learned.as_written
        others[DEFAULT] = score(
            lambda song, _: learned(song, []), tested.songs, [], balance=lambda song, _: learned.as_written(song, [])
        )

    def remember(song: EvaluationSong, songs: Sequence[EvaluationSong]) -> FloatArray:
        predicted[song.title] = regression(song, songs)
        return predicted[song.title]

    scores = score(remember, tested.songs, learn_from, balance=balance)
    others |= {name: score(rule, tested.songs, learn_from) for name, rule in baselines().items()}
    return Evaluation(tested=tested, scores=scores, predicted=predicted), others


def _without(model: Model, song: TrainingSong) -> Model:
    same = [known.title for known in model.songs if _identity(known) == _identity(song)]
    return model.without_song(same[0]) if same else model


def _identity(song: TrainingSong) -> tuple[frozenset[str], str]:
    """Return what is equal for songs of the same stems; of the several songs in a file of matrices, also the title."""
    stems = frozenset(hash_ for role, hash_ in song.hashes.items() if role != "mixdown")
    return stems, song.title if "matrices" in song.hashes else ""


def _without_copies(dataset: Dataset) -> Dataset:
    """Return the dataset with the first of the songs that have the same stems, and a warning for each other one."""
    first: dict[object, str] = {}
    kept, warnings = [], [*dataset.warnings]
    for song in dataset.songs:
        original = first.setdefault(_identity(dataset.training[song.title]), song.title)
        if original == song.title:
            kept.append(song)
        else:
            warnings.append(f"{song.title}: left out, because it has the same stems as {original}")
    return replace(dataset, songs=kept, warnings=warnings)


def _new_songs(tested: Dataset, trained: Dataset) -> tuple[Dataset, bool]:
    """Return the songs that were not learned, with a warning for the others, and whether there are any.

    If there are none, all of them are returned: the model's errors on what it has learned.
    """
    learned = _also_in(tested, [trained.training[song.title] for song in trained.songs])
    new = [song for song in tested.songs if song.title not in learned]
    if not learned or not new:
        return tested, bool(new)
    warning = f"{', '.join(learned)}: not tested, because the model has learned {'it' if len(learned) == 1 else 'them'}"
    return replace(tested, songs=new, warnings=[*tested.warnings, warning]), True


def _also_in(tested: Dataset, songs: Iterable[TrainingSong]) -> list[str]:
    known = set(map(_identity, songs))
    return [song.title for song in tested.songs if _identity(tested.training[song.title]) in known]


def _songs_of_default(tested: Dataset, feature_set: str) -> list[str]:
    known = _also_in(tested, models.bundled_default().songs) if feature_set == "condition3" else []
    if not known:
        return []
    return [f"{', '.join(known)}: learned by the default model, which is used without the song that is tested"]


def _dataset(
    request: EvaluateRequest, paths: Sequence[str], settings: SongSettings, progress: ProgressCallback
) -> Dataset:
    by_others = request.mixed_by == "others"
    if is_matrices(paths[0]):
        songs = matrices_songs(paths[0], settings.preset, settings.feature_set)
        training = {song.title: msgspec.structs.replace(kept, by_others=by_others) for song, kept in songs}
        return Dataset(songs=[song for song, _ in songs], training=training)
    folders = song_folders(paths)
    require_titles_apart([folder.resolve().name for folder in folders])
    learned = {one.song.title: one for one in learn_folders(folders, settings, request.dask, progress)}
    return Dataset(
        songs=[one.evaluation_song() for one in learned.values()],
        measurements={title: one.measurement for title, one in learned.items() if one.measurement},
        training={title: msgspec.structs.replace(one.song, by_others=by_others) for title, one in learned.items()},
        audio={song.title: song for song in map(settings.open, folders)},
        warnings=[warning for one in learned.values() for warning in one.warnings],
        notes=[note for one in learned.values() for note in one.notes],
    )


def compared(ours_db: Mapping[str, float], others_db: Mapping[str, Mapping[str, float]]) -> dict[str, Comparison]:
    """Return how much closer the model is than each other method, over the songs where the model has an error.

    Parameters
    ----------
    ours_db : the model's balance error of each song, dB; NaN where no bus was active.
    others_db : the same of each other method, by name. An oracle is not compared, because it uses the true gains; nor
        are gated rules, whose balance is that of the rule.
    """
    titles = [title for title, value in ours_db.items() if np.isfinite(value)]
    found: dict[str, Difference] = {}
    for name, errors in others_db.items():
        differences = np.array([errors[title] - ours_db[title] for title in titles])
        is_compared = not name.startswith("oracle") and not name.endswith(", gated")
        if is_compared and titles and np.isfinite(differences).all():
            found[name] = paired_difference(differences)
    p_values = holm({name: one.p_value for name, one in found.items() if one.p_value is not None})
    return {
        name: Comparison(
            closer_db=one.mean,
            n_songs=one.n_songs,
            interval_db=one.interval,
            p_value=p_values.get(name),
            significant=p_values[name] < SIGNIFICANCE if name in p_values else None,
        )
        for name, one in found.items()
    }


def verdict(comparisons: Mapping[str, Comparison], means_db: Mapping[str, float]) -> list[str]:
    """Return sentences: whether learning brings the balance closer than the default model does, then remarks.

    Parameters
    ----------
    comparisons : of the model with each other method.
    means_db : the mean balance error of each method and of the model (`LEARNED`).
    """
    if FIXED_RULE not in comparisons:
        return ["No song has a balance error to compare."]
    first = DEFAULT if DEFAULT in comparisons else FIXED_RULE
    n = comparisons[first].n_songs
    mean = f", mean of {n} songs" if n > 1 else ""
    position = f"the learned model is {means_db[LEARNED]:.2f} dB from the producer's balance{mean}"
    answer = f"{_answer(comparisons.get(DEFAULT))}{position}; {_against(first, comparisons, means_db)}."
    sentences = [capitalised(answer), *_why_untested(comparisons[first])]
    if first != FIXED_RULE:
        sentences.append(f"{capitalised(_against(FIXED_RULE, comparisons, means_db))}.")
    closer = {name: one for name, one in comparisons.items() if name not in (DEFAULT, FIXED_RULE) and one.closer_db < 0}
    if closer:
        found = {None: "not tested", True: "significant", False: "not significant"}
        listed = ", ".join(
            f"{name!r} ({_closer_text(name, means_db)}, {found[one.significant]})" for name, one in closer.items()
        )
        sentences.append(f"Simple rules that are closer than the model: {listed}.")
    if "mean gain" in closer:
        sentences.append(
            "'mean gain' repeats the gains of other songs, so it needs stems of the same levels in every song."
        )
    return sentences


def _answer(against_default: Comparison | None) -> str:
    """Return whether learning helps, as the beginning of a sentence; empty where it was not tested."""
    if against_default is None or against_default.significant is None:
        return ""
    if not against_default.significant:
        return "these songs do not show whether learning helps: "
    return "learning helps: " if against_default.closer_db > 0.0 else "learning does not help: "


def comparison_texts(result: EvaluateResult) -> dict[str, tuple[str, str, str]]:
    """Return how much closer the model is than each method, the interval, and whether this is significant, in words."""
    known_db = [error_db for error_db in result.balance_db.values() if error_db is not None]
    means_db = {name: scores.balance_db or 0.0 for name, scores in result.baselines.items()}
    means_db[LEARNED] = float(np.mean(known_db)) if known_db else 0.0
    if result.default:
        means_db[DEFAULT] = result.default.balance_db or 0.0
    return {name: (_closer_text(name, means_db), *_test_texts(one)) for name, one in result.comparisons.items()}


def _closer_text(name: str, means_db: Mapping[str, float]) -> str:
    """Return how much closer the model is than a method, from the two means as they are shown."""
    return f"{shown_difference(means_db[LEARNED], means_db[name], 2):+.2f} dB"


def _test_texts(one: Comparison) -> tuple[str, str]:
    interval = "-" if one.interval_db is None else "{:+.2f} to {:+.2f} dB".format(*one.interval_db)
    significant = "not tested" if one.significant is None else "yes" if one.significant else "no"
    return interval, significant


def _against(name: str, comparisons: Mapping[str, Comparison], means_db: Mapping[str, float]) -> str:
    one = comparisons[name]
    subject = "the default model is" if name == DEFAULT else "equal RMS levels are"
    side = "further away" if one.closer_db > 0.0 else "closer"
    return f"{subject} {means_db[name]:.2f} dB from it, {side} ({_closer_text(name, means_db)}, {_tested(one)})"


def _tested(one: Comparison) -> str:
    """Return whether a difference is significant, with the interval of its size."""
    if one.significant is None or one.interval_db is None:
        return "not tested"
    low, high = one.interval_db
    interval = f"95 % interval {low:+.2f} to {high:+.2f} dB"
    if one.significant:
        return f"{interval}, significant"
    if low * high > 0.0:
        return f"{interval}, not significant among several comparisons"
    return f"{interval}, which contains 0: not significant"


def _why_untested(one: Comparison) -> list[str]:
    if one.significant is not None:
        return []
    if one.n_songs == 1:
        return [f"One song is too few for a test of significance, which needs at least {LEAST_SONGS}."]
    if one.n_songs < LEAST_SONGS:
        return [
            f"{one.n_songs} songs are too few for a test of significance, which needs at least {LEAST_SONGS}: "
            f"by chance, all of them give the same answer in 1 of {2 ** (one.n_songs - 1)} cases."
        ]
    return ["There is no test of significance, because the difference is the same in every song."]


def _written(
    result: EvaluateResult,
    evaluation: Evaluation,
    others: Mapping[str, Scores],
    *,
    title: str,
    folder: Path,
    progress: ProgressCallback,
) -> EvaluateResult:
    """Write the page, the tables and figures, and the result itself; return it with the files' names."""
    os.environ.setdefault("MPLCONFIGDIR", str(home() / "cache" / "matplotlib"))  # read when matplotlib is imported
    from analysis_server.report.evaluate import PAGE, draw, evaluation_page  # noqa: PLC0415 - matplotlib loads slowly, and only here

    with replacing_set(folder) as files:
        drawn = draw(evaluation, others, files.folder, progress)
        page = evaluation_page(
            evaluation,
            others,
            comparisons=comparison_texts(result),
            methods=result.methods,
            by_song=[name for name in (DEFAULT, FIXED_RULE) if name in others],
            title=title,
            verdict=result.verdict,
            remarks=result.remarks,
            summary=summary(result),
            warnings=result.warnings,
            notes=result.notes,
            files=[TABLE, *drawn],
        )
        write_text(files.folder / PAGE, page)
        names = [PAGE, *drawn, TABLE]
        result = msgspec.structs.replace(result, files=by_name(folder / name for name in names))
        write_text(files.folder / TABLE, msgspec.json.format(msgspec.json.encode(result), indent=1).decode() + "\n")
        for name in names:
            files.new(folder / name)  # where it is now, in the set's own folder
    return result


def summary(result: EvaluateResult) -> str:
    """Return what was trained on what."""
    return f"Preset {result.preset}, features {result.features}; trained on {result.trained_on}."


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
