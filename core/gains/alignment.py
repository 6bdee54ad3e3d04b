"""Estimate the mixdown's lag and linearity from excerpts.

Conventions: a lag is how many samples later than the stems the mixdown comes. The linear fit is the share of
the mixdown's energy that the best constant gains of each excerpt explain, at that lag, all channels together.

A plain sum that comes in time needs no search: it is recognised from excerpts in which the gains change linearly.
For every lag at once the fit needs the stems' Gram matrix, which does not depend on it, and the stems' cross-
correlations with the mixdown, which one FFT gives.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy

from core.audio.blocks import one_blas_thread
from core.audio.io import AudioFile, Samples, read_excerpt
from core.audio.song import Song
from core.decibels import FloatArray

NEAR_S, FAR_S = 0.25, 10.0
_RIDGE = 1e-6
LINEAR_FIT = 0.85
"""From this fit on a mixdown counts as a linear sum of its stems: see docs/reference/method.md for the comparison."""
_SAME_WITHIN = 2.0**-14
"""Channels that differ by no more than dither are the same."""


@dataclass(frozen=True)
class Alignment:
    """What the excerpts say: the mixdown's `lag_samples`, and the `linear_fit` at that lag (0 to 1).

    `is_plain` says that nothing but faders was at work in them.
    """

    lag_samples: int
    linear_fit: float
    is_plain: bool = False

    @property
    def is_linear(self) -> bool:
        """Whether the mixdown counts as a linear sum of the stems."""
        return self.linear_fit >= LINEAR_FIT


def align(song: Song) -> Alignment:
    """Find the mixdown's lag: within a quarter of a second first, within ten seconds if that fits badly.

    Where nothing fits at all the lag is 0.

    Raises
    ------
    InputError
        A file is damaged.
    """
    if (unexplained := _unexplained_in_time(song)) < _PLAIN:
        return Alignment(0, 1.0 - unexplained, is_plain=True)
    found = _nearest_or_far(song)
    return found if found.linear_fit >= _LAG_FIT else Alignment(0, found.linear_fit)


def _unexplained_in_time(song: Song) -> float:
    """Return the share of some moments' energy that stems under moving faders do not explain, without any lag."""
    moments = [_read(song, _IN_TIME, start, reach=0, around=0) for start in _starts(song, _IN_TIME)]
    with one_blas_thread():
        left, energy = np.sum([_unexplained(moment) for moment in moments], axis=0)
    return float(left / energy) if energy > 0.0 else 1.0


def _unexplained(moment: _Excerpt) -> tuple[float, float]:
    """Return what is left of a moment's mixdown, and its energy; gains may change in proportion to time."""
    stems, mixdown = moment.stems.astype(np.float64), moment.mixdown.astype(np.float64)
    n_samples = stems.shape[1]
    moving = np.concatenate([stems, stems * np.linspace(-1.0, 1.0, n_samples)])
    if n_samples <= _OVERFITS * len(moving):
        return 0.0, 0.0
    gains = np.linalg.lstsq(moving @ moving.T, moving @ mixdown, rcond=_RCOND)[0]
    left = mixdown - gains @ moving
    return float(left @ left), float(mixdown @ mixdown)


def _nearest_or_far(song: Song) -> Alignment:
    near = _near(song)
    if near.is_linear or song.duration_s < NEAR_S:
        return near
    far = _far(song)
    if abs(far.lag_samples) <= NEAR_S * song.sample_rate:
        return near
    there = _near(song, around=far.lag_samples)
    return there if there.linear_fit > near.linear_fit else near


@dataclass(frozen=True)
class _Search:
    """Where to look: lags up to `reach_s` either way, on `n_excerpts`, at every `stride`-th sample."""

    reach_s: float
    excerpt_s: float
    n_excerpts: int
    stride: int

    def reach_samples(self, sample_rate: int) -> int:
        """How many samples either way are looked at, a whole number of strides."""
        return round(self.reach_s * sample_rate) // self.stride * self.stride


@dataclass(frozen=True)
class _Excerpt:
    """Channels added up: `stems` (k, n), and the mixdown `reach` samples more on either side."""

    stems: Samples
    mixdown: Samples
    reach: int

    def explained(self, search: _Search, sample_rate: int, around: int) -> FloatArray:
        """Return `explained_by_lag` of the lags the search asks for around one, stacked: (2, n_lags)."""
        stride, reach = search.stride, search.reach_samples(sample_rate)
        length = self.stems.shape[1] // stride * stride
        first = self.reach + around - reach
        mixdown = self.mixdown[first : first + length + 2 * reach]
        return np.stack(explained_by_lag(_thinned(self.stems[:, :length], stride), _thinned(mixdown, stride)))


_FAR = _Search(FAR_S, 10.0, 2, 8)
_NEAR = _Search(NEAR_S, 1.5, 6, 4)
_EXACT = _Search(3e-4, 1.5, 6, 1)
_IN_TIME = _Search(0.0, 0.1, 4, 1)
_PLAIN = 1e-6
"""Below this share a mixdown is the sum of its stems, and in time: dither is as loud as that."""
_OVERFITS = 20
"""So many samples a gain must explain at least for its fit to mean something."""
_RCOND = 1e-10
_FEW_LAGS = 64
_LAG_FIT = 0.2
"""Below this fit no lag is better than another: the mixdown is taken as it comes."""


def _near(song: Song, *, around: int = 0) -> Alignment:
    """Search coarsely, then to the sample, on excerpts that are read once."""
    rate = song.sample_rate
    reach = _NEAR.reach_samples(rate) + _EXACT.reach_samples(rate)
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        read = partial(_read, song, _NEAR, reach=reach, around=around)
        excerpts = list(pool.map(read, _starts(song, _NEAR)))
        coarse = _best(pool.map(lambda excerpt: excerpt.explained(_NEAR, rate, 0), excerpts), _NEAR, rate)
        found = coarse.lag_samples
        exact = _best(pool.map(lambda excerpt: excerpt.explained(_EXACT, rate, found), excerpts), _EXACT, rate)
    return Alignment(around + found + exact.lag_samples, exact.linear_fit)


def _far(song: Song) -> Alignment:
    rate = song.sample_rate
    read = partial(_read, song, _FAR, reach=_FAR.reach_samples(rate), around=0)
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        return _best(pool.map(lambda start: read(start).explained(_FAR, rate, 0), _starts(song, _FAR)), _FAR, rate)


def _best(explained: Iterable[FloatArray], search: _Search, sample_rate: int) -> Alignment:
    """Return the lag that explains the most over all excerpts."""
    total, energy = np.sum(list(explained), axis=0)
    fit = np.where(energy > 0.0, total / np.maximum(energy, 1e-30), 0.0)
    best = int(np.argmax(fit))
    lag = best * search.stride - search.reach_samples(sample_rate)
    return Alignment(lag, float(np.clip(fit[best], 0.0, 1.0)))


def _length(song: Song, search: _Search) -> int:
    return min(round(search.excerpt_s * song.sample_rate), song.n_samples)


def _starts(song: Song, search: _Search) -> list[int]:
    last = song.n_samples - _length(song, search)
    return sorted({round(last * (i + 0.5) / search.n_excerpts) for i in range(search.n_excerpts)})


def _read(song: Song, search: _Search, start: int, *, reach: int, around: int) -> _Excerpt:
    assert song.mixdown is not None  # noqa: S101 - callers check; told to the type checker
    length = _length(song, search)
    stems = np.stack([_mono(song, file, start, length) for file in song.stems.values()])
    return _Excerpt(stems, _mono(song, song.mixdown, start + around - reach, length + 2 * reach), reach)


def _mono(song: Song, file: AudioFile, start: int, n_samples: int) -> Samples:
    """Return an excerpt's channels added up, shape (n_samples,)."""
    excerpt = read_excerpt(
        file, sample_rate=song.sample_rate, n_channels=song.n_channels, start=start, n_samples=n_samples
    )
    mono: Samples = excerpt.sum(axis=0)
    return mono


def _thinned(samples: Samples, stride: int) -> Samples:
    """Return the mean of every `stride` samples; a product, many times as fast as taking means of so few."""
    if stride == 1:
        return samples
    mean = np.full(stride, 1.0 / stride, np.float32)
    return samples.reshape(*samples.shape[:-1], -1, stride) @ mean


def is_mono(song: Song) -> bool:
    """Tell whether the mixdown of stems of several channels has only one, or the same in all of them."""
    assert song.mixdown is not None  # noqa: S101 - callers check; told to the type checker
    stems_have_more = any(stem.n_channels > 1 for stem in song.stems.values())
    if not stems_have_more or song.mixdown.n_channels == 1:
        return stems_have_more
    length = min(round(_NEAR.excerpt_s * song.sample_rate), song.mixdown.n_samples_at(song.sample_rate))
    last = song.mixdown.n_samples_at(song.sample_rate) - length
    starts = [round(last * (i + 0.5) / _NEAR.n_excerpts) for i in range(_NEAR.n_excerpts)]
    return all(_has_equal_channels(song, start, length) for start in starts)


def _has_equal_channels(song: Song, start: int, length: int) -> bool:
    assert song.mixdown is not None  # noqa: S101 - callers check; told to the type checker
    excerpt = read_excerpt(
        song.mixdown, sample_rate=song.sample_rate, n_channels=song.n_channels, start=start, n_samples=length
    )
    return bool(np.abs(excerpt - excerpt[:1]).max() <= _SAME_WITHIN)


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
    cross = _cross_correlations(stems, mixdown, n_lags)
    doubles = stems.astype(np.float64)
    gram = doubles @ doubles.T
    gram += np.eye(len(gram)) * (_RIDGE * np.trace(gram) + 1e-20)
    explained = np.einsum("kl,kl->l", cross, np.linalg.solve(gram, cross.astype(np.float64)))
    summed = np.concatenate([[0.0], np.cumsum(mixdown.astype(np.float64) ** 2)])
    return explained, summed[n_samples:][:n_lags] - summed[:n_lags]


def _cross_correlations(stems: Samples, mixdown: Samples, n_lags: int) -> Samples:
    n_samples = stems.shape[1]
    if n_lags <= _FEW_LAGS:
        return np.stack([stems @ mixdown[lag : lag + n_samples] for lag in range(n_lags)], axis=1)
    size = scipy.fft.next_fast_len(len(mixdown), real=True)
    spectra = np.conj(scipy.fft.rfft(stems, size)) * scipy.fft.rfft(mixdown, size)
    return scipy.fft.irfft(spectra, size)[:, :n_lags]
