"""K-weighting, gating, integrated loudness and true peak (ITU-R BS.1770).

Conventions: K-weighted powers are mean squares per 50 ms step, summed over the channels with the weights of
`channel_weights`; a loudness is -0.691 + 10 log10 of such a power, in LUFS. Silence is `FLOOR_LUFS`. For true peak,
signals below 88.2 kHz are oversampled four times, those below 176.4 kHz twice; above that samples are dense enough.

Sources: ITU-R BS.1770-4, annex 1 (filters, channel weights, 400 ms blocks with 75 % overlap, gates at -70 LUFS and
10 LU below the ungated mean) and annex 2 (true peak; the interpolator is a Kaiser-windowed sinc with twice the taps of
the annex's example); coefficients at any sample rate after De Man (2014), as in pyloudnorm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.decibels import FloatArray, power_to_db

if TYPE_CHECKING:
    from core.audio.io import Samples


FLOOR_LUFS = -120.0
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
_OFFSET = -0.691
_STEPS_A_BLOCK = 8
_STEPS_BETWEEN_BLOCKS = 2
_SETTLING_S = 0.06
"""The K-weighting's impulse response has decayed to 1e-5 after this time."""
_BLOCK_SAMPLES = 32
_GROUP_BLOCKS = 8
_DECAYED = 1e-9
_SURROUND_WEIGHT = 1.41
_LOUDNESS_ROUNDS = 20
_LOUDNESS_TOLERANCE_LU = 1e-3
CONTEXT_SAMPLES = 12
"""Samples on either side of an interval that its interpolated values depend on."""
_N_TAPS = 2 * CONTEXT_SAMPLES
_KAISER_BETA = 6.0
_CHUNK_SAMPLES = 32


@lru_cache
def k_filter(sample_rate: int) -> FloatArray:
    """Return BS.1770's two filters as second-order sections (b0, b1, b2, a0, a1, a2), shape (2, 6)."""
    k, q = math.tan(math.pi * 1681.9744509555319 / sample_rate), 0.7071752369554193
    high = 10.0 ** (3.99984385397 / 20.0)
    band = high**0.499666774155
    scale = 1.0 + k / q + k**2
    feedback = [1.0, 2.0 * (k**2 - 1.0) / scale, (1.0 - k / q + k**2) / scale]
    shelf = [(high + band * k / q + k**2) / scale, 2.0 * (k**2 - high) / scale, (high - band * k / q + k**2) / scale]
    k, q = math.tan(math.pi * 38.13547087613982 / sample_rate), 0.5003270373253953
    scale = 1.0 + k / q + k**2
    high_pass = [1.0, -2.0, 1.0, 1.0, 2.0 * (k**2 - 1.0) / scale, (1.0 - k / q + k**2) / scale]
    return np.array([[*shelf, *feedback], high_pass])


def k_response(sample_rate: int, frequency_hz: FloatArray) -> npt.NDArray[np.complex128]:
    """Return the K-weighting's complex frequency response at `frequency_hz`, same shape."""
    delay = np.exp(-2j * np.pi * np.asarray(frequency_hz) / sample_rate)
    response = np.ones_like(delay)
    for b0, b1, b2, a0, a1, a2 in k_filter(sample_rate):
        response *= (b0 + (b1 + b2 * delay) * delay) / (a0 + (a1 + a2 * delay) * delay)
    return response


def k_weights(sample_rate: int, frequency_hz: FloatArray) -> FloatArray:
    """Return the K-weighting's power response at `frequency_hz`, same shape."""
    weights: FloatArray = np.abs(k_response(sample_rate, frequency_hz)) ** 2
    return weights


def settling_samples(sample_rate: int) -> int:
    """Return how many samples before a step `k_weighted_step_powers` needs."""
    return round(_SETTLING_S * sample_rate)


def channel_weights(n_channels: int) -> FloatArray:
    """Return how much each channel's power counts, shape (n_channels,).

    Channels are in the usual order for their number: left, right, centre (with three channels, and with five and more),
    the low-frequency channel, which does not count (with six and more), then surround channels (1.41).

    Examples
    --------
    >>> channel_weights(6).tolist()
    [1.0, 1.0, 1.0, 0.0, 1.41, 1.41]
    """
    n_front = {3: 3, 4: 2}.get(n_channels, min(n_channels, 3))
    weights = np.full(n_channels, _SURROUND_WEIGHT)
    weights[:n_front] = 1.0
    if n_channels > 5:
        weights[3] = 0.0
    return weights


def k_weighted_step_powers(signal: Samples, sample_rate: int, n_steps: int) -> FloatArray:
    """Return the K-weighted power of 50 ms steps, channels added with their weights, shape (n_steps,).

    The recursive filter runs over blocks of samples: one matrix product gives a block's output from its samples and
    from the filter's state before it. The states before the blocks of a group are found in the same way.

    Parameters
    ----------
    signal : shape (n_channels, n_samples), beginning `settling_samples` before the first step.
    sample_rate : in Hz, a multiple of 20.
    n_steps : how many steps to take; samples that are missing at the end are silent.
    """
    step, settling = sample_rate // 20, settling_samples(sample_rate)
    blocks, groups = _block_filters(sample_rate)
    weights = channel_weights(len(signal))
    heard = signal if weights.all() else signal[weights > 0.0]
    n_samples = settling + n_steps * step
    n_groups = -(-n_samples // (_BLOCK_SAMPLES * _GROUP_BLOCKS))
    rows: Samples = np.zeros((len(heard), n_groups * _GROUP_BLOCKS, len(blocks.output)), np.float32)
    samples, states = rows[..., :_BLOCK_SAMPLES], rows[..., _BLOCK_SAMPLES:]
    n_whole, n_rest = divmod(min(signal.shape[1], n_samples), _BLOCK_SAMPLES)
    samples[:, :n_whole] = heard[:, : n_whole * _BLOCK_SAMPLES].reshape(len(heard), n_whole, _BLOCK_SAMPLES)
    if n_rest:
        samples[:, n_whole, :n_rest] = heard[:, n_whole * _BLOCK_SAMPLES : n_whole * _BLOCK_SAMPLES + n_rest]
    of_groups = np.empty((len(heard), n_groups, len(groups.output)))
    added, before = of_groups[..., : len(groups.gather)], of_groups[..., len(groups.gather) :]
    added[:] = (samples @ blocks.gather).reshape(added.shape)
    before[:] = _states_before(added @ groups.gather, groups.advance)
    states[:] = (of_groups @ groups.output).reshape(states.shape)
    filtered = (rows @ blocks.output).reshape(len(heard), -1)
    of_steps = filtered[:, settling:n_samples].reshape(len(heard), n_steps, step)
    powers: FloatArray = weights[weights > 0.0] @ np.vecdot(of_steps, of_steps) / step
    return powers


@dataclass(frozen=True)
class _BlockFilter:
    """A recursive filter of `n` inputs at once, with a state of k values.

    Attributes
    ----------
    output : the inputs of a block and the state before it, to its outputs, shape (n_inputs + k, n_outputs).
    gather : the inputs of a block to what they add to the state, shape (n_inputs, k).
    advance : the state before a block to what is left of it after the block, shape (k, k).
    """

    output: npt.NDArray[np.floating]
    gather: npt.NDArray[np.floating]
    advance: FloatArray


@lru_cache
def _block_filters(sample_rate: int) -> tuple[_BlockFilter, _BlockFilter]:
    """Return the K-weighting of a block of samples, and the filter of its states for a group of blocks."""
    update, entry = np.zeros((0, 0)), np.zeros((0, 1))
    exit_, direct = np.zeros((1, 0)), np.ones((1, 1))
    for b0, b1, b2, _, a1, a2 in k_filter(sample_rate):  # one section after the other, in transposed direct form II
        own_update, own_entry = np.array([[-a1, 1.0], [-a2, 0.0]]), np.array([[b1 - a1 * b0], [b2 - a2 * b0]])
        update = np.block([[update, np.zeros((len(update), 2))], [own_entry @ exit_, own_update]])
        entry = np.vstack([entry, own_entry @ direct])
        exit_, direct = np.hstack([b0 * exit_, [[1.0, 0.0]]]), b0 * direct
    blocks = _block_filter(update, entry, exit_, direct, _BLOCK_SAMPLES)
    same = np.eye(len(update))
    groups = _block_filter(blocks.advance, same, same, np.zeros_like(same), _GROUP_BLOCKS)
    return replace(blocks, output=blocks.output.astype(np.float32), gather=blocks.gather.astype(np.float32)), groups


def _block_filter(
    update: FloatArray, entry: FloatArray, exit_: FloatArray, direct: FloatArray, n_blocks: int
) -> _BlockFilter:
    """Return `n_blocks` steps at once of the filter x' = update x + entry u, y = exit x + direct u."""
    powers = [np.eye(len(update))]
    for _ in range(n_blocks):
        powers.append(update @ powers[-1])
    responses = [direct.T, *((exit_ @ power @ entry).T for power in powers[: n_blocks - 1])]
    silent = np.zeros_like(direct.T)
    rows = [np.hstack([*[silent] * first, *responses[: n_blocks - first]]) for first in range(n_blocks)]
    return _BlockFilter(
        np.vstack([*rows, np.hstack([(exit_ @ power).T for power in powers[:-1]])]),
        np.vstack([(power @ entry).T for power in powers[-2::-1]]),
        powers[-1],
    )


def _states_before(added: FloatArray, advance: FloatArray) -> FloatArray:
    """Return the state before each group of blocks, shape (n_channels, n_groups, k), from what each adds to it.

    Each round doubles the number of groups whose contributions a state contains, until older ones have decayed.

    Parameters
    ----------
    added : same shape.
    advance : the state before a group to what is left of it after the group, shape (k, k).
    """
    states = np.zeros((len(added), added.shape[2], added.shape[1]))
    states[..., 1:] = added[:, :-1].swapaxes(1, 2)
    distance = 1
    while distance < added.shape[1] and np.abs(advance).max() > _DECAYED:
        states[..., distance:] += advance @ states[..., :-distance]
        advance, distance = advance @ advance, 2 * distance
    return states.swapaxes(1, 2)


def loudness_lufs(power: FloatArray) -> FloatArray:
    """Return the loudness of K-weighted powers, LUFS, same shape."""
    return np.maximum(_OFFSET + power_to_db(power), FLOOR_LUFS)


def power_of(loudness: float) -> float:
    """Return the K-weighted power that has `loudness` LUFS."""
    return float(10.0 ** ((loudness - _OFFSET) / 10.0))


def gated_blocks(
    step_power: FloatArray, absolute_gate_lufs: float = ABSOLUTE_GATE_LUFS
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the power of each 400 ms block and whether both gates let it through.

    Parameters
    ----------
    step_power : K-weighted power per 50 ms step, shape (n_steps,).
    absolute_gate_lufs : the lower gate; minus infinity for none.

    Returns
    -------
    Powers (n_blocks,) and a mask (n_blocks,); a signal shorter than a block is one block.
    """
    sums = np.convolve(step_power, np.ones(_STEPS_A_BLOCK), "valid")[::_STEPS_BETWEEN_BLOCKS]
    powers = sums / _STEPS_A_BLOCK if len(step_power) >= _STEPS_A_BLOCK else step_power.mean(keepdims=True)
    passing = powers > power_of(absolute_gate_lufs)
    if passing.any():
        passing &= powers > powers[passing].mean() * 10.0 ** (RELATIVE_GATE_LU / 10.0)
    return powers, passing


def integrated_lufs(step_power: FloatArray, absolute_gate_lufs: float = ABSOLUTE_GATE_LUFS) -> float:
    """Return the gated loudness of a whole signal (n_steps,), LUFS; `FLOOR_LUFS` where no block passes the gates.

    Examples
    --------
    A full-scale sine of 997 Hz in one channel has a K-weighted power of about 0.586:

    >>> import numpy as np
    >>> round(integrated_lufs(np.full(200, 0.586)), 2)
    -3.01
    """
    powers, passing = gated_blocks(step_power, absolute_gate_lufs)
    if not passing.any():
        return FLOOR_LUFS
    return float(loudness_lufs(powers[passing].mean(keepdims=True))[0])


def gain_db_for_loudness(step_power: FloatArray, target_lufs: float) -> float:
    """Return the gain in dB that brings a signal (n_steps,) to `target_lufs`; 0 for a silent one.

    The absolute gate does not move with the signal, so the gain is not simply the difference of two loudnesses.
    """
    if not step_power.any():
        return 0.0
    gain_db = target_lufs - integrated_lufs(step_power, -np.inf)
    best_db, smallest_error = gain_db, np.inf
    for _ in range(_LOUDNESS_ROUNDS):
        error = target_lufs - integrated_lufs(step_power * 10.0 ** (gain_db / 10.0))
        if abs(error) < smallest_error:
            best_db, smallest_error = gain_db, abs(error)
        if abs(error) < _LOUDNESS_TOLERANCE_LU:
            break
        gain_db += error
    return best_db


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
