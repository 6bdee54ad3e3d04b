"""Projects that have runs, and the project copy that receives automation and run records."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import InputError
from core.files import recover, replacing
from core.rpp.project import Project, read_project
from core.runs import record, store

SUFFIX = "-faderwise"


def path_of(project: Path, out: str | None = None) -> Path:
    """Return where a project's copy goes: `<name>-faderwise.RPP`; a copy's copy takes its place."""
    folder = Path(out) if out else project.parent
    return folder / f"{project.stem.removesuffix(SUFFIX)}{SUFFIX}.RPP"


def write(path: Path, content: bytes) -> None:
    """Write a project copy; an earlier copy with other content is set aside.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def known_runs(copy: Path) -> tuple[record.RunRecord, ...]:
    """Return the runs of an earlier copy that can be read."""
    recover(copy.parent)
    try:
        return store.read_history(read_project(copy))
    except InputError:
        return ()


def refuse_the_original(path: Path, project: Project) -> None:
    """Raise an `InputError` where the copy would be the project itself under another name.

    A copy that is mixed or edited again may be replaced: it is set aside first.
    """
    if os.path.realpath(path) == os.path.realpath(project.path) and project.path.name != path.name:
        raise InputError(
            "is the project itself, which is never written", path=path, remedy="choose another folder with --out"
        )


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
        copy = path_of(path)
        if store.has_runs(project) or not copy.is_file() or copy.name == path.name:
            raise
        raise InputError(error.problem, path=path, remedy=f"give {copy}") from None
    return project
