"""Audit a run (what was written, why, and what was changed since), and compare gain curves on the same stems.

Conventions: gains are in dB as heard (scale times envelope), shape (n_frames,) at `time_s`, the frames' centres in the
project's time. `predicted_db` is the run's own curve, `written_db` what we wrote last (with an edit's settings, without
the user's points that it preserved), `now_db` the present gain.

A common gain is not a difference of balance: a comparison takes out the mean over the buses of the differences of their
levels (medians while they sound) first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import msgspec
import numpy as np
import numpy.typing as npt

from core.analysis.loudness import ABSOLUTE_GATE_LUFS
from core.automation.points import TOLERANCE_DB, EnvelopePoints, inside_span
from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.errors import InputError
from core.gains.curves import GainCurves
from core.rpp.envelope import Envelope
from core.rpp.project import Project
from core.rpp.write import scale_of
from core.runs import store
from core.runs.edit import Basis, basis_of
from core.runs.merge import Edits, edits_between
from core.runs.record import (
    GAIN_STEP_DB,
    TERM_STEP_DB,
    BusRun,
    RunRecord,
    TrackRun,
    frame_times_s,
    from_steps,
)
from core.runs.store import restored_tracks, track_of

_SMALLEST_MOVE_DB = 0.5
_EDGE_TOLERANCE_S = 1e-3


@dataclass(frozen=True)
class AuditedTrack:
    """One track (of a song without a project: one bus).

    Attributes
    ----------
    role, name : its bus, and what the project calls it.
    predicted_db, written_db, now_db : see the module's conventions.
    deviation_db : standard deviation of the prediction, or None.
    level_lufs : the stem's loudness before the fader.
    terms_db : what each term of the explanation adds, by name.
    written, now : the points, gains as heard, in dB.
    edits : changes by hand since, also before an edit that preserved them; gains of the envelope.
    first_db : the curve that the run itself wrote, before any edit.
    loudness_lufs, loudness_after_lufs : the stem's loudness without and with that curve; None where the record does not
        have it.
    scale_db : what is added to the envelope's gain to give the gain heard now.
    """

    role: str
    name: str
    predicted_db: FloatArray
    written_db: FloatArray
    now_db: FloatArray
    deviation_db: FloatArray | None
    level_lufs: FloatArray
    terms_db: Mapping[str, FloatArray]
    written: EnvelopePoints
    now: EnvelopePoints
    edits: Edits
    scale_db: float
    first_db: FloatArray
    loudness_lufs: float | None = None
    loudness_after_lufs: float | None = None

    @property
    def edited(self) -> EnvelopePoints:
        """The points that were added or moved by hand, gains as heard."""
        return EnvelopePoints.of([point for span in self.edits.spans for point in span.added], self.scale_db)

    @property
    def deleted(self) -> EnvelopePoints:
        """The written points that were deleted or moved, gains as they were heard."""
        return EnvelopePoints.of([point for span in self.edits.spans for point in span.removed], self.scale_db)


@dataclass(frozen=True)
class Audited:
    """The run whose prediction is current, the tracks, all runs, and notes for the user."""

    basis: Basis
    time_s: FloatArray
    tracks: tuple[AuditedTrack, ...]
    runs: tuple[RunRecord, ...]
    notes: tuple[str, ...]

    @property
    def range_s(self) -> tuple[float, float] | None:
        """The part of the song that the run is for, in the time of `time_s`; None for all of it."""
        root = self.basis.root
        return None if root.range_s is None else (root.range_s[0] + root.start_s, root.range_s[1] + root.start_s)

    @property
    def is_edited(self) -> bool:
        """Whether anything was changed by hand."""
        return any(not track.edits.are_none for track in self.tracks)


@dataclass(frozen=True)
class Move:
    """A monotonic part of a written curve, from `start_db` to `end_db`, and the term that changes most.

    `is_range_edge`: it is the step at the start or the end of the part of the song that the run is for.
    """

    role: str
    name: str
    start_s: float
    end_s: float
    start_db: float
    end_db: float
    term: str | None
    term_db: float
    is_range_edge: bool = False


def audit_project(project: Project) -> Audited:
    """Return the audit of a project's latest run.

    Raises
    ------
    InputError
        It has no run of Faderwise.
    """
    runs = store.read_history(project)
    basis = basis_of(runs, str(project.path))
    tracks, notes = [], [str(error) for error in store.damaged_runs(project).values()]
    notes += [
        f"run {run.number} ({run.action}) was undone in REAPER and is ignored" for run in store.undone_runs(project)
    ]
    for then in basis.tracks:
        track = track_of(project, then)
        envelope = track.target(then.target) if track else None
        if track is None or envelope is None or not envelope.points:
            notes.append(f"track {then.number} {then.name!r} no longer has a volume envelope")
            continue
        if not envelope.is_active:
            notes.append(f"the volume envelope of {track.title} is bypassed, so it is not heard")
            envelope = replace(envelope, points=tuple(then.base))
        tracks.append(_track(basis, then, envelope, scale_of(project, track, then.target) / then.weight_in_bus))
    return Audited(basis, frame_times_s(basis.root) + basis.root.start_s, tuple(tracks), runs, tuple(notes))


def audit_points(runs: Sequence[RunRecord], now: Mapping[str, EnvelopePoints]) -> Audited:
    """Return the audit of a song without a project; `now` are its points, by bus, without buses that have none.

    Raises
    ------
    InputError
        No run has a prediction.
    """
    basis = basis_of(runs, runs[-1].title if runs else "the folder")
    present = {then.role: now[then.role].points() if then.role in now else () for then in basis.tracks}
    tracks = [_track(basis, then, Envelope(present[then.role], scaling="db"), 1.0) for then in basis.tracks]
    missing = [f"all points of {bus} were deleted, so it is at 0 dB" for bus, points in present.items() if not points]
    return Audited(basis, frame_times_s(basis.root), tuple(tracks), tuple(runs), tuple(missing))


def largest_moves(audited: Audited, count: int) -> list[Move]:
    """Return the largest moves of the written curves, the largest first; moves of less than half a dB are ignored."""
    found = [move for track in audited.tracks for move in _moves(audited, track)]
    return sorted(found, key=lambda move: -abs(move.end_db - move.start_db))[:count]


@dataclass(frozen=True)
class Passage:
    """A part of the song in which a track was edited away from its gain elsewhere; gains are medians, dB."""

    index: int
    start_s: float
    end_s: float
    gain_db: float


def edited_passages(audited: Audited, usual_db: Sequence[float]) -> list[Passage]:
    """Return the parts that were edited, by hand or with a range, to another gain; the largest difference first.

    Parameters
    ----------
    audited : the audit.
    usual_db : the gain of each track that a passage differs from, dB.
    """
    root = audited.basis.root
    spans = [part.range_s for part in audited.basis.parts if part.range_s is not None]
    found = []
    for index, track in enumerate(audited.tracks):
        by_hand_db = np.abs(track.now_db - track.written_db - track.edits.lift_db)
        places = [inside_span(audited.time_s, (start + root.start_s, end + root.start_s)) for start, end in spans]
        places += [
            (audited.time_s >= span.start_s) & (audited.time_s <= span.end_s) & (by_hand_db >= _SMALLEST_MOVE_DB)
            for span in track.edits.spans
        ]
        for place in places:
            frames = np.flatnonzero(place)
            gain_db = float(np.median(track.now_db[frames])) if len(frames) else usual_db[index]
            if abs(gain_db - usual_db[index]) >= _SMALLEST_MOVE_DB:
                start_s, end_s = audited.time_s[frames[[0, -1]]].tolist()
                found.append(Passage(index, start_s, end_s, gain_db))
    return sorted(found, key=lambda passage: -abs(passage.gain_db - usual_db[passage.index]))


def _track(basis: Basis, then: TrackRun, envelope: Envelope, scale: float) -> AuditedTrack:
    times = frame_times_s(basis.root) + basis.root.start_s
    bus = next(bus for bus in basis.root.buses if bus.role == then.role)
    key = then.guid or then.number
    first = next((track for track in basis.root.tracks if (track.guid or track.number) == key), then)
    then_db, now_db = float(gain_to_db(then.scale)), float(gain_to_db(scale))
    return AuditedTrack(
        role=then.role,
        name=then.name,
        predicted_db=np.maximum(from_steps(bus.predicted_cdb, GAIN_STEP_DB), LOWEST_DB),
        written_db=np.maximum(gain_to_db(envelope.gain_of(then.base, times) * then.scale), LOWEST_DB),
        now_db=np.maximum(gain_to_db(envelope.gain_at(times) * scale), LOWEST_DB),
        deviation_db=None if bus.deviation_cdb is None else from_steps(bus.deviation_cdb, GAIN_STEP_DB),
        level_lufs=heard_level_lufs(bus),
        first_db=np.maximum(gain_to_db(envelope.gain_of(first.base, times) * first.scale), LOWEST_DB),
        loudness_lufs=None if bus.loudness_lufs is msgspec.UNSET else bus.loudness_lufs,
        loudness_after_lufs=None if bus.loudness_after_lufs is msgspec.UNSET else bus.loudness_after_lufs,
        terms_db={term: from_steps(steps, TERM_STEP_DB) for term, steps in bus.terms_ddb.items()},
        written=EnvelopePoints.of(then.base, then_db),
        now=EnvelopePoints.of(envelope.points, now_db),
        edits=edits_between(then.base, envelope.points),
        scale_db=now_db,
    )


def heard_level_lufs(bus: BusRun) -> FloatArray:
    """Return how loud a bus's stem was per frame, LUFS, shape (n_frames,); minus infinity where it is silent."""
    level = bus.levels_lufs
    return np.where(level <= ABSOLUTE_GATE_LUFS, -np.inf, level)


def _moves(audited: Audited, track: AuditedTrack) -> list[Move]:
    times, levels = track.written.time_s, track.written.gain_db
    first_inside, last_inside = 0, len(levels) - 1
    turns = [0, *_turning_points(levels), len(levels) - 1]
    if audited.range_s is not None:
        inside = np.flatnonzero(
            (times > audited.range_s[0] + _EDGE_TOLERANCE_S) & (times < audited.range_s[1] - _EDGE_TOLERANCE_S)
        )
        if not len(inside):
            return []
        first_inside, last_inside = int(inside[0]), int(inside[-1])
        edges = {max(0, first_inside - 1), first_inside, last_inside, min(len(levels) - 1, last_inside + 1)}
        turns = sorted(edges | {turn for turn in turns if first_inside < turn < last_inside})
    found = []
    for turn, next_turn in pairwise(turns):
        is_edge = turn < first_inside or next_turn > last_inside
        first, last = _without_level_ends(levels, turn, next_turn)
        if abs(levels[last] - levels[first]) >= _SMALLEST_MOVE_DB:
            frames = np.searchsorted(audited.time_s, [times[first], times[last]]).clip(0, len(audited.time_s) - 1)
            changes = {term: float(curve[frames[1]] - curve[frames[0]]) for term, curve in track.terms_db.items()}
            term = (
                None
                if is_edge
                else max(changes, key=lambda name: changes[name] * np.sign(levels[last] - levels[first]), default=None)
            )
            found.append(
                Move(
                    role=track.role,
                    name=track.name,
                    start_s=float(times[first]),
                    end_s=float(times[last]),
                    start_db=float(levels[first]),
                    end_db=float(levels[last]),
                    term=term,
                    term_db=changes[term] if term is not None else 0.0,
                    is_range_edge=is_edge,
                )
            )
    return found


def _without_level_ends(levels: FloatArray, first: int, last: int) -> tuple[int, int]:
    """Return the part of a monotonic move between the level stretches at its start and its end."""
    start_db, end_db = levels[first], levels[last]
    while first + 1 < last and abs(levels[first + 1] - start_db) <= TOLERANCE_DB:
        first += 1
    while last - 1 > first and abs(levels[last - 1] - end_db) <= TOLERANCE_DB:
        last -= 1
    return first, last


def _turning_points(levels: FloatArray) -> list[int]:
    """Return the indices at which a curve turns; constant parts belong to the previous part."""
    turns, direction = [], 0.0
    for place in range(1, len(levels)):
        step = float(np.sign(round(float(levels[place] - levels[place - 1]), 6)))
        if step and direction and step != direction:
            turns.append(place - 1)
        direction = step or direction
    return turns


def present_curves(audited: Audited) -> GainCurves:
    """Return the present gains of a run's tracks; of several tracks of one bus the first counts.

    Raises
    ------
    InputError
        No track has an envelope.
    """
    root = audited.basis.root
    if not audited.tracks:
        raise InputError("no track of the run still has a volume envelope", path=root.title)
    first: dict[str, AuditedTrack] = {}
    for track in audited.tracks:
        first.setdefault(track.role, track)
    return _curves_of_run(root, {role: track.now_db for role, track in first.items()})


def curves_after_run(runs: Sequence[RunRecord], number: int, where: str) -> GainCurves:
    """Return the gains as they were after run `number`.

    Parameters
    ----------
    runs : all runs, earliest first.
    number : the number of a run.
    where : the project or folder that an error names.

    Raises
    ------
    InputError
        No run up to it has a prediction.
    """
    up_to = [run for run in runs if run.number <= number]
    root = basis_of(up_to, where).root
    gains_db: dict[str, FloatArray] = {}
    for track in restored_tracks(list(reversed(up_to))):
        points_db = EnvelopePoints.of(track.written, float(gain_to_db(track.scale)))
        gains_db.setdefault(track.role, points_db.at(frame_times_s(root) + root.start_s))
    return _curves_of_run(root, {bus.role: gains_db[bus.role] for bus in root.buses if bus.role in gains_db})


def _curves_of_run(root: RunRecord, gains_db: Mapping[str, FloatArray]) -> GainCurves:
    """Return the gains of buses, dB, (n_frames,) each, as curves in the stems' time."""
    levels = {bus.role: heard_level_lufs(bus) for bus in root.buses}
    level_lufs = np.stack([levels[bus] for bus in gains_db], axis=1)
    return GainCurves(
        title=root.title,
        buses=tuple(gains_db),
        time_s=frame_times_s(root),
        gains=db_to_gain(np.stack(list(gains_db.values()), axis=1)),
        active=np.isfinite(level_lufs),
        level_lufs=level_lufs,
    )


@dataclass(frozen=True)
class ComparedBus:
    """One bus: its levels in both, their difference, and how far the moves are apart.

    `difference_db` is what is left of ``second - first`` after the common gain; `moves_db` the standard deviation of
    the difference over time; `largest_db` the largest difference beyond the common gain, at `largest_at_s`.
    """

    bus: str
    first_db: float
    second_db: float
    difference_db: float
    moves_db: float
    largest_db: float
    largest_at_s: float


@dataclass(frozen=True)
class Comparison:
    """The buses, the common gain between the two, and the mean distance of the balances, dB."""

    buses: tuple[ComparedBus, ...]
    common_db: float
    balance_db: float


def compare(
    buses: Sequence[str],
    time_s: FloatArray,
    first_db: FloatArray,
    second_db: FloatArray,
    sounding: npt.NDArray[np.bool_],
) -> Comparison:
    """Compare two sets of curves.

    Parameters
    ----------
    buses : the columns.
    time_s : the frames' centres, shape (n_frames,).
    first_db, second_db : gains, shape (n_frames, n_buses).
    sounding : where each bus sounds, same shape; a bus that never does counts in all frames.

    Examples
    --------
    >>> first, second = np.zeros((8, 2)), np.tile([3.0, 1.0], (8, 1))
    >>> found = compare(["drums", "bass"], np.arange(8.0), first, second, np.ones((8, 2), dtype=bool))
    >>> found.common_db, [bus.difference_db for bus in found.buses]
    (2.0, [1.0, -1.0])
    """
    heard = np.where(sounding.any(axis=0), sounding, True)
    apart = second_db - first_db
    levels = np.array(
        [
            [np.median(column[on]) for column, on in zip(gain_db.T, heard.T, strict=True)]
            for gain_db in (first_db, second_db)
        ]
    )
    common_db = float((levels[1] - levels[0]).mean())
    compared = []
    for i, bus in enumerate(buses):
        beyond = np.where(heard[:, i], apart[:, i] - common_db, 0.0)
        worst = int(np.argmax(np.abs(beyond)))
        compared.append(
            ComparedBus(
                bus=bus,
                first_db=float(levels[0, i]),
                second_db=float(levels[1, i]),
                difference_db=float(levels[1, i] - levels[0, i] - common_db),
                moves_db=float(np.std(apart[heard[:, i], i])),
                largest_db=float(beyond[worst]),
                largest_at_s=float(time_s[worst]),
            )
        )
    balance_db = float(np.mean([abs(one.difference_db) for one in compared]))
    return Comparison(tuple(compared), common_db, balance_db)
