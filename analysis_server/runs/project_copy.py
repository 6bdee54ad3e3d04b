"""The project copy that receives automation and run records."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def replaced(path: Path, content: bytes) -> Iterator[None]:
    """Write a copy's content when the block ends well; an earlier copy is set aside.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        yield


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
