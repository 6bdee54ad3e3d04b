"""Zafrin & Chudwick's features as their original implementation computes them.

Conventions: one stem's left channel, frames of 1 s, rectangular window, an FFT of the frame's own length N of
which bins 0 to N/2 - 1 are taken. See docs/reference/method.md for the table with formulas and units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import scipy

from core.analysis.fft import real_transform
from core.decibels import FloatArray

CONDITION1 = ("centroid", "rms", "slope")
CONDITION2 = ("centroid", "spread", "slope", "loudness", "crossings")
Frames = npt.NDArray[np.floating]
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


def condition1(frames: Frames, sample_rate: int) -> FloatArray:
    """Return centroid (Hz), RMS and slope of frames (n, N), shape (n, 3)."""
    spectra = _spectra(frames, sample_rate)
    return np.stack([spectra.centroid_hz, np.sqrt(spectra.mean_square), spectra.slope], axis=1)


def condition2(weighted_frames: Frames, sample_rate: int) -> FloatArray:
    """Return centroid (Hz), spread (Hz^2), slope, loudness and crossings of K-weighted frames, shape (n, 5)."""
    spectra = _spectra(weighted_frames, sample_rate)
    deviation = (spectra.axes.frequency_hz - spectra.centroid_hz[:, None]) ** 2
    spread = np.vecdot(deviation, spectra.magnitude) / spectra.total
    loudness = 0.691 * 10.0 * np.log10(spectra.mean_square + np.finfo(np.float64).eps)
    crossings = np.count_nonzero(np.diff(np.sign(weighted_frames), axis=1), axis=1)
    return np.stack([spectra.centroid_hz, spread, spectra.slope, loudness, crossings], axis=1)


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


@dataclass(frozen=True)
class _Spectra:
    """Frames' magnitudes (n, N // 2) on their axes, and mean squares (n,)."""

    axes: _Axes
    magnitude: FloatArray
    mean_square: FloatArray

    @cached_property
    def total(self) -> FloatArray:
        total: FloatArray = self.magnitude.sum(axis=1)
        return np.where(total == 0.0, 1.0, total)

    @cached_property
    def centroid_hz(self) -> FloatArray:
        return self.magnitude @ self.axes.frequency_hz / self.total

    @property
    def slope(self) -> FloatArray:
        return self.magnitude @ self.axes.centred_hz / (self.axes.centred_hz @ self.axes.centred_hz)


def _spectra(frames: Frames, sample_rate: int) -> _Spectra:
    """Return the frames' spectra, taken one by one: what an FFT writes is read again while it is in the cache."""
    n_samples = frames.shape[1]
    transform = real_transform((n_samples,), np.float64)
    magnitude = np.empty((len(frames), n_samples // 2))
    mean_square = np.empty(len(frames))
    for index, frame in enumerate(frames):
        transform.rows[:] = frame
        mean_square[index] = np.vecdot(transform.rows, transform.rows) / n_samples
        transform.execute()
        np.abs(transform.spectra[: n_samples // 2], out=magnitude[index])
    return _Spectra(_axes(n_samples, sample_rate), magnitude, mean_square)


@lru_cache
def _axes(n_samples: int, sample_rate: int) -> _Axes:
    frequency_hz = np.linspace(0.0, sample_rate, n_samples)[: n_samples // 2]
    too_long_hz = np.linspace(0.0, sample_rate, n_samples // 2)
    return _Axes(frequency_hz, too_long_hz - too_long_hz.mean())
