"""Report content of mix and match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from analysis_server.report.audio import spectrum_of
from analysis_server.report.content import BusContent, Figure, Player, ReportContent
from core.analysis.loudness import FLOOR_LUFS, integrated_lufs
from core.analysis.measure import Measurement
from core.audio.framing import HOP_S, STEPS_PER_HOP
from core.audio.song import Song
from core.automation.points import Automation
from core.automation.render import MixFigures
from core.decibels import LOWEST_DB, FloatArray, db_to_gain
from core.gains.curves import GainCurves
from core.models import balance
from core.models.fit import EIGHTY_PERCENT


def or_silence(level_lufs: npt.ArrayLike) -> FloatArray:
    """Return levels in LUFS, same shape; those that say silence (`FLOOR_LUFS`) are minus infinity."""
    levels = np.asarray(level_lufs, dtype=np.float64)
    return np.where(levels <= FLOOR_LUFS, -np.inf, levels)


@dataclass(frozen=True)
class Story:
    """A report's words: one sentence of `summary`, the table's `figures`, and `warnings`."""

    summary: str
    figures: tuple[Figure, ...]
    warnings: tuple[str, ...]


def content_of(
    story: Story,
    *,
    song: Song,
    measurement: Measurement,
    curves: GainCurves,
    automation: Automation,
    mixes: Mapping[str, MixFigures],
    players: tuple[Player, ...],
    verb: str,
    made_by: str,
) -> ReportContent:
    """Return the page's content. `measurement` is a default preset's; `mixes` are the two to compare, by label."""
    before, after = mixes.values()
    return ReportContent(
        title=song.title,
        verb=verb,
        summary=story.summary,
        duration_s=song.duration_s,
        buses=tuple(_bus(bus, i, measurement, curves, automation) for i, bus in enumerate(song.buses)),
        spectra=tuple(spectrum_of(label, mix) for label, mix in mixes.items()),
        players=players,
        figures=(*story.figures, *_mix_figures(before, after, " and ".join(mixes)), _points_figure(curves, automation)),
        warnings=story.warnings,
        made_by=made_by,
    )


def _bus(bus: str, index: int, measurement: Measurement, curves: GainCurves, automation: Automation) -> BusContent:
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    n_frames = min(len(curves.time_s), measurement.n_frames)
    power = measurement.step_power[:, index]
    points = automation[bus]
    moved = power * db_to_gain(points.at(measurement.onset_s + _step_times_s(len(power)))) ** 2
    return BusContent(
        role=bus,
        time_s=curves.time_s[:n_frames],
        gain_db=np.maximum(curves.gains_db[:n_frames, index], LOWEST_DB),
        level_lufs=or_silence(balance.frame_levels_lufs(measurement)[:n_frames, index]),
        active=curves.active[:n_frames, index],
        uncertainty_db=_half_width_db(curves, n_frames, index),
        point_time_s=points.time_s,
        point_gain_db=points.gain_db,
        loudness_before_lufs=float(or_silence(integrated_lufs(power))),
        loudness_after_lufs=float(or_silence(integrated_lufs(moved))),
    )


def _half_width_db(curves: GainCurves, n_frames: int, index: int) -> FloatArray | None:
    if curves.deviation_db is None:
        return None
    return EIGHTY_PERCENT * curves.deviation_db[:n_frames, index]


def _step_times_s(n_steps: int) -> FloatArray:
    return (np.arange(n_steps, dtype=np.float64) + 0.5) * (HOP_S / STEPS_PER_HOP)


def _mix_figures(before: MixFigures, after: MixFigures, labels: str) -> list[Figure]:
    return [
        Figure(
            label="Loudness",
            value=_from_to(before.loudness_lufs, after.loudness_lufs, "LUFS"),
            means=f"gated, BS.1770: {labels}",
        ),
        Figure(
            label="True peak",
            value=_from_to(before.true_peak_dbtp, after.true_peak_dbtp, "dBTP"),
            means=f"the highest the waveform goes between samples: {labels}",
        ),
    ]


def _points_figure(curves: GainCurves, automation: Automation) -> Figure:
    n_points = sum(len(points.time_s) for points in automation.values())
    n_frames = len(curves.time_s) * len(automation)
    return Figure(
        label="Points",
        value=f"{n_points} for {n_frames} frames",
        means="automation points; between them the envelope stays within 0.1 dB of the curve",
    )


def _from_to(before: float, after: float, unit: str) -> str:
    return f"{before:.1f} to {after:.1f} {unit}"
