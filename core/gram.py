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
_STRETCHES_AT_ONCE = 5
"""Few enough that signals and powers stay in the processor's cache until their products are taken."""
_RUN_SAMPLES = 50
"""Stems far below the rest of the mixdown still tell their gain to a few thousandths of a dB."""


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


def sample_grams(signals: Samples, stretch_samples: int, *, with_powers: bool = False) -> FloatArray:
    """Return the Gram matrices of signals' samples, one a stretch, all channels together.

    Runs of `_RUN_SAMPLES` are summed in float32, which leaves a relative error of 1e-8, and the runs in float64.

    Parameters
    ----------
    signals : shape (m, n_channels, n_samples), a whole number of stretches.
    stretch_samples : length of a stretch.
    with_powers : whether powers of the last signal, its sign kept, follow as further signals (`LIMITER_POWERS`).

    Returns
    -------
    Array of shape (n_stretches, m, m), or (n_stretches, m + 3, m + 3) with powers.
    """
    values = signals.swapaxes(1, 2)
    m, n_samples, n_channels = values.shape
    n_rows = m + (len(LIMITER_POWERS) if with_powers else 0)
    rows = np.empty((n_rows, _STRETCHES_AT_ONCE * stretch_samples, n_channels), np.float32)
    grams = np.empty((n_samples // stretch_samples, n_rows, n_rows))
    n_runs = _n_runs(stretch_samples)
    for first in range(0, len(grams), _STRETCHES_AT_ONCE):
        own = grams[first : first + _STRETCHES_AT_ONCE]
        piece = rows[:, : len(own) * stretch_samples]
        piece[:m] = values[:, first * stretch_samples :][:, : piece.shape[1]]
        if with_powers:
            _fill_in_powers(piece[m - 1], piece[m:])
        runs = piece.reshape(n_rows, len(own) * n_runs, -1).swapaxes(0, 1)
        products = np.matmul(runs, runs.swapaxes(1, 2)).reshape(len(own), n_runs, n_rows, n_rows)
        np.sum(products, axis=1, dtype=np.float64, out=own)
    return grams


def _n_runs(stretch_samples: int) -> int:
    """Return into how many runs of equal length a stretch is cut."""
    fewest = -(-stretch_samples // _RUN_SAMPLES)
    return next(n for n in range(fewest, stretch_samples + 1) if stretch_samples % n == 0)


def _fill_in_powers(signal: Samples, powers: Samples) -> None:
    second, third, seventh = powers
    square = np.square(signal)
    np.multiply(signal, np.abs(signal, out=second), out=second)
    np.multiply(signal, square, out=third)
    np.multiply(third, np.square(square, out=square), out=seventh)


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
