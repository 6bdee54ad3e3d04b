"""Fit models from songs' R factors: the paper's regression, and the balance model of condition 3.

Conventions: a song's R factors are those of [features, output level] per bus, the output level being gain + loudness
in LUFS, so a stem that is 10 dB louder always gets 10 dB less. What all buses of a song have in common (the mixdown's
loudness) is not part of the balance and is eliminated.

The factor R of the QR decomposition of [Y a], for features Y (n, p) and targets a (n,), has p + 1 rows and is
sufficient for least squares: ||Y b - a||^2 = ||R [b; -1]||^2 for every b. Factors of songs stack, so a song can be
added or removed without the others' audio. Unlike sums of squares (normal equations), R keeps its precision when
features differ by 1e11 in scale, as Zafrin & Chudwick's do (slopes near 1e-4, spreads near 1e7).

The song-level features keep the rule's coefficients: on none of the available songs did other values help producers
they were not chosen on. Songs change three things: each bus's offset (`core.models.habits`), how gains follow the
moment (ridge regression within songs), and how uncertain a prediction is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy

from core.decibels import FloatArray
from core.models.balance import NAMES, OF_SONG, BalancePrior, BalanceRule
from core.models.habits import (
    OTHERS_WORK,
    OWN_WORK,
    DeviationsOfSong,
    Habits,
    VariancePrior,
    learn_habits,
    song_weight,
)
from core.roles import bus_of

EIGHTY_PERCENT = 1.2816
"""This many standard deviations to either side contain 80 % of a normal distribution."""
_DEPENDENT = 1e-12
"""A column depends on earlier ones if they leave no more than this share of its length."""
_BUSES_PER_SONG = 4.0
_PRIOR_OUTPUTS = 8.0
"""How many songs a prior's deviation of output levels counts for."""


def fold(features: FloatArray, target: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Return the triangle of `features` (n, p) and `target` (n,), shape (p + 1, p + 1).

    Parameters
    ----------
    features : shape (n, p).
    target : shape (n,).
    weights : factors of each frame's squared error, shape (n,); 1 by default.
    """
    rows = np.column_stack([features, target])
    if weights is not None:
        rows = rows * np.sqrt(weights)[:, None]
    size = rows.shape[1]
    padded = rows if len(rows) >= size else np.vstack([rows, np.zeros((size - len(rows), size))])
    return triangle_of(padded)


def triangle_of(rows: FloatArray) -> FloatArray:
    """Return the triangular factor of `rows` (n, p), shape (p, p), with a positive diagonal.

    A column that depends on earlier ones has a row of zeros, so the factor is unique, unlike that of `numpy.linalg.qr`.

    Examples
    --------
    >>> triangle_of(np.array([[-3.0, -6.0, 0.0], [-4.0, -8.0, 5.0]])).tolist()
    [[5.0, 10.0, -4.0], [0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]
    """
    left = np.asarray(np.linalg.qr(rows, mode="r"), dtype=np.float64)
    lengths = np.linalg.norm(left, axis=0)
    triangle = np.zeros((left.shape[1], left.shape[1]))
    for column, length in enumerate(lengths.tolist()):
        rest = float(np.linalg.norm(left[:, column]))
        if rest > _DEPENDENT * length:
            direction = left[:, column] / rest
            triangle[column, column:] = direction @ left[:, column:]
            left = left - np.outer(direction, direction @ left)
    return triangle


def non_negative(triangles: Sequence[FloatArray]) -> FloatArray:
    """Return argmin over b >= 0 of ||Y b - a||^2 over all songs, shape (p,).

    Columns are scaled to the same length first, which keeps precision and does not change the solution.
    """
    stacked = np.vstack(triangles)
    matrix, target = stacked[:, :-1], stacked[:, -1]
    length = np.linalg.norm(matrix, axis=0)
    length[length == 0.0] = 1.0
    solution: FloatArray = scipy.optimize.nnls(matrix / length, target)[0] / length
    return solution


@dataclass(frozen=True, kw_only=True)
class SongEvidence:
    """A song's contribution to a fit.

    Attributes
    ----------
    r_factors : per bus, shape (n_features + 1, n_features + 1); a bus's rows weigh 1 in total.
    tracks : where single tracks were balanced, the same per role of a track, such as "drums: snare". Habits are then
        learned from these, against the rule for tracks.
    weight : how many songs it counts for.
    level_error_db : standard error of its output levels.
    album : songs of one album are related; "" where unknown.
    by_others : whether its engineer may be another one than that of the other songs.
    """

    r_factors: Mapping[str, FloatArray]
    tracks: Mapping[str, FloatArray] = field(default_factory=dict)
    weight: float = 1.0
    level_error_db: float = 0.0
    album: str = ""
    by_others: bool = False


@dataclass(frozen=True, kw_only=True)
class BalanceFit:
    """A fitted balance model.

    Attributes
    ----------
    prior : the prior of the fit.
    habits : what the songs add to the rule's offsets.
    moment_coefficients : of the features after `balance.OF_SONG`.
    deviation_factor : deviations of songs from their prediction, relative to the rule's per bus.
    moment_deviation_db : how far moments differ from their song.
    output_lufs, output_deviation_db : how loud a bus of these songs is in their mixdowns; None where unknown.
    """

    prior: BalancePrior
    habits: Habits
    moment_coefficients: FloatArray
    deviation_factor: float
    moment_deviation_db: float
    output_lufs: float | None
    output_deviation_db: float

    @property
    def song_deviation_db(self) -> float:
        """How far songs are from their prediction, over all buses."""
        return self.deviation_factor * self.prior.song_deviation_db

    def habits_of(self, names: Sequence[str]) -> FloatArray:
        """Return what the songs add to the rule's offsets of buses or single tracks, dB, shape (n_names,)."""
        return np.array([self.habits.offset_of(name) for name in names])

    def coefficients_of(self, buses: Sequence[str], rule: BalanceRule | None = None) -> FloatArray:
        """Return each bus's coefficients in the order of `balance.NAMES`, shape (n_buses, n_features)."""
        rule = rule or self.prior.rule_for(buses)
        offsets = rule.offsets_of(buses) + self.habits_of(buses)
        shared = np.concatenate([rule.shared[: len(OF_SONG) - 1], self.moment_coefficients])
        return np.column_stack([offsets, np.broadcast_to(shared, (len(offsets), len(shared)))])


def fit_balance(songs: Sequence[SongEvidence], prior: BalancePrior) -> BalanceFit:
    """Return the balance model that `songs` and `prior` give.

    Examples
    --------
    >>> fit_balance([], BalancePrior()).coefficients_of(("drums", "vocals"))[:, 0].tolist()
    [0.0, 0.75]
    """
    means = [_SongMeans.of(song, prior) for song in songs]
    habits = learn_habits(
        [
            DeviationsOfSong(of.names, of.deviations_db, song.weight, song.level_error_db, song.album, of.shares)
            for song, of in zip(songs, means, strict=True)
        ],
        prior=_variances(songs, prior),
    )
    moments, moment_deviation_db = _fit_moments(songs, prior)
    outputs = [of.output_lufs for of in means]
    return BalanceFit(
        prior=prior,
        habits=habits,
        moment_coefficients=moments,
        deviation_factor=_deviation_factor(songs, means, habits, prior),
        moment_deviation_db=moment_deviation_db,
        output_lufs=float(np.mean(outputs)) if outputs else prior.output_lufs,
        output_deviation_db=_output_deviation_db(outputs, prior) if outputs else prior.output_deviation_db,
    )


@dataclass(frozen=True)
class _SongMeans:
    """A song's buses, or its single tracks, in the mean over its frames.

    `deviations_db`, `scales_db` and `shares` (n_names,): how far each one is from the rule, how far songs usually are,
    and which part of its bus it is.
    """

    names: tuple[str, ...]
    deviations_db: FloatArray
    scales_db: FloatArray
    shares: FloatArray
    output_lufs: float

    @classmethod
    def of(cls, song: SongEvidence, prior: BalancePrior) -> _SongMeans:
        names = tuple(song.tracks or song.r_factors)
        buses = [bus_of(name) for name in names]
        rule = prior.rule_for(buses, tracks=True if song.tracks else None)
        levels_lufs = _mean_levels_lufs(song.tracks or song.r_factors, rule)
        deviations_db = levels_lufs - rule.offsets_of(names)
        shares = 1.0 / np.array([buses.count(bus) for bus in buses])
        output_lufs = _mean_levels_lufs(song.r_factors, prior.rule_for(tuple(song.r_factors))).mean()
        return cls(
            names,
            deviations_db - np.average(deviations_db, weights=shares),
            rule.deviations_of(buses),
            shares,
            float(output_lufs),
        )


def _mean_levels_lufs(r_factors: Mapping[str, FloatArray], rule: BalanceRule) -> FloatArray:
    """Return the output levels without what the shared features explain, LUFS, shape (n_names,)."""
    factors = np.stack(list(r_factors.values()))
    constants = factors[:, :, 0]
    weights = np.maximum((constants**2).sum(axis=1), 1e-12)
    means = np.einsum("br,brc->bc", constants, factors[:, :, 1:]) / weights[:, None]
    levels_lufs: FloatArray = means[:, -1] - means[:, :-1] @ rule.shared
    return levels_lufs


def _variances(songs: Sequence[SongEvidence], prior: BalancePrior) -> VariancePrior:
    if prior.learns_one_engineer:
        return OTHERS_WORK if any(song.by_others for song in songs) else OWN_WORK
    deviation_db = prior.song_deviation_db
    return VariancePrior.fixed(deviation_db / np.sqrt(prior.offset_strength), deviation_db)


def _deviation_factor(
    songs: Sequence[SongEvidence], means: Sequence[_SongMeans], habits: Habits, prior: BalancePrior
) -> float:
    """Return the factor with which the rule's 80 % bands contain 80 % of the songs, each predicted without itself.

    A quantile instead of a mean square: about one song in seven is balanced in an unusual way and would widen every
    band. Few songs leave a deviation uncertain: Student's t instead of the normal distribution. Songs of single tracks
    do not count.
    """
    pairs = [(song, of) for song, of in zip(songs, means, strict=True) if not song.tracks]
    n_songs_of = {role: sum(song.weight for song, of in pairs if role in of.names) for role in habits.roles}
    sizes, weights = [np.array([0.99, 1.01]) * EIGHTY_PERCENT], [np.full(2, 0.5 * prior.deviation_strength)]
    for song, of in pairs:
        n_buses = len(of.names)
        if n_buses < 2:
            continue
        n_songs = np.array([n_songs_of.get(bus, song.weight) for bus in of.names])
        leverage = np.array([song_weight(n, habits.correlation) for n in n_songs]) * song.weight / n_songs
        residual = of.deviations_db - np.array([habits.offset_of(bus) for bus in of.names])
        residual = (residual - residual.mean()) / (1.0 - np.minimum(leverage, 0.9))
        sizes.append(np.abs(residual) / centred_deviation_db(of.scales_db))
        weights.append(np.full(n_buses, song.weight))
    size, weight = np.concatenate(sizes), np.concatenate(weights)
    order = np.argsort(size, kind="stable")
    shares = (np.cumsum(weight[order]) - 0.5 * weight[order]) / weight.sum()
    n_known = prior.deviation_strength / _BUSES_PER_SONG + sum(song.weight for song, _ in pairs)
    # the prior's bands are already calibrated; the correction for few songs applies to what the songs change
    factor = float(np.interp(0.8, shares, size[order])) / EIGHTY_PERCENT
    n_prior = prior.deviation_strength / _BUSES_PER_SONG
    return (
        factor * float(scipy.special.stdtrit(n_known, 0.9) / scipy.special.stdtrit(n_prior, 0.9))
        if factor < 1.0 and pairs
        else factor
    )


def centred_deviation_db(deviations_db: FloatArray) -> FloatArray:
    """Return the deviations of values (n,) from their mean, given the independent values' own deviations, dB."""
    variance, n = deviations_db**2, len(deviations_db)
    return np.sqrt(np.maximum(variance * (1.0 - 2.0 / n) + variance.mean() / n, 0.0))


def _fit_moments(songs: Sequence[SongEvidence], prior: BalancePrior) -> tuple[FloatArray, float]:
    """Return the coefficients of the features of the moment, and how far moments differ from their prediction, dB."""
    first = len(OF_SONG)
    size = len(NAMES) - first
    information = prior.moment_strength * np.eye(size)
    evidence = prior.moment_strength * prior.coefficients[first - 1 :]
    parts = []
    for song in songs:
        for factor in song.r_factors.values():
            constant = factor[:, 0]
            rest = factor[:, first:] - np.outer(
                constant, constant @ factor[:, first:] / max(float(constant @ constant), 1e-12)
            )
            parts.append((rest, song.weight))
            information += song.weight * rest[:, :-1].T @ rest[:, :-1]
            evidence += song.weight * rest[:, :-1].T @ rest[:, -1]
    moments = np.asarray(np.linalg.solve(information, evidence), dtype=np.float64)
    squares = prior.deviation_strength * prior.moment_deviation_db**2
    total = prior.deviation_strength
    for rest, weight in parts:
        squares += weight * float(((rest[:, -1] - rest[:, :-1] @ moments) ** 2).sum())
        total += weight
    return moments, float(np.sqrt(squares / total))


def _output_deviation_db(outputs: Sequence[float], prior: BalancePrior) -> float:
    """Return how far the next song's output level is from that of `outputs`; few outputs leave the spread uncertain."""
    known = _PRIOR_OUTPUTS if prior.output_lufs is not None else 0.0
    squares = known * prior.output_deviation_db**2 + float(np.var(outputs)) * len(outputs)
    variance = squares / max(known + len(outputs) - 1.0, 1.0)
    return float(np.sqrt(variance * (1.0 + 1.0 / len(outputs))))
