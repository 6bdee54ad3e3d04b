"""The host's fader scale: ScaleToEnvelopeMode and ScaleFromEnvelopeMode of mode 1.

`ln(gain) = 2.0390589 ln t + 2.4701079 t - 1.0885569` with `t = raw / 1000` passes the values public scripts report for
0, +6 and +12 dB and misses the one for -6 dB by 0.005 dB; below that it is an extrapolation. [b: anchors of the curve]
Solved here by bisection, independently of the closed form in core, so that neither can hide an error of the other.
"""

from __future__ import annotations

import math

_LOG, _LINEAR, _CONSTANT = 2.0390589, 2.4701079, -1.0885569
_SILENT = 1e-9
_TOP = 4000.0


def from_fader(raw: float) -> float:
    """Return the gain of a place on the fader (0 at the bottom, 1000 at +12 dB)."""
    place = raw / 1000.0
    return math.exp(_LOG * math.log(place) + _LINEAR * place + _CONSTANT) if place > _SILENT else 0.0


def to_fader(gain: float) -> float:
    """Return the place on the fader of a gain."""
    if gain <= from_fader(1000.0 * _SILENT * 1.001):
        return 0.0
    low, high = 0.0, _TOP
    for _ in range(80):
        middle = (low + high) / 2.0
        low, high = (middle, high) if from_fader(middle) < gain else (low, middle)
    return (low + high) / 2.0


def to_mode(mode: int, gain: float) -> float:
    """Return a gain in an envelope's scaling: mode 0 is amplitude, 1 the fader's. [b: HDR, N779, N782]"""
    return to_fader(gain) if mode == 1 else gain


def from_mode(mode: int, raw: float) -> float:
    """Return the gain of a value in an envelope's scaling."""
    return from_fader(raw) if mode == 1 else raw
