"""REAPER's fader scale: the scale a fader-scaled envelope is straight on between its points.

The exact formula is closed source. This one is a fit: 0 dB, +6 dB and +12 dB are where REAPER reports them, and
-6 dB is 0.005 dB off; further down it is an extrapolation, which is why envelopes are written with points so close
that it does not matter.

Source: values of ScaleToEnvelopeMode that public scripts report: gain 1 is 716.2178, 2 is 852.7745, +12 dB is
1000, 0.501187 is 592.848.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import lambertw

from core.decibels import FloatArray

_LOG, _LINEAR, _CONSTANT = 2.0390589, 2.4701079, -1.0885569
_SMALLEST_GAIN = 1e-12


def to_fader(gain: npt.ArrayLike) -> FloatArray:
    """Return the place on the fader (0 at the bottom, 1 at +12 dB) of a linear gain; any shape."""
    value = np.asarray(gain, dtype=np.float64)
    exponent = (np.log(np.maximum(value, _SMALLEST_GAIN)) - _CONSTANT) / _LOG
    place = _LOG / _LINEAR * np.real(lambertw(_LINEAR / _LOG * np.exp(np.minimum(exponent, 700.0))))
    return np.where(value > _SMALLEST_GAIN, place, 0.0)


def from_fader(place: npt.ArrayLike) -> FloatArray:
    """Return the linear gain of a place on the fader; any shape."""
    value = np.asarray(place, dtype=np.float64)
    inside = np.maximum(value, 1e-9)
    return np.where(value > 1e-9, np.exp(_LOG * np.log(inside) + _LINEAR * inside + _CONSTANT), 0.0)
