"""What `core.modelling.evaluation` compares: the paper's regression and the simple rules it has to beat.

Conventions: a predictor is given a song and the songs it may learn from, and returns gains (n_frames, n_buses).
The rules hold one gain a song and bus, in dB; with ", gated" they are 0 where the stem is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.decibels import FloatArray, db_to_gain, power_to_db
from core.modelling import triangular
from core.modelling.balance import StemLevels, levels_without_spectra
from core.modelling.balance_prediction import PredictedBalance, least_squares_gains, predict_balance
from core.modelling.balance_prior import WRITTEN, BalancePrior
from core.modelling.evaluation import FLOOR, EvaluationSong, Predictor
from core.modelling.model import Model, TrainingSong
from core.smoothing import exponential

Rule = Callable[[EvaluationSong, Sequence[EvaluationSong]], FloatArray]


class PaperRegression:
    """The paper's predictor; it folds each song once, so leaving one out costs a small solve."""

    def __init__(self) -> None:
        self._triangles: dict[tuple[int, str], FloatArray] = {}

    def __call__(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        """Return the gains predicted for `song` from `others`; a bus no other song has is predicted as 0."""
        raw = np.zeros_like(song.gains)
        for i, bus in enumerate(song.buses):
            triangles = [self._triangle(other, bus) for other in others if bus in other.buses]
            if triangles:
                raw[:, i] = song.features[bus] @ triangular.non_negative(triangles)
        return exponential(raw, keep_first=False)

    def _triangle(self, song: EvaluationSong, bus: str) -> FloatArray:
        key = (id(song), bus)
        if key not in self._triangles:
            self._triangles[key] = triangular.fold(song.features[bus], song.gains[:, song.column(bus)])
        return self._triangles[key]


@dataclass(frozen=True)
class BalanceRegression:
    """Condition 3, in linear gain: what is predicted, at the loudness of the songs it may learn from.

    Attributes
    ----------
    training : what a model keeps of each song it may learn from, by title.
    levels : the stems' levels of each song whose audio was measured, by title. Where there are none, the song is one of
        training matrices: its RMS gives the levels, and its truth is gated and smoothed as the original's is, so the
        prediction is too.
    prior : what is believed before any song; the prior as it is written down, by default.
    """

    training: Mapping[str, TrainingSong]
    levels: Mapping[str, StemLevels] = field(default_factory=dict)
    prior: BalancePrior = WRITTEN

    def __call__(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        """Return the gains of least expected squared error for `song`, learned from `others`."""
        levels = self.levels.get(song.title)
        known = levels or levels_without_spectra(song.rms, song.active)
        gains = least_squares_gains(self.balance(song, others), song.buses, known)
        return gains if levels else exponential(np.where(song.active, gains, 0.0), keep_first=True)

    def balance(self, song: EvaluationSong, others: Sequence[EvaluationSong]) -> PredictedBalance:
        """Return the balance predicted for `song`, learned from `others`."""
        model = Model(
            name="evaluation",
            preset="default",
            feature_set="condition3",
            songs=tuple(self.training[other.title] for other in others),
            prior=self.prior,
        )
        levels = self.levels.get(song.title) or levels_without_spectra(song.rms, song.active)
        return predict_balance(model, song.buses, levels)


def baselines() -> Mapping[str, Predictor]:
    """Return the rules by name, each one plain and gated."""
    rules: dict[str, Rule] = {
        "unity gain": lambda song, _: np.zeros(len(song.buses)),
        "mean gain": _mean_gain,
        "level per bus": _level_per_bus,
        "equal level": _equal_level,
        "vocals -18, rest -24 dB": _vocals_up,
        "oracle (one gain a song)": lambda song, _: _gain_db(song),
    }
    plain = {name: _held(rule, gated=False) for name, rule in rules.items()}
    return plain | {f"{name}, gated": _held(rule, gated=True) for name, rule in rules.items()}


def _held(rule: Rule, *, gated: bool) -> Predictor:
    def predict(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        gains = np.broadcast_to(db_to_gain(np.nan_to_num(rule(song, others))), song.gains.shape)
        return np.where(song.active, gains, 0.0) if gated else gains

    return predict


def _mean_gain(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
    return _mean_per_bus(song, others, _gain_db)


def _level_per_bus(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
    return _mean_per_bus(song, others, _mixed_level_db) - _level_db(song)


def _equal_level(song: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
    levels_db = np.concatenate([_mixed_level_db(other) for other in others])
    known_db = levels_db[~np.isnan(levels_db)]
    return (known_db.mean() if known_db.size else np.nan) - _level_db(song)


def _vocals_up(song: EvaluationSong, _: Sequence[EvaluationSong]) -> FloatArray:
    return np.where(np.array(song.buses) == "vocals", -18.0, -24.0) - _level_db(song)


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
    return _energy_mean_db(song.rms, song)


def _gain_db(song: EvaluationSong) -> FloatArray:
    return _energy_mean_db(song.gains, song)


def _energy_mean_db(values: FloatArray, song: EvaluationSong) -> FloatArray:
    """Return each bus's energy mean over its active frames, dB, floored; NaN where it has none."""
    count = song.active.sum(axis=0)
    energy = np.where(song.active, values**2, 0.0).sum(axis=0)
    mean_db = power_to_db(np.maximum(energy / np.maximum(count, 1), FLOOR**2))
    return np.where(count > 0, mean_db, np.nan)
