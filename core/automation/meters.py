"""Streaming meters: gated loudness and true peak.

Sources: ITU-R BS.1770-4, annex 1 (loudness) and annex 2 (true peak by fourfold oversampling).
"""

from __future__ import annotations

import numpy as np
import scipy

from core.analysis.loudness import integrated_lufs, k_filter
from core.audio.io import Samples
from core.decibels import FloatArray, gain_to_db

_OVERSAMPLING = 4
_CONTEXT = 32
_LARGEST_OVERSHOOT = 2.0
"""A true peak is looked for only where a sample comes within 6 dB of the largest found so far."""


class LoudnessMeter:
    """Measures gated loudness; give it whole multiples of 50 ms, but for the last."""

    def __init__(self, sample_rate: int, n_channels: int) -> None:
        self._sections = k_filter(sample_rate)
        self._step = sample_rate // 20
        self._state = np.zeros((len(self._sections), n_channels, 2))
        self._powers: list[FloatArray] = []

    def add(self, samples: Samples) -> None:
        """Take in the next samples, shape (n_channels, n_samples)."""
        weighted, self._state = scipy.signal.sosfilt(self._sections, samples, zi=self._state)
        if not self._powers:  # all there is may be shorter than a step: then silence ends it
            weighted = np.pad(weighted, ((0, 0), (0, max(0, self._step - weighted.shape[1]))))
        n_steps = weighted.shape[1] // self._step
        steps = weighted[:, : n_steps * self._step].reshape(len(weighted), n_steps, self._step)
        self._powers.append(np.einsum("cst,cst->s", steps, steps) / self._step)

    @property
    def integrated_lufs(self) -> float:
        """The gated loudness so far, LUFS."""
        return integrated_lufs(np.concatenate(self._powers)) if self._powers else integrated_lufs(np.zeros(1))


class TruePeakMeter:
    """Measures the largest true peak."""

    def __init__(self, n_channels: int) -> None:
        self._context = np.zeros((n_channels, 2 * _CONTEXT), np.float32)
        self.peak = 0.0

    def add(self, samples: Samples) -> None:
        """Take in the next samples, shape (n_channels, n_samples)."""
        signal = np.concatenate([self._context, samples], axis=1)
        self._context = signal[:, -2 * _CONTEXT :]
        sample_peak = float(np.abs(signal).max())
        if sample_peak * _LARGEST_OVERSHOOT > self.peak:
            self.peak = max(self.peak, _inner_peak(signal), float(np.abs(samples).max()))

    @property
    def peak_dbtp(self) -> float:
        """The largest true peak so far, dBTP, if silence follows."""
        ended = np.pad(self._context, ((0, 0), (0, _CONTEXT)))
        return float(gain_to_db(max(self.peak, _inner_peak(ended))))


def _inner_peak(signal: Samples) -> float:
    """Return the largest value between and at the samples (n_channels, n_samples), the context at both ends aside."""
    oversampled = scipy.signal.resample_poly(signal, _OVERSAMPLING, 1, axis=1)
    inner = oversampled[:, _CONTEXT * _OVERSAMPLING : -_CONTEXT * _OVERSAMPLING]
    return float(np.abs(inner).max(initial=0.0))
