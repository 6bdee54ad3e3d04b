"""Edit and revert jobs of an open project."""

from __future__ import annotations

import msgspec

from analysis_server.reaper.edit_answers import settings_of
from analysis_server.reaper.inspect_project import BUSES_KEY, opened
from analysis_server.reaper.instructions import envelopes_to_restore, ext_state_to_change, points_to_write
from analysis_server.reaper.job_file import EditAnswers, ExtState, Instructions, JobFile, in_reaper
from analysis_server.verbs.edit import EditConflict, EditResult, edited
from analysis_server.verbs.revert import reverted
from core.errors import InputError
from core.rpp.ext_state import ext_state
from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from core.runs import store
from core.runs.edit import basis_of


def edit(job: JobFile) -> Instructions:
    """Apply the latest prediction anew, with the settings that were filled in, in the time selection or everywhere.

    Raises
    ------
    InputError
        There is nothing to edit, or a setting is out of its range.
    """
    project = opened(job)
    settings = settings_of(job.edit or EditAnswers(), _part_s(project, job))
    result, written, record = edited(project, msgspec.structs.asdict(settings), afresh=True, in_reaper=True)
    after = _with(project, written.with_edits(store.added(project.document, record)).content)
    return Instructions(
        undo=f"Faderwise: {job.action}",
        summary=f"Written again: {', '.join(result.in_words) or 'as predicted'}. One undo step takes it back.",
        tracks=points_to_write(project, after),
        ext_state=ext_state_to_change(project, after),
        notes=[*_kept(result), *(in_reaper(warning, job) for warning in result.warnings)],
    )


def revert(job: JobFile) -> Instructions:
    """Bring back what stood there before a run.

    Raises
    ------
    InputError
        There is no such run, or its record is damaged.
    """
    project = opened(job)
    earlier = [run.number for run in store.read_history(project) if job.run and run.number < job.run]
    result, back = reverted(project, max(earlier, default=0))
    after = _with(project, back.content)
    tracks = envelopes_to_restore(project, after)
    return Instructions(
        undo=f"Faderwise: {job.action}",
        summary=f"{len(tracks)} envelopes are what they were before {_runs(result.taken_back)}.",
        tracks=tracks,
        ext_state=_without_choice(project, ext_state_to_change(project, after), bool(result.left)),
        notes=[in_reaper(warning, job) for warning in result.warnings],
    )


def _part_s(project: Project, job: JobFile) -> tuple[float, float] | None:
    """Return the time selection in the time of the latest prediction's song."""
    if job.selection_s is None:
        return None
    root = basis_of(store.read_history(project), job.title).root
    start_s, end_s = (max(edge_s - root.start_s, 0.0) for edge_s in job.selection_s)
    if start_s >= min(end_s, root.duration_s):
        raise InputError("the time selection lies outside what was mixed", remedy="select a part of it, or nothing")
    return start_s, end_s


def _with(project: Project, content: bytes) -> Project:
    return project_of(parse(content, project.path))


def _kept(result: EditResult) -> list[str]:
    told = [f"{kept.track}: your own points stayed ({kept.n_points})" for kept in result.kept_edits]
    told += [f"{lifted.track}: you had moved the whole curve {lifted.lift_db:+.1f} dB" for lifted in result.lifted]
    return told + [_conflict(conflict) for conflict in result.conflicts]


def _conflict(one: EditConflict) -> str:
    return (
        f"{one.track}, {one.start_s:.1f} to {one.end_s:.1f} s: your gain stayed ({one.kept_db:+.1f} dB where the edit "
        f"wants {one.wanted_db:+.1f} dB)"
    )


def _runs(numbers: list[int]) -> str:
    return f"run {numbers[0]}" if len(numbers) == 1 else f"runs {numbers[0]} to {numbers[-1]}"


def _without_choice(project: Project, changes: ExtState, has_runs: bool) -> ExtState:
    """Return the changes that leave nothing of ours behind with the last run: the choice of buses goes, too."""
    if has_runs or BUSES_KEY not in ext_state(project.document, store.SECTION):
        return changes
    return msgspec.structs.replace(changes, delete=[*changes.delete, BUSES_KEY])
