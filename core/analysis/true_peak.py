"""True peak by oversampling.

Conventions: signals are float32, shape (n_channels, n_samples), full scale 1.0. Below 88.2 kHz a signal is oversampled
four times, below 176.4 kHz twice, above that its samples are dense enough.

Source: ITU-R BS.1770-4, annex 2. The interpolator is a Kaiser-windowed sinc with twice the taps of the annex's example.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from core.audio.io import Samples

CONTEXT_SAMPLES = 12
"""Samples on either side of an interval that its interpolated values depend on."""
_N_TAPS = 2 * CONTEXT_SAMPLES
_KAISER_BETA = 6.0
_CHUNK_SAMPLES = 32
_CHUNKS_AT_ONCE = 768
"""Few enough that what is computed of them stays in the processor's cache."""
_NEAREST_SHARE = 0.69
"""A grid of half samples has a value of at least cos(pi / 4) times the peak next to it; this allows a little less."""


def true_peak(signal: Samples, sample_rate: int, known_peak: float = 0.0) -> float:
    """Return the larger of `known_peak` and the largest absolute value at and between a signal's samples.

    Only the parts of the signal that can exceed what was found before are oversampled, so the result is the same as if
    all of it were. First come the values half-way between samples. A band-limited signal is at least as large as a
    cosine around its maximum, so the remaining values are needed only next to values near the maximum.

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
    inner = signal[:, CONTEXT_SAMPLES:-CONTEXT_SAMPLES]
    peak = max(known_peak, _largest(inner))
    factor = oversampling(sample_rate)
    if factor == 1 or peak == 0.0:
        return peak
    half, between = _interpolators(factor)
    largest_overshoot = float(np.abs(half[:_N_TAPS, 0]).sum())
    for chunks in _chunks(signal, n_intervals):
        if _largest(chunks) * largest_overshoot <= peak * _NEAREST_SHARE:
            continue
        half_way = np.abs(chunks @ half)
        peak = max(peak, float(half_way.max()))
        if factor > 2:
            threshold = peak * _NEAREST_SHARE
            near = (half_way >= threshold).any(axis=1) | (np.abs(chunks) >= threshold).any(axis=1)
            peak = max(peak, _largest(chunks[near] @ between))
    return peak


def oversampling(sample_rate: int) -> int:
    """Return how many times a signal of `sample_rate` Hz is oversampled: 4, 2 or 1."""
    return 4 if sample_rate < 88_200 else 2 if sample_rate < 176_400 else 1


def _chunks(signal: Samples, n_intervals: int) -> Iterator[Samples]:
    """Give pieces of the channels, with the context of their intervals, shape (n, chunk + taps - 1), some at a time."""
    length = _CHUNK_SAMPLES + _N_TAPS - 1
    n_chunks = -(-n_intervals // _CHUNK_SAMPLES)
    padded: Samples = np.zeros(n_chunks * _CHUNK_SAMPLES + _N_TAPS - 1, np.float32)
    n_copied = min(signal.shape[1], len(padded))
    for channel in signal:
        padded[:n_copied] = channel[:n_copied]
        pieces = sliding_window_view(padded, length)[::_CHUNK_SAMPLES]
        for first in range(0, n_chunks, _CHUNKS_AT_ONCE):
            yield np.ascontiguousarray(pieces[first : first + _CHUNKS_AT_ONCE])


def _largest(samples: Samples) -> float:
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


@lru_cache
def _interpolators(factor: int) -> tuple[Samples, Samples]:
    """Return matrices that turn a chunk into the values half-way between its samples, and into those in between."""
    halves = [0.5]
    others = [step / factor for step in range(1, factor) if 2 * step != factor]
    return _matrix(halves), _matrix(others)


def _matrix(offsets: list[float]) -> Samples:
    """Return the matrix (chunk + taps - 1, n_offsets * chunk) that interpolates `offsets` after each sample."""
    matrix = np.zeros((_CHUNK_SAMPLES + _N_TAPS - 1, len(offsets), _CHUNK_SAMPLES))
    for index, offset in enumerate(offsets):
        taps = _taps(offset)
        for sample in range(_CHUNK_SAMPLES):
            matrix[sample : sample + _N_TAPS, index, sample] = taps
    return matrix.reshape(len(matrix), -1).astype(np.float32)


def _taps(offset: float) -> npt.NDArray[np.float64]:
    """Return the weights of the 24 samples around a value `offset` after the twelfth one."""
    distance = np.arange(_N_TAPS) - (CONTEXT_SAMPLES - 1) - offset
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / CONTEXT_SAMPLES) ** 2)))
    taps = np.sinc(distance) * window
    return np.asarray(taps / taps.sum())
