"""What a run did to each bus, for the terminal and for scripts."""

from __future__ import annotations

import msgspec
import numpy as np

from analysis_server.report.mix import bus_loudness_lufs, or_silence
from core.analysis.measure import Measurement
from core.audio.song import Song
from core.automation.points import Automation
from core.gains.curves import GainCurves
from core.models import balance
from core.models.fit import EIGHTY_PERCENT


class BusResult(msgspec.Struct, frozen=True, kw_only=True):
    """A bus: its files, median gain, half the width of the 80 % band, and loudness before and after the fader."""

    files: list[str]
    gain_db: float
    band_db: float | None
    loudness_before_lufs: float | None
    loudness_after_lufs: float | None


def bus_results(
    song: Song, measurement: Measurement, curves: GainCurves, automation: Automation
) -> dict[str, BusResult]:
    """Return the result for each bus of a song.

    Parameters
    ----------
    song : the stems.
    measurement : the default preset's measurement of the stems.
    curves : the gains, with their uncertainty where it is known.
    automation : the envelope points that were made of them.
    """
    n_frames = min(len(curves.time_s), measurement.n_frames)
    levels_lufs = balance.frame_levels_lufs(measurement)[:n_frames]
    medians_db = curves.median_gain_db()
    results = {}
    for index, bus in enumerate(curves.buses):
        file = song.stems[bus]
        levels = or_silence(levels_lufs[:, index])
        active = curves.active[:, index]
        deviation_db = curves.deviation_db
        band_db = None
        if deviation_db is not None and active.any():
            band_db = EIGHTY_PERCENT * float(np.median(deviation_db[active, index]))
        results[bus] = BusResult(
            files=[part.path.name for part in file.parts or (file,)],
            gain_db=medians_db[bus],
            band_db=band_db,
            loudness_before_lufs=_finite(bus_loudness_lufs(levels)),
            loudness_after_lufs=_finite(bus_loudness_lufs(levels, automation[bus].at(curves.time_s[:n_frames]))),
        )
    return results


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
