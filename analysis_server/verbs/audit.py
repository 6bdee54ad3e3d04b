"""`faderwise audit`: show what a run wrote, why, and what has changed since, as one page.

The result's curves, if asked for, are lists of one number per frame, in the order of `time_s`. JSON cannot represent
silence, which is None.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from analysis_server import MADE_BY
from analysis_server.paths import by_name, is_project
from analysis_server.report import audio
from analysis_server.report.audio import Sounds
from analysis_server.report.charts import half_width_db
from analysis_server.report.content import (
    BusAudit,
    BusContent,
    Figure,
    FigureTable,
    ReportContent,
    bus_labels,
    clock_text,
    decimal_text,
    full_sentence,
    gain_text,
    headline,
    median_gain_db,
    with_minus_signs,
)
from analysis_server.report.mix import LEAST_TERM_DB, half_bands_db, or_silence, terms_of
from analysis_server.report.page import render_report, write_page
from analysis_server.runs import run_folder
from analysis_server.runs.kept_runs import earlier_runs, which_run
from analysis_server.runs.run_folder import audit_target
from analysis_server.runs.run_stems import song_of
from core.audio.song import Song, open_song
from core.automation.points import EnvelopePoints, inside_span, thin
from core.automation.render import PEAK_LIMIT_DBTP
from core.decibels import LOWEST_DB, FloatArray
from core.errors import InputError
from core.files import require_writable_folder
from core.models.balance import gated_mean_lufs
from core.models.explain import TERM_MEANINGS
from core.progress import ProgressCallback, no_progress, part_of
from core.runs.audit import Audited, AuditedTrack, Move, edited_passages, largest_moves
from core.runs.edit import EditSettings, describe, kept_buses
from core.runs.record import RunRecord
from core.wording import capitalised, decimal, first_few, listed, loudness_change

_PAGE = "audit.html"
_LISTED_MOVES = 12
_APART_DB = 0.05
"""Tracks of one bus whose gains differ by more than this no longer have one gain."""
_LOW_FIT = 0.8
_LEVEL_DB = 0.001
"""A curve that moves by less is one gain, which adds to the loudness exactly."""
_PASSAGES_IN_HEADLINE = 2
_JUMP_S = 0.1


class AuditRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Audit the latest run of `target` (a project with runs, or a folder of `mix`).

    The page goes into the folder `out`: by default the audited folder, or next to the project. `stems` is a folder of
    a project's stems, to hear the present mix; without `sound` the page has no players. `curves` adds the curves of
    each track to the result.
    """

    target: str
    out: str | None = None
    stems: str | None = None
    sound: bool = True
    difference: bool = False
    curves: bool = False
    dry_run: bool = False


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

    bus: str
    track: str
    start_s: float
    end_s: float
    start_db: float
    end_db: float
    why: str


class AuditTrack(msgspec.Struct, frozen=True, kw_only=True):
    """One track: its median gains as heard, its loudness before and after the fader, and what was changed by hand.

    The loudness of one of several tracks of a bus is None: the run measured only their sum (`AuditResult.buses`).
    """

    bus: str
    track: str
    lift_db: float
    edits: list[AuditEdit]
    gain_written_db: float
    gain_now_db: float
    loudness_before_lufs: float | None
    loudness_now_lufs: float | None


class AuditBus(msgspec.Struct, frozen=True, kw_only=True):
    """The same figures of a bus: of several tracks, the first one's gains.

    `loudness_now_lufs` is None if its tracks no longer have the same gain.
    """

    gain_written_db: float
    gain_now_db: float
    loudness_before_lufs: float
    loudness_now_lufs: float | None


class AuditTrackCurves(msgspec.Struct, frozen=True, kw_only=True):
    """The curves of one track, gains as heard in dB, and points as (time_s, gain_db)."""

    bus: str
    track: str
    predicted_db: list[float]
    written_db: list[float]
    now_db: list[float]
    deviation_db: list[float] | None
    level_lufs: list[float | None]
    terms_db: dict[str, list[float]]
    written_points: list[tuple[float, float]]
    now_points: list[tuple[float, float]]


class AuditSpectrum(msgspec.Struct, frozen=True, kw_only=True):
    """A mix's average spectrum."""

    label: str
    frequency_hz: list[float]
    level_db: list[float]


class AuditCurves(msgspec.Struct, frozen=True, kw_only=True):
    """The centre of each frame, the curves of each track, and the spectra of the mixes."""

    time_s: list[float]
    tracks: list[AuditTrackCurves]
    spectra: list[AuditSpectrum]


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
    buses: dict[str, AuditBus]
    tracks: list[AuditTrack]
    moves: list[AuditMove]
    curves: AuditCurves | None
    figures: dict[str, float]
    terms: dict[str, list[str]]
    files: dict[str, str]
    warnings: list[str]
    notes: list[str]


def run(request: AuditRequest, progress: ProgressCallback = no_progress) -> AuditResult:
    """Audit and write the page.

    Raises
    ------
    InputError
        There is nothing to audit, or the page cannot be written.
    """
    audited = audit_target(request.target)
    target = Path(request.target)
    if is_project(request.target):
        folder, name = target.parent, f"{target.stem}-{_PAGE}"
    else:
        folder, name = target, _PAGE
    heard, figures, notes = _heard(request, audited, progress)
    which = which_run(audited.basis.root, None if is_project(request.target) else target)
    result = _result_of(audited, which, heard, figures, notes, with_curves=request.curves)
    require_writable_folder(Path(request.out or folder))
    if request.dry_run:
        return result
    progress(0.7, "Writing page")
    page = render_report(_page_of(result, audited, heard))
    if not is_project(request.target):
        page = run_folder.with_state(page, target)
    progress(1.0, "Done")  # the last moment at which the work can be cancelled
    path = Path(request.out or folder) / name
    write_page(path, page)
    return msgspec.structs.replace(result, files=by_name([path]))


def _heard(
    request: AuditRequest, audited: Audited, progress: ProgressCallback
) -> tuple[Sounds | None, Mapping[str, float], list[str]]:
    """Return the sounds of the page, the figures of the mix, and notes about them."""
    root = audited.basis.root
    if not request.sound:
        return None, root.figures, []
    where = root.folder if is_project(request.target) else request.target
    folder = Path(where) if where else None
    was_changed = audited.is_edited or any(run.of == root.id for run in audited.runs)
    places = [folder, *(run.folder for run in earlier_runs(folder))] if folder else []
    kept = next(filter(None, (audio.load(place / audio.NAME, root.id) for place in places)), None)
    if kept is not None and not _plays_mix(request):
        kept = replace(kept, players=tuple(replace(player, whole=None) for player in kept.players))
    if kept is not None and request.stems is None and not request.difference and not was_changed:
        present = {name.replace("_after_", "_now_"): value for name, value in root.figures.items() if "_after_" in name}
        return _shifted(kept, root.start_s), {**root.figures, **present}, []
    song = _song(request, audited)
    if song is not None:
        changes_db = np.stack([track.now_db - track.written_db for track in audited.tracks], axis=1)
        curves_db = np.stack([track.now_db for track in audited.tracks], axis=1)
        audible = np.stack([np.isfinite(track.level_lufs) for track in audited.tracks], axis=1)
        start_s = audio.excerpt_start_s(
            audited.time_s - root.start_s, changes_db if changes_db.any() else curves_db, audible, song.duration_s
        )
        heard, (before, now) = audio.rendered(
            song,
            _automation(audited, song),
            start_s,
            with_difference=request.difference,
            progress=part_of(progress, 0.0, 0.7, "Measuring the present mix"),
        )
        measured = {
            "loudness_before_lufs": before.loudness_lufs,
            "loudness_now_lufs": now.loudness_lufs,
            "true_peak_before_dbtp": before.true_peak_dbtp,
            "true_peak_now_dbtp": now.true_peak_dbtp,
        }
        return _shifted(heard, root.start_s), {**root.figures, **measured}, []
    if kept is None:
        where = f"{folder} no longer contains" if folder else "no folder contains"
        return None, root.figures, [f"{where} the sounds of run {root.number}, so the page has no players"]
    remedy = "play the project, or give its stems with --stems" if is_project(request.target) else "put its stems back"
    late = f"the sounds are of the mix as written, without later changes; to hear the present mix, {remedy}"
    return _shifted(kept, root.start_s), root.figures, [late] if was_changed else []


def _plays_mix(request: AuditRequest) -> bool:
    """Return whether the page is next to the mix.wav that the run's sounds are excerpts of."""
    if is_project(request.target) or request.out not in (None, request.target):
        return False
    return run_folder.read_file(Path(request.target)).mixed == run_folder.FIRST


def _song(request: AuditRequest, audited: Audited) -> Song | None:
    if request.stems is None:
        return song_of(audited.basis.root)
    song = open_song(Path(request.stems))
    missing = [bus for bus in audited.basis.buses if bus not in song.stems]
    if missing:
        raise InputError(
            f"has no stem of {listed(missing, 'or')}", path=request.stems, remedy="add it, or omit --stems"
        )
    return song


def _automation(audited: Audited, song: Song) -> dict[str, EnvelopePoints]:
    """Return what is heard now of each bus, in the stems' time; of several tracks of a bus, the first one's."""
    points: dict[str, EnvelopePoints] = {}
    for track in audited.tracks:
        if track.role in song.stems and track.role not in points:
            kept = thin(audited.time_s, track.now_db, 0.02)
            times = audited.time_s[kept] - audited.basis.root.start_s
            points[track.role] = EnvelopePoints(times, track.now_db[kept])
    silent = {bus: EnvelopePoints(np.zeros(1), np.zeros(1)) for bus in song.stems if bus not in points}
    return {bus: {**points, **silent}[bus] for bus in song.stems}


def _shifted(heard: Sounds, start_s: float) -> Sounds:
    """Return the sounds in the project's time."""
    players = tuple(replace(sound, start_s=sound.start_s + start_s) for sound in heard.players)
    return replace(heard, players=players)


def _result_of(
    audited: Audited,
    which: str,
    sounds: Sounds | None,
    figures: Mapping[str, float],
    about_sounds: Sequence[str],
    *,
    with_curves: bool,
) -> AuditResult:
    root = audited.basis.root
    runs = [_run(run) for run in audited.runs]
    edit = next((_run(run) for run in reversed(audited.runs) if run.of == audited.basis.root.id), None)
    inside = inside_span(audited.time_s, audited.range_s)
    tracks = [_track(track, inside) for track in audited.tracks]
    buses: dict[str, AuditBus] = {}
    for bus in dict.fromkeys(track.bus for track in tracks):
        indices = [index for index, track in enumerate(tracks) if track.bus == bus]
        buses[bus] = msgspec.convert(tracks[indices[0]], AuditBus, from_attributes=True)
        if len(indices) > 1:
            now_db = np.stack([audited.tracks[index].now_db for index in indices])
            if np.ptp(now_db, axis=0).max(initial=0.0) > _APART_DB:
                buses[bus] = msgspec.structs.replace(buses[bus], loudness_now_lufs=None)
            for index in indices:
                without = {"loudness_before_lufs": None, "loudness_now_lufs": None}
                tracks[index] = msgspec.structs.replace(tracks[index], **without)
    return AuditResult(
        title=audited.basis.root.title,
        summary=_summary(audited, which, edit),
        edit=edit,
        is_edited=audited.is_edited,
        runs=runs,
        settings=edit.settings if edit else [],
        buses=buses,
        tracks=tracks,
        moves=[_move(move) for move in largest_moves(audited, _LISTED_MOVES)],
        curves=_curves(audited, sounds) if with_curves else None,
        figures={name: value for name, value in figures.items() if math.isfinite(value)},
        terms={name: [meaning.label, meaning.raises, meaning.lowers] for name, meaning in TERM_MEANINGS.items()},
        files={},
        warnings=[*audited.notes, *_warnings(audited, figures), *about_sounds],
        notes=[f"run {root.number}: {note}" if edit else note for note in root.notes or ()],
    )


def _summary(audited: Audited, which: str, edit: AuditRun | None) -> str:
    root = audited.basis.root
    made = f"{root.action} of {root.made_at[:10]}" + (f" with the model {root.model}" if root.model else "")
    edited = [track.role for track in audited.tracks if not track.edits.are_none]
    since = (
        f"edited by hand since: {', '.join(dict.fromkeys(edited))}" if edited else "nothing was edited by hand since"
    )
    summary = f"{capitalised(which)}, {made}; {since}."
    if root.relation:
        summary += f" {full_sentence(root.relation)}"
    if edit is None:
        return summary
    run = f"run {edit.number}, {edit.made_at[:16].replace('T', ' ')} UTC"
    if not edit.settings:
        return f"Applied as predicted by faderwise edit ({run}). {summary}"
    return f"Edited with faderwise edit ({run}): {', '.join(edit.settings)}. {summary}"


def _run(run: RunRecord) -> AuditRun:
    settings = describe(msgspec.convert(run.settings, EditSettings)) if run.action == "edit" else []
    return AuditRun(number=run.number, action=run.action, made_at=run.made_at, model=run.model, settings=settings)


def _name(track: AuditedTrack) -> str:
    return track.name or track.role


def _curves(audited: Audited, sounds: Sounds | None) -> AuditCurves:
    return AuditCurves(
        time_s=_rounded(audited.time_s),
        tracks=[
            AuditTrackCurves(
                bus=track.role,
                track=_name(track),
                predicted_db=_rounded(track.predicted_db),
                written_db=_rounded(track.written_db),
                now_db=_rounded(track.now_db),
                deviation_db=None if track.deviation_db is None else _rounded(track.deviation_db),
                level_lufs=[value if math.isfinite(value) else None for value in track.level_lufs.tolist()],
                terms_db={term: _rounded(values) for term, values in track.terms_db.items()},
                written_points=_pairs(track.written.time_s, track.written.gain_db),
                now_points=_pairs(track.now.time_s, track.now.gain_db),
            )
            for track in audited.tracks
        ],
        spectra=[
            AuditSpectrum(label=one.label, frequency_hz=_rounded(one.frequency_hz), level_db=_rounded(one.level_db))
            for one in (sounds.spectra if sounds else ())
        ],
    )


def track_labels(result: AuditResult) -> list[str]:
    """Return the label of each track of a result."""
    return bus_labels([(track.bus, track.track) for track in result.tracks])


def _track(track: AuditedTrack, inside: npt.NDArray[np.bool_]) -> AuditTrack:
    levels = track.level_lufs[inside]
    before_lufs, now_lufs = _loudness(track, inside)
    return AuditTrack(
        bus=track.role,
        track=_name(track),
        lift_db=round(track.edits.lift_db, 3),
        edits=_edits(track),
        gain_written_db=median_gain_db(track.written_db[inside], np.isfinite(levels)),
        gain_now_db=median_gain_db(track.now_db[inside], np.isfinite(levels)),
        loudness_before_lufs=before_lufs,
        loudness_now_lufs=now_lufs,
    )


def _loudness(track: AuditedTrack, inside: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return a stem's loudness without and with the present gain, LUFS.

    The run measured it without and with its own gain. What was changed since is added from the levels per frame.
    """
    levels = track.level_lufs[inside]
    heard_db = track.now_db[inside][np.isfinite(levels)]
    if track.loudness_lufs is not None and np.ptp(heard_db) < _LEVEL_DB and heard_db[0] > LOWEST_DB:
        return track.loudness_lufs, track.loudness_lufs + float(heard_db[0])
    plain, first, now = (
        float(or_silence(gated_mean_lufs(levels + gain_db)))
        for gain_db in (np.zeros_like(levels), track.first_db[inside], track.now_db[inside])
    )
    if track.loudness_lufs is None or not math.isfinite(plain):
        return plain, now
    if track.loudness_after_lufs is not None and math.isfinite(first):
        return track.loudness_lufs, track.loudness_after_lufs + now - first
    # a record of an earlier version, or a closed fader
    correction_lu = track.loudness_lufs - float(gated_mean_lufs(track.level_lufs))
    return plain + correction_lu, now + correction_lu


def _edits(track: AuditedTrack) -> list[AuditEdit]:
    edits, made, gone = [], track.edited, track.deleted
    made_pairs, gone_pairs = _pairs(made.time_s, made.gain_db), _pairs(gone.time_s, gone.gain_db)
    for span in track.edits.spans:
        points, made_pairs = made_pairs[: len(span.added)], made_pairs[len(span.added) :]
        removed, gone_pairs = gone_pairs[: len(span.removed)], gone_pairs[len(span.removed) :]
        start_s, end_s = (value if math.isfinite(value) else None for value in (span.start_s, span.end_s))
        edits.append(AuditEdit(start_s=start_s, end_s=end_s, points=points, gone=removed))
    return edits


def _move(move: Move) -> AuditMove:
    why = ""
    if move.is_range_edge:
        why = "the run is for a part of the song, which begins or ends here"
    elif move.term and move.term in TERM_MEANINGS and abs(move.term_db) >= LEAST_TERM_DB:
        why = TERM_MEANINGS[move.term].sentence(move.role, move.term_db)
    return AuditMove(
        bus=move.role,
        track=move.name or move.role,
        start_s=round(move.start_s, 3),
        end_s=round(move.end_s, 3),
        start_db=round(move.start_db, 3),
        end_db=round(move.end_db, 3),
        why=why,
    )


def _warnings(audited: Audited, figures: Mapping[str, float]) -> list[str]:
    root = audited.basis.root
    warnings = list(root.warnings)
    if not root.relation and figures.get("fit", 1.0) < _LOW_FIT:  # a record of an earlier version
        warnings.append(
            f"the gains explain only {100 * figures['fit']:.0f} % of the mixdown; treat them as approximate"
        )
    peak_dbtp = figures.get("true_peak_now_dbtp", figures.get("true_peak_after_dbtp", -math.inf))
    written_dbtp = figures.get("true_peak_after_dbtp", -math.inf)
    as_recovered = root.action == "match" and peak_dbtp <= written_dbtp + 0.1  # as loud as the mixdown was
    if peak_dbtp > PEAK_LIMIT_DBTP + 0.05 and not as_recovered:
        clips = "clips" if peak_dbtp > 0.0 else "comes close to clipping"
        warnings.append(
            f"the mix {clips}: its true peak is {decimal(peak_dbtp, signed=True)} dBTP; turn the master down"
        )
    return warnings


def _pairs(time_s: FloatArray, gain_db: FloatArray) -> list[tuple[float, float]]:
    return [(round(t, 4), round(g, 3)) for t, g in zip(time_s.tolist(), gain_db.tolist(), strict=True)]


def _rounded(values: FloatArray) -> list[float]:
    rounded: list[float] = np.round(values, 3).tolist()
    return rounded


def _page_of(result: AuditResult, audited: Audited, sounds: Sounds | None) -> ReportContent:
    """Return the page's content."""
    labels = track_labels(result)
    buses = tuple(
        _bus(track, shown, label, audited)
        for track, shown, label in zip(audited.tracks, result.tracks, labels, strict=True)
    )
    bands_db = [band_db for band_db in map(half_width_db, buses) if math.isfinite(band_db)]
    return ReportContent(
        title=result.title,
        verb="audit",
        recovers=audited.basis.root.action == "match",
        headline=headline(
            {label: track.gain_now_db for label, track in zip(labels, result.tracks, strict=True)},
            () if result.is_edited else bands_db,  # the bands are those of the prediction
            prefix="Now",
            passages=_passages_text(audited, result, labels),
        ),
        summary=re.sub(
            r"(\d{4})-(\d\d)-(\d\d)", "\\1\N{NON-BREAKING HYPHEN}\\2\N{NON-BREAKING HYPHEN}\\3", result.summary
        ),
        duration_s=audited.basis.root.start_s + audited.basis.root.duration_s,
        buses=buses,
        spectra=sounds.spectra if sounds else (),
        players=sounds.players if sounds else (),
        figures=tuple(_figures(result)),
        warnings=tuple(result.warnings),
        notes=tuple(result.notes),
        made_by=MADE_BY,
        tables=(_sums_table(result), _moves_table(result), _edits_table(result), _runs_table(result)),
    )


def _passages_text(audited: Audited, result: AuditResult, labels: Sequence[str]) -> str:
    """Return the gains of the passages that were edited to other gains than those of the whole song."""
    passages = edited_passages(audited, [track.gain_now_db for track in result.tracks])
    texts = [
        f"{labels[one.index]} {gain_text(one.gain_db)} from {clock_text(one.start_s)} to {clock_text(one.end_s)}"
        for one in passages
    ]
    return first_few(texts, _PASSAGES_IN_HEADLINE)


def _bus(track: AuditedTrack, shown: AuditTrack, label: str, audited: Audited) -> BusContent:
    terms, terms_db = terms_of({**track.terms_db, "edited": track.now_db - track.first_db})
    deviation = track.deviation_db
    return BusContent(
        role=label,
        time_s=audited.time_s,
        range_s=audited.range_s,
        gain_db=track.predicted_db,
        level_lufs=track.level_lufs,
        active=np.isfinite(track.level_lufs),
        uncertainty_db=None if deviation is None else half_bands_db(deviation),
        is_kept=track.role in kept_buses(audited.basis.root),
        point_time_s=track.written.time_s,
        point_gain_db=track.written.gain_db,
        loudness_before_lufs=math.nan if shown.loudness_before_lufs is None else shown.loudness_before_lufs,
        loudness_after_lufs=math.nan if shown.loudness_now_lufs is None else shown.loudness_now_lufs,
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
    changed = result.is_edited or result.edit is not None
    shown = [
        Figure(label=label, value=f"{decimal_text(result.figures[name])} {unit}", means=means)
        for name, (label, unit, means) in names.items()
        if name in result.figures and (changed or "_now_" not in name)
    ]
    if "fit" in result.figures:
        share = f"{100 * result.figures['fit']:.1f} %"
        shown.insert(0, Figure(label="Fit", value=share, means="share of the mixdown that the gains explain"))
    if result.edit is not None:
        settings = ", ".join(result.settings) or "as predicted"
        shown.insert(0, Figure(label="Settings", value=settings, means="of the last edit"))
    return shown


def sums_of(result: AuditResult) -> dict[str, list[str]]:
    """Return the labels of the tracks of each bus that is the sum of several."""
    found: dict[str, list[str]] = {}
    for label, track in zip(track_labels(result), result.tracks, strict=True):
        found.setdefault(track.bus, []).append(label)
    return {bus: labels for bus, labels in found.items() if len(labels) > 1}


def _sums_table(result: AuditResult) -> FigureTable:
    rows = [
        Figure(
            label=bus, value=with_minus_signs(loudness_text(result.buses[bus])), means=f"the sum of {listed(labels)}"
        )
        for bus, labels in sums_of(result).items()
    ]
    return FigureTable("Buses of several tracks", ("Bus", "Loudness before → now", "Tracks"), tuple(rows), "")


def loudness_text(figures: AuditTrack | AuditBus) -> str:
    """Return the loudness before and now, or an empty text where it is not known."""
    before_lufs, now_lufs = figures.loudness_before_lufs, figures.loudness_now_lufs
    if before_lufs is None:
        return ""
    if now_lufs is None and math.isfinite(before_lufs):
        return f"{decimal(before_lufs)} LUFS before"
    return loudness_change(before_lufs, -math.inf if now_lufs is None else now_lufs)


def move_span_text(move: AuditMove, time_text: Callable[[float], str]) -> str:
    """Return when a move takes place: its start and its end, or one time if it takes no longer than a jump."""
    if move.end_s - move.start_s <= _JUMP_S:
        return time_text(move.start_s)
    return f"{time_text(move.start_s)} to {time_text(move.end_s)}"


def _moves_table(result: AuditResult) -> FigureTable:
    rows = [
        Figure(
            label=f"{move.track}, {move_span_text(move, lambda time_s: clock_text(time_s, 1))}",
            value=f"{gain_text(move.start_db)} → {gain_text(move.end_db)}",
            means=move.why,
        )
        for move in result.moves
    ]
    return FigureTable("Largest moves", ("Where", "From → to", "Why"), tuple(rows), "No bus moves by half a decibel.")


def _edits_table(result: AuditResult) -> FigureTable:
    tracks = list(zip(track_labels(result), result.tracks, strict=True))
    rows = [_edit_row(label, edit) for label, track in tracks for edit in track.edits]
    rows += [
        Figure(label=label, value=gain_text(track.lift_db), means="the whole curve was moved by hand")
        for label, track in tracks
        if track.lift_db
    ]
    return FigureTable("Edits by hand", ("Where", "Points", "Change"), tuple(rows), "Nothing was edited by hand.")


def _edit_row(track: str, edit: AuditEdit) -> Figure:
    ends = [clock_text(edge, 1) if edge is not None else "" for edge in (edit.start_s, edit.end_s)]
    stretch = f"{ends[0] or 'the start'} to {ends[1] or 'the end'}"
    levels = [f"{gain_text(gain_db)} at {clock_text(time_s, 1)}" for time_s, gain_db in edit.points]
    what = f"now {first_few(levels, 4)}" if levels else "points were deleted"
    count = f"{len(edit.points)} added, {len(edit.gone)} removed"
    return Figure(label=f"{track}, {stretch}", value=count, means=what)


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
