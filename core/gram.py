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

from collections.abc import Sequence

import numpy as np

from core.audio import Samples
from core.decibels import FloatArray
from core.fftw import real_transform
from core.frames import STEPS_PER_HOP

WINDOW_SAMPLES = 1024
STFT_HOP = WINDOW_SAMPLES // 2
LIMITER_POWERS = (2, 3, 7)
"""Powers of the mixdown, its sign kept, that a limiter's inverse is built from; see `core.linear_fit`."""


def hamming(length: int) -> Samples:
    """Return the symmetric Hamming window, 0.54 - 0.46 cos(2 pi n / (length - 1))."""
    return np.hamming(length).astype(np.float32)


def magnitude_gram(frames: Sequence[Samples]) -> FloatArray:
    """Return the Gram matrix of the frames' STFT magnitudes.

    Parameters
    ----------
    frames : one frame of each signal, each of shape (frame_samples,).

    Returns
    -------
    Array of shape (n_signals, n_signals).
    """
    n_windows = (len(frames[0]) - WINDOW_SAMPLES) // STFT_HOP + 1
    transform = real_transform((n_windows, WINDOW_SAMPLES), np.float32)
    magnitudes = np.empty((len(frames), *transform.spectra.shape), np.float32)
    for frame, magnitude in zip(frames, magnitudes, strict=True):
        halves = frame[: (n_windows + 1) * STFT_HOP].reshape(-1, STFT_HOP)
        np.multiply(halves[:-1], _HAMMING[:STFT_HOP], out=transform.rows[:, :STFT_HOP])
        np.multiply(halves[1:], _HAMMING[STFT_HOP:], out=transform.rows[:, STFT_HOP:])
        transform.execute()
        np.abs(transform.spectra, out=magnitude)
    return _products(magnitudes)


def sample_grams(signals: Samples, stretch_samples: int) -> FloatArray:
    """Return the Gram matrices of signals' samples, one a stretch, all channels together.

    Short stretches may be summed in float32 (a relative error of 1e-7); it is longer ones that may not.

    Parameters
    ----------
    signals : shape (m, n_channels, n_samples), a whole number of stretches.
    stretch_samples : length of a stretch.

    Returns
    -------
    Array of shape (n_stretches, m, m).
    """
    m, n_channels, _ = signals.shape
    stretches = signals.reshape(m, n_channels, -1, stretch_samples).transpose(2, 1, 0, 3)
    products = np.matmul(stretches, stretches.swapaxes(2, 3))
    return products.sum(axis=1, dtype=np.float64)


def with_powers_of_last(signals: Samples) -> Samples:
    """Return `signals` with the last one's powers, its sign kept, appended along axis 0: `LIMITER_POWERS`."""
    n_signals = len(signals)
    powers: Samples = np.empty((n_signals + len(LIMITER_POWERS), *signals.shape[1:]), np.float32)
    powers[:n_signals] = signals
    last, second, third, seventh = powers[n_signals - 1 :]
    square = last**2
    np.multiply(last, np.abs(last), out=second)
    np.multiply(last, square, out=third)
    np.multiply(third, np.multiply(square, square, out=square), out=seventh)
    return powers


def hop_moments(step_grams: FloatArray) -> FloatArray:
    """Return each hop's Gram matrices weighted by 1, tau and tau^2, tau being where in the hop a step lies.

    Parameters
    ----------
    step_grams : shape (n_hops * 5, m, m).

    Returns
    -------
    Array of shape (n_hops, 3, m, m).
    """
    tau = (np.arange(STEPS_PER_HOP) + 0.5) / STEPS_PER_HOP
    per_hop = step_grams.reshape(-1, STEPS_PER_HOP, *step_grams.shape[1:])
    return np.einsum("ps,hsij->hpij", np.stack([tau**0, tau, tau**2]), per_hop)


def power_grams(power_spectra: Samples) -> FloatArray:
    """Return the Gram matrices of steps' power spectra, shape (m, n_steps, n_bins) to (n_steps, m, m)."""
    per_step = power_spectra.swapaxes(0, 1).astype(np.float64)
    return np.matmul(per_step, per_step.swapaxes(1, 2))


def _products(magnitudes: Samples) -> FloatArray:
    """Return the inner products of (n_signals, n_windows, n_bins): float32 within a window, float64 over them.

    A whole frame summed in float32 would cost the sixth digit of a gain.
    """
    product = np.empty((len(magnitudes), len(magnitudes)))
    for index, magnitude in enumerate(magnitudes):
        by_window = np.vecdot(magnitudes[index:], magnitude)
        product[index, index:] = product[index:, index] = by_window.sum(axis=1, dtype=np.float64)
    return product


_HAMMING = hamming(WINDOW_SAMPLES)
