"""Leave-one-song-out evaluation against baselines.

Conventions: a song's gains and levels have shape (n_frames, n_buses), with columns for the buses that it has. A
predictor takes a song and the songs that it may learn from, and returns gains (n_frames, n_buses). Rules have one gain
per song and bus, in dB; with ", gated" gains are 0 where the stem is silent.

Measures: `mse`, the mean squared error of the linear gain over all frames (Zafrin & Chudwick 2015, section 4);
`balance_db`, per song the absolute difference in dB between the predicted and the true energy-mean gain of each
bus over its active frames, after the mean difference over the buses is removed, then the mean over buses. For models
of condition 3 it is that of the gains that `mix` writes; the squared error is that of the gains that minimise it.
Active here: stem RMS above 0.01 and true gain above 1e-3, gains floored at 1e-3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core import roles
from core.analysis.measure import ACTIVE_RMS, Measurement
from core.audio.song import Song
from core.decibels import FloatArray, db_to_gain, power_to_db
from core.errors import InputError
from core.gains.curves import exponential
from core.models.balance import WRITTEN, BalancePrior, StemLevels, levels_of, levels_without_spectra
from core.models.fit import fold, non_negative
from core.models.model import Model, TrainingSong
from core.models.predict import PredictedBalance, least_squares_gains, predict_balance

FLOOR = 1e-3
Predictor = Callable[["EvaluationSong", Sequence["EvaluationSong"]], FloatArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationSong:
    """A song whose gains are known.

    Attributes
    ----------
    title, buses : the song's name and its buses, in order.
    features : per bus (n_frames, n_features); empty if predictors do not need them.
    gains : the true gains, shape (n_frames, n_buses).
    rms : the stems' levels, shape (n_frames, n_buses).
    """

    title: str
    buses: tuple[str, ...]
    features: Mapping[str, FloatArray]
    gains: FloatArray
    rms: FloatArray

    @property
    def active(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Where the paper's gate is open, shape (n_frames, n_buses)."""
        return self.rms > ACTIVE_RMS

    def column(self, bus: str) -> int:
        """Return the column of `bus`."""
        return self.buses.index(bus)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One predictor's errors: `mse` per song and bus, `balance_db` per song (NaN where no bus is active)."""

    mse: Mapping[str, Mapping[str, float]]
    balance_db: Mapping[str, float]

    @property
    def buses(self) -> tuple[str, ...]:
        """All songs' buses, in order."""
        return roles.in_order({bus for row in self.mse.values() for bus in row})

    def mean_mse(self) -> dict[str, float]:
        """Return each bus's mean over the songs that have it."""
        return {bus: float(np.mean(self._over_songs(bus))) for bus in self.buses}

    def std_mse(self) -> dict[str, float]:
        """Return each bus's standard deviation over songs (n - 1; 0 for one song)."""
        values = {bus: self._over_songs(bus) for bus in self.buses}
        return {bus: float(np.std(v, ddof=1)) if len(v) > 1 else 0.0 for bus, v in values.items()}

    def mean_balance_db(self) -> float:
        """Return the mean over the songs that have one; NaN where none has."""
        known = self._known_balances_db()
        return float(np.mean(known)) if known else float("nan")

    def std_balance_db(self) -> float:
        """Return the standard deviation over the songs that have one (n - 1; 0 for one song)."""
        known = self._known_balances_db()
        return float(np.std(known, ddof=1)) if len(known) > 1 else 0.0

    def _known_balances_db(self) -> list[float]:
        return [value for value in self.balance_db.values() if not np.isnan(value)]

    def _over_songs(self, bus: str) -> list[float]:
        return [row[bus] for row in self.mse.values() if bus in row]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Songs whose gains are known, and what else predictors and figures need of them, by title."""

    songs: list[EvaluationSong]
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    training: Mapping[str, TrainingSong] = field(default_factory=dict)
    audio: Mapping[str, Song] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()

    def levels(self) -> dict[str, StemLevels]:
        """Return the stems' levels of every song that was measured, by title."""
        return {title: levels_of(measured) for title, measured in self.measurements.items()}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything the tables and figures show: the tested dataset, its scores and the predicted gains."""

    tested: Dataset
    scores: Scores
    predicted: Mapping[str, FloatArray]


def score(
    predictor: Predictor,
    songs: Sequence[EvaluationSong],
    trained_on: Sequence[EvaluationSong] | None = None,
    *,
    balance: Predictor | None = None,
) -> Scores:
    """Return the errors of `predictor` on `songs`.

    Parameters
    ----------
    predictor : takes a song and the songs it may learn from, and returns gains (n_frames, n_buses).
    songs : the songs to predict.
    trained_on : the songs to learn from; by default, for each song, all the others.
    balance : predicts the gains of the balance error; `predictor` by default.

    Raises
    ------
    InputError
        There is only one song and nothing else to learn from.
    """
    if trained_on is None and len(songs) < 2:
        raise InputError("leave-one-song-out needs at least two songs", remedy="add songs or give others to test on")
    mse, balance_db = {}, {}
    for song in songs:
        others = [s for s in songs if s is not song] if trained_on is None else list(trained_on)
        predicted = predictor(song, others)
        errors = ((predicted - song.gains) ** 2).mean(axis=0)
        mse[song.title] = dict(zip(song.buses, errors.tolist(), strict=True))
        written = predicted if balance is None else balance(song, others)
        balance_db[song.title] = balance_error_db(song, written)
    return Scores(mse=mse, balance_db=balance_db)


def balance_error_db(song: EvaluationSong, predicted: FloatArray) -> float:
    """Return how far `predicted` (n_frames, n_buses) is from the true balance, dB; NaN where no bus is ever active."""
    differences = []
    for i in range(len(song.buses)):
        on = song.active[:, i] & (song.gains[:, i] > FLOOR)
        if on.any():
            differences.append(_energy_mean_db(predicted[on, i]) - _energy_mean_db(song.gains[on, i]))
    if not differences:
        return float("nan")
    error_db = np.abs(np.array(differences) - np.mean(differences)).mean()
    return round(float(error_db), 9)  # an oracle's is 0, but for the rounding of its sums


def _energy_mean_db(gain: FloatArray) -> float:
    return float(power_to_db(np.mean(np.maximum(gain, FLOOR) ** 2)))


class PaperRegression:
    """The paper's predictor; each song is factorized once (by identity), so leaving one out takes a small solve."""

    def __init__(self) -> None:
        self._r_factors: dict[tuple[EvaluationSong, str], FloatArray] = {}

    def __call__(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        """Return the gains predicted for `song` from `others`; a bus no other song has is predicted as 0."""
        raw = np.zeros_like(song.gains)
        for i, bus in enumerate(song.buses):
            factors = [self._r_factor(other, bus) for other in others if bus in other.buses]
            if factors:
                raw[:, i] = song.features[bus] @ non_negative(factors)
        return exponential(raw, keep_first=False)

    def _r_factor(self, song: EvaluationSong, bus: str) -> FloatArray:
        if (song, bus) not in self._r_factors:
            self._r_factors[song, bus] = fold(song.features[bus], song.gains[:, song.column(bus)])
        return self._r_factors[song, bus]


@dataclass(frozen=True)
class BalanceRegression:
    """Predictions of condition 3 as linear gains, at the loudness of the songs it may learn from.

    Attributes
    ----------
    training : training statistics of each song it may learn from, by title.
    levels : the stems' levels of each song whose audio was measured, by title. Other songs are from training matrices:
        their levels are their RMS, and predictions are gated and smoothed, as their true gains are.
    prior : the prior before any song is learned.
    start : the model that learning starts from, for each tested song, as for `learn`; without songs to learn from, its
        own predictions. `prior` is then not used.
    """

    training: Mapping[str, TrainingSong]
    levels: Mapping[str, StemLevels] = field(default_factory=dict)
    prior: BalancePrior = WRITTEN
    start: Callable[[EvaluationSong], Model] | None = None

    def __call__(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        """Return the gains of least expected squared error for `song`, learned from `others`."""
        gains = least_squares_gains(self.balance(song, others), song.buses, self._levels(song))
        return self._as_true_gains(song, gains)

    def as_written(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        """Return the gains (n_frames, n_buses) that `mix` writes for `song`, without their common gain."""
        return self._as_true_gains(song, db_to_gain(self.balance(song, others).balance_db))

    def balance(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> PredictedBalance:
        """Return the balance predicted for `song`, learned from `others`."""
        return predict_balance(self._model(song, others), song.buses, self._levels(song))

    def _model(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> Model:
        prior = self.prior
        if self.start is not None:
            started = self.start(song)
            if not others:
                return started
            prior = started.as_prior()
        songs = tuple(self.training[other.title] for other in others)
        return Model(name="evaluation", preset="default", feature_set="condition3", songs=songs, prior=prior)

    def _levels(self, song: EvaluationSong) -> StemLevels:
        return self.levels.get(song.title) or levels_without_spectra(song.rms, song.active)

    def _as_true_gains(self, song: EvaluationSong, gains: FloatArray) -> FloatArray:
        if song.title in self.levels:
            return gains
        return exponential(np.where(song.active, gains, 0.0), keep_first=True)


def baselines() -> Mapping[str, Predictor]:
    """Return the rules by name, each one plain and gated."""
    rules: dict[str, Predictor] = {
        "unity gain": lambda song, _: np.zeros(len(song.buses)),
        "mean gain": lambda song, others: _mean_per_bus(song, others, _gain_db),
        "level per bus": lambda song, others: _mean_per_bus(song, others, _mixed_level_db) - _level_db(song),
        "equal RMS level": _equal_level,
        "vocals -18, rest -24 dB": lambda song, _: (
            np.where(np.array(song.buses) == "vocals", -18.0, -24.0) - _level_db(song)
        ),
        "oracle (one gain a song)": lambda song, _: _gain_db(song),
    }
    plain = {name: _held(rule, gated=False) for name, rule in rules.items()}
    return plain | {f"{name}, gated": _held(rule, gated=True) for name, rule in rules.items()}


def _held(rule: Predictor, *, gated: bool) -> Predictor:
    def predict(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        gains = np.broadcast_to(db_to_gain(np.nan_to_num(rule(song, others))), song.gains.shape)
        return np.where(song.active, gains, 0.0) if gated else gains

    return predict


def _equal_level(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
    levels_db = np.concatenate([_mixed_level_db(other) for other in others])
    known_db = levels_db[~np.isnan(levels_db)]
    return (known_db.mean() if known_db.size else np.nan) - _level_db(song)


def _mean_per_bus(
    song: EvaluationSong, others: Sequence[EvaluationSong], of_song: Callable[[EvaluationSong], FloatArray]
) -> FloatArray:
    means = []
    for bus in song.buses:
        values = [of_song(other)[other.column(bus)] for other in others if bus in other.buses]
        known = [value for value in values if not np.isnan(value)]
        means.append(np.mean(known) if known else np.nan)
    return np.array(means)


def _mixed_level_db(song: EvaluationSong) -> FloatArray:
    return _level_db(song) + _gain_db(song)


def _level_db(song: EvaluationSong) -> FloatArray:
    return _predictors_energy_mean_db(song.rms, song)


def _gain_db(song: EvaluationSong) -> FloatArray:
    return _predictors_energy_mean_db(song.gains, song)


def _predictors_energy_mean_db(values: FloatArray, song: EvaluationSong) -> FloatArray:
    """Return each bus's energy mean over its active frames, dB, floored; NaN where it has none."""
    count = song.active.sum(axis=0)
    energy = np.where(song.active, values**2, 0.0).sum(axis=0)
    mean_db = power_to_db(np.maximum(energy / np.maximum(count, 1), FLOOR**2))
    return np.where(count > 0, mean_db, np.nan)
