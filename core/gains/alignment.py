"""Find how a mixdown relates to the sum of its stems, from short excerpts.

`align` finds the mixdown's lag and how well constant gains explain it. `correct` undoes what separates a mixdown from a
sum of its stems without changing the balance: a lag of a fraction of a sample (a resampler, a linear-phase plug-in), a
lower bandwidth (a lower sample rate, a lossy codec) and swapped channels, of the mixdown or of stems. `constant_gains`
returns whether the producer's balance is already in the stems.

Conventions: a lag is the number of samples by which the mixdown is later than the stems. The linear fit is the share of
the mixdown's energy that the best constant gains of each excerpt explain at that lag, all channels together.

The fit for all lags at once needs only the stems' Gram matrix, which does not depend on the lag, and the stems' cross-
correlations with the mixdown, which one FFT gives. An aligned plain sum needs no search: it is recognized from excerpts
in which the gains change linearly.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from core.audio.blocks import one_blas_thread
from core.audio.io import AudioFile, Samples, read_excerpt
from core.audio.song import Song
from core.decibels import FloatArray, gain_to_db
from core.fft import fast_length, irfft, rfft

Mask = npt.NDArray[np.bool_]

NEAR_S, FAR_S = 0.25, 10.0
LINEAR_FIT = 0.85
"""With this fit or a better one a mixdown counts as a linear sum of its stems (docs/reference/method.md)."""
LEAST_SHARE = 0.9
"""Constant gains that explain at least this share of a mixdown's energy explain it."""
MOST_SPREAD_DB = 1.5
"""Constant gains that differ by no more than this count as one gain for all buses."""
_RIDGE = 1e-6
_RCOND = 1e-10
_SAME_WITHIN = 2.0**-14
"""Channels that differ by no more than dither are the same."""
_PLAIN = 1e-6
"""With a smaller unexplained share a mixdown is the aligned sum of its stems; dither leaves as much."""
_SAMPLES_PER_GAIN = 20
"""A fitted gain needs at least this many samples to mean something."""
_FEW_LAGS = 64
_LAG_FIT = 0.2
"""Below this fit no lag is better than another, and 0 is used."""

_CORRECTION_EXCERPTS, _CORRECTION_EXCERPT_S = 4, 1.0
_REACH_SAMPLES = 16
_FRACTIONS_PER_SAMPLE = 32
_SMALLEST_FRACTION = 1.0 / 64.0
_FIT_TO_SEARCH = 0.5
_BETTER = 0.9
"""A correction counts when it leaves less than this share of what was unexplained before."""
_BAND_HZ = 250.0
_LOST_DB = 20.0
_LOWEST_CUTOFF_HZ = 2_000.0
_CUTOFF_MARGIN = 0.94
_SHARE_OF_BAND = 1e-8
"""Bands with less than this share of the stems' energy are not used to find a cutoff."""

_CONSTANT_EXCERPTS, _CONSTANT_EXCERPT_S = 8, 2.0
_FEW_STEMS, _SHORTEST_PART = 24, 0.125
"""Excerpts of more stems are shorter, down to this part, and are read again instead of kept in memory."""
_LEAST_PART = 1e-4
"""A stem with less of the stems' energy than this (-40 dB) has no reliable gain."""


@dataclass(frozen=True)
class Alignment:
    """The mixdown's `lag_samples`, and the `linear_fit` at that lag (0 to 1).

    `is_plain` is set where faders explain the excerpts completely.
    """

    lag_samples: int
    linear_fit: float
    is_plain: bool = False

    @property
    def is_linear(self) -> bool:
        """Whether the mixdown counts as a linear sum of the stems."""
        return self.linear_fit >= LINEAR_FIT


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


@dataclass(frozen=True)
class _Search:
    """Lags up to `reach_s` in either direction, on `n_excerpts`, using the mean of every `stride` samples."""

    reach_s: float
    excerpt_s: float
    n_excerpts: int
    stride: int

    def reach_samples(self, sample_rate: int) -> int:
        """Return the reach in samples, a whole number of strides."""
        return round(self.reach_s * sample_rate) // self.stride * self.stride


_FAR = _Search(FAR_S, 10.0, 2, 8)
_NEAR = _Search(NEAR_S, 1.5, 6, 4)
_EXACT = _Search(3e-4, 1.5, 6, 1)
_ALIGNED = _Search(0.0, 0.1, 4, 1)


@dataclass(frozen=True)
class _Excerpt:
    """Sums of the channels: `stems` (k, n), and the mixdown with `reach` more samples at either end."""

    stems: Samples
    mixdown: Samples
    reach: int

    def explained(self, search: _Search, sample_rate: int, around: int) -> FloatArray:
        """Return `explained_by_lag` for the lags of the search around one lag, stacked: (2, n_lags)."""
        stride, reach = search.stride, search.reach_samples(sample_rate)
        length = self.stems.shape[1] // stride * stride
        first = self.reach + around - reach
        mixdown = self.mixdown[first : first + length + 2 * reach]
        return np.stack(explained_by_lag(_thinned(self.stems[:, :length], stride), _thinned(mixdown, stride)))


def align(song: Song) -> Alignment:
    """Find the mixdown's lag: within a quarter of a second first, within ten seconds if that fits badly.

    Where nothing fits at all the lag is 0.

    Raises
    ------
    InputError
        A file is damaged.
    """
    if (unexplained := _unexplained_when_aligned(song)) < _PLAIN:
        return Alignment(0, 1.0 - unexplained, is_plain=True)
    found = _near(song)
    if not found.is_linear and song.duration_s >= NEAR_S:
        far = _far(song)
        if abs(far.lag_samples) > NEAR_S * song.sample_rate:
            found = max(found, _near(song, around=far.lag_samples), key=lambda alignment: alignment.linear_fit)
    return found if found.linear_fit >= _LAG_FIT else Alignment(0, found.linear_fit)


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


def is_mono(song: Song) -> bool:
    """Return whether the mixdown of stems with several channels has only one, or the same in all of them."""
    mixdown = _mixdown(song)
    stems_have_more = any(stem.n_channels > 1 for stem in song.stems.values())
    if not stems_have_more or mixdown.n_channels == 1:
        return stems_have_more
    n_samples = mixdown.n_samples_at(song.sample_rate)
    length = min(round(_NEAR.excerpt_s * song.sample_rate), n_samples)
    for start in _starts(n_samples - length, _NEAR.n_excerpts):
        excerpt = _read(song, mixdown, start, length)
        if np.abs(excerpt - excerpt[:1]).max() > _SAME_WITHIN:
            return False
    return True


def correct(song: Song, alignment: Alignment) -> tuple[Song, Alignment, list[str]]:
    """Return the song as it should be read, its alignment, and a note for each correction.

    Parameters
    ----------
    song : a song with its mixdown.
    alignment : what `align` found; an aligned plain sum needs no correction.
    """
    if alignment.is_plain:
        return song, alignment, []
    notes = []
    if (cutoff_hz := _mixdown_cutoff_hz(song, alignment.lag_samples)) is not None:
        stems = {bus: replace(file, cutoff_hz=cutoff_hz) for bus, file in song.stems.items()}
        song = replace(song, stems=stems, mixdown=replace(_mixdown(song), cutoff_hz=cutoff_hz))
        alignment = align(song)
        notes.append(f"the mixdown has no content above {cutoff_hz / 1000:.1f} kHz; only the range below was compared")
    if alignment.is_plain or alignment.linear_fit < _FIT_TO_SEARCH:
        return song, alignment, notes
    fraction, fit = _fractional_lag(song, alignment)
    if abs(fraction) >= _SMALLEST_FRACTION:
        song = replace(song, mixdown=replace(_mixdown(song), advance_samples=fraction))
        alignment = replace(alignment, linear_fit=max(fit, alignment.linear_fit))
        notes.append(f"the mixdown is {alignment.lag_samples + fraction:.2f} samples late; this was compensated")
    return song, alignment, notes


def with_swapped_channels(song: Song, lag_samples: int) -> tuple[Song, list[str]]:
    """Return the song with swapped the channels of its mixdown or of stems that explain it better so, and notes.

    The song is returned unchanged unless that leaves less than half of what was unexplained.
    """
    mixdown, stems = _mixdown(song), song.stems
    if song.n_channels != 2 or mixdown.n_channels != 2:
        return song, []
    n_stems = len(stems)
    gram = np.zeros((2 * n_stems + 1, 2 * n_stems + 1))
    for excerpt, mix in _correction_excerpts(song, lag_samples):
        rows = np.concatenate([excerpt, excerpt[:, ::-1], mix[None]]).reshape(len(gram), -1).astype(np.float64)
        gram += rows @ rows.T

    def unexplained(is_swapped: Mask) -> float:
        used = np.arange(n_stems) + n_stems * is_swapped
        cross = gram[used, -1]
        left = gram[-1, -1] - cross @ np.linalg.lstsq(gram[np.ix_(used, used)], cross, rcond=_RCOND)[0]
        return max(float(left), _PLAIN * float(gram[-1, -1]))  # less is rounding error

    plain, everything = np.zeros(n_stems, bool), np.ones(n_stems, bool)
    best = min((plain, everything), key=unexplained)
    for _ in range(n_stems):
        toggled = min((best ^ one for one in np.eye(n_stems, dtype=bool)), key=unexplained)
        if unexplained(toggled) >= _BETTER * unexplained(best):
            break
        best = toggled
    if unexplained(best) >= 0.5 * unexplained(plain):
        return song, []
    if np.count_nonzero(best) > n_stems / 2:
        song, best = replace(song, mixdown=replace(mixdown, swap_channels=True)), ~best
        notes = ["the mixdown's left and right channels are swapped; they were swapped back for the fit"]
    else:
        notes = []
    swapped = [bus for bus, is_swapped in zip(stems, best, strict=True) if is_swapped]
    notes += [f"{bus} has swapped left and right channels in the mixdown; this was corrected" for bus in swapped]
    corrected = {bus: replace(file, swap_channels=bus in swapped) for bus, file in stems.items()}
    return replace(song, stems=corrected), notes


def constant_gains(song: Song) -> ConstantGains:
    """Fit one constant gain per stem to excerpts of the mixdown.

    The mixdown may be up to a quarter of a second late or early.

    Raises
    ------
    InputError
        A file is damaged.
    """
    mixdown, n_stems = _mixdown(song), len(song.stems)
    excerpt_s = _CONSTANT_EXCERPT_S * max(min(1.0, _FEW_STEMS / n_stems), _SHORTEST_PART)
    length = min(round(excerpt_s * song.sample_rate), song.n_samples)
    starts = sorted({*np.linspace(0, song.n_samples - length, _CONSTANT_EXCERPTS).astype(np.int64).tolist()})

    @lru_cache(maxsize=len(starts) if n_stems <= _FEW_STEMS else 1)
    def excerpt(start: int) -> Samples:
        return np.stack([_mono(song, file, start, length) for file in song.stems.values()])

    loudest = max(starts, key=lambda start: float(np.sum(excerpt(start).sum(axis=0) ** 2)))
    reach = round(NEAR_S * song.sample_rate)
    around = _mono(song, mixdown, loudest - reach, length + 2 * reach)
    lag = int(np.argmax(_cross_correlations(excerpt(loudest).sum(axis=0)[None], around, 2 * reach + 1))) - reach
    gram, target, energy = np.zeros((n_stems, n_stems)), np.zeros(n_stems), 0.0
    for start in starts:
        signals = excerpt(start).astype(np.float64)
        mix = _mono(song, mixdown, start + lag, length).astype(np.float64)
        gram += signals @ signals.T
        target += signals @ mix
        energy += float(mix @ mix)
    powers = np.diag(gram)
    heard = powers > _LEAST_PART * powers.sum()
    if not heard.any() or energy <= 0.0:
        return ConstantGains(0.0, np.inf)
    gains: FloatArray = np.linalg.lstsq(gram[np.ix_(heard, heard)], target[heard], rcond=_RCOND)[0]
    share = float(gains @ target[heard]) / energy
    if np.any(gains <= 0.0):
        return ConstantGains(share, np.inf)
    return ConstantGains(share, float(np.ptp(gain_to_db(gains))))


def _unexplained_when_aligned(song: Song) -> float:
    """Return the share of some excerpts' energy that stems under moving faders do not explain, without any lag."""
    length = _length(song, _ALIGNED)
    if length <= 2 * _SAMPLES_PER_GAIN * len(song.stems):
        return 1.0
    left = energy = 0.0
    for start in _starts(song.n_samples - length, _ALIGNED.n_excerpts):
        excerpt = _excerpt(song, _ALIGNED, start, reach=0, around=0)
        stems, mixdown = excerpt.stems.astype(np.float64), excerpt.mixdown.astype(np.float64)
        with one_blas_thread():
            moving = np.concatenate([stems, stems * np.linspace(-1.0, 1.0, length)])  # gains linear in time
            gains = np.linalg.lstsq(moving @ moving.T, moving @ mixdown, rcond=_RCOND)[0]
            rest = mixdown - gains @ moving
            left += float(rest @ rest)
            energy += float(mixdown @ mixdown)
    return left / energy if energy > 0.0 else 1.0


def _near(song: Song, *, around: int = 0) -> Alignment:
    """Search coarsely, then to the sample, on excerpts that are read once."""
    rate = song.sample_rate
    reach = _NEAR.reach_samples(rate) + _EXACT.reach_samples(rate)
    starts = _starts(song.n_samples - _length(song, _NEAR), _NEAR.n_excerpts)
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        excerpts = list(pool.map(partial(_excerpt, song, _NEAR, reach=reach, around=around), starts))
        coarse = _best(pool.map(lambda excerpt: excerpt.explained(_NEAR, rate, 0), excerpts), _NEAR, rate)
        found = coarse.lag_samples
        exact = _best(pool.map(lambda excerpt: excerpt.explained(_EXACT, rate, found), excerpts), _EXACT, rate)
    return Alignment(around + found + exact.lag_samples, exact.linear_fit)


def _far(song: Song) -> Alignment:
    rate = song.sample_rate
    read = partial(_excerpt, song, _FAR, reach=_FAR.reach_samples(rate), around=0)
    starts = _starts(song.n_samples - _length(song, _FAR), _FAR.n_excerpts)
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        return _best(pool.map(lambda start: read(start).explained(_FAR, rate, 0), starts), _FAR, rate)


def _best(explained: Iterable[FloatArray], search: _Search, sample_rate: int) -> Alignment:
    """Return the lag that explains the most over all excerpts."""
    total, energy = np.sum(list(explained), axis=0)
    fit = np.where(energy > 0.0, total / np.maximum(energy, 1e-30), 0.0)
    best = int(np.argmax(fit))
    lag = best * search.stride - search.reach_samples(sample_rate)
    return Alignment(lag, float(np.clip(fit[best], 0.0, 1.0)))


def _length(song: Song, search: _Search) -> int:
    return min(round(search.excerpt_s * song.sample_rate), song.n_samples)


def _starts(last: int, n_excerpts: int) -> list[int]:
    """Return starts of excerpts, evenly spaced between 0 and `last`."""
    return sorted({round(last * (i + 0.5) / n_excerpts) for i in range(n_excerpts)})


def _mixdown(song: Song) -> AudioFile:
    assert song.mixdown is not None  # noqa: S101 - callers check; for the type checker
    return song.mixdown


def _excerpt(song: Song, search: _Search, start: int, *, reach: int, around: int) -> _Excerpt:
    length = _length(song, search)
    stems = np.stack([_mono(song, file, start, length) for file in song.stems.values()])
    return _Excerpt(stems, _mono(song, _mixdown(song), start + around - reach, length + 2 * reach), reach)


def _read(song: Song, file: AudioFile, start: int, n_samples: int) -> Samples:
    return read_excerpt(
        file, sample_rate=song.sample_rate, n_channels=song.n_channels, start=start, n_samples=n_samples
    )


def _mono(song: Song, file: AudioFile, start: int, n_samples: int) -> Samples:
    """Return the sum of an excerpt's channels, shape (n_samples,)."""
    mono: Samples = _read(song, file, start, n_samples).sum(axis=0)
    return mono


def _thinned(samples: Samples, stride: int) -> Samples:
    """Return the mean of every `stride` samples; a product is many times faster than means of so few."""
    if stride == 1:
        return samples
    mean = np.full(stride, 1.0 / stride, np.float32)
    return samples.reshape(*samples.shape[:-1], -1, stride) @ mean


def _cross_correlations(stems: Samples, mixdown: Samples, n_lags: int) -> npt.NDArray[np.floating]:
    n_samples = stems.shape[1]
    if n_lags <= _FEW_LAGS:
        return np.stack([stems @ mixdown[lag : lag + n_samples] for lag in range(n_lags)], axis=1)
    size = fast_length(len(mixdown))
    return irfft(np.conj(rfft(stems, size)) * rfft(mixdown, size), size)[..., :n_lags]


def _correction_excerpts(song: Song, lag_samples: int, reach: int = 0) -> list[tuple[Samples, Samples]]:
    """Return stems (k, n_channels, n) and mixdown (n_channels, n + 2 * reach) of a few excerpts."""
    length = min(round(_CORRECTION_EXCERPT_S * song.sample_rate), song.n_samples)
    excerpts = []
    for index in range(_CORRECTION_EXCERPTS):
        start = round((song.n_samples - length) * (index + 0.5) / _CORRECTION_EXCERPTS)
        stems = [_read(song, file, start, length) for file in song.stems.values()]
        mix = _read(song, _mixdown(song), start + lag_samples - reach, length + 2 * reach)
        excerpts.append((np.stack(stems), mix))
    return excerpts


def _fractional_lag(song: Song, alignment: Alignment) -> tuple[float, float]:
    """Return the fraction of a sample by which the mixdown is later than its lag, and the fit there; 0 for none.

    Cross-correlations with the stems are band-limited, so they can be interpolated between whole lags.
    """
    fractions = np.arange(-_FRACTIONS_PER_SAMPLE, _FRACTIONS_PER_SAMPLE + 1) / _FRACTIONS_PER_SAMPLE
    lags = np.arange(-_REACH_SAMPLES, _REACH_SAMPLES + 1)
    distance = fractions - lags[:, None]
    window = np.cos(np.pi / 2 * np.clip(distance / (_REACH_SAMPLES + 1), -1.0, 1.0)) ** 2
    interpolation = np.sinc(distance) * window
    explained = np.zeros(len(fractions))
    energy = 0.0
    for stems, mix in _correction_excerpts(song, alignment.lag_samples, _REACH_SAMPLES):
        mono, target = stems.sum(axis=1).astype(np.float64), mix.sum(axis=0).astype(np.float64)
        n = mono.shape[1]
        cross = np.stack([mono @ target[lag : lag + n] for lag in range(len(lags))], axis=1) @ interpolation
        gram = mono @ mono.T
        gram += np.eye(len(gram)) * (1e-9 * np.trace(gram) + 1e-20)
        explained += np.einsum("kl,kl->l", cross, np.linalg.solve(gram, cross))
        inner = target[_REACH_SAMPLES:-_REACH_SAMPLES]
        energy += float(inner @ inner)
    best = int(np.argmax(explained))
    fraction = float(fractions[best])
    if 0 < best < len(fractions) - 1:
        fraction += _vertex(explained[best - 1 : best + 2]) / _FRACTIONS_PER_SAMPLE
    unexplained = energy - explained[_FRACTIONS_PER_SAMPLE]
    if energy <= 0.0 or energy - explained[best] > _BETTER * unexplained:
        return 0.0, alignment.linear_fit
    return fraction, float(np.clip(explained[best] / energy, 0.0, 1.0))


def _vertex(values: FloatArray) -> float:
    """Return where the parabola through three values has its vertex, relative to the middle one."""
    curvature = values[0] - 2.0 * values[1] + values[2]
    return float(0.5 * (values[0] - values[2]) / curvature) if curvature < 0.0 else 0.0


def _mixdown_cutoff_hz(song: Song, lag_samples: int) -> float | None:
    """Return the frequency above which the stems have signal and the mixdown has none, or None."""
    stem_power = mix_power = np.zeros(0)
    for stems, mix in _correction_excerpts(song, lag_samples):
        window = np.hanning(stems.shape[2])
        of_stems = (np.abs(np.fft.rfft(stems * window)) ** 2).sum(axis=(0, 1))
        of_mix = (np.abs(np.fft.rfft(mix * window)) ** 2).sum(axis=0)
        stem_power = of_stems if not stem_power.size else stem_power + of_stems
        mix_power = of_mix if not mix_power.size else mix_power + of_mix
        length = stems.shape[2]
    band_bins = max(1, round(_BAND_HZ * length / song.sample_rate))
    starts = np.arange(0, len(stem_power), band_bins)
    stem_bands, mix_bands = np.add.reduceat(stem_power, starts), np.add.reduceat(mix_power, starts)
    heard = stem_bands > _SHARE_OF_BAND * stem_bands.sum()
    if not heard.any() or not mix_bands.any():
        return None
    ratio_db = 10.0 * np.log10(np.maximum(mix_bands, 1e-30) / np.maximum(stem_bands, 1e-30))
    lost = heard & (ratio_db < np.median(ratio_db[heard]) - _LOST_DB)
    last_kept = int(np.nonzero(heard & ~lost)[0][-1])
    cutoff_hz = float((last_kept + 1) * _BAND_HZ)
    if not lost[last_kept + 1 :].any() or cutoff_hz < _LOWEST_CUTOFF_HZ:
        return None
    return _CUTOFF_MARGIN * cutoff_hz
