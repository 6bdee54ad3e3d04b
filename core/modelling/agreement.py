"""How far songs agree with each other on what sets them apart from what is believed.

Conventions: a song's deviations are dB per bus, their weighted mean over its buses taken out. Songs that differ from
the belief in the same way show a habit; songs that each differ in a way of their own show chance. What is taken for a
habit is the lower end of an interval: few songs, or songs that disagree, show none.

Source: empirical Bayes shrinkage by the method of moments (Efron, Morris 1975).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from core.decibels import FloatArray

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
    chance = float(stdtrit(_BELIEVED_SONGS + n_free, CERTAINTY)) * _MEAN_OVER_ROOT * np.sqrt(variance / n_songs)
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
