"""From what a verb found to the record of its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import numpy as np

from analysis_server import MADE_BY
from core import history
from core.audio.song import Song
from core.automating.automation import Automation
from core.automating.rendering import MixFigures
from core.curves import GainCurves
from core.decibels import FloatArray, db_to_gain
from core.history import BusRun, RunRecord, TrackRun, WrittenPoint
from core.history.record import GAIN_STEP_DB, LEVEL_STEP_LU, TERM_STEP_DB, to_steps
from core.history.restoring import block_text
from core.measuring.measurement import Measurement
from core.modelling import balance
from core.modelling.explanation import Explanation
from core.revising.re_applying import ON_TOP
from core.rpp.envelope_writing import HIGHEST_GAIN, Written


@dataclass(frozen=True)
class Found:
    """What a verb found in a song: the stems' levels, the curves, and what they are made of, where that is known."""

    song: Song
    measurement: Measurement
    curves: GainCurves
    explanation: Explanation | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """What else a record tells of a run; `stems_stay` says whether the stems outlive it."""

    action: str
    model: str | None
    range_s: tuple[float, float] | None
    figures: Mapping[str, float]
    warnings: Sequence[str]
    folder: Path | None = None
    start_s: float = 0.0
    stems_stay: bool = True
    moves_on_top: bool = False
    highest_gain: float = HIGHEST_GAIN


def record_of(run: Run, found: Found, automation: Automation, written: Written | None) -> RunRecord:
    """Return the record of a run that wrote on a project's tracks, or on a song's stems alone; it is not dated yet."""
    tracks = _of_stems(automation) if written is None else _of_project(written)
    return RunRecord(
        number=1 if written is None else history.next_number(written.project),
        action=run.action,
        made_at="",
        made_by=MADE_BY,
        title=found.song.title,
        model=run.model,
        folder=str(run.folder.resolve()) if run.folder else None,
        range_s=run.range_s,
        start_s=run.start_s,
        duration_s=found.song.duration_s,
        settings={ON_TOP: True} if run.moves_on_top else {},
        highest_gain=run.highest_gain,
        stems={bus: str(file.path.resolve()) for bus, file in found.song.stems.items()} if run.stems_stay else {},
        figures={name: round(value, 3) for name, value in run.figures.items() if np.isfinite(value)},
        warnings=list(run.warnings),
        buses=_buses(found),
        tracks=tracks,
    )


def figures_of(before: MixFigures, after: MixFigures) -> dict[str, float]:
    """Return the figures of the mix before and after, as a record holds them."""
    return {
        "loudness_before_lufs": before.loudness_lufs,
        "loudness_after_lufs": after.loudness_lufs,
        "true_peak_before_dbtp": before.true_peak_dbtp,
        "true_peak_after_dbtp": after.true_peak_dbtp,
    }


def dated(record: RunRecord, known: Sequence[RunRecord]) -> RunRecord:
    """Return the record with its id and its date: that of the very same run, where it is known; a date stays."""
    if record.made_at:
        return record
    named = history.identified(record)
    same = next((run for run in known if run.id == named.id), None)
    now = datetime.now(timezone.utc).replace(microsecond=0).isoformat()
    return msgspec.structs.replace(named, made_at=same.made_at if same else now)


def _of_project(written: Written) -> list[TrackRun]:
    return [
        TrackRun(
            guid=envelope.track.guid,
            number=envelope.track.number,
            name=envelope.track.name,
            role=envelope.role,
            scale=envelope.scale,
            before=block_text(written.project, envelope.track),
            written=[
                WrittenPoint(round(point.time_s, 8), round(point.gain, 8), point.shape, round(point.tension, 8))
                for point in envelope.points
            ],
        )
        for envelope in written.envelopes
    ]


def _of_stems(automation: Automation) -> list[TrackRun]:
    return [
        TrackRun(
            guid="",
            number=number,
            name=bus,
            role=bus,
            scale=1.0,
            before=None,
            written=[
                WrittenPoint(round(time_s, 6), round(gain, 8))
                for time_s, gain in zip(points.time_s.tolist(), db_to_gain(points.gain_db).tolist(), strict=True)
            ],
        )
        for number, (bus, points) in enumerate(automation.items(), start=1)
    ]


def _buses(found: Found) -> list[BusRun]:
    curves = found.curves
    levels = _as_long_as(balance.frame_levels_lufs(found.measurement), len(curves.time_s))
    deviation = curves.deviation_db
    return [
        BusRun(
            role=bus,
            predicted_cdb=to_steps(curves.gains_db[:, i], GAIN_STEP_DB),
            level_lufs=to_steps(levels[:, i], LEVEL_STEP_LU),
            deviation_cdb=None if deviation is None else to_steps(deviation[:, i], GAIN_STEP_DB),
            terms_ddb=_terms(found, i),
        )
        for i, bus in enumerate(curves.buses)
    ]


def _terms(found: Found, bus: int) -> dict[str, list[int]]:
    if found.explanation is None:
        return {}
    terms = found.explanation.contributions_db[:, bus]
    return {term: to_steps(terms[:, number], TERM_STEP_DB) for number, term in enumerate(found.explanation.terms)}


def _as_long_as(levels: FloatArray, n_frames: int) -> FloatArray:
    short = max(n_frames - len(levels), 0)
    return np.pad(levels, ((0, short), (0, 0)), mode="edge")[:n_frames]
