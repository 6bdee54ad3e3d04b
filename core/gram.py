"""Gram matrices: all that a least-squares fit of the mixdown by the stems needs of the audio.

Conventions: with signals x_0..x_{m-1} (the stems, then the mixdown, then powers of the mixdown where they are
asked for) a Gram matrix holds the inner products <x_i, x_j> over a stretch of time, shape (m, m). Sums over
stretches add, so four hops make a frame.

Three inner products, one a domain:

- ``magnitude``: of STFT magnitudes, what the original implementation fits (Zafrin & Chudwick 2015; Hamming
  window of 1024, half overlap, no padding, left channel);
- ``complex``: of complex spectra. By Parseval's theorem the inner product of two spectra is that of the
  samples, so no spectrum is taken at all; every channel adds its own equations;
- ``power``: of power spectra in 100 ms windows; blind to phase, for mixdowns that are no linear sum.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from core.audio import Samples
from core.decibels import FloatArray

WINDOW_SAMPLES = 1024
STFT_HOP = WINDOW_SAMPLES // 2
LIMITER_POWERS = (3, 5, 7)
"""Odd powers of the mixdown that a limiter's inverse is built from; see `core.alignment`."""


def hamming(length: int) -> Samples:
    """Return the symmetric Hamming window, 0.54 - 0.46 cos(2 pi n / (length - 1))."""
    return np.hamming(length).astype(np.float32)


def magnitude_gram(frames: Samples) -> FloatArray:
    """Return the Gram matrix of the frames' STFT magnitudes.

    Parameters
    ----------
    frames : one frame of each signal, shape (n_signals, frame_samples).

    Returns
    -------
    Array of shape (n_signals, n_signals).
    """
    columns = sliding_window_view(frames, WINDOW_SAMPLES, axis=1)[:, ::STFT_HOP]
    magnitudes = np.stack([np.abs(scipy.fft.rfft(signal * _HAMMING)) for signal in columns])
    return _products(magnitudes)


def sample_gram(signals: Samples) -> FloatArray:
    """Return the Gram matrix of signals' samples, shape (m, n_channels, n_samples) to (m, m)."""
    return _products(signals)


def with_powers_of_last(signals: Samples) -> Samples:
    """Return `signals` with the last one's odd powers appended along axis 0, as `LIMITER_POWERS` names them."""
    mixdown = signals[-1:]
    square = mixdown * mixdown
    powers = [mixdown * square ** (power // 2) for power in LIMITER_POWERS]
    return np.concatenate([signals, *powers])


def power_gram(power_spectra: Samples) -> FloatArray:
    """Return the Gram matrix of power spectra, shape (n_signals, n_windows, n_bins) to (n_signals, n_signals)."""
    return _products(power_spectra)


def _products(signals: Samples) -> FloatArray:
    flat = signals.reshape(len(signals), -1).astype(np.float64)  # float32 sums cost the sixth digit of a gain
    product: FloatArray = flat @ flat.T
    return product


_HAMMING = hamming(WINDOW_SAMPLES)
