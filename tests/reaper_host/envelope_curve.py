"""Values of an envelope at many times, for the renderer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.reaper_host.envelope_points import BEZIER, FAST_END, FAST_START, SLOW, SQUARE, gain_at
from tests.reaper_host.envelope_state import Envelope
from tests.reaper_host.fader_curve import _CONSTANT, _LINEAR, _LOG, to_mode

Floats = npt.NDArray[np.float64]


def values_at(envelope: Envelope, time_s: Floats) -> Floats:
    """Return the values in the file's domain (gains, for volume) at rising times; one value where it is constant."""
    points = sorted(envelope.points, key=lambda point: point.time)
    if len({point.value for point in points}) == 1:
        return np.array([points[0].value])
    times = np.array([point.time for point in points])
    levels = np.array([to_mode(envelope.mode, point.value) for point in points])
    start = np.clip(np.searchsorted(times, time_s, side="right") - 1, 0, len(points) - 1)
    end = np.minimum(start + 1, len(points) - 1)
    length = np.where(times[end] > times[start], times[end] - times[start], 1.0)
    share = np.clip((time_s - times[start]) / length, 0.0, 1.0)
    share[end == start] = 0.0
    shapes = np.array([point.shape for point in points])[start]
    share = np.select(
        [shapes == SQUARE, shapes == SLOW, shapes == FAST_START, shapes == FAST_END],
        [np.zeros_like(share), share**2 * (3.0 - 2.0 * share), 1.0 - (1.0 - share) ** 3, share**3],
        share,
    )
    values = _from_mode(envelope.mode, levels[start] + share * (levels[end] - levels[start]))
    bezier = np.flatnonzero((shapes == BEZIER) & (end != start))
    if len(bezier):
        grid = np.unique(np.append(bezier[::64], bezier[-1]))
        exact = [gain_at(points, float(time_s[place]), envelope.mode) for place in grid]
        values[bezier] = np.interp(bezier, grid, exact)
    return values


def _from_mode(mode: int, level: Floats) -> Floats:
    if mode != 1:
        return level
    place = np.maximum(level / 1000.0, 1e-9)
    return np.where(level > 1e-6, np.exp(_LOG * np.log(place) + _LINEAR * place + _CONSTANT), 0.0)
