"""Zafrin & Chudwick's features as their original implementation computes them, quirks included.

Conventions: one stem's left channel, frames of 1 s, rectangular window, an FFT of the frame's own length N of
which bins 0 to N/2 - 1 are taken. See docs/features.md for the table with formulas and units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy.signal

from core.decibels import FloatArray
from core.fftw import real_spectra

CONDITION1 = ("centroid", "rms", "slope")
CONDITION2 = ("centroid", "spread", "slope", "loudness", "crossings")
NAMES: Mapping[str, tuple[str, ...]] = {"condition1": CONDITION1, "condition2": CONDITION2}

_K_FILTER_48K = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
"""BS.1770's 48 kHz coefficients; the original uses them at every sample rate."""


@dataclass(frozen=True)
class _Axes:
    frequency_hz: FloatArray
    centred_hz: FloatArray


def condition1(frames: FloatArray, sample_rate: int) -> FloatArray:
    """Return centroid (Hz), RMS and slope of frames (n, N), shape (n, 3)."""
    centroid, slope, _, _ = _spectral_shape(frames, sample_rate)
    return np.stack([centroid, np.sqrt(_mean_square(frames)), slope], axis=1)


def condition2(weighted_frames: FloatArray, sample_rate: int) -> FloatArray:
    """Return centroid (Hz), spread (Hz^2), slope, loudness and crossings of K-weighted frames, shape (n, 5)."""
    centroid, slope, magnitude, total = _spectral_shape(weighted_frames, sample_rate)
    frequency_hz = _axes(weighted_frames.shape[1], sample_rate).frequency_hz
    deviation = (frequency_hz - centroid[:, None]) ** 2
    spread = np.einsum("nf,nf->n", deviation, magnitude) / total
    loudness = 0.691 * 10.0 * np.log10(_mean_square(weighted_frames) + np.finfo(np.float64).eps)
    crossings = np.count_nonzero(np.diff(np.sign(weighted_frames), axis=1), axis=1)
    return np.stack([centroid, spread, slope, loudness, crossings], axis=1)


class KWeighting:
    """The original's K-weighting of one signal, continued from block to block.

    GNU Octave's `filter` adds a section's state, feedback and input in another order than SciPy's; after a
    stem falls silent the tail's zero crossings depend on it. Each section is therefore run at twice the rate on
    repeated samples, with its taps spread so that SciPy adds in Octave's order: the even outputs are then the
    section's, to the bit.
    """

    def __init__(self) -> None:
        self._states = [np.zeros(4) for _ in _K_FILTER_48K]

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Return the next samples K-weighted, shape (n_samples,)."""
        for index, (feed, back) in enumerate(_K_FILTER_48K):
            spread_feed = (feed[0], feed[1], 0.0, feed[2], 0.0)
            spread_back = (back[0], 0.0, back[1], 0.0, back[2])
            doubled, self._states[index] = scipy.signal.lfilter(
                spread_feed, spread_back, np.repeat(samples, 2), zi=self._states[index]
            )
            samples = doubled[::2]
        return samples


def _spectral_shape(
    frames: FloatArray, sample_rate: int
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.float64]]:
    n_samples = frames.shape[1]
    axes = _axes(n_samples, sample_rate)
    magnitude = np.abs(real_spectra(frames)[:, : n_samples // 2])
    total = magnitude.sum(axis=1)
    total[total == 0.0] = 1.0
    slope = magnitude @ axes.centred_hz / (axes.centred_hz @ axes.centred_hz)
    return magnitude @ axes.frequency_hz / total, slope, magnitude, total


@lru_cache
def _axes(n_samples: int, sample_rate: int) -> _Axes:
    frequency_hz = np.linspace(0.0, sample_rate, n_samples)[: n_samples // 2]
    too_long_hz = np.linspace(0.0, sample_rate, n_samples // 2)
    return _Axes(frequency_hz, too_long_hz - too_long_hz.mean())


def _mean_square(frames: FloatArray) -> FloatArray:
    return np.array([frame @ frame for frame in frames]) / frames.shape[1]
