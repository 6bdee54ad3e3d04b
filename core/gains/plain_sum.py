"""Find out whether a mixdown is the plain sum of the stems, so that the producer's balance is already in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

from core.audio.io import AudioFile, Samples, read_excerpt
from core.audio.song import Song
from core.decibels import FloatArray, gain_to_db

LEAST_SHARE = 0.9
"""From this share of its energy on, a mixdown counts as explained by constant gains."""
MOST_SPREAD_DB = 1.5
"""Gains that differ by no more than this are the same for all buses."""
_N_EXCERPTS = 8
_EXCERPT_S = 2.0
_LAG_S = 0.25
_LEAST_PART = 1e-4
"""A stem with less of the stems' energy than this (-40 dB) has no reliable gain."""


@dataclass(frozen=True)
class ConstantGains:
    """The constant gains that explain a mixdown best.

    Attributes
    ----------
    share : the explained share of the mixdown's energy, 0 to 1.
    spread_db : the largest difference between two buses' gains.
    """

    share: float
    spread_db: float

    @property
    def is_plain_sum(self) -> bool:
        """Whether the mixdown is nearly the sum of the stems with one gain for all."""
        return self.share >= LEAST_SHARE and self.spread_db <= MOST_SPREAD_DB


def constant_gains(song: Song) -> ConstantGains:
    """Fit a gain per stem that does not change to excerpts of the mixdown.

    The mixdown may be up to a quarter of a second late or early.

    Raises
    ------
    InputError
        A file is damaged.
    """
    assert song.mixdown is not None  # noqa: S101 - callers check; for the type checker
    rate, length = song.sample_rate, min(round(_EXCERPT_S * song.sample_rate), song.n_samples)
    starts = np.unique(np.linspace(0, song.n_samples - length, _N_EXCERPTS).astype(np.int64)).tolist()
    stems = [np.stack([_mono(file, rate, start, length) for file in song.stems.values()]) for start in starts]
    loudest = int(np.argmax([np.sum(excerpt.sum(axis=0) ** 2) for excerpt in stems]))
    reach = round(_LAG_S * rate)
    around = _mono(song.mixdown, rate, starts[loudest] - reach, length + 2 * reach)
    lag = _lag(stems[loudest].sum(axis=0), around) - reach
    n_stems = len(song.stems)
    gram, target, energy = np.zeros((n_stems, n_stems)), np.zeros(n_stems), 0.0
    for start, excerpt in zip(starts, stems, strict=True):
        signals = excerpt.astype(np.float64)
        mixdown = _mono(song.mixdown, rate, start + lag, length).astype(np.float64)
        gram += signals @ signals.T
        target += signals @ mixdown
        energy += float(mixdown @ mixdown)
    powers = np.diag(gram)
    heard = powers > _LEAST_PART * powers.sum()
    if not heard.any() or energy <= 0.0:
        return ConstantGains(0.0, np.inf)
    gains: FloatArray = np.linalg.lstsq(gram[np.ix_(heard, heard)], target[heard], rcond=1e-10)[0]
    share = float(gains @ target[heard]) / energy
    if np.any(gains <= 0.0):
        return ConstantGains(share, np.inf)
    return ConstantGains(share, float(np.ptp(gain_to_db(gains))))


def _mono(file: AudioFile, sample_rate: int, start: int, n_samples: int) -> Samples:
    excerpt: Samples = read_excerpt(file, sample_rate=sample_rate, n_channels=2, start=start, n_samples=n_samples)
    mean: Samples = excerpt.mean(axis=0)
    return mean


def _lag(plain_sum: Samples, mixdown: Samples) -> int:
    """Return at which sample of `mixdown`, which is longer, the plain sum fits best."""
    return int(np.argmax(scipy.signal.correlate(mixdown, plain_sum, mode="valid", method="fft")))
