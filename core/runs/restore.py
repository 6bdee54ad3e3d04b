"""Restore the automation that a run replaced.

The user's own moves are found by going back: where a run's envelope is unchanged, the moves are those that the run
found there, and so on. An envelope that was changed since a run counts as the user's own as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import UNSET

from core.errors import InputError
from core.rpp.envelope import Envelope
from core.rpp.parser import Edit
from core.rpp.project import Project, Track
from core.rpp.write import place_of_envelope
from core.runs.record import RunRecord, TrackRun
from core.runs.store import (
    block_bytes,
    damaged_runs,
    envelope_in,
    is_as_written,
    mark_edits,
    read_history,
    removed,
    track_of,
    undone_runs,
)


@dataclass(frozen=True)
class Restored:
    """A project's content before run `first`, the runs that were taken back, and what the user should know."""

    content: bytes
    runs: tuple[RunRecord, ...]
    notes: tuple[str, ...]


def restored(project: Project, first: int) -> Restored:
    """Return the project as it was before run `first`: its envelopes, and a history without that run and later ones.

    Raises
    ------
    InputError
        The project has no such run in force, or its record is damaged.
    """
    runs = runs_from(project, first)
    edits, notes = removed(project.document, first), []
    earlier = [run for run in read_history(project) if run.number < first]
    for then in restored_tracks(runs):
        track = track_of(project, then)
        if track is None:
            notes.append(f"track {then.number} {then.name!r} was deleted, so nothing was restored on it")
        else:
            edits += _edits(project, track, then.before)
            last = next((run for run in reversed(earlier) if _wrote_on(run, project, track)), None)
            edits += mark_edits(project, track, last.id if last is not None and last.follows is not UNSET else None)
    return Restored(project.document.edited(edits), runs, tuple(notes))


def runs_from(project: Project, first: int) -> tuple[RunRecord, ...]:
    """Return run `first` and all later ones that are in force.

    Raises
    ------
    InputError
        The run is not in force, or the record of one of them is damaged.
    """
    for number, error in damaged_runs(project).items():
        if number >= first:
            raise error
    runs = read_history(project)
    chosen = tuple(run for run in runs if run.number >= first)
    if not chosen or chosen[0].number != first:
        known = ", ".join(str(run.number) for run in runs) or "none"
        is_undone = any(run.number == first for run in undone_runs(project))
        problem = f"run {first} was undone in REAPER" if is_undone else f"has no run {first} of Faderwise"
        raise InputError(problem, path=project.path, remedy=f"its runs: {known}")
    return chosen


def restored_tracks(runs: Sequence[RunRecord]) -> tuple[TrackRun, ...]:
    """Return, for each track any of `runs` wrote on, the earliest one's record: its `before` is what was there."""
    earliest: dict[tuple[str, int], TrackRun] = {}
    for run in runs:
        for track in run.tracks:
            earliest.setdefault((track.guid, 0 if track.guid else track.number), track)
    return tuple(earliest.values())


def _wrote_on(run: RunRecord, project: Project, track: Track) -> bool:
    return any(track_of(project, then) == track for then in run.tracks)


def _edits(project: Project, track: Track, before: str | None) -> list[Edit]:
    lines = () if before is None else (block_bytes(before),)
    envelope = track.envelopes.get("VOLENV2")
    if envelope is not None and envelope.block is not None:
        return [Edit(envelope.block.first, envelope.block.last + 1, lines)]
    at = place_of_envelope(project.document, track.block)
    return [Edit(at, at, lines)] if lines else []


def own_moves(project: Project, track: Track) -> Envelope | None:
    """Return the envelope with the user's own moves, or None where there are none."""
    return _before_ours(project, track, track.envelopes.get("VOLENV2"), read_history(project))


def moves_before(project: Project, track: Track, run: RunRecord) -> Envelope | None:
    """Return the user's own moves that a run found on a track, or None where there were none."""
    then = next((one for one in run.tracks if track_of(project, one) == track), None)
    if then is None:
        return None
    earlier = [one for one in read_history(project) if one.number < run.number]
    return _before_ours(project, track, envelope_in(then.before), earlier)


def _before_ours(
    project: Project, track: Track, envelope: Envelope | None, runs: Sequence[RunRecord]
) -> Envelope | None:
    for run in reversed(runs):
        then = next((one for one in run.tracks if track_of(project, one) == track), None)
        if then is not None:
            if not is_as_written(envelope, then):
                break
            envelope = envelope_in(then.before)
    return envelope
