"""Leave-one-song-out: how close predictions come to the truth, beside simple rules.

Conventions: a song's gains and levels have shape (n_frames, n_buses); a bus a song lacks has no column there.

Measures: `mse`, the mean squared error of the linear gain over all frames (Zafrin & Chudwick 2015, section 4);
`balance_db`, per song the absolute difference in dB between the predicted and the true energy-mean gain of each
bus over its active frames, after the mean difference over the buses is taken out, then the mean over buses.
Active here: stem RMS above 0.01 and true gain above 1e-3, gains floored at 1e-3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core import roles
from core.decibels import FloatArray, power_to_db
from core.errors import InputError
from core.measuring.measurement import ACTIVE_RMS

FLOOR = 1e-3
Predictor = Callable[["EvaluationSong", Sequence["EvaluationSong"]], FloatArray]


@dataclass(frozen=True, kw_only=True)
class EvaluationSong:
    """A song whose gains are known.

    Attributes
    ----------
    title, buses : the song's name and its buses, in order.
    features : per bus (n_frames, n_features); empty where a predictor brings its own.
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


def score(
    predictor: Predictor, songs: Sequence[EvaluationSong], trained_on: Sequence[EvaluationSong] | None = None
) -> Scores:
    """Return the errors of `predictor` on `songs`.

    Parameters
    ----------
    predictor : given a song and the songs it may learn from, returns gains (n_frames, n_buses).
    songs : the songs to predict.
    trained_on : the songs to learn from; by default, for each song, all the others.

    Raises
    ------
    InputError
        There is only one song and nothing else to learn from.
    """
    if trained_on is None and len(songs) < 2:
        raise InputError("leave-one-song-out needs at least two songs; add songs or give others to test on")
    mse, balance = {}, {}
    for song in songs:
        others = [s for s in songs if s is not song] if trained_on is None else list(trained_on)
        predicted = predictor(song, others)
        errors = ((predicted - song.gains) ** 2).mean(axis=0)
        mse[song.title] = dict(zip(song.buses, errors.tolist(), strict=True))
        balance[song.title] = balance_error_db(song, predicted)
    return Scores(mse=mse, balance_db=balance)


def balance_error_db(song: EvaluationSong, predicted: FloatArray) -> float:
    """Return how far `predicted` (n_frames, n_buses) is from the true balance, dB; NaN where no bus is ever active."""
    differences = []
    for i in range(len(song.buses)):
        on = song.active[:, i] & (song.gains[:, i] > FLOOR)
        if on.any():
            differences.append(_energy_mean_db(predicted[on, i]) - _energy_mean_db(song.gains[on, i]))
    if not differences:
        return float("nan")
    return float(np.abs(np.array(differences) - np.mean(differences)).mean())


def _energy_mean_db(gain: FloatArray) -> float:
    return float(power_to_db(np.mean(np.maximum(gain, FLOOR) ** 2)))
