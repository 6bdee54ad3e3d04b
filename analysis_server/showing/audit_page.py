"""From an audit to what its page shows."""

from __future__ import annotations

import numpy as np

from analysis_server import MADE_BY
from analysis_server.report.content import (
    BusAudit,
    BusContent,
    Figure,
    FigureTable,
    ReportContent,
    Term,
)
from analysis_server.report.wording import clock_text, decimal_text, gain_text
from analysis_server.showing.audit_result import AuditEdit, AuditResult, AuditTrack
from analysis_server.showing.sounds import Sounds
from core.decibels import FloatArray
from core.modelling.balance_fit import EIGHTY_PERCENT
from core.modelling.explanation import TERM_MEANINGS
from core.revising.auditing import Audited, AuditedTrack


def page_of(result: AuditResult, audited: Audited, sounds: Sounds | None) -> ReportContent:
    """Return the page's content."""
    return ReportContent(
        title=result.title,
        verb="audit",
        summary=result.summary,
        duration_s=audited.basis.root.start_s + audited.basis.root.duration_s,
        buses=tuple(
            _bus(track, shown, audited.time_s) for track, shown in zip(audited.tracks, result.tracks, strict=True)
        ),
        spectra=sounds.spectra if sounds else (),
        players=sounds.players if sounds else (),
        figures=tuple(_figures(result)),
        warnings=tuple(result.warnings),
        made_by=MADE_BY,
        tables=(_moves_table(result), _edits_table(result), _runs_table(result)),
    )


def _bus(track: AuditedTrack, shown: AuditTrack, time_s: FloatArray) -> BusContent:
    known = [term for term, values in track.terms_db.items() if term in TERM_MEANINGS and np.any(np.abs(values) > 0.05)]
    meanings = [TERM_MEANINGS[term] for term in known]
    deviation = track.deviation_db
    return BusContent(
        role=shown.track,
        time_s=time_s,
        gain_db=track.predicted_db,
        level_lufs=track.level_lufs,
        active=np.isfinite(track.level_lufs),
        uncertainty_db=None if deviation is None else EIGHTY_PERCENT * deviation,
        point_time_s=track.written.time_s,
        point_gain_db=track.written.gain_db,
        loudness_before_lufs=shown.loudness_before_lufs,
        loudness_after_lufs=shown.loudness_now_lufs,
        audit=BusAudit(
            written_gain_db=track.written_db,
            now_gain_db=track.now_db,
            edited_time_s=track.edited.time_s,
            edited_gain_db=track.edited.gain_db,
            is_edited=bool(np.abs(track.now_db - track.written_db).max(initial=0.0) > 0.05 or track.edits.spans),
            terms=tuple(Term(meaning.label, meaning.raises, meaning.lowers) for meaning in meanings),
            terms_db=np.stack([track.terms_db[term] for term in known], axis=1)
            if known
            else np.empty((len(time_s), 0)),
        ),
    )


def _figures(result: AuditResult) -> list[Figure]:
    names = {
        "loudness_before_lufs": ("Loudness before", "LUFS", "gated, BS.1770, of the mix without the automation"),
        "loudness_after_lufs": ("Loudness as written", "LUFS", "the mix of the run"),
        "loudness_now_lufs": ("Loudness now", "LUFS", "the mix with what stands there now"),
        "true_peak_before_dbtp": ("True peak before", "dBTP", "the highest the waveform goes between samples"),
        "true_peak_after_dbtp": ("True peak as written", "dBTP", "the mix of the run"),
        "true_peak_now_dbtp": ("True peak now", "dBTP", "the mix with what stands there now"),
    }
    shown = [
        Figure(label=label, value=f"{decimal_text(result.figures[name])} {unit}", means=means)
        for name, (label, unit, means) in names.items()
        if name in result.figures
    ]
    if "fit" in result.figures:
        share = f"{100 * result.figures['fit']:.1f} %"
        shown.insert(0, Figure(label="Fit", value=share, means="of the mixdown's energy the gains explain"))
    settings = ", ".join(result.settings) or "as predicted"
    return [Figure(label="Settings", value=settings, means="how the prediction was applied last"), *shown]


def _moves_table(result: AuditResult) -> FigureTable:
    rows = [
        Figure(
            label=f"{move.track}, {clock_text(move.start_s)} to {clock_text(move.end_s)}",
            value=f"{gain_text(move.start_db)} to {gain_text(move.end_db)}",
            means=move.why,
        )
        for move in result.moves
    ]
    return FigureTable("Largest moves", ("Where", "From and to", "Why"), tuple(rows), "No bus moves by half a decibel.")


def _edits_table(result: AuditResult) -> FigureTable:
    rows = [_edit_row(track, edit) for track in result.tracks for edit in track.edits]
    rows += [
        Figure(label=track.track, value=gain_text(track.lift_db), means="the whole curve was lifted by hand")
        for track in result.tracks
        if track.lift_db
    ]
    return FigureTable("Edits by hand", ("Where", "Points", "What"), tuple(rows), "Nothing was edited by hand.")


def _edit_row(track: AuditTrack, edit: AuditEdit) -> Figure:
    ends = [clock_text(edge, 1) if edge is not None else "" for edge in (edit.start_s, edit.end_s)]
    stretch = f"{ends[0] or 'the start'} to {ends[1] or 'the end'}"
    levels = [f"{gain_text(gain_db)} at {clock_text(time_s, 1)}" for time_s, gain_db in edit.points[:4]]
    more = f" and {len(edit.points) - 4} more" if len(edit.points) > 4 else ""
    what = f"now {', '.join(levels)}{more}" if levels else "points were deleted"
    count = f"{len(edit.points)} made, {len(edit.gone)} gone"
    return Figure(label=f"{track.track}, {stretch}", value=count, means=what)


def _runs_table(result: AuditResult) -> FigureTable:
    rows = [
        Figure(
            label=f"Run {run.number}, {run.action}",
            value=run.made_at[:16].replace("T", " "),
            means=", ".join(run.settings) or (f"model {run.model}" if run.model else "from a mixdown"),
        )
        for run in result.runs
    ]
    return FigureTable("Runs", ("Run", "Made (UTC)", "With"), tuple(rows), "")
