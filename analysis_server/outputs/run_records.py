"""Build run records from an outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from analysis_server import MADE_BY
from core.automation.points import Automation
from core.decibels import FloatArray, db_to_gain
from core.models import balance
from core.rpp.write import HIGHEST_GAIN, Written
from core.runs import record as record_module
from core.runs.edit import ON_TOP
from core.runs.record import (
    GAIN_STEP_DB,
    LEVEL_STEP_LU,
    TERM_STEP_DB,
    BusRun,
    RunRecord,
    TrackRun,
    WrittenPoint,
    to_steps,
)
from core.runs.store import block_text

if TYPE_CHECKING:
    from analysis_server.outputs.run_output import Outcome
    from core.automation.render import MixFigures
    from core.models.explain import Explanation


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run wrote: on a song's own automation, or on the tracks of a project.

    Attributes
    ----------
    tracks : what was written where.
    range_s : the part of the song it is for, in the stems' time.
    number : the run's place in the project's history.
    folder : where a project's run has its other files.
    start_s : the project's time at the stems' first sample.
    highest_gain : the top of an envelope, linear.
    stems_stay : whether the stems outlive the run.
    moves_on_top : whether the user's own moves are heard on top of the run's.
    """

    tracks: list[TrackRun]
    range_s: tuple[float, float] | None
    number: int = 1
    folder: Path | None = None
    start_s: float = 0.0
    highest_gain: float = HIGHEST_GAIN
    stems_stay: bool = True
    moves_on_top: bool = False


def record_of(done: Outcome, place: Place) -> RunRecord:
    """Return the record of a run; it is not dated yet."""
    figures = {**_figures(done.before, done.after), **done.further_figures}
    stems = {bus: str(file.path.resolve()) for bus, file in done.song.stems.items()} if place.stems_stay else {}
    stem_files = {bus: [str(part.path.resolve()) for part in done.song.stems[bus].parts] for bus in stems}
    stem_files = {bus: files for bus, files in stem_files.items() if files}
    return RunRecord(
        number=place.number,
        action=done.verb,
        made_at="",
        made_by=MADE_BY,
        title=done.song.title,
        model=done.model,
        folder=str(place.folder.resolve()) if place.folder else None,
        range_s=place.range_s,
        start_s=place.start_s,
        duration_s=done.song.duration_s,
        settings={ON_TOP: True} if place.moves_on_top else {},
        highest_gain=place.highest_gain,
        stems=stems,
        stem_files=stem_files or msgspec.UNSET,
        figures={name: round(value, 3) for name, value in figures.items() if np.isfinite(value)},
        warnings=list(done.text.warnings),
        buses=_buses(done),
        tracks=place.tracks,
    )


def dated(record: RunRecord, known: Sequence[RunRecord]) -> RunRecord:
    """Return the record with its id and its date: that of the very same run, where it is known; a date stays."""
    if record.made_at:
        return record
    named = record_module.identified(record)
    same = next((run for run in known if run.id == named.id), None)
    now = datetime.now(timezone.utc).replace(microsecond=0).isoformat()
    return msgspec.structs.replace(named, made_at=same.made_at if same else now)


def tracks_of_project(written: Written) -> list[TrackRun]:
    """Return what was written on a project's tracks."""
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
            weight=envelope.weight if envelope.weight != 1.0 else msgspec.UNSET,
        )
        for envelope in written.envelopes
    ]


def tracks_of_stems(automation: Automation) -> list[TrackRun]:
    """Return what was written for the stems of a song without a project: its automation."""
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


def _figures(before: MixFigures, after: MixFigures) -> dict[str, float]:
    return {
        "loudness_before_lufs": before.loudness_lufs,
        "loudness_after_lufs": after.loudness_lufs,
        "true_peak_before_dbtp": before.true_peak_dbtp,
        "true_peak_after_dbtp": after.true_peak_dbtp,
    }


def _buses(done: Outcome) -> list[BusRun]:
    curves = done.curves
    levels = _as_long_as(balance.frame_levels_lufs(done.measurement), len(curves.time_s))
    deviation = curves.deviation_db
    return [
        BusRun(
            role=bus,
            predicted_cdb=to_steps(curves.gains_db[:, i], GAIN_STEP_DB),
            level_lufs=to_steps(levels[:, i], LEVEL_STEP_LU),
            deviation_cdb=None if deviation is None else to_steps(deviation[:, i], GAIN_STEP_DB),
            terms_ddb=_terms(done.explanation, i),
        )
        for i, bus in enumerate(curves.buses)
    ]


def _terms(explanation: Explanation | None, bus: int) -> dict[str, list[int]]:
    if explanation is None:
        return {}
    terms = explanation.contributions_db[:, bus]
    return {term: to_steps(terms[:, number], TERM_STEP_DB) for number, term in enumerate(explanation.terms)}


def _as_long_as(levels: FloatArray, n_frames: int) -> FloatArray:
    short = max(n_frames - len(levels), 0)
    return np.pad(levels, ((0, short), (0, 0)), mode="edge")[:n_frames]
