"""Audit results and their report content.

Conventions: the result's curves are lists of one number per frame, in the order of `time_s`; silence, which JSON
cannot represent, is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from analysis_server import MADE_BY
from analysis_server.report.audio import Sounds
from analysis_server.report.content import (
    BusAudit,
    BusContent,
    Figure,
    FigureTable,
    ReportContent,
    clock_text,
    decimal_text,
    gain_text,
    headline,
    median_gain_db,
)
from analysis_server.report.mix import bus_loudness_lufs, terms_of
from core import roles
from core.automation.points import inside_span
from core.automation.render import PEAK_LIMIT_DBTP
from core.decibels import FloatArray
from core.models.explain import TERM_MEANINGS, sentence
from core.models.fit import EIGHTY_PERCENT
from core.runs.audit import Audited, AuditedTrack, Move, largest_moves
from core.runs.edit import EditSettings, describe
from core.runs.record import RunRecord

LISTED_MOVES = 12
LOW_FIT = 0.8


class AuditRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the history; `settings` are the descriptions of an edit's settings."""

    number: int
    action: str
    made_at: str
    model: str | None
    settings: list[str]


class AuditEdit(msgspec.Struct, frozen=True, kw_only=True):
    """A span edited by hand: its ends (None for those of the song), the points added and those removed."""

    start_s: float | None
    end_s: float | None
    points: list[tuple[float, float]]
    gone: list[tuple[float, float]]


class AuditMove(msgspec.Struct, frozen=True, kw_only=True):
    """A large move of a written curve, and the description of the term that moves most with it."""

    track: str
    start_s: float
    end_s: float
    start_db: float
    end_db: float
    why: str


class AuditTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One track: its curves, gains as heard in dB, points as (time_s, gain_db), and what was changed by hand."""

    role: str
    track: str
    predicted_db: list[float]
    written_db: list[float]
    now_db: list[float]
    deviation_db: list[float] | None
    level_lufs: list[float | None]
    terms_db: dict[str, list[float]]
    written_points: list[tuple[float, float]]
    now_points: list[tuple[float, float]]
    lift_db: float
    edits: list[AuditEdit]
    gain_written_db: float
    gain_now_db: float
    loudness_before_lufs: float
    loudness_now_lufs: float


class AuditSpectrum(msgspec.Struct, frozen=True, kw_only=True):
    """A mix's average spectrum."""

    label: str
    frequency_hz: list[float]
    level_db: list[float]


class AuditResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the page shows but the sound.

    `edit` is the latest edit with `faderwise edit` of the run; `is_edited` is whether anything was changed by hand.
    """

    title: str
    summary: str
    edit: AuditRun | None
    is_edited: bool
    runs: list[AuditRun]
    settings: list[str]
    time_s: list[float]
    tracks: list[AuditTrack]
    moves: list[AuditMove]
    spectra: list[AuditSpectrum]
    figures: dict[str, float]
    terms: dict[str, list[str]]
    files: dict[str, str]
    warnings: list[str]


def result_of(
    audited: Audited, which: str, sounds: Sounds | None, figures: Mapping[str, float], notes: Sequence[str]
) -> AuditResult:
    """Return the audit's result.

    Parameters
    ----------
    audited : the runs, their prediction and the present automation.
    which : a description of the audited run.
    sounds : the sounds of the page, or None.
    figures : loudness, true peak and the like of the mix, by name with unit.
    notes : further warnings.
    """
    names = _names(audited.tracks)
    edit = _latest_edit(audited)
    inside = inside_span(audited.time_s, audited.range_s)
    return AuditResult(
        title=audited.basis.root.title,
        summary=_summary(audited, which, edit),
        edit=edit,
        is_edited=audited.is_edited,
        runs=[_run(run) for run in audited.runs],
        settings=edit.settings if edit else [],
        time_s=_rounded(audited.time_s),
        tracks=[_track(track, name, inside) for track, name in zip(audited.tracks, names, strict=True)],
        moves=[_move(move) for move in largest_moves(audited, LISTED_MOVES)],
        spectra=[
            AuditSpectrum(label=one.label, frequency_hz=_rounded(one.frequency_hz), level_db=_rounded(one.level_db))
            for one in (sounds.spectra if sounds else ())
        ],
        figures={name: value for name, value in figures.items() if math.isfinite(value)},
        terms={name: [meaning.label, meaning.raises, meaning.lowers] for name, meaning in TERM_MEANINGS.items()},
        files={},
        warnings=[*audited.notes, *_warnings(audited, figures), *notes],
    )


def _names(tracks: Sequence[AuditedTrack]) -> list[str]:
    """Return what to call each track: by its bus, and by its own name where several are one bus."""
    bus = [track.role for track in tracks]
    return [role if bus.count(role) == 1 else f"{role}: {track.name}" for role, track in zip(bus, tracks, strict=True)]


def _summary(audited: Audited, which: str, edit: AuditRun | None) -> str:
    root = audited.basis.root
    made = f"{root.action} of {root.made_at[:10]}" + (f" with the model {root.model}" if root.model else "")
    edited = [track.role for track in audited.tracks if not track.edits.are_none]
    since = (
        f"edited by hand since: {', '.join(dict.fromkeys(edited))}" if edited else "nothing was edited by hand since"
    )
    summary = f"{which[:1].upper()}{which[1:]}, {made}; {since}."
    if edit is None:
        return summary
    settings = ", ".join(edit.settings) or "as predicted"
    made_at = edit.made_at[:16].replace("T", " ")
    return f"Edited with faderwise edit (run {edit.number}, {made_at} UTC): {settings}. {summary}"


def _latest_edit(audited: Audited) -> AuditRun | None:
    edits = [run for run in audited.runs if run.of == audited.basis.root.id]
    return _run(edits[-1]) if edits else None


def _described(run: RunRecord) -> list[str]:
    return describe(msgspec.convert(run.settings, EditSettings)) if run.action == "edit" else []


def _run(run: RunRecord) -> AuditRun:
    return AuditRun(
        number=run.number, action=run.action, made_at=run.made_at, model=run.model, settings=_described(run)
    )


def _track(track: AuditedTrack, name: str, inside: npt.NDArray[np.bool_]) -> AuditTrack:
    levels = track.level_lufs[inside]
    rounded_lufs = bus_loudness_lufs(track.level_lufs)  # of levels in steps of 1 LU
    correction_lu = 0.0
    if track.loudness_lufs is not None and math.isfinite(rounded_lufs):
        correction_lu = track.loudness_lufs - rounded_lufs
    return AuditTrack(
        role=track.role,
        track=name,
        predicted_db=_rounded(track.predicted_db),
        written_db=_rounded(track.written_db),
        now_db=_rounded(track.now_db),
        deviation_db=None if track.deviation_db is None else _rounded(track.deviation_db),
        level_lufs=[value if math.isfinite(value) else None for value in track.level_lufs.tolist()],
        terms_db={term: _rounded(values) for term, values in track.terms_db.items()},
        written_points=_pairs(track.written.time_s, track.written.gain_db),
        now_points=_pairs(track.now.time_s, track.now.gain_db),
        lift_db=round(track.edits.lift_db, 3),
        edits=_edits(track),
        gain_written_db=median_gain_db(track.written_db[inside], np.isfinite(levels)),
        gain_now_db=median_gain_db(track.now_db[inside], np.isfinite(levels)),
        loudness_before_lufs=bus_loudness_lufs(levels) + correction_lu,
        loudness_now_lufs=bus_loudness_lufs(levels, track.now_db[inside]) + correction_lu,
    )


def _edits(track: AuditedTrack) -> list[AuditEdit]:
    edits, made, gone = [], track.edited, track.deleted
    made_pairs, gone_pairs = _pairs(made.time_s, made.gain_db), _pairs(gone.time_s, gone.gain_db)
    for span in track.edits.spans:
        points, made_pairs = made_pairs[: len(span.added)], made_pairs[len(span.added) :]
        removed, gone_pairs = gone_pairs[: len(span.removed)], gone_pairs[len(span.removed) :]
        start_s, end_s = (value if math.isfinite(value) else None for value in (span.start_s, span.end_s))
        edits.append(AuditEdit(start_s=start_s, end_s=end_s, points=points, gone=removed))
    return edits


def _reason(move: Move) -> str:
    if move.is_range_edge:
        return "the run is for a part of the song, which begins or ends here"
    return sentence(move.term, move.role, move.term_db) if move.term and move.term in TERM_MEANINGS else ""


def _move(move: Move) -> AuditMove:
    return AuditMove(
        track=move.name or move.role,
        start_s=round(move.start_s, 3),
        end_s=round(move.end_s, 3),
        start_db=round(move.start_db, 2),
        end_db=round(move.end_db, 2),
        why=_reason(move),
    )


def _warnings(audited: Audited, figures: Mapping[str, float]) -> list[str]:
    root = audited.basis.root
    there = {roles.bus_of(bus.role) for bus in root.buses}
    missing = [role for role in roles.PAPER_BUSES if role not in there]
    warnings = list(root.warnings)
    if missing:
        warnings.append(f"this run has no {' and no '.join(missing)}: no track or stem was found")
    if figures.get("fit", 1.0) < LOW_FIT:
        warnings.append(
            f"the gains explain only {100 * figures['fit']:.0f} % of the mixdown; treat them as approximate"
        )
    peak_dbtp = figures.get("true_peak_now_dbtp", figures.get("true_peak_after_dbtp", -math.inf))
    written_dbtp = figures.get("true_peak_after_dbtp", -math.inf)
    as_recovered = root.action == "match" and peak_dbtp <= written_dbtp + 0.1  # as loud as the mixdown was
    if peak_dbtp > PEAK_LIMIT_DBTP + 0.05 and not as_recovered:
        clips = "clips" if peak_dbtp > 0.0 else "comes close to clipping"
        warnings.append(f"the mix {clips}: its true peak is {peak_dbtp:+.1f} dBTP; turn the master down")
    return warnings


def _pairs(time_s: FloatArray, gain_db: FloatArray) -> list[tuple[float, float]]:
    return [(round(t, 4), round(g, 3)) for t, g in zip(time_s.tolist(), gain_db.tolist(), strict=True)]


def _rounded(values: FloatArray) -> list[float]:
    rounded: list[float] = np.round(values, 3).tolist()
    return rounded


def page_of(result: AuditResult, audited: Audited, sounds: Sounds | None) -> ReportContent:
    """Return the page's content."""
    return ReportContent(
        title=result.title,
        verb="audit",
        recovers=audited.basis.root.action == "match",
        headline=headline({track.track: track.gain_now_db for track in result.tracks}, prefix="Now"),
        summary=result.summary,
        duration_s=audited.basis.root.start_s + audited.basis.root.duration_s,
        buses=tuple(_bus(track, shown, audited) for track, shown in zip(audited.tracks, result.tracks, strict=True)),
        spectra=sounds.spectra if sounds else (),
        players=sounds.players if sounds else (),
        figures=tuple(_figures(result)),
        warnings=tuple(result.warnings),
        made_by=MADE_BY,
        tables=(_moves_table(result), _edits_table(result), _runs_table(result)),
    )


def _bus(track: AuditedTrack, shown: AuditTrack, audited: Audited) -> BusContent:
    terms, terms_db = terms_of(track.terms_db)
    deviation = track.deviation_db
    return BusContent(
        role=shown.track,
        time_s=audited.time_s,
        range_s=audited.range_s,
        gain_db=track.predicted_db,
        level_lufs=track.level_lufs,
        active=np.isfinite(track.level_lufs),
        uncertainty_db=None if deviation is None else EIGHTY_PERCENT * deviation,
        point_time_s=track.written.time_s,
        point_gain_db=track.written.gain_db,
        loudness_before_lufs=shown.loudness_before_lufs,
        loudness_after_lufs=shown.loudness_now_lufs,
        terms=terms,
        terms_db=terms_db,
        audit=BusAudit(
            written_gain_db=track.written_db,
            now_gain_db=track.now_db,
            edited_time_s=track.edited.time_s,
            edited_gain_db=track.edited.gain_db,
            is_edited=bool(np.abs(track.now_db - track.written_db).max(initial=0.0) > 0.05 or track.edits.spans),
        ),
    )


def _figures(result: AuditResult) -> list[Figure]:
    before = "of the mixdown" if result.runs[0].action == "match" else "of the mix without the automation"
    names = {
        "loudness_before_lufs": ("Loudness before", "LUFS", f"gated, BS.1770, {before}"),
        "loudness_after_lufs": ("Loudness as written", "LUFS", "the mix of the run"),
        "loudness_now_lufs": ("Loudness now", "LUFS", "the mix with the present automation"),
        "true_peak_before_dbtp": ("True peak before", "dBTP", f"highest level between samples, BS.1770, {before}"),
        "true_peak_after_dbtp": ("True peak as written", "dBTP", "the mix of the run"),
        "true_peak_now_dbtp": ("True peak now", "dBTP", "the mix with the present automation"),
    }
    shown = [
        Figure(label=label, value=f"{decimal_text(result.figures[name])} {unit}", means=means)
        for name, (label, unit, means) in names.items()
        if name in result.figures
    ]
    if "fit" in result.figures:
        share = f"{100 * result.figures['fit']:.1f} %"
        shown.insert(0, Figure(label="Fit", value=share, means="share of the mixdown's energy that the gains explain"))
    settings = ", ".join(result.settings) or "as predicted"
    return [Figure(label="Settings", value=settings, means="settings of the last edit"), *shown]


def _moves_table(result: AuditResult) -> FigureTable:
    rows = [
        Figure(
            label=f"{move.track}, {clock_text(move.start_s)} to {clock_text(move.end_s)}",
            value=f"{gain_text(move.start_db)} → {gain_text(move.end_db)}",
            means=move.why,
        )
        for move in result.moves
    ]
    return FigureTable("Largest moves", ("Where", "From → to", "Why"), tuple(rows), "No bus moves by half a decibel.")


def _edits_table(result: AuditResult) -> FigureTable:
    rows = [_edit_row(track, edit) for track in result.tracks for edit in track.edits]
    rows += [
        Figure(label=track.track, value=gain_text(track.lift_db), means="the whole curve was moved by hand")
        for track in result.tracks
        if track.lift_db
    ]
    return FigureTable("Edits by hand", ("Where", "Points", "Change"), tuple(rows), "Nothing was edited by hand.")


def _edit_row(track: AuditTrack, edit: AuditEdit) -> Figure:
    ends = [clock_text(edge, 1) if edge is not None else "" for edge in (edit.start_s, edit.end_s)]
    stretch = f"{ends[0] or 'the start'} to {ends[1] or 'the end'}"
    levels = [f"{gain_text(gain_db)} at {clock_text(time_s, 1)}" for time_s, gain_db in edit.points[:4]]
    more = f" and {len(edit.points) - 4} more" if len(edit.points) > 4 else ""
    what = f"now {', '.join(levels)}{more}" if levels else "points were deleted"
    count = f"{len(edit.points)} added, {len(edit.gone)} removed"
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
