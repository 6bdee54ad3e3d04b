"""True peak by oversampling.

Conventions: signals are float32, shape (n_channels, n_samples), full scale 1.0. Below 88.2 kHz a signal is oversampled
four times, below 176.4 kHz twice, above that its samples are dense enough.

Source: ITU-R BS.1770-4, annex 2. The interpolator is a Kaiser-windowed sinc with twice the taps of the annex's example.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from core.audio.io import Samples

CONTEXT_SAMPLES = 12
"""Samples on either side of an interval that its interpolated values depend on."""
_N_TAPS = 2 * CONTEXT_SAMPLES
_KAISER_BETA = 6.0
_CHUNK_SAMPLES = 32


def true_peak(signal: Samples, sample_rate: int, known_peak: float = 0.0) -> float:
    """Return the larger of `known_peak` and the largest absolute value at and between a signal's samples.

    Only chunks of the signal that can exceed what was found before are oversampled, so the result is the same as if all
    of it were. A value between two samples exceeds the larger of them by no more than a multiple of the largest second
    difference around them, and is itself no more than a multiple of the largest sample around it; both factors follow
    from the interpolator's taps.

    Parameters
    ----------
    signal : shape (n_channels, n_samples). Its first and last `CONTEXT_SAMPLES` samples are only context.
    sample_rate : in Hz.
    known_peak : the peak of the parts that were measured before, linear.

    Examples
    --------
    A sine at a quarter of the sample rate whose samples all miss its maxima:

    >>> import numpy as np
    >>> time_s = np.arange(4800) / 48_000
    >>> sine = np.hanning(4800) * np.sin(2 * np.pi * 12_000 * time_s + np.pi / 4)
    >>> round(float(np.abs(sine).max()), 2), round(true_peak(sine.astype(np.float32)[None], 48_000), 2)
    (0.71, 1.0)
    """
    n_intervals = signal.shape[1] - _N_TAPS
    if n_intervals <= 0:
        return known_peak
    n_channels = len(signal)
    frames = np.ascontiguousarray(signal.T)
    magnitudes = np.abs(frames).reshape(-1)
    peak = max(known_peak, float(magnitudes[CONTEXT_SAMPLES * n_channels : -CONTEXT_SAMPLES * n_channels].max()))
    factor = oversampling(sample_rate)
    if factor == 1 or peak == 0.0:
        return peak
    interpolator = _interpolator(factor)
    levels = np.maximum.reduceat(magnitudes, np.arange(0, len(magnitudes), _CHUNK_SAMPLES * n_channels))
    largest = np.maximum(levels, np.append(levels[1:], 0.0))[: -(-n_intervals // _CHUNK_SAMPLES)]
    near = np.flatnonzero(largest * interpolator.largest_gain > peak)
    samples = near[:, None] * _CHUNK_SAMPLES + np.arange(_CHUNK_SAMPLES + _N_TAPS - 1)
    chunks = frames[np.minimum(samples, len(frames) - 1)]
    curvature = np.abs(np.diff(chunks, n=2, axis=1)).max(axis=(1, 2), initial=0.0)
    bound = largest[near] * interpolator.gain_of_line + curvature * interpolator.gain_of_curvature
    chosen = bound > peak
    values = np.abs(chunks[chosen].swapaxes(1, 2) @ interpolator.matrix)
    is_inside = near[chosen, None] * _CHUNK_SAMPLES + np.arange(_CHUNK_SAMPLES) < n_intervals
    inside = np.tile(is_inside, factor - 1)[:, None]
    return max(peak, float(values.max(initial=0.0, where=inside)))


def oversampling(sample_rate: int) -> int:
    """Return how many times a signal of `sample_rate` Hz is oversampled: 4, 2 or 1."""
    return 4 if sample_rate < 88_200 else 2 if sample_rate < 176_400 else 1


@dataclass(frozen=True)
class _Interpolator:
    """The values between the samples of a chunk, and how large they can be.

    Attributes
    ----------
    matrix : a chunk with its context to all values in between, shape (chunk + taps - 1, (factor - 1) * chunk).
    largest_gain : the largest ratio of a value and the largest sample around it.
    gain_of_line, gain_of_curvature : a value is at most the largest sample times the one plus the largest second
        difference times the other.
    """

    matrix: Samples
    largest_gain: float
    gain_of_line: float
    gain_of_curvature: float


@lru_cache
def _interpolator(factor: int) -> _Interpolator:
    offsets = [step / factor for step in range(1, factor)]
    matrix = np.zeros((_CHUNK_SAMPLES + _N_TAPS - 1, len(offsets), _CHUNK_SAMPLES))
    gains = np.zeros((len(offsets), 3))
    for index, offset in enumerate(offsets):
        taps = _taps(offset)
        for sample in range(_CHUNK_SAMPLES):
            matrix[sample : sample + _N_TAPS, index, sample] = taps
        taps[CONTEXT_SAMPLES - 1 : CONTEXT_SAMPLES + 1] -= 1.0 - offset, offset
        of_differences = np.cumsum(np.cumsum(taps))  # the rest as a filter of second differences, and a slope
        slope = abs(of_differences[-1])
        gains[index] = np.abs(_taps(offset)).sum(), 1.0 + 2.0 * slope, np.abs(of_differences[:-2]).sum()
    return _Interpolator(matrix.reshape(len(matrix), -1).astype(np.float32), *(1.0001 * gains.max(axis=0)).tolist())


def _taps(offset: float) -> npt.NDArray[np.float64]:
    """Return the weights of the 24 samples around a value `offset` after the twelfth one."""
    distance = np.arange(_N_TAPS) - (CONTEXT_SAMPLES - 1) - offset
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / CONTEXT_SAMPLES) ** 2)))
    taps = np.sinc(distance) * window
    return np.asarray(taps / taps.sum())
