"""Learn an engineer's habits from few songs: a hierarchical model with estimated variances.

Conventions: a song's deviation is how far the engineer set a bus or track from the rule's balance, in dB. Deviations
are relative levels, so a gain that all entries of a song share carries no information and is eliminated.

Model, for entry i of song s with role r on album a::

    deviation[s, i] = common[s] + habit[r] + album[a, r] + error[s, i]

    habit[r]    ~ Normal(0, between_db ** 2)
    album[a, r] ~ Normal(0, ALBUM_SHARE * within_db ** 2)
    error[s, i] ~ Huber(CLIP), variance ((1 - ALBUM_SHARE) * within_db ** 2 + known_error_db ** 2) / weight

The role of a single track, such as "drums: snare", has the habit of its bus plus one of its own, of the same prior. The
entries of a bus together weigh as much as a bus, so that a kit of ten microphones is not ten drummers.

`known_error_db` is the standard error of levels that were estimated rather than read from faders. For a song of no
known album, ALBUM_SHARE is 0.

`between_db` is how far engineers differ from each other and `within_db` how far one engineer's songs differ. Neither is
known for a new user, so the estimate is the posterior mean over a grid of both (`VariancePrior`). With one song the
size of its deviations is the only evidence; from two songs on, the differences between the songs decide. The error's
density is normal in the middle with exponential tails (Huber 1964), so an entry far outside what songs differ by moves
a habit by a bounded amount, unless other songs confirm it.

With both deviations given and no clipping, n songs of unrelated albums move a habit by n r / (1 + (n - 1) r) of their
mean deviation, where r = between_db ** 2 / (between_db ** 2 + within_db ** 2) is the correlation between two songs of
one engineer (0.35 between two songs of one artist on MedleyDB).

Source: empirical Bayes for variance components (Efron, Morris 1975); Huber, Robust Estimation of a Location Parameter,
1964.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.decibels import FloatArray
from core.roles import bus_of

CLIP = 2.0
"""Errors beyond this many standard deviations count linearly instead of squared."""
ALBUM_SHARE = 0.3
"""Share of the variance between one engineer's songs that songs of one album have in common."""
HABIT_DB, INCONSISTENT_DB, CONSISTENT_DB = 2.2, 3.0, 0.5
"""Standard deviations of habits, and of the songs of an inconsistent and of a consistent engineer around them."""
_MOST_ITERATIONS = 20
_CONVERGED = 1e-2
_TINY = 1e-9


@dataclass(frozen=True)
class DeviationsOfSong:
    """How far one song is from the rule's balance.

    Attributes
    ----------
    roles : the role of each entry; a role may occur more than once.
    deviations_db : dB, shape (n_entries,).
    weight : how many songs this one counts for.
    known_error_db : standard error with which the deviations are known, dB.
    shares : the part of a bus that each entry is, shape (n_entries,); 1 by default.
    album : songs with the same album are related; "" for a song of no known album.
    """

    roles: Sequence[str]
    deviations_db: FloatArray
    weight: float = 1.0
    known_error_db: float = 0.0
    album: str = ""
    shares: FloatArray | None = None


@dataclass(frozen=True)
class VariancePrior:
    """Prior of the two standard deviations: pairs of values and the logarithm of their probability, (n_pairs,) each."""

    between_db: FloatArray
    within_db: FloatArray
    log_probability: FloatArray

    @classmethod
    def fixed(cls, between_db: float, within_db: float) -> VariancePrior:
        """Return the prior with both deviations known."""
        return cls(np.array([between_db]), np.array([within_db]), np.zeros(1))

    @classmethod
    def mixture(cls, consistent_share: float) -> VariancePrior:
        """Return the prior of two kinds of engineers.

        Engineers of the first kind differ from song to song as artists do on MedleyDB: between 2.2 dB, within 3.0 dB,
        a correlation of 0.35, both times a common log-normal factor. Engineers of the second kind are consistent:
        between 2.2 dB, within about 0.5 dB.

        Parameters
        ----------
        consistent_share : prior probability of the second kind.
        """
        factor, log_factor = _log_normal(1.0, 0.4, 5)
        between, log_between = _log_normal(HABIT_DB, 0.1, 3)
        within, log_within = _log_normal(CONSISTENT_DB, 0.6, 7)
        return cls(
            np.concatenate([HABIT_DB * factor, np.repeat(between, len(within))]),
            np.concatenate([INCONSISTENT_DB * factor, np.tile(within, len(between))]),
            np.concatenate(
                [
                    log_factor + np.log(1.0 - consistent_share),
                    (log_between[:, None] + log_within).ravel() + np.log(consistent_share),
                ]
            ),
        )


@dataclass(frozen=True)
class Habits:
    """What songs show of an engineer's habits.

    Attributes
    ----------
    roles : the songs' roles, sorted.
    offsets_db : posterior mean of each role's habit, dB, shape (n_roles,).
    between_db, within_db : posterior means (root mean square) of the two deviations, dB.
    """

    roles: tuple[str, ...]
    offsets_db: FloatArray
    between_db: float
    within_db: float

    def offset_of(self, role: str) -> float:
        """Return the habit of a bus, or of a single track with that of its bus, dB; 0 where no song has it."""
        return sum(float(self.offsets_db[self.roles.index(name)]) for name in _effects(role) if name in self.roles)

    @property
    def correlation(self) -> float:
        """Estimated correlation between two songs of this engineer: r."""
        total = self.between_db**2 + self.within_db**2
        return self.between_db**2 / total if total > 0.0 else 0.0


def song_weight(n_songs: float, correlation: float) -> float:
    """Return the share of the mean deviation of `n_songs` unrelated songs that a habit moves by.

    Examples
    --------
    >>> round(song_weight(3, 0.35), 2)
    0.62
    """
    return n_songs * correlation / (1.0 + (n_songs - 1.0) * correlation)


def learn_habits(
    songs: Sequence[DeviationsOfSong],
    *,
    prior: VariancePrior | None = None,
    clip: float = CLIP,
) -> Habits:
    """Return the habits that `songs` show.

    Parameters
    ----------
    songs : deviations from the rule's balance; songs with fewer than two entries are not used.
    prior : of the two deviations; `OWN_WORK` by default.
    clip : in standard deviations, where errors begin to count linearly; `numpy.inf` for a normal error.

    Returns
    -------
    Habits
        Of every role in `songs`; empty without songs.

    Examples
    --------
    >>> song = DeviationsOfSong(("bass", "vocals"), np.array([-2.0, 2.0]))
    >>> learn_habits([song], prior=VariancePrior.fixed(1.0, 1.0)).offsets_db.round(2).tolist()
    [-1.0, 1.0]
    """
    prior = OWN_WORK if prior is None else prior
    between, within, log_prior = prior.between_db, prior.within_db, prior.log_probability
    data = _Rows.of([song for song in songs if len(song.roles) > 1 and song.weight > 0.0])
    if data is None:
        return Habits((), np.zeros(0), *_mean_deviations(between, within, log_prior))
    precision = data.prior_precision(between, within)
    error_db = np.hypot(within[:, None] * data.error_scale, data.known_error_db)
    robust = np.ones_like(error_db)
    for _ in range(_MOST_ITERATIONS):
        weights: FloatArray = robust / error_db**2
        information, evidence = data.normal_equations(weights)
        information += np.eye(precision.shape[1]) * precision[:, None, :]
        effects: FloatArray = np.linalg.solve(information, evidence[:, :, None])[:, :, 0].astype(np.float64)
        residual: FloatArray = data.residuals(effects, weights) / error_db
        size = np.maximum(np.abs(residual), _TINY)
        before, robust = robust, np.asarray(np.minimum(1.0, clip / size), dtype=np.float64)
        if np.abs(robust - before).max() < _CONVERGED:
            break
    inner = np.minimum(size, clip)
    loss = inner * (size - 0.5 * inner)
    log_posterior = (
        log_prior
        - loss.sum(axis=1)
        - np.log(error_db).sum(axis=1)
        - 0.5 * np.log(data.of_song_sums(weights)).sum(axis=1)
        - 0.5 * (precision * effects**2).sum(axis=1)
        + 0.5 * np.log(precision).sum(axis=1)
        - 0.5 * np.linalg.slogdet(information)[1]
    )
    share = np.exp(log_posterior - log_posterior.max())
    share /= share.sum()
    mean = share @ effects[:, : len(data.roles)]
    return Habits(data.roles, mean, *_mean_deviations(between, within, log_posterior))


@dataclass(frozen=True)
class _Rows:
    """All songs' entries as one regression on habits and album effects.

    Attributes
    ----------
    roles : the habits' roles.
    design : indicator of each entry's habit and, after those, of its album effect; shape (n_rows, n_effects).
    target : deviations, dB, shape (n_rows,).
    song_starts : index of each song's first row, shape (n_songs,).
    song_of_row : shape (n_rows,).
    error_scale : of each row's error, in units of `within_db`, shape (n_rows,).
    known_error_db : standard error of each row, dB, shape (n_rows,).
    """

    roles: tuple[str, ...]
    design: FloatArray
    target: FloatArray
    song_starts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    song_of_row: np.ndarray[tuple[int, ...], np.dtype[np.int64]]
    error_scale: FloatArray
    known_error_db: FloatArray

    @classmethod
    def of(cls, songs: Sequence[DeviationsOfSong]) -> _Rows | None:
        if not songs:
            return None
        roles = tuple(sorted({name for song in songs for role in song.roles for name in _effects(role)}))
        albums = sorted({(song.album, role) for song in songs if song.album for role in song.roles})
        effects: list[tuple[str, str]] = [*(("", role) for role in roles), *albums]
        column = {effect: i for i, effect in enumerate(effects)}
        lengths = [len(song.roles) for song in songs]
        design = np.zeros((sum(lengths), len(effects)))
        error_scale = np.zeros(sum(lengths))
        row = 0
        for song in songs:
            own_share = 1.0 - ALBUM_SHARE if song.album else 1.0
            for role, share in zip(
                song.roles, np.ones(len(song.roles)) if song.shares is None else song.shares, strict=True
            ):
                for name in _effects(role):
                    design[row, column["", name]] = 1.0
                if song.album:
                    design[row, column[song.album, role]] = 1.0
                error_scale[row] = np.sqrt(own_share / (song.weight * share))
                row += 1
        return cls(
            roles=roles,
            design=design,
            target=np.concatenate([song.deviations_db for song in songs]),
            song_starts=np.cumsum([0, *lengths[:-1]]),
            song_of_row=np.repeat(np.arange(len(songs)), lengths),
            error_scale=error_scale,
            known_error_db=np.repeat([song.known_error_db / np.sqrt(song.weight) for song in songs], lengths),
        )

    def prior_precision(self, between_db: FloatArray, within_db: FloatArray) -> FloatArray:
        """Return each effect's prior precision, shape (n_pairs, n_effects)."""
        is_habit = np.arange(self.design.shape[1]) < len(self.roles)
        deviation = np.where(is_habit, between_db[:, None], np.sqrt(ALBUM_SHARE) * within_db[:, None])
        return 1.0 / deviation**2

    def of_song_sums(self, values: FloatArray) -> FloatArray:
        """Return the sums of values (n_pairs, n_rows, ...) over each song's rows, shape (n_pairs, n_songs, ...)."""
        return np.add.reduceat(values, self.song_starts, axis=1)

    def normal_equations(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return information (n_pairs, n_effects, n_effects) and evidence (n_pairs, n_effects).

        The songs' common gains are eliminated.
        """
        weighted = weights[:, :, None] * self.design
        sums = self.of_song_sums(weighted)
        total = self.of_song_sums(weights)
        targets = self.of_song_sums(weights * self.target)
        information = np.einsum("gnu,nv->guv", weighted, self.design, optimize=True)
        information -= np.einsum("gsu,gsv->guv", sums / total[:, :, None], sums, optimize=True)
        evidence = weighted.transpose(0, 2, 1) @ self.target - np.einsum("gsu,gs->gu", sums, targets / total)
        return information, evidence

    def residuals(self, effects: FloatArray, weights: FloatArray) -> FloatArray:
        """Return what effects (n_pairs, n_effects) and each song's common gain leave, shape (n_pairs, n_rows)."""
        left = self.target - effects @ self.design.T
        common = self.of_song_sums(weights * left) / self.of_song_sums(weights)
        return left - common[:, self.song_of_row]


def _effects(role: str) -> set[str]:
    """Return the names of the habits that an entry has: of its bus, and of a single track its own."""
    return {bus_of(role), role}


def _log_normal(median: float, spread: float, n_points: int) -> tuple[FloatArray, FloatArray]:
    """Return points within 2.5 spreads of the median and the logarithm of their probability, each (n_points,)."""
    steps = np.linspace(-2.5, 2.5, n_points)
    log_density = -0.5 * steps**2
    return median * np.exp(spread * steps), log_density - np.log(np.exp(log_density).sum())


def _mean_deviations(between: FloatArray, within: FloatArray, log_weight: FloatArray) -> tuple[float, float]:
    share = np.exp(log_weight - log_weight.max())
    share /= share.sum()
    return float(np.sqrt(share @ between**2)), float(np.sqrt(share @ within**2))


OWN_WORK = VariancePrior.mixture(0.88)
"""For one engineer's work. The share makes the loss after a single song equally small for consistent and for
inconsistent engineers (docs/reference/accuracy.md)."""
OTHERS_WORK = VariancePrior.mixture(0.25)
"""For songs whose engineers may differ, such as an artist's records: r is near 0.35 until songs show otherwise."""
