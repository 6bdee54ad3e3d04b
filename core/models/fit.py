"""Fit the balance model to training songs.

Conventions: a song's deviations are dB per bus, their weighted mean over its buses taken out. Songs that differ from
the belief in the same way show a habit; songs that each differ in a way of their own show chance. What is taken for a
habit is the lower end of an interval: few songs, or songs that disagree, show none.

Source: empirical Bayes shrinkage by the method of moments (Efron, Morris 1975).

Conventions: a song's triangles (`core.models.r_factor`) are those of [features, output level] per bus, the
output level being gain + loudness, LUFS: a stem that is 10 dB louder gets exactly 10 dB less, and no song can teach
otherwise. Buses share the coefficients of all features but the constant, whose coefficient is the bus's own offset.
What all buses of a song have in common (the mixdown's loudness) is taken out of its equations: it is no balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy

from core import roles
from core.decibels import FloatArray
from core.models.balance import NAMES
from core.models.prior import BalancePrior

CERTAINTY = 0.98
"""One-sided: so sure is the lower end."""
DB_A_SONG, FIRST_SONGS = 0.4, 2.0
"""Songs beyond the first two may show a habit of this many dB each, mean over the buses, however well they agree."""
_BELIEVED_SONGS = 1.0
_STRONGEST = 20.0
_MEAN_OVER_ROOT = 0.8  # of the absolute value of a normal deviate


@dataclass(frozen=True)
class Deviations:
    """A song's `deviations_db` (n_buses,), with the bus of each and what each counts for."""

    buses: Sequence[str]
    deviations_db: FloatArray
    weights: FloatArray


@dataclass(frozen=True)
class Agreement:
    """What songs agree on.

    `habit_db` is what is sure of it, mean over the buses; `strength` how many songs the belief counts for beside it, as
    `BalancePrior.offset_strength` does.
    """

    habit_db: float
    strength: float


def agreement(songs: Sequence[Deviations], *, deviation_db: float, strength: float) -> Agreement:
    """Return what `songs` agree on.

    Parameters
    ----------
    songs : their deviations from what is believed.
    deviation_db : how far songs are believed to differ from each other.
    strength : of the belief, in songs, where nothing sure is known.
    """
    if not songs:
        return Agreement(0.0, strength)
    weights = np.array([song.weights.mean() for song in songs])
    weighted = list(zip(songs, weights.tolist(), strict=True))
    n_songs = float(weights.sum())
    habit, residuals, n_free = _common_and_rest(songs, weights)
    variance = (_BELIEVED_SONGS * deviation_db**2 + residuals) / (_BELIEVED_SONGS + n_free)
    distance = float(np.abs(habit).mean())
    chance = (
        float(scipy.special.stdtrit(_BELIEVED_SONGS + n_free, CERTAINTY))
        * _MEAN_OVER_ROOT
        * np.sqrt(variance / n_songs)
    )
    sure = max(0.0, 1.0 - chance / distance) if distance > 0.0 else 0.0
    among_buses = float(habit @ habit) / max(len(habit) - 1, 1) - variance / n_songs
    estimated = float(np.clip(variance / max(among_buses, 1e-9), strength / _STRONGEST, strength))
    chosen = float(strength ** (1.0 - sure) * estimated**sure)
    kept_db = float(np.clip(distance * _moved(n_songs, chosen) - chance, 0.0, _most_db(n_songs)))
    return Agreement(max(kept_db, *(_at_its_word_db(song, weight, chosen) for song, weight in weighted)), chosen)


def _moved(n_songs: float, strength: float) -> float:
    """Return how much of the way from what is believed `n_songs` go."""
    return n_songs / (n_songs + strength)


def _most_db(n_songs: float) -> float:
    return DB_A_SONG * max(n_songs - FIRST_SONGS, 0.0)


def _at_its_word_db(song: Deviations, weight: float, strength: float) -> float:
    """Return how far a song goes that counts for more than one: somebody heard a prediction and said what was wrong."""
    return float(np.abs(song.deviations_db).mean()) * _moved(weight, strength) if weight > 1.0 + 1e-9 else 0.0


def _common_and_rest(songs: Sequence[Deviations], weights: FloatArray) -> tuple[FloatArray, float, float]:
    """Return what songs have in common per bus (n_buses,), the squares left, and how many of those are free."""
    known = sorted({bus for song in songs for bus in song.buses})
    rows, targets, roots = [], [], []
    for song, weight in zip(songs, weights, strict=True):
        of_song = np.array([[bus == name for name in known] for bus in song.buses], dtype=np.float64)
        share = song.weights / song.weights.sum()
        rows.append(of_song - share @ of_song)
        targets.append(song.deviations_db - share @ song.deviations_db)
        roots.append(np.sqrt(weight * share * len(share)))
    row, target, root = np.vstack(rows), np.concatenate(targets), np.concatenate(roots)
    habit = np.linalg.lstsq(row * root[:, None], target * root, rcond=None)[0]
    residual = (target - row @ habit) * root
    n_equations = float(sum(weight * (len(song.buses) - 1) for weight, song in zip(weights, songs, strict=True)))
    return habit - habit.mean(), float(residual @ residual), max(n_equations - (len(known) - 1), 0.0)


Triangles = Mapping[str, FloatArray]
EIGHTY_PERCENT = 1.2816
"""So many standard deviations to either side hold 80 % of a normal distribution."""
BUSES_A_SONG = 4.0
_OUTPUTS_BELIEVED = 8.0
"""How many songs a prior's deviation of output levels counts for."""


@dataclass(frozen=True, kw_only=True)
class BalanceFit:
    """What songs and prior say together.

    Attributes
    ----------
    buses : the buses it was solved for.
    coefficients : per bus, in the order of `NAMES`, shape (n_buses, n_features).
    covariance : of (offsets, shared coefficients) in units of the residual's variance, (n_buses + 5, n_buses + 5).
    song_deviation_db, moment_deviation_db : how far a song is from its prediction, and a moment from its song.
    output_lufs, output_deviation_db : how loud a bus of these songs is in their mixdowns; None without songs.
    departure_db : how far a balance may be from equal plain levels, mean over the buses; None for any distance.
    """

    buses: tuple[str, ...]
    coefficients: FloatArray
    covariance: FloatArray
    song_deviation_db: float
    moment_deviation_db: float
    output_lufs: float | None
    output_deviation_db: float
    departure_db: float | None


def fit_balance(songs: Sequence[Triangles], buses: Sequence[str], prior: BalancePrior) -> BalanceFit:
    """Return the balance of `buses` that `songs` and `prior` teach.

    Parameters
    ----------
    songs : each song's triangles per bus, already multiplied by the root of the song's weight.
    buses : whose offsets to return; the songs' own are solved for as well.
    prior : what is believed before any song.
    """
    known = roles.in_order({*buses, *(bus for song in songs for bus in song)})
    believed = np.concatenate([[prior.offset_of(bus) for bus in known], prior.coefficients])
    means = [_means(song, known) for song in songs]
    deviations = [
        Deviations(list(song), of.residuals(believed), of.weights) for song, of in zip(songs, means, strict=True)
    ]
    agreed = agreement(deviations, deviation_db=prior.song_deviation_db, strength=prior.offset_strength)
    strength = np.concatenate([np.full(len(known), agreed.strength), prior.strengths])
    designs = [_without_common(_design(song, known)) for song in songs]
    information = np.diag(strength) + sum((d[:, :-1].T @ d[:, :-1] for d in designs), np.zeros((len(strength),) * 2))
    evidence = strength * believed + sum((d[:, :-1].T @ d[:, -1] for d in designs), np.zeros(len(strength)))
    covariance = np.linalg.inv(information)
    solution = covariance @ evidence
    wanted = [known.index(bus) for bus in buses]
    rows = [*wanted, *range(len(known), len(strength))]
    errors = [_errors(song, of, solution, covariance) for song, of in zip(songs, means, strict=True)]
    outputs = [of.output_lufs for of in errors]
    return BalanceFit(
        buses=tuple(buses),
        coefficients=np.array([[solution[i], *solution[len(known) :]] for i in wanted]).reshape(-1, len(NAMES)),
        covariance=covariance[np.ix_(rows, rows)],
        song_deviation_db=_song_deviation_db(errors, prior),
        moment_deviation_db=_moment_deviation_db(errors, prior),
        output_lufs=float(np.mean(outputs)) if outputs else prior.output_lufs,
        output_deviation_db=_spread_db(outputs, prior) if outputs else prior.output_deviation_db,
        departure_db=None if prior.departure_db is None else prior.departure_db + agreed.habit_db,
    )


@dataclass(frozen=True)
class _Means:
    """A song's buses in the mean over its frames.

    Attributes
    ----------
    rows : what each bus is made of: a column a known bus, the shared features; shape (n_buses, n_coefficients).
    targets : output levels, LUFS, shape (n_buses,).
    weights : what each bus counts for, shape (n_buses,).
    """

    rows: FloatArray
    targets: FloatArray
    weights: FloatArray

    def centred(self, values: FloatArray) -> FloatArray:
        """Return values (n_buses, ...) against their mean over the buses."""
        return values - self.weights @ values / self.weights.sum()

    def residuals(self, solution: FloatArray) -> FloatArray:
        """Return what coefficients leave of the targets, the common level aside, dB, shape (n_buses,)."""
        return self.centred(self.targets - self.rows @ solution)


@dataclass(frozen=True)
class _Errors:
    """A song's residuals: per bus `of_song`, as if the song had not been learned, and the mean square `of_moment`.

    `output_lufs` is how loud its buses are in its mixdown, features aside; `weights` is what each bus counts for.
    """

    of_song: FloatArray
    of_moment: FloatArray
    output_lufs: float
    weights: FloatArray


def _design(song: Triangles, known: Sequence[str]) -> FloatArray:
    """Return the song's equations: a column a known bus, the shared features, the constant, and the output level."""
    rows = []
    for bus, triangle in song.items():
        offsets = np.zeros((len(triangle), len(known)))
        offsets[:, known.index(bus)] = triangle[:, 0]
        rows.append(np.column_stack([offsets, triangle[:, 1:-1], triangle[:, 0], triangle[:, -1]]))
    return np.vstack(rows)


def _without_common(design: FloatArray) -> FloatArray:
    """Return the equations for any value of the constant that all buses share: its column is projected out."""
    common = design[:, -2]
    rest = np.delete(design, -2, axis=1)
    projected: FloatArray = rest - np.outer(common, common @ rest / max(float(common @ common), 1e-12))
    return projected


def _means(song: Triangles, known: Sequence[str]) -> _Means:
    triangles = np.stack(list(song.values()))
    constants = triangles[:, :, 0]
    weights = np.maximum((constants**2).sum(axis=1), 1e-12)
    means = np.einsum("br,brc->bc", constants, triangles[:, :, 1:]) / weights[:, None]
    of_bus = np.array([[bus == name for name in known] for bus in song], dtype=np.float64)
    return _Means(np.column_stack([of_bus, means[:, :-1]]), means[:, -1], weights)


def _errors(song: Triangles, of: _Means, solution: FloatArray, covariance: FloatArray) -> _Errors:
    n_known = of.rows.shape[1] - (len(NAMES) - 1)
    shared = solution[n_known:]
    left = of.targets - of.rows[:, n_known:] @ shared
    triangles = np.stack(list(song.values()))
    residual = triangles[:, :, -1] - triangles[:, :, 1:-1] @ shared - triangles[:, :, 0] * left[:, None]
    centred = of.centred(of.rows)
    leverage = of.weights * np.einsum("bi,ij,bj->b", centred, covariance, centred)
    return _Errors(
        of_song=of.residuals(solution) / (1.0 - np.minimum(leverage, 0.9)),
        of_moment=(residual**2).sum(axis=1) / of.weights,
        output_lufs=float(of.weights @ left / of.weights.sum()),
        weights=of.weights,
    )


def _song_deviation_db(errors: Sequence[_Errors], prior: BalancePrior) -> float:
    """Return the deviation whose 80 % interval holds 80 % of the residuals, the prior's own among them.

    A quantile and no mean square: a few songs are balanced in a way of their own, and would widen every interval. What
    few songs tell of a deviation is itself unsure: Student's t instead of the normal distribution.
    """
    believed = prior.song_deviation_db * EIGHTY_PERCENT
    sizes = [np.abs(of.of_song) * np.sqrt(len(of.of_song) / max(len(of.of_song) - 1, 1)) for of in errors]
    found = np.concatenate([*sizes, [0.99 * believed], [1.01 * believed]])
    weights = np.concatenate([*(of.weights for of in errors), *([[0.5 * prior.deviation_strength]] * 2)])
    order = np.argsort(found, kind="stable")
    shares = (np.cumsum(weights[order]) - 0.5 * weights[order]) / weights.sum()
    n_songs = prior.deviation_strength / BUSES_A_SONG + sum(float(of.weights.mean()) for of in errors)
    return (
        float(np.interp(0.8, shares, found[order]))
        / EIGHTY_PERCENT
        * float(scipy.special.stdtrit(n_songs, 0.9))
        / EIGHTY_PERCENT
    )


def _moment_deviation_db(errors: Sequence[_Errors], prior: BalancePrior) -> float:
    strength = prior.deviation_strength
    total = strength * prior.moment_deviation_db**2 + sum(float(of.weights @ of.of_moment) for of in errors)
    return float(np.sqrt(total / (strength + sum(float(of.weights.sum()) for of in errors))))


def _spread_db(outputs: Sequence[float], prior: BalancePrior) -> float:
    """Return how far the next song's output level is from that of `outputs`; few of them say little of a spread."""
    believed = _OUTPUTS_BELIEVED if prior.output_lufs is not None else 0.0
    squares = believed * prior.output_deviation_db**2 + float(np.var(outputs)) * len(outputs)
    variance = squares / max(believed + len(outputs) - 1.0, 1.0)
    return float(np.sqrt(variance * (1.0 + 1.0 / len(outputs))))
