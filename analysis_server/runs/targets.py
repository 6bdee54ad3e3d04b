"""Open the project or folder whose run is audited, edited or reverted."""

from __future__ import annotations

from pathlib import Path

from analysis_server.paths import is_project
from analysis_server.runs import project_copy, run_folder
from core.errors import InputError
from core.files import recover
from core.rpp.project import Project, read_project
from core.runs import store
from core.runs.audit import Audited, audited_points, audited_project


def project_with_runs(path: Path) -> Project:
    """Return the project at `path`, which must have runs of Faderwise in force.

    Raises
    ------
    InputError
        It has none; a copy next to it that has some is named.
    """
    recover(path.parent)
    project = read_project(path)
    try:
        store.require_history(project)
    except InputError as error:
        copy = project_copy.path_of(path)
        if store.has_runs(project) or not copy.is_file() or copy.name == path.name:
            raise
        raise InputError(error.problem, path=path, remedy=f"give {copy}") from None
    return project


def audited_target(target: str) -> Audited:
    """Return the present state of a project with runs, or of a folder that `mix` or `match` wrote.

    Raises
    ------
    InputError
        It has no run, or a file of it is damaged.
    """
    if is_project(target):
        return audited_project(project_with_runs(Path(target)))
    folder = run_folder.read_automation_folder(Path(target))
    return audited_points(folder.runs, folder.now)
