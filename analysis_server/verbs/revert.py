"""`faderwise revert`: restore the automation before a run, to the byte, and render its mix again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from analysis_server.paths import by_name, is_project, locked
from analysis_server.runs import run_folder
from analysis_server.runs.kept_runs import earlier_results
from analysis_server.runs.run_folder import project_with_runs
from core.automation.points import Automation
from core.errors import InputError
from core.files import replacing_set, require_writable_folder
from core.progress import ProgressCallback, no_progress
from core.rpp.project import Project
from core.runs import store
from core.runs.record import RunRecord
from core.runs.store import Restored

if TYPE_CHECKING:
    from core.audio.song import Song


class RevertRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Restore `target` (a project with runs, or a folder of `mix`) to its state after run `to`.

    `to` 0, the default for a project, is before all of our runs; a folder goes back to its first run at most.
    A project's copy goes next to it or into `out`. The mix.wav of a folder is rendered again where it is of another
    automation, unless `render` is false.
    """

    target: str
    to: int | None = None
    out: str | None = None
    render: bool = True
    dry_run: bool = False


class RevertResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: the numbers of the reverted and the remaining runs; `files` by name.

    `notes` are information, `warnings` what may be a problem.
    """

    title: str
    to: int
    taken_back: list[int]
    left: list[int]
    tracks: list[str]
    files: dict[str, str]
    notes: list[str]
    warnings: list[str]


def run(request: RevertRequest, progress: ProgressCallback = no_progress) -> RevertResult:
    """Revert and write.

    Raises
    ------
    InputError
        The run does not exist, its record is damaged, or a file cannot be written.
    """
    target = Path(request.target)
    if is_project(request.target):
        with locked(run_folder.copy_path(target, request.out)):
            return _revert_project(request)
    with locked(target):
        return _revert_folder(request, progress)


def compute_revert(project: Project, to: int) -> tuple[RevertResult, Restored]:
    """Return what going back to run `to` does to a project, without writing it.

    Raises
    ------
    InputError
        The run does not exist, or its record is damaged.
    """
    runs = store.read_history(project)
    back = store.restore(project, _after(runs, to, str(project.path)))
    return _result(runs, to, back.notes), back


def _revert_project(request: RevertRequest) -> RevertResult:
    project = project_with_runs(Path(request.target))
    result, back = compute_revert(project, request.to or 0)
    path = run_folder.copy_path(project.path, request.out)
    run_folder.refuse_the_original(path, project)
    require_writable_folder(path.parent)
    if request.dry_run:
        return result
    run_folder.write_copy(path, back.content)
    return msgspec.structs.replace(result, files=by_name([path]))


def _revert_folder(request: RevertRequest, progress: ProgressCallback) -> RevertResult:
    if request.out is not None:
        raise InputError("a folder is reverted in place", path=request.target, option="--out", remedy="omit the option")
    folder = Path(request.target)
    file = run_folder.read_file(folder)
    runs = file.runs
    run_folder.refuse_run_of_project(folder, runs)
    to = runs[0].number if request.to is None else request.to
    if to < runs[0].number:
        raise InputError(f"was made by run {runs[0].number}", path=folder, remedy="revert to it or a later run")
    first = _after(runs, to, str(folder))
    before = next(run for run in runs if run.number == first).files_before
    left = [run for run in runs if run.number < first]
    result = _result(runs, to, ())
    require_writable_folder(folder)
    if request.dry_run:
        return result
    automation = run_folder.automation_in(before, left, folder)
    state = run_folder.automation_hash(automation, left)
    song: Song | None = None
    notes: list[str] = []
    warnings: list[str] = []
    mix = folder / run_folder.MIX
    if file.mixed != state and mix.is_file():
        song, warnings = _song_to_render(request, left, automation)
    keeps_mix = song is None and mix.is_file()
    file = run_folder.RunFile(runs=left, mixed=file.mixed if keeps_mix else state)
    with replacing_set(folder) as files:
        written = run_folder.write_back(folder, before, file, files)
        run_folder.mark_pages(folder, files, file, automation)
        if song is not None:
            from analysis_server.runs.run_stems import render_again  # noqa: PLC0415 - it loads the audio libraries

            is_first_mix = state == run_folder.FIRST and left[0].action == "mix"
            loudness_lufs = left[0].figures.get("loudness_after_lufs") if is_first_mix else None
            notes = render_again(song, automation, files.new(mix), progress, loudness_lufs=loudness_lufs)
            written |= by_name([mix])
    return msgspec.structs.replace(result, files=written, notes=notes, warnings=[*result.warnings, *warnings])


def _song_to_render(
    request: RevertRequest, left: Sequence[RunRecord], automation: Automation
) -> tuple[Song | None, list[str]]:
    """Return the song whose mix is rendered again, or None and a warning that mix.wav stays as it is."""
    from analysis_server.runs.run_stems import song_to_render  # noqa: PLC0415 - it loads the audio libraries

    again = f"faderwise edit {shlex.quote(request.target)} --render"
    if not request.render:
        return None, [f"mix.wav is from before this revert; {again} renders it again"]
    try:
        return song_to_render(Path(request.target), left, automation), []
    except InputError as error:
        return None, [f"mix.wav is from before this revert: {error.problem}; put the stems back and use {again}"]


def _after(runs: Sequence[RunRecord], to: int, where: str) -> int:
    """Return the number of the first run after run `to`."""
    numbers = [run.number for run in runs]
    elsewhere = "" if is_project(where) else earlier_results(Path(where))
    known = [*([0] if is_project(where) else []), *numbers]
    if to and to not in numbers:
        remedy = f"give one of its runs, {', '.join(map(str, known))}"
        raise InputError(f"has no run {to}", path=where, remedy="; ".join(filter(None, (remedy, elsewhere))))
    later = [number for number in numbers if number > to]
    if not later:
        earlier = [str(number) for number in known if number < to]
        remedy = f"give an earlier one, {', '.join(earlier)}" if earlier else "edit it first, or mix the song again"
        problem = f"run {to} is the latest, so there is nothing to revert"
        raise InputError(problem, path=where, remedy="; ".join(filter(None, (remedy, elsewhere))))
    return later[0]


def _result(runs: Sequence[RunRecord], to: int, notes: Sequence[str]) -> RevertResult:
    gone = [run for run in runs if run.number > to]
    return RevertResult(
        title=runs[-1].title,
        to=to,
        taken_back=[run.number for run in gone],
        left=[run.number for run in runs if run.number <= to],
        tracks=sorted({track.name or f"track {track.number}" for run in gone for track in run.tracks}),
        files={},
        notes=[],
        warnings=list(notes),
    )
