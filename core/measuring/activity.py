"""Where a stem sounds, for the default preset: by its own level, not by an absolute one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.decibels import FloatArray

SILENCE_RMS = 10.0 ** (-70.0 / 20.0)
_BELOW_LOUD = 10.0 ** (-30.0 / 20.0)
_LOUD_PERCENTILE = 95


def sounding(rms: FloatArray) -> npt.NDArray[np.bool_]:
    """Return where stems of level `rms` (n_frames, n_buses) sound: within 30 dB of their own loud frames.

    Nothing below -70 dBFS sounds, nor counts for what is loud: silence before or after a stem changes nothing, nor does
    scaling a stem that stays above that.
    """
    loud = np.array(
        [np.percentile(bus[bus > SILENCE_RMS], _LOUD_PERCENTILE) if (bus > SILENCE_RMS).any() else 0.0 for bus in rms.T]
    )
    return rms > np.maximum(loud * _BELOW_LOUD, SILENCE_RMS)
