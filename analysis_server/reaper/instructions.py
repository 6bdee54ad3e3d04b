"""Instructions for the bridge: what to change on the tracks and in the ext state of the open project.

Conventions: a track's points that are the same before and after stay; the stretch between the first and the last that
differ is written again. No point that stays has the time of a new one, so that their order is unambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from analysis_server.reaper.inspect_project import BUSES_KEY, OPTIONS_KEY, number_in, opened
from analysis_server.reaper.job_file import EditAnswers, ExtState, Instructions, JobFile, Points, Restoration, WriteOn
from analysis_server.verbs.edit import compute_edit, own_changes
from analysis_server.verbs.revert import compute_revert
from core.automation.points import Point
from core.errors import InputError
from core.roles import canonical_role
from core.rpp.envelope import Envelope
from core.rpp.project import FADER, Project
from core.rpp.write import Written
from core.runs import store
from core.runs.edit import EditSettings, basis_of, describe
from core.runs.record import RunRecord, rounded
from core.runs.store import (
    SECTION,
    block_bytes,
    block_text,
    ext_state,
    fader_in,
    keys_to_delete,
    mark_of,
    read_history,
    restored_tracks,
    runs_from,
    to_ext_state,
    track_of,
)


def points_to_write(written: Written) -> list[WriteOn]:
    """Return the points to write on each track whose volume envelope differs from what is there."""
    changes = []
    for envelope in written.envelopes:
        track, old = envelope.track, envelope.track.target(envelope.name)
        if envelope.name == FADER:
            changes.append(WriteOn(guid=track.guid, name=track.title, fader=envelope.points[0].gain))
        elif old is None or not old.is_active or tuple(old.points) != envelope.points:
            write = _difference(old, envelope.points)
            changes.append(WriteOn(guid=track.guid, name=track.title, envelope=envelope.name, write=write))
    return changes


def envelopes_to_restore(project: Project, first: int) -> list[WriteOn]:
    """Return the envelope before run `first`, for each track whose envelope differs from it.

    Raises
    ------
    InputError
        The project has no run `first`, or the record of a run is damaged.
    """
    changes = []
    for then in restored_tracks(runs_from(project, first)):
        track = track_of(project, then)
        if track is not None:
            chunk = None if then.before is None else _chunk(block_bytes(then.before))
            text = block_text(project, track, then.target)
            if then.target == FADER:
                volume = float(fader_in(then.before).replace(",", "."))
                changes.append(WriteOn(guid=track.guid, name=track.title, fader=volume))
            elif chunk != (None if text is None else _chunk(block_bytes(text))):
                restore = Restoration(chunk=chunk)
                changes.append(WriteOn(guid=track.guid, name=track.title, envelope=then.target, restore=restore))
    return changes


def marks_to_set(record: RunRecord) -> dict[str, str]:
    """Return the id of a run for each of its tracks."""
    return {track.guid: record.id for track in record.tracks}


def marks_to_restore(project: Project, first: int) -> dict[str, str]:
    """Return, for each track that run `first` or a later one wrote on, the id of the last run before; empty for none.

    Raises
    ------
    InputError
        The project has no run `first`, or the record of a run is damaged.
    """
    earlier = [run for run in read_history(project) if run.number < first]
    marks = {}
    for then in restored_tracks(runs_from(project, first)):
        track = track_of(project, then)
        if track is not None:
            runs = [run for run in earlier if any(one.guid == track.guid for one in run.tracks)]
            mark = runs[-1].id if runs and runs[-1].follows is not msgspec.UNSET else ""
            if mark != (mark_of(project, track) or ""):
                marks[track.guid] = mark
    return marks


def record_to_store(record: RunRecord) -> ExtState:
    """Return the keys and values that hold a run's record."""
    return ExtState(set=to_ext_state(record))


def records_to_delete(project: Project, first: int) -> ExtState:
    """Return the keys that hold the records of run `first` and of all later ones."""
    return ExtState(delete=list(keys_to_delete(ext_state(project.document, SECTION), first)))


def _chunk(raw: bytes) -> str:
    """Return an envelope's lines as a state chunk: LF, no indent."""
    return "".join(line.decode("utf-8", "replace").strip() + "\n" for line in raw.splitlines())


def _difference(envelope: Envelope | None, new: Sequence[Point]) -> Points:
    """Return what turns the points of an envelope into `new`; all points where no stretch of them stays."""
    old = () if envelope is None else envelope.points
    n_shared = min(len(old), len(new))
    first = _count_unchanged(old, new, n_shared, 1)
    last = _count_unchanged(old[::-1], new[::-1], n_shared - first, -1)
    changed = new[first : len(new) - last]
    times = [point.time_s for point in (*changed, *old[first : len(old) - last])]
    if not times or (first == 0 and last == 0):  # without times the envelope is only switched on
        return Points(start_s=None, end_s=None, points=rounded(new))
    return Points(start_s=min(times), end_s=max(times), points=rounded(changed))


def _count_unchanged(old: Sequence[Point], new: Sequence[Point], at_most: int, direction: int) -> int:
    """Return how many points at the start stay, so that none of them has the time of one that changes."""
    count = 0
    while count < at_most and old[count] == new[count]:
        count += 1

    def meets(points: Sequence[Point]) -> bool:
        return count < len(points) and direction * (points[count].time_s - points[count - 1].time_s) <= 0.0

    while count > 0 and (meets(old) or meets(new)):
        count -= 1
    return count


def edit(job: JobFile) -> Instructions:
    """Apply the latest prediction again with other settings, in the time selection or everywhere.

    Raises
    ------
    InputError
        There is nothing to edit, or a setting is out of its range.
    """
    project = opened(job)
    part_s = _part_s(project, job)
    settings = shown = settings_of(job.edit or EditAnswers(), part_s)
    if part_s is not None:  # the user sees the project's time, in which the song may start later
        start_s = basis_of(store.read_history(project), job.title).root.start_s
        shown = msgspec.structs.replace(settings, range_s=(start_s + part_s[0], start_s + part_s[1]))
    result, written, record = compute_edit(
        project, msgspec.structs.asdict(settings), from_prediction=True, in_reaper=True
    )
    tracks = points_to_write(written)
    return Instructions(
        undo=f"Faderwise: {job.action}",
        summary=f"{_targets(tracks)} written again: {', '.join(describe(shown)) or 'as predicted'}.",
        tracks=tracks,
        marks=marks_to_set(record),
        ext_state=record_to_store(record),
        notes=[*own_changes(result), *result.warnings],
    )


def revert(job: JobFile) -> Instructions:
    """Restore the envelopes from before a run.

    Raises
    ------
    InputError
        The run does not exist, or its record is damaged.
    """
    project = opened(job)
    earlier = [run.number for run in store.read_history(project) if job.run and run.number < job.run]
    result, _ = compute_revert(project, max(earlier, default=0))
    first = result.taken_back[0]
    tracks = envelopes_to_restore(project, first)
    state = records_to_delete(project, first)
    if not result.left:  # nothing of Faderwise stays in the project
        stored = ext_state(project.document, store.SECTION)
        choices = [key for key in (BUSES_KEY, OPTIONS_KEY) if key in stored]
        state = msgspec.structs.replace(state, delete=[*state.delete, *choices])
    restored = f"{len(tracks)} {_targets(tracks).lower()}".removesuffix("s" if len(tracks) == 1 else "")
    numbers = result.taken_back
    runs = f"run {first}" if len(numbers) == 1 else f"runs {first} to {numbers[-1]}"
    return Instructions(
        undo=f"Faderwise: {job.action}",
        summary=f"Restored {restored} to the state before {runs}.",
        tracks=tracks,
        marks=marks_to_restore(project, first),
        ext_state=state,
        notes=result.warnings,
    )


def _targets(tracks: Sequence[WriteOn]) -> str:
    return "Faders" if tracks and all(track.fader is not None for track in tracks) else "Envelopes"


def settings_of(answers: EditAnswers, range_s: tuple[float, float] | None) -> EditSettings:
    """Return the settings that were filled in, for a part of the song or all of it.

    Raises
    ------
    InputError
        A field that needs a number contains something else.
    """
    return EditSettings(
        depth_percent=number_in("Depth", answers.depth, 100.0),
        moves_percent=number_in("Moves", answers.moves, 100.0),
        smooth_s=number_in("Smoothing", answers.smooth, 0.0),
        limit_db=number_in("Limit", answers.limit, 0.0) if answers.limit.strip() else None,
        offset_db={bus: number_in(f"Offset of {bus}", text, 0.0) for bus, text in answers.offsets.items()},
        freeze=[canonical_role(part) for part in re.split("[,;]", answers.freeze) if part.strip()],
        range_s=range_s,
    )


def _part_s(project: Project, job: JobFile) -> tuple[float, float] | None:
    """Return the time selection in the time of the latest prediction's song."""
    if job.selection_s is None:
        return None
    root = basis_of(store.read_history(project), job.title).root
    start_s, end_s = (max(edge_s - root.start_s, 0.0) for edge_s in job.selection_s)
    if start_s >= min(end_s, root.duration_s):
        raise InputError("the time selection is outside the mixed part", remedy="select a part of it, or nothing")
    return start_s, end_s
