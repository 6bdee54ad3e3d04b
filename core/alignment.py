"""How a mixdown hangs together with its stems, found on excerpts before the pass over the song.

Conventions: a lag is how many samples later than the stems the mixdown comes. The linear fit is the share of
the mixdown's energy that the best constant gains of each excerpt explain, at that lag, all channels together.

For every lag at once the fit needs the stems' Gram matrix, which does not depend on it, and the stems' cross-
correlations with the mixdown, which one FFT gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft

from core.audio import AudioFile, Samples, read_excerpt
from core.decibels import FloatArray
from core.song import Song

NEAR_S, FAR_S = 0.25, 10.0
_EXCERPT_S, _LONG_EXCERPT_S = 1.5, 30.0
_N_EXCERPTS = 6
_RIDGE = 1e-6
LINEAR_FIT = 0.85
"""From this fit on a mixdown counts as a linear sum of its stems: see docs/method.md for the comparison."""
SURE_FIT = 0.5


@dataclass(frozen=True)
class Alignment:
    """What the excerpts say: the mixdown's `lag_samples`, and the `linear_fit` at that lag (0 to 1)."""

    lag_samples: int
    linear_fit: float

    @property
    def is_linear(self) -> bool:
        """Whether the mixdown counts as a linear sum of the stems."""
        return self.linear_fit >= LINEAR_FIT


def align(song: Song) -> Alignment:
    """Find the mixdown's lag: within a quarter of a second first, within ten seconds if that fits badly.

    Raises
    ------
    InputError
        A file is damaged.
    """
    near = _best(song, reach_s=NEAR_S, excerpt_s=_EXCERPT_S, n_excerpts=_N_EXCERPTS)
    if near.linear_fit >= SURE_FIT or song.duration_s < NEAR_S:
        return near
    far = _best(song, reach_s=FAR_S, excerpt_s=_LONG_EXCERPT_S, n_excerpts=1)
    if far.linear_fit <= near.linear_fit:
        return near
    return _best(song, reach_s=NEAR_S, excerpt_s=_EXCERPT_S, n_excerpts=_N_EXCERPTS, around=far.lag_samples)


def _best(song: Song, *, reach_s: float, excerpt_s: float, n_excerpts: int, around: int = 0) -> Alignment:
    reach = round(reach_s * song.sample_rate)
    length = min(round(excerpt_s * song.sample_rate), song.n_samples)
    starts = _starts(song, length, n_excerpts)
    explained, energy = np.zeros(2 * reach + 1), np.zeros(2 * reach + 1)
    for start in starts:
        stems = np.stack([_mono(song, file, start, length) for file in song.stems.values()])
        assert song.mixdown is not None  # noqa: S101 - callers check; told to the type checker
        mixdown = _mono(song, song.mixdown, start + around - reach, length + 2 * reach)
        explained_here, energy_here = explained_by_lag(stems, mixdown)
        explained += explained_here
        energy += energy_here
    fit = np.where(energy > 0.0, explained / np.maximum(energy, 1e-30), 0.0)
    best = int(np.argmax(fit))
    return Alignment(around + best - reach, float(np.clip(fit[best], 0.0, 1.0)))


def explained_by_lag(stems: Samples, mixdown: Samples) -> tuple[FloatArray, FloatArray]:
    """Return the mixdown's energy that the stems explain, and its energy, for each lag.

    Parameters
    ----------
    stems : shape (k, n).
    mixdown : shape (n + n_lags - 1,); lag 0 of the result is the mixdown's first n samples.

    Returns
    -------
    Two arrays of shape (n_lags,).
    """
    n_samples = stems.shape[1]
    n_lags = len(mixdown) - n_samples + 1
    size = scipy.fft.next_fast_len(len(mixdown), real=True)
    spectra = scipy.fft.rfft(stems, size)
    cross = scipy.fft.irfft(np.conj(spectra) * scipy.fft.rfft(mixdown, size), size)[:, :n_lags]
    doubles = stems.astype(np.float64)
    gram = doubles @ doubles.T
    gram += np.eye(len(gram)) * (_RIDGE * np.trace(gram) + 1e-20)
    explained = np.einsum("kl,kl->l", cross, np.linalg.solve(gram, cross.astype(np.float64)))
    summed = np.concatenate([[0.0], np.cumsum(mixdown.astype(np.float64) ** 2)])
    return explained, summed[n_samples:][:n_lags] - summed[:n_lags]


def _starts(song: Song, length: int, n_excerpts: int) -> list[int]:
    last = max(0, song.n_samples - length)
    return sorted({round(last * (i + 0.5) / n_excerpts) for i in range(n_excerpts)})


def _mono(song: Song, file: AudioFile, start: int, n_samples: int) -> Samples:
    samples = read_excerpt(
        file, sample_rate=song.sample_rate, n_channels=song.n_channels, start=start, n_samples=n_samples
    )
    mono: Samples = samples.sum(axis=0)
    return mono
