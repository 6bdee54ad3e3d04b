"""Signals that several tests measure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.signal

from core.automation.render import OVERLAPPING_DISTANCE, AverageSpectrum, SpectrumSums


def swelling_noise(duration_s: float, sample_rate: int, n_channels: int = 2) -> npt.NDArray[np.float32]:
    """Return noise that swells and pauses, louder at low frequencies, shape (n_channels, n_samples)."""
    n = round(duration_s * sample_rate)
    white = np.random.default_rng(0).normal(size=(n_channels, n)) * 0.2
    swell = 0.55 + 0.45 * np.sin(2.0 * np.pi * np.arange(n) / sample_rate / 3.0)
    return np.asarray(scipy.signal.lfilter([1.0], [1.0, -0.9], white) * swell, np.float32)


def average_spectrum(
    samples: npt.NDArray[np.float32], sample_rate: int, *, distance: int = OVERLAPPING_DISTANCE
) -> AverageSpectrum:
    """Return the average spectrum of a whole signal (n_channels, n_samples)."""
    sums = SpectrumSums(sample_rate, samples.shape[1], distance)
    sums.add(samples, 0, samples.shape[1])
    return sums.average()
