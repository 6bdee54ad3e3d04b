"""An audit as one result: everything its page shows.

Conventions: the result's curves are lists of one number a frame, in the order of `time_s`; a number that JSON cannot
hold (silence) is None there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from analysis_server.showing.levels import or_silence
from analysis_server.showing.sounds import Sounds
from core import roles
from core.automating.rendering import PEAK_LIMIT_DBTP
from core.decibels import FloatArray
from core.history import RunRecord
from core.modelling.balance import gated_mean_lufs
from core.modelling.explanation import TERM_MEANINGS, sentence
from core.revising.auditing import Audited, AuditedTrack, Move, largest_moves
from core.revising.editing import EditSettings, described

LISTED_MOVES = 12
LOW_FIT = 0.8


class AuditRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the history; `settings` are an edit's, in words."""

    number: int
    action: str
    made_at: str
    model: str | None
    settings: list[str]


class AuditEdit(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch edited by hand: its ends (None where it goes on to the song's own), the points made and those gone."""

    start_s: float | None
    end_s: float | None
    points: list[tuple[float, float]]
    gone: list[tuple[float, float]]


class AuditMove(msgspec.Struct, frozen=True, kw_only=True):
    """A large move of a written curve, and the term of the explanation that moves most with it, in words."""

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
    loudness_before_lufs: float
    loudness_now_lufs: float


class AuditSpectrum(msgspec.Struct, frozen=True, kw_only=True):
    """A mix's average spectrum."""

    label: str
    frequency_hz: list[float]
    level_db: list[float]


class AuditResult(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the page shows but the sound."""

    title: str
    summary: str
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
    audited: Audited, sounds: Sounds | None, figures: Mapping[str, float], notes: Sequence[str]
) -> AuditResult:
    """Return the audit's result; `figures` are the mix's, `notes` what else the user should know."""
    names = _names(audited.tracks)
    return AuditResult(
        title=audited.basis.root.title,
        summary=_summary(audited),
        is_edited=audited.is_edited,
        runs=[_run(run) for run in audited.runs],
        settings=_settings_in_force(audited),
        time_s=_rounded(audited.time_s),
        tracks=[_track(track, name) for track, name in zip(audited.tracks, names, strict=True)],
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


def _summary(audited: Audited) -> str:
    root = audited.basis.root
    made = f"{root.action} of {root.made_at[:10]}" + (f" with the model {root.model}" if root.model else "")
    edited = [track.role for track in audited.tracks if not track.edits.are_none]
    since = (
        f"edited by hand since: {', '.join(dict.fromkeys(edited))}" if edited else "nothing was edited by hand since"
    )
    return f"Run {root.number}, {made}; {since}."


def _settings_in_force(audited: Audited) -> list[str]:
    edits = [run for run in audited.runs if run.of == audited.basis.root.id]
    return _described(edits[-1]) if edits else []


def _described(run: RunRecord) -> list[str]:
    return described(msgspec.convert(run.settings, EditSettings)) if run.action == "edit" else []


def _run(run: RunRecord) -> AuditRun:
    return AuditRun(
        number=run.number, action=run.action, made_at=run.made_at, model=run.model, settings=_described(run)
    )


def _track(track: AuditedTrack, name: str) -> AuditTrack:
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
        loudness_before_lufs=float(or_silence(gated_mean_lufs(track.level_lufs))),
        loudness_now_lufs=float(or_silence(gated_mean_lufs(track.level_lufs + track.now_db))),
    )


def _edits(track: AuditedTrack) -> list[AuditEdit]:
    edits, made, gone = [], track.edited, track.deleted
    made_pairs, gone_pairs = _pairs(made.time_s, made.gain_db), _pairs(gone.time_s, gone.gain_db)
    for span in track.edits.spans:
        points, made_pairs = made_pairs[: len(span.added)], made_pairs[len(span.added) :]
        removed, gone_pairs = gone_pairs[: len(span.removed)], gone_pairs[len(span.removed) :]
        start_s, end_s = (value if math.isfinite(value) else None for value in (span.span.start_s, span.span.end_s))
        edits.append(AuditEdit(start_s=start_s, end_s=end_s, points=points, gone=removed))
    return edits


def _move(move: Move) -> AuditMove:
    return AuditMove(
        track=move.name or move.role,
        start_s=round(move.start_s, 3),
        end_s=round(move.end_s, 3),
        start_db=round(move.start_db, 2),
        end_db=round(move.end_db, 2),
        why=sentence(move.term, move.role, move.term_db) if move.term and move.term in TERM_MEANINGS else "",
    )


def _warnings(audited: Audited, figures: Mapping[str, float]) -> list[str]:
    root = audited.basis.root
    there = {bus.role for bus in root.buses}
    missing = [role for role in roles.PAPER_BUSES if role not in there]
    told = list(root.warnings)
    if missing:
        told.append(f"no {' and no '.join(missing)} in this run: their tracks were not found, or have no stem")
    if figures.get("fit", 1.0) < LOW_FIT:
        told.append(f"the gains explain {100 * figures['fit']:.0f} % of the mixdown, which is little: trust them less")
    peak_dbtp = figures.get("true_peak_now_dbtp", figures.get("true_peak_after_dbtp", -math.inf))
    if peak_dbtp > PEAK_LIMIT_DBTP + 0.05:
        clips = "clips" if peak_dbtp > 0.0 else "comes close to clipping"
        told.append(f"the mix {clips}: its true peak is {peak_dbtp:+.1f} dBTP; turn the master down")
    return told


def _pairs(time_s: FloatArray, gain_db: FloatArray) -> list[tuple[float, float]]:
    return [(round(t, 4), round(g, 3)) for t, g in zip(time_s.tolist(), gain_db.tolist(), strict=True)]


def _rounded(values: FloatArray) -> list[float]:
    rounded: list[float] = np.round(values, 3).tolist()
    return rounded
