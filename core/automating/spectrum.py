"""Average magnitude spectra, as the paper's figures show them.

Source: Zafrin & Chudwick (2015), section 5: 4096-point Hann windows, half overlap, magnitudes averaged over time.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from core.audio.reading import Samples
from core.decibels import FloatArray, db_to_gain, gain_to_db

WINDOW_SAMPLES = 4096
_HOP = WINDOW_SAMPLES // 2
_BANDS_AN_OCTAVE = 6


class AverageSpectrum:
    """Gathers the average magnitude spectrum of a signal that comes in pieces."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self.frequency_hz: FloatArray = np.fft.rfftfreq(WINDOW_SAMPLES, 1.0 / sample_rate).astype(np.float64)
        self._sum = np.zeros(WINDOW_SAMPLES // 2 + 1)
        self._n_windows = 0
        self._left_over = np.empty((0, 0), np.float32)
        self._window = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)

    def add(self, samples: Samples) -> None:
        """Take in the next samples, shape (n_channels, n_samples)."""
        left_over = self._left_over if self._left_over.size else samples[:, :0]
        signal = np.concatenate([left_over, samples], axis=1)
        n_windows = max(0, (signal.shape[1] - WINDOW_SAMPLES) // _HOP + 1)
        if n_windows:
            windows = sliding_window_view(signal, WINDOW_SAMPLES, axis=1)[:, ::_HOP]
            magnitude = np.abs(scipy.fft.rfft(windows * self._window))
            self._sum += magnitude.mean(axis=0).sum(axis=0, dtype=np.float64)
            self._n_windows += n_windows
        self._left_over = signal[:, n_windows * _HOP :].copy()

    def louder(self, gain_db: float) -> AverageSpectrum:
        """Return the spectrum of the same signal, `gain_db` louder."""
        moved = AverageSpectrum(self._sample_rate)
        moved._sum, moved._n_windows = self._sum * float(db_to_gain(gain_db)), self._n_windows
        return moved

    @property
    def magnitude(self) -> FloatArray:
        """The average over windows and channels, a full-scale sine being 1, shape (n_bins,)."""
        scale = 2.0 / float(self._window.sum())
        return self._sum * (scale / max(self._n_windows, 1))


def in_bands(frequency_hz: FloatArray, magnitude: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return centres (Hz) and levels (dB) of sixths of an octave, 20 Hz to 20 kHz, (n_bands,), none empty."""
    edges_hz = 20.0 * 2.0 ** (np.arange(10 * _BANDS_AN_OCTAVE + 1) / _BANDS_AN_OCTAVE)
    band = np.digitize(frequency_hz, edges_hz) - 1
    centres_hz, levels_db = [], []
    for index in range(len(edges_hz) - 1):
        inside = band == index
        if inside.any():
            centres_hz.append(float(np.sqrt(edges_hz[index] * edges_hz[index + 1])))
            levels_db.append(float(gain_to_db(np.sqrt(np.mean(magnitude[inside] ** 2)))))
    return np.array(centres_hz), np.array(levels_db)
