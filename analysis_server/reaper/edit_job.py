"""Edit and revert jobs of an open project."""

from __future__ import annotations

import re

import msgspec

from analysis_server.reaper.inspect_project import BUSES_KEY, opened
from analysis_server.reaper.instructions import (
    envelopes_to_restore,
    marks_to_restore,
    marks_to_set,
    points_to_write,
    record_to_store,
    records_to_delete,
)
from analysis_server.reaper.job_file import EditAnswers, Instructions, JobFile
from analysis_server.verbs.edit import EditConflict, EditResult, edited
from analysis_server.verbs.revert import reverted
from core.errors import InputError
from core.roles import canonical_role
from core.rpp.ext_state import ext_state
from core.rpp.project import Project
from core.runs import store
from core.runs.edit import EditSettings, basis_of


def edit(job: JobFile) -> Instructions:
    """Apply the latest prediction again with other settings, in the time selection or everywhere.

    Raises
    ------
    InputError
        There is nothing to edit, or a setting is out of its range.
    """
    project = opened(job)
    settings = settings_of(job.edit or EditAnswers(), _part_s(project, job))
    result, written, record = edited(project, msgspec.structs.asdict(settings), afresh=True, in_reaper=True)
    return Instructions(
        undo=f"Faderwise: {job.action}",
        summary=f"Envelopes written again: {', '.join(result.in_words) or 'as predicted'}.",
        tracks=points_to_write(written),
        marks=marks_to_set(record),
        ext_state=record_to_store(record),
        notes=[*_kept(result), *result.warnings],
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
    result, _ = reverted(project, max(earlier, default=0))
    first = result.taken_back[0]
    tracks = envelopes_to_restore(project, first)
    state = records_to_delete(project, first)
    if not result.left and BUSES_KEY in ext_state(project.document, store.SECTION):  # nothing of ours stays behind
        state = msgspec.structs.replace(state, delete=[*state.delete, BUSES_KEY])
    envelopes = "1 envelope" if len(tracks) == 1 else f"{len(tracks)} envelopes"
    return Instructions(
        undo=f"Faderwise: {job.action}",
        summary=f"Restored {envelopes} to the state before {_runs(result.taken_back)}.",
        tracks=tracks,
        marks=marks_to_restore(project, first),
        ext_state=state,
        notes=result.warnings,
    )


def settings_of(answers: EditAnswers, range_s: tuple[float, float] | None) -> EditSettings:
    """Return the settings that were filled in, for a part of the song or all of it.

    Raises
    ------
    InputError
        A field that needs a number contains something else.
    """
    return EditSettings(
        depth_percent=_number("Depth", answers.depth, 100.0),
        moves_percent=_number("Moves", answers.moves, 100.0),
        smooth_s=_number("Smoothing", answers.smooth, 0.0),
        limit_db=_number("Limit", answers.limit, 0.0) if answers.limit.strip() else None,
        offset_db={bus: _number(f"Offset of {bus}", text, 0.0) for bus, text in answers.offsets.items()},
        freeze=[canonical_role(part) for part in re.split("[,;]", answers.freeze) if part.strip()],
        range_s=range_s,
    )


def _number(field: str, text: str, default: float) -> float:
    try:
        return float(text.strip().rstrip("%").replace(",", ".")) if text.strip() else default
    except ValueError:
        raise InputError(f"{text.strip()!r} is not a number", option=field, remedy="run the action again") from None


def _part_s(project: Project, job: JobFile) -> tuple[float, float] | None:
    """Return the time selection in the time of the latest prediction's song."""
    if job.selection_s is None:
        return None
    root = basis_of(store.read_history(project), job.title).root
    start_s, end_s = (max(edge_s - root.start_s, 0.0) for edge_s in job.selection_s)
    if start_s >= min(end_s, root.duration_s):
        raise InputError("the time selection is outside the mixed part", remedy="select a part of it, or nothing")
    return start_s, end_s


def _kept(result: EditResult) -> list[str]:
    notes = [f"{kept.track}: your own points were kept ({kept.n_points})" for kept in result.kept_edits]
    notes += [f"{lifted.track}: you had moved the whole curve {lifted.lift_db:+.1f} dB" for lifted in result.lifted]
    return notes + [_conflict(conflict) for conflict in result.conflicts]


def _conflict(one: EditConflict) -> str:
    return (
        f"{one.track}, {one.start_s:.1f} to {one.end_s:.1f} s: your gain was kept ({one.kept_db:+.1f} dB where the "
        f"edit asks for {one.wanted_db:+.1f} dB)"
    )


def _runs(numbers: list[int]) -> str:
    return f"run {numbers[0]}" if len(numbers) == 1 else f"runs {numbers[0]} to {numbers[-1]}"
