"""K-weighting, gating and integrated loudness (ITU-R BS.1770).

Conventions: K-weighted powers are mean squares per 50 ms step, summed over the channels with weight 1; a
loudness is -0.691 + 10 log10 of such a power, in LUFS. Silence is `FLOOR_LUFS`.

Sources: ITU-R BS.1770-4, annex 1 (filters, 400 ms blocks with 75 % overlap, gates at -70 LUFS and 10 LU under
the ungated mean); coefficients at any sample rate after De Man (2014), as pyloudnorm carries them.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import scipy

from core.decibels import FloatArray, power_to_db

FLOOR_LUFS = -120.0
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
_OFFSET = -0.691
_STEPS_A_BLOCK = 8
_STEPS_BETWEEN_BLOCKS = 2


@lru_cache
def k_filter(sample_rate: int) -> FloatArray:
    """Return BS.1770's two filters as second-order sections, shape (2, 6)."""
    from pyloudnorm.iirfilter import IIRfilter  # noqa: PLC0415 - it loads scipy.signal, which takes a second

    shelf = IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, sample_rate, "high_shelf_DeMan")
    high_pass = IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, sample_rate, "high_pass_DeMan")
    return np.array([[*stage.b, *stage.a] for stage in (shelf, high_pass)])


def k_weights(sample_rate: int, frequency_hz: FloatArray) -> FloatArray:
    """Return the K-weighting's power response at `frequency_hz`, same shape."""
    _, response = scipy.signal.freqz_sos(k_filter(sample_rate), worN=frequency_hz, fs=sample_rate)
    weights: FloatArray = np.abs(response) ** 2
    return weights


def loudness_lufs(power: FloatArray) -> FloatArray:
    """Return the loudness of K-weighted powers, LUFS, same shape."""
    return np.maximum(_OFFSET + power_to_db(power), FLOOR_LUFS)


def power_of(loudness: float) -> float:
    """Return the K-weighted power that has `loudness` LUFS."""
    return float(10.0 ** ((loudness - _OFFSET) / 10.0))


def gated_blocks(step_power: FloatArray) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the power of each 400 ms block and whether both gates let it through.

    Parameters
    ----------
    step_power : K-weighted power per 50 ms step, shape (n_steps,).

    Returns
    -------
    Powers (n_blocks,) and a mask (n_blocks,); a signal shorter than a block is one block.
    """
    sums = np.convolve(step_power, np.ones(_STEPS_A_BLOCK), "valid")[::_STEPS_BETWEEN_BLOCKS]
    powers = sums / _STEPS_A_BLOCK if len(step_power) >= _STEPS_A_BLOCK else step_power.mean(keepdims=True)
    passing = loudness_lufs(powers) > ABSOLUTE_GATE_LUFS
    if passing.any():
        gate_lufs = loudness_lufs(powers[passing].mean(keepdims=True))[0] + RELATIVE_GATE_LU
        passing &= loudness_lufs(powers) > gate_lufs
    return powers, passing


def integrated_lufs(step_power: FloatArray) -> float:
    """Return the gated loudness of a whole signal (n_steps,), LUFS; `FLOOR_LUFS` where no block passes the gates."""
    powers, passing = gated_blocks(step_power)
    if not passing.any():
        return FLOOR_LUFS
    return float(loudness_lufs(powers[passing].mean(keepdims=True))[0])
