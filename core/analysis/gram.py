"""Gram matrices of stems and mixdown.

Conventions: with signals x_0..x_{m-1} (the stems, then the mixdown, then powers of the mixdown if asked for) a Gram
matrix contains the inner products <x_i, x_j> over a stretch of time, shape (m, m). Sums over stretches add, so four
hops make a frame.

There are three inner products, one per domain:

- ``magnitude``: of STFT magnitudes, which the original implementation fits (Zafrin & Chudwick 2015; Hamming
  window of 1024, half overlap, no padding, left channel);
- ``complex``: of complex spectra. By Parseval's theorem the inner product of two spectra is that of the
  samples, so no spectrum is computed; every channel adds its own equations;
- ``power``: of power spectra in 100 ms windows; independent of phase, for mixdowns that are not a linear sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.analysis.spectra import real_transform
from core.audio.framing import STEPS_PER_HOP
from core.audio.io import Samples
from core.decibels import FloatArray

WINDOW_SAMPLES = 1024
STFT_HOP = WINDOW_SAMPLES // 2
_HAMMING: Samples = np.hamming(WINDOW_SAMPLES).astype(np.float32)
LIMITER_POWERS = (2, 3, 7)
"""Powers of the mixdown, with its sign, that model a limiter's inverse (`core.gains.least_squares`)."""
_STRETCHES_AT_ONCE = 10
"""Few enough to stay in the processor's cache from one step to the next."""


def magnitude_gram(frames: Sequence[Samples]) -> FloatArray:
    """Return the Gram matrix (n_signals, n_signals) of the STFT magnitudes of one frame (n_samples,) of each signal."""
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


def sample_grams(signals: Samples, stretch_samples: int, *, with_powers: bool = False) -> FloatArray:
    """Return the Gram matrices of signals' samples, one per stretch, all channels together.

    Products of signals are summed in float64, because float32 does not resolve the difference between two similar stems
    or a quiet stem. Those of the powers are summed in float32.

    Parameters
    ----------
    signals : shape (m, n_channels, n_samples), a whole number of stretches.
    stretch_samples : length of a stretch.
    with_powers : whether powers of the last signal, with its sign, follow as further signals (`LIMITER_POWERS`).

    Returns
    -------
    Array of shape (n_stretches, m, m), or (n_stretches, m + 3, m + 3) with powers.
    """
    m, n_channels, n_samples = signals.shape
    stretches = signals.swapaxes(1, 2).reshape(m, n_samples // stretch_samples, stretch_samples * n_channels)
    return _products_of_stretches(stretches, with_powers=with_powers)


def _products_of_stretches(stretches: Samples, *, with_powers: bool = False) -> FloatArray:
    """Return the Gram matrices of signals' stretches, shape (m, n_stretches, n) to (n_stretches, rows, rows).

    Few long calls are used, because threads wait for each other between calls.
    """
    m, n_stretches, n_values = stretches.shape
    powers = _powers(stretches[-1]) if with_powers else stretches[:0]
    n_rows = m + len(powers)
    rows = np.empty((n_rows, _STRETCHES_AT_ONCE, n_values))
    grams = np.empty((n_stretches, n_rows, n_rows))
    for first in range(0, n_stretches, _STRETCHES_AT_ONCE):
        own = np.s_[first : first + _STRETCHES_AT_ONCE]
        some = rows[:, : len(grams[own])]
        some[:m], some[m:] = stretches[:, own], powers[:, own]
        for row, signal in enumerate(some):  # half as many products as a matrix product takes
            grams[own, row, row:] = np.vecdot(some[row:], signal).T
            grams[own, row:, row] = grams[own, row, row:]
    return grams


def _powers(signal: Samples) -> Samples:
    """Return the signal to each of `LIMITER_POWERS`, with its sign."""
    powers: Samples = np.empty((len(LIMITER_POWERS), *signal.shape), np.float32)
    second, third, seventh = powers
    square = np.square(signal)
    np.multiply(signal, np.abs(signal, out=second), out=second)
    np.multiply(signal, square, out=third)
    np.multiply(third, np.square(square, out=square), out=seventh)
    return powers


def hop_moments(step_grams: FloatArray) -> FloatArray:
    """Return each hop's Gram matrices weighted by 1, tau and tau^2, tau being the position of a step within the hop.

    The shape is (n_hops * 5, m, m) before, and (n_hops, 3, m, m) after.
    """
    tau = (np.arange(STEPS_PER_HOP) + 0.5) / STEPS_PER_HOP
    per_hop = step_grams.reshape(-1, STEPS_PER_HOP, *step_grams.shape[1:])
    return np.einsum("ps,hsij->hpij", np.stack([tau**0, tau, tau**2]), per_hop)


def power_grams(power_spectra: Samples) -> FloatArray:
    """Return the Gram matrices of steps' power spectra, shape (m, n_steps, n_bins) to (n_steps, m, m)."""
    return _products_of_stretches(power_spectra)


def _products(magnitudes: Samples) -> FloatArray:
    """Return the inner products of (n_signals, n_windows, n_bins): float32 within a window, float64 over windows.

    A sum over a whole frame in float32 would lose the sixth digit of a gain.
    """
    product = np.empty((len(magnitudes), len(magnitudes)))
    for index, magnitude in enumerate(magnitudes):
        by_window = np.vecdot(magnitudes[index:], magnitude)
        product[index, index:] = product[index:, index] = by_window.sum(axis=1, dtype=np.float64)
    return product
