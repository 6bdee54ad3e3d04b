"""`faderwise edit`: apply a run's prediction again with other settings; the user's own changes are preserved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from analysis_server.paths import by_name, is_project, locked
from analysis_server.report.content import median_gain_db
from analysis_server.runs import run_folder
from analysis_server.runs.kept_runs import earlier_results
from analysis_server.runs.run_folder import project_with_runs
from core.automation.points import EnvelopePoints, inside_span
from core.decibels import gain_to_db
from core.errors import InputError
from core.files import replacing_set, require_writable_folder
from core.progress import ProgressCallback, no_progress
from core.rpp.project import Project
from core.rpp.write import Written
from core.runs import store
from core.runs.audit import heard_level_lufs
from core.runs.edit import EditSettings, ReApplied, TrackEdit, common_span, describe, reapply, reapply_points
from core.runs.record import RunRecord, frame_times_s
from core.wording import decibels

_LEAST_CHANGE_DB = 0.005


class EditRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Apply the latest prediction of `target` (a project with runs, or a folder of `mix`) with other settings.

    The settings are `core.runs.edit.EditSettings`; None keeps the value of the previous edit, with `from_prediction`
    as predicted. A project's copy goes next to it or into `out`; with `render`, a folder's `mix.wav` is written again.
    """

    target: str
    depth_percent: float | None = None
    moves_percent: float | None = None
    offset_db: dict[str, float] | None = None
    ride_percent: dict[str, float] | None = None
    limit_db: float | None = None
    smooth_s: float | None = None
    range_s: tuple[float, float] | None = None
    freeze: list[str] | None = None
    ignore_s: list[tuple[float, float]] | None = None
    from_prediction: bool = False
    out: str | None = None
    render: bool = False
    dry_run: bool = False

    def changes(self) -> dict[str, object]:
        """Return the settings of the request; those that were not given are None."""
        return {name: getattr(self, name) for name in EditSettings.__struct_fields__}

    @property
    def has_settings(self) -> bool:
        """Whether the request changes any setting."""
        return self.from_prediction or any(value is not None for value in self.changes().values())


class KeptEdit(msgspec.Struct, frozen=True, kw_only=True):
    """A span in which the user's points were preserved; an end is None if it is that of the song."""

    bus: str
    track: str
    start_s: float | None
    end_s: float | None
    n_points: int


class Lifted(msgspec.Struct, frozen=True, kw_only=True):
    """A track whose whole curve the user lifted, and by how much."""

    bus: str
    track: str
    lift_db: float


class EditConflict(msgspec.Struct, frozen=True, kw_only=True):
    """A span that both changed, as in `core.runs.merge.Conflict`; gains as heard."""

    bus: str
    track: str
    start_s: float
    end_s: float
    points_s: list[float]
    at_s: float
    kept_db: float
    wanted_db: float

    def sentence(self) -> str:
        """Return which of the user's points were kept, and the gains at the one that differs most."""
        gains = f"{decibels(self.kept_db)} instead of {decibels(self.wanted_db)}"
        if not self.points_s:
            span = f"{self.start_s:.1f} to {self.end_s:.1f} s"
            return f"the points you deleted from {span} stay deleted: at {self.at_s:.1f} s {gains}"
        if len(self.points_s) == 1:
            return f"your point at {self.at_s:.1f} s was kept: {gains}"
        first_s, last_s = self.points_s[0], self.points_s[-1]
        points = f"your {len(self.points_s)} points from {first_s:.1f} to {last_s:.1f} s were kept"
        return f"{points}: at {self.at_s:.1f} s {gains}"


def own_changes(result: EditResult) -> list[str]:
    """Return one sentence for each of the user's changes that an edit kept."""
    sentences = [
        f"{_track_text(lifted.track, lifted.bus)}: your offset of {decibels(lifted.lift_db)} is kept"
        for lifted in result.lifted
    ]
    in_conflict = {(conflict.track, conflict.start_s) for conflict in result.conflicts}
    sentences += [
        f"{_track_text(kept.track, kept.bus)}: your points are kept {span_text(kept.start_s, kept.end_s)}"
        for kept in result.kept_edits
        if (kept.track, max(kept.start_s or 0.0, 0.0)) not in in_conflict
    ]
    return sentences + [
        f"{_track_text(conflict.track, conflict.bus)}: {conflict.sentence()}" for conflict in result.conflicts
    ]


def span_text(start_s: float | None, end_s: float | None) -> str:
    """Return a time span as text; None is the start or end of the song."""
    if start_s is None and end_s is None:
        return "throughout"
    if start_s is None:
        return f"up to {end_s:.1f} s"
    return f"from {start_s:.1f} s on" if end_s is None else f"from {start_s:.1f} to {end_s:.1f} s"


def _track_text(track: str, bus: str) -> str:
    return track if track.casefold() == bus.casefold() else f"{track} ({bus})"


class EditedBus(msgspec.Struct, frozen=True, kw_only=True):
    """The median gain of a bus while its stem has signal, in the edited part, before and after, dB."""

    before_db: float
    after_db: float


class EditedTrack(msgspec.Struct, frozen=True, kw_only=True):
    """The same of a track, which may have points of the user's, and the number of its points."""

    bus: str
    track: str
    before_db: float
    after_db: float
    n_points: int


class EditResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: `run` is the edit's number, `edited` is that of the run that it acts on.

    `buses` are the gains by bus (of several tracks, the first one's); `files` by name, empty after a dry run.
    `notes` are information, `warnings` what may be a problem.
    """

    title: str
    run: int
    edited: int
    buses: dict[str, EditedBus]
    tracks: list[EditedTrack]
    settings: EditSettings
    in_words: list[str]
    kept_edits: list[KeptEdit]
    lifted: list[Lifted]
    conflicts: list[EditConflict]
    files: dict[str, str]
    notes: list[str]
    warnings: list[str]


def run(request: EditRequest, progress: ProgressCallback = no_progress) -> EditResult:
    """Edit and write.

    Raises
    ------
    InputError
        Nothing is to be changed, there is nothing to edit, a setting is out of its range, or a place cannot be written
        to.
    """
    if not (request.has_settings or request.render):
        raise InputError(
            "no setting to change was given, so nothing was written",
            path=request.target,
            remedy="add an option such as --depth, --offset or --from-prediction; see `faderwise edit --help`",
        )
    target = Path(request.target)
    if is_project(request.target):
        with locked(run_folder.copy_path(target, request.out)):
            return _edit_project(request)
    with locked(target):
        return _edit_folder(request, progress)


def compute_edit(
    project: Project, changes: Mapping[str, object], *, from_prediction: bool = False, in_reaper: bool = False
) -> tuple[EditResult, Written, RunRecord]:
    """Return what an edit does to a project, without writing it: the result, the new envelopes, the dated record.

    Parameters
    ----------
    project : a project with a run in force.
    changes : the settings to change.
    from_prediction : start from the prediction instead of the previous edit's settings.
    in_reaper : whether the project is open in REAPER, so that the run's id goes onto its tracks.

    Raises
    ------
    InputError
        There is nothing to edit, or a setting is out of its range.
    """
    done, written = reapply(project, changes, from_prediction=from_prediction)
    record = store.with_mark(done.record, project) if in_reaper else done.record
    record = run_folder.dated(record, ())
    written = written.with_edits(store.mark_tracks(project, record))
    return _result(done), written, record


def _edit_project(request: EditRequest) -> EditResult:
    if request.render:
        raise InputError(
            "a project is rendered in REAPER", path=request.target, option="--render", remedy="omit the option"
        )
    project = project_with_runs(Path(request.target))
    result, written, record = compute_edit(project, request.changes(), from_prediction=request.from_prediction)
    path = run_folder.copy_path(project.path, request.out)
    run_folder.refuse_the_original(path, project)
    require_writable_folder(path.parent)
    if request.dry_run:
        return result
    run_folder.write_copy(path, written.with_edits(store.edits_to_add(project.document, record)).content)
    return msgspec.structs.replace(result, files=by_name([path]))


def _edit_folder(request: EditRequest, progress: ProgressCallback) -> EditResult:
    if request.out is not None:
        raise InputError("a folder is edited in place", path=request.target, option="--out", remedy="omit the option")
    folder = run_folder.read_automation_folder(Path(request.target))
    done = reapply_points(folder.runs, folder.now, request.changes(), from_prediction=request.from_prediction)
    earlier = earlier_results(folder.path)
    result = _result(done)
    unchanged = result.notes if request.has_settings else []  # --render alone is not to change a gain
    result = msgspec.structs.replace(result, notes=[*([earlier] if earlier else []), *unchanged])
    require_writable_folder(folder.path)
    merged = {edit.run.role: EnvelopePoints.of(edit.merged.points) for edit in done.tracks}
    automation = {bus: merged.get(bus, points) for bus, points in folder.now.items()}
    song = None
    if request.render:
        from analysis_server.runs import run_stems  # noqa: PLC0415 - it loads the audio libraries

        song = run_stems.song_to_render(folder.path, folder.runs, automation)
    if request.dry_run:
        return result
    before = run_folder.texts(folder.path)
    record = run_folder.dated(msgspec.structs.replace(done.record, files_before=before), ())
    runs, mix = [*folder.runs, record], folder.path / run_folder.MIX
    state = run_folder.automation_hash(automation, runs)
    file = run_folder.RunFile(runs=runs, mixed=folder.file.mixed if song is None else state)
    warnings, notes = [], []
    if file.mixed != state and mix.is_file():
        warnings = [f"{mix.name} is from before this edit; --render renders it again"]
    with replacing_set(folder.path) as files:
        written = run_folder.write_automation_folder(folder, automation, file, files, verb="edit")
        run_folder.mark_pages(folder.path, files, file, automation)
        if song is not None:
            warnings, notes = [], run_stems.render_again(song, automation, files.new(mix), progress)
            written |= by_name([mix])
    return msgspec.structs.replace(
        result, files=written, notes=[*result.notes, *notes], warnings=[*result.warnings, *warnings]
    )


def _result(done: ReApplied) -> EditResult:
    tracks = _edited_tracks(done)
    first = {one.bus: one for one in reversed(tracks)}
    return EditResult(
        title=done.record.title,
        run=done.record.number,
        edited=done.root.number,
        buses={
            bus: EditedBus(before_db=first[bus].before_db, after_db=first[bus].after_db)
            for bus in dict.fromkeys(one.bus for one in tracks)
        },
        tracks=tracks,
        settings=done.settings,
        in_words=describe(done.settings),
        kept_edits=[
            KeptEdit(
                bus=edit.run.role,
                track=_name(edit),
                start_s=_finite(span.start_s),
                end_s=_finite(span.end_s),
                n_points=len(span.added),
            )
            for edit in done.tracks
            for span in edit.merged.edits.spans
        ],
        lifted=[
            Lifted(bus=edit.run.role, track=edit.run.name, lift_db=edit.merged.edits.lift_db)
            for edit in done.tracks
            if edit.merged.edits.lift != 1.0
        ],
        conflicts=[conflict for edit in done.tracks for conflict in _conflicts(edit)],
        files={},
        notes=[] if any(map(_has_changed, done.tracks)) else ["the edit changes no gain"],
        warnings=list(done.notes),
    )


def _has_changed(edit: TrackEdit) -> bool:
    before, after = EnvelopePoints.of(edit.now), EnvelopePoints.of(edit.merged.points)
    time_s = np.concatenate([before.time_s, after.time_s])
    return bool(np.abs(before.at(time_s) - after.at(time_s)).max(initial=0.0) >= _LEAST_CHANGE_DB)


def _edited_tracks(done: ReApplied) -> list[EditedTrack]:
    time_s = frame_times_s(done.root)
    inside = inside_span(time_s, common_span(done.root.range_s, done.settings.range_s))
    active = {bus.role: np.isfinite(heard_level_lufs(bus))[inside] for bus in done.root.buses}
    time_s = time_s[inside] + done.root.start_s
    tracks = []
    for edit in done.tracks:
        scale_db = float(gain_to_db(edit.run.scale))
        before_db, after_db = (
            median_gain_db(EnvelopePoints.of(points).at(time_s), active[edit.run.role]) + scale_db
            for points in (edit.now, edit.merged.points)
        )
        tracks.append(
            EditedTrack(
                bus=edit.run.role,
                track=_name(edit),
                before_db=before_db,
                after_db=after_db,
                n_points=len(edit.merged.points),
            )
        )
    return tracks


def _name(edit: TrackEdit) -> str:
    return edit.run.name or f"track {edit.run.number}"


def _conflicts(edit: TrackEdit) -> Sequence[EditConflict]:
    scale_db = float(gain_to_db(edit.run.scale))
    return [
        EditConflict(
            bus=edit.run.role,
            track=_name(edit),
            start_s=conflict.start_s,
            end_s=conflict.end_s,
            points_s=list(conflict.points_s),
            at_s=conflict.at_s,
            kept_db=conflict.kept_db + scale_db,
            wanted_db=conflict.wanted_db + scale_db,
        )
        for conflict in edit.merged.conflicts
    ]


def _finite(time_s: float) -> float | None:
    return time_s if math.isfinite(time_s) else None
