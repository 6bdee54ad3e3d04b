"""K-weighting, gating and integrated loudness (ITU-R BS.1770).

Conventions: K-weighted powers are mean squares per 50 ms step, summed over the channels with the weights of
`channel_weights`; a loudness is -0.691 + 10 log10 of such a power, in LUFS. Silence is `FLOOR_LUFS`.

Sources: ITU-R BS.1770-4, annex 1 (filters, channel weights, 400 ms blocks with 75 % overlap, gates at -70 LUFS and
10 LU below the ungated mean); coefficients at any sample rate after De Man (2014), as in pyloudnorm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
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
_BLOCK_SAMPLES = 64
_DECAYED = 1e-9
_SURROUND_WEIGHT = 1.41
_LOUDNESS_ROUNDS = 20
_LOUDNESS_TOLERANCE_LU = 1e-3


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
    from the filter's state before it.

    Parameters
    ----------
    signal : shape (n_channels, n_samples), beginning `settling_samples` before the first step.
    sample_rate : in Hz, a multiple of 20.
    n_steps : how many steps to take; samples that are missing at the end are silent.
    """
    step, settling = sample_rate // 20, settling_samples(sample_rate)
    filtering = _block_filter(sample_rate)
    n_samples = settling + n_steps * step
    n_blocks = -(-n_samples // _BLOCK_SAMPLES)
    rows: Samples = np.zeros((n_blocks, _BLOCK_SAMPLES + len(filtering.advance)), np.float32)
    samples, states = rows[:, :_BLOCK_SAMPLES], rows[:, _BLOCK_SAMPLES:]
    powers = np.zeros(n_steps)
    for channel, weight in zip(signal, channel_weights(len(signal)), strict=True):
        if weight == 0.0:
            continue
        n_whole = min(len(channel), n_samples) // _BLOCK_SAMPLES
        samples[n_whole:] = 0.0
        samples[:n_whole] = channel[: n_whole * _BLOCK_SAMPLES].reshape(n_whole, _BLOCK_SAMPLES)
        rest = channel[n_whole * _BLOCK_SAMPLES : n_samples]
        if len(rest):
            samples[n_whole, : len(rest)] = rest
        states[:] = _states(filtering, samples).T
        of_steps = (rows @ filtering.output).reshape(-1)[settling:n_samples].reshape(n_steps, step)
        powers += weight * np.vecdot(of_steps, of_steps)
    return powers / step


@dataclass(frozen=True)
class _BlockFilter:
    """The K-weighting of `_BLOCK_SAMPLES` samples at once, with a state of n values.

    Attributes
    ----------
    output : a block's samples and the state before it, to its filtered samples, shape (block + n, block).
    gather : a block's samples to what they add to the state, shape (n, block).
    advance : the state before a block to what is left of it after the block, shape (n, n).
    """

    output: Samples
    gather: Samples
    advance: FloatArray


@lru_cache
def _block_filter(sample_rate: int) -> _BlockFilter:
    """Return the K-weighting in state-space form, two sections in a row, each in transposed direct form II."""
    update, entry = np.zeros((0, 0)), np.zeros((0, 1))
    exit_, direct = np.zeros((1, 0)), np.ones((1, 1))
    for b0, b1, b2, _, a1, a2 in k_filter(sample_rate):
        own_update, own_entry = np.array([[-a1, 1.0], [-a2, 0.0]]), np.array([[b1 - a1 * b0], [b2 - a2 * b0]])
        update = np.block([[update, np.zeros((len(update), 2))], [own_entry @ exit_, own_update]])
        entry = np.vstack([entry, own_entry @ direct])
        exit_, direct = np.hstack([b0 * exit_, [[1.0, 0.0]]]), b0 * direct
    powers = [np.eye(len(update))]
    for _ in range(_BLOCK_SAMPLES):
        powers.append(update @ powers[-1])
    response = np.concatenate([direct[0], *[(exit_ @ power @ entry)[0] for power in powers[: _BLOCK_SAMPLES - 1]]])
    output = np.zeros((_BLOCK_SAMPLES + len(update), _BLOCK_SAMPLES))
    for sample in range(_BLOCK_SAMPLES):
        output[sample, sample:_BLOCK_SAMPLES] = response[: _BLOCK_SAMPLES - sample]
        output[_BLOCK_SAMPLES:, sample] = (exit_ @ powers[sample])[0]
    gather = np.hstack([powers[_BLOCK_SAMPLES - 1 - sample] @ entry for sample in range(_BLOCK_SAMPLES)])
    return _BlockFilter(output.astype(np.float32), gather.astype(np.float32), powers[_BLOCK_SAMPLES])


def _states(filtering: _BlockFilter, blocks: Samples) -> FloatArray:
    """Return the filter's state before each of `blocks` (n_blocks, block), which begin at rest, shape (n, n_blocks).

    Each round doubles the number of blocks whose contributions a state contains, until older ones have decayed.
    """
    states = np.zeros((len(filtering.advance), len(blocks)))
    states[:, 1:] = (filtering.gather @ blocks.T)[:, :-1]
    advance, distance = filtering.advance, 1
    while distance < len(blocks) and np.abs(advance).max() > _DECAYED:
        states[:, distance:] += advance @ states[:, :-distance]
        advance, distance = advance @ advance, 2 * distance
    return states


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
