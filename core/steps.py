"""Short-time power spectra on 50 ms steps: what the default preset's features and power domain stand on.

Conventions: a window is two steps (100 ms) long and centred on its step. Its shape is a half sine, so that two
neighbours' squares add to 1 and the powers of all windows add to the signal's, none counted twice. A power
spectrum is one-sided, sums over its bins to the step's mean square, and adds the channels; shape
(n_steps, n_bins), float32.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from core.audio import Samples
from core.decibels import FloatArray
from core.frames import STEPS_PER_HOP, Framing


def samples_before(framing: Framing) -> int:
    """Return how many samples before the first hop its first window reaches."""
    return framing.step_samples // 2


def samples_after(framing: Framing) -> int:
    """Return how many samples after the last hop its last window reaches."""
    return 2 * framing.step_samples - samples_before(framing) - framing.step_samples


def frequencies_hz(framing: Framing) -> FloatArray:
    """Return the bins' frequencies, shape (n_bins,): 10 Hz apart."""
    return np.fft.rfftfreq(2 * framing.step_samples, 1.0 / framing.sample_rate)


def step_power_spectra(signal: Samples, framing: Framing, n_hops: int) -> Samples:
    """Return the power spectra of a signal's steps.

    Parameters
    ----------
    signal : shape (n_channels, n_samples), beginning `samples_before` before the first hop.
    n_hops : how many hops to take.
    """
    length = 2 * framing.step_samples
    windows = sliding_window_view(signal, length, axis=1)[:, :: framing.step_samples]
    total: Samples = np.zeros((n_hops * STEPS_PER_HOP, length // 2 + 1), np.float32)
    for channel in windows[:, : len(total)]:
        spectrum = scipy.fft.rfft(channel * _half_sine(length))
        total += spectrum.real**2
        total += spectrum.imag**2
    return total


@lru_cache
def _half_sine(length: int) -> Samples:
    """Return the window, scaled so that a one-sided power spectrum sums to the step's mean square."""
    window = np.sin(np.pi * (np.arange(length) + 0.5) / length)
    return (window * np.sqrt(2.0 / (length * (length // 2)))).astype(np.float32)
