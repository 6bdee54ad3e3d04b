"""Correct what separates a mixdown from a sum of its stems without changing the balance.

A mixdown may come a fraction of a sample late (a resampler, a plug-in of linear phase), have a lower bandwidth than its
stems (a lower sample rate, a lossy codec), or have its channels swapped. Each of them would spoil the fit of the gains.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.audio.io import AudioFile, Samples, read_excerpt
from core.audio.song import Song
from core.decibels import FloatArray
from core.gains.alignment import Alignment, align

_N_EXCERPTS = 4
_EXCERPT_S = 1.0
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
"""Bands in which the stems have less than this share of their energy say nothing of a cutoff."""


def correct(song: Song, alignment: Alignment) -> tuple[Song, Alignment, list[str]]:
    """Return the song as it should be read, its alignment, and a note for each correction.

    Parameters
    ----------
    song : a song with its mixdown.
    alignment : what `align` found; a plain sum in time needs no correction.
    """
    if alignment.is_plain:
        return song, alignment, []
    notes = []
    if (cutoff_hz := _mixdown_cutoff_hz(song, alignment.lag_samples)) is not None:
        song = _with_cutoff(song, cutoff_hz)
        alignment = align(song)
        notes.append(f"the mixdown contains nothing above {cutoff_hz / 1000:.1f} kHz; the fit is below that")
    if alignment.is_plain or alignment.linear_fit < _FIT_TO_SEARCH:
        return song, alignment, notes
    fraction, fit = _fractional_lag(song, alignment)
    if abs(fraction) >= _SMALLEST_FRACTION:
        song = replace(song, mixdown=replace(_mixdown(song), advance_samples=fraction))
        alignment = replace(alignment, linear_fit=max(fit, alignment.linear_fit))
        notes.append(
            f"the mixdown is {alignment.lag_samples + fraction:.2f} samples late; it was read that much earlier"
        )
    return song, alignment, notes


def with_swapped_channels(song: Song, lag_samples: int) -> Song | None:
    """Return the song with the mixdown's channels swapped if its stems explain it better so, else None."""
    mixdown = _mixdown(song)
    if song.n_channels != 2 or mixdown.n_channels != 2:
        return None
    plain = swapped = 0.0
    for stems, mix in _excerpts(song, lag_samples):
        plain += _unexplained(stems, mix)
        swapped += _unexplained(stems, mix[::-1])
    return replace(song, mixdown=replace(mixdown, swap_channels=True)) if swapped < 0.5 * plain else None


def _mixdown(song: Song) -> AudioFile:
    assert song.mixdown is not None  # noqa: S101 - callers check; told to the type checker
    return song.mixdown


def _excerpts(song: Song, lag_samples: int, reach: int = 0) -> list[tuple[Samples, Samples]]:
    """Return stems (k, n_channels, n) and mixdown (n_channels, n + 2 * reach) of a few moments."""
    length = min(round(_EXCERPT_S * song.sample_rate), song.n_samples)
    excerpts = []
    for index in range(_N_EXCERPTS):
        start = round((song.n_samples - length) * (index + 0.5) / _N_EXCERPTS)
        stems = [_read(song, file, start, length) for file in song.stems.values()]
        mix = _read(song, _mixdown(song), start + lag_samples - reach, length + 2 * reach)
        excerpts.append((np.stack(stems), mix))
    return excerpts


def _read(song: Song, file: AudioFile, start: int, n_samples: int) -> Samples:
    return read_excerpt(
        file, sample_rate=song.sample_rate, n_channels=song.n_channels, start=start, n_samples=n_samples
    )


def _unexplained(stems: Samples, mix: Samples) -> float:
    """Return the energy of a mixdown (n_channels, n) that constant gains of the stems do not explain."""
    matrix = stems.reshape(len(stems), -1).T.astype(np.float64)
    target = mix.reshape(-1).astype(np.float64)
    left = target - matrix @ np.linalg.lstsq(matrix, target, rcond=1e-9)[0]
    return float(left @ left)


def _fractional_lag(song: Song, alignment: Alignment) -> tuple[float, float]:
    """Return by which fraction of a sample the mixdown comes later than its lag, and the fit there; 0 for none.

    Cross-correlations with the stems are band-limited, so they can be interpolated between whole lags.
    """
    fractions = np.arange(-_FRACTIONS_PER_SAMPLE, _FRACTIONS_PER_SAMPLE + 1) / _FRACTIONS_PER_SAMPLE
    lags = np.arange(-_REACH_SAMPLES, _REACH_SAMPLES + 1)
    distance = fractions - lags[:, None]
    window = np.cos(np.pi / 2 * np.clip(distance / (_REACH_SAMPLES + 1), -1.0, 1.0)) ** 2
    interpolation = np.sinc(distance) * window
    explained = np.zeros(len(fractions))
    energy = 0.0
    for stems, mix in _excerpts(song, alignment.lag_samples, _REACH_SAMPLES):
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
    """Return the frequency above which the stems sound and the mixdown does not, or None."""
    stem_power = mix_power = np.zeros(0)
    for stems, mix in _excerpts(song, lag_samples):
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


def _with_cutoff(song: Song, cutoff_hz: float) -> Song:
    stems = {bus: replace(file, cutoff_hz=cutoff_hz) for bus, file in song.stems.items()}
    return replace(song, stems=stems, mixdown=replace(_mixdown(song), cutoff_hz=cutoff_hz))
