"""Folders of earlier runs: those of REAPER's actions, in the user's data folder, and those in a run's own folder.

A project's history contains what edit, revert and the curves of an audit need. This folder has what it cannot contain:
sounds, spectra and pages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server.paths import home
from core.errors import InputError
from core.files import WORKSHOP, FileSet, recover

if TYPE_CHECKING:
    from core.runs.record import RunRecord

FILES = ("automation.json", "automation.csv", "mix.wav", "curves.npz", "run.json", "audit.npz", "report.html")
"""The files that mix and match write into a run's folder."""
NAME = "runs"
"""The folder of runs: in the application's folder those of REAPER's actions, in a run's folder the earlier ones."""
_PAGES = r"(?:.*-)?audit\.html|compare\.html"
_OURS = re.compile("|".join([*map(re.escape, FILES), _PAGES]))
_SET_ASIDE = re.compile(r"\.\d{8}-\d{6}(-\d+)?(?=\.[a-z]+$)")
"""What `core.files` adds to the name of a file that another one replaces."""


@dataclass(frozen=True)
class KeptRun:
    """A folder: when a file in it was last written (Unix time), and the size of its files in bytes."""

    folder: Path
    written_at: float
    n_bytes: int

    @cached_property
    def runs(self) -> list[RunRecord]:
        """The runs in its record; none where it has no readable record, such as that of an audit in REAPER."""
        from analysis_server.runs import run_folder  # noqa: PLC0415 - it loads NumPy

        return run_folder.read_if_there(self.folder)

    @property
    def made_at(self) -> float:
        """When its run was made or last edited (Unix time); without a record, when a file was last written."""
        with suppress(IndexError, ValueError):  # no record, or a damaged date
            return datetime.fromisoformat(self.runs[-1].made_at).timestamp()
        return self.written_at

    @property
    def summary(self) -> str:
        """What is in it, in words: the song, the model or the fit, and the number of edits."""
        if not self.runs:
            return ""
        root, edits = self.runs[0], len(self.runs) - 1
        source = f"model {root.model}" if root.model else root.relation or "from a mixdown"
        return f"{root.action} of {root.title}, {source}" + (f", edited ({edits})" if edits else "")

    @property
    def is_being_written(self) -> bool:
        """Whether a run is writing there."""
        recover(self.folder)
        return any(self.folder.glob(f"{WORKSHOP}*"))


def folder() -> Path:
    """Return the folder of the runs of REAPER's actions."""
    return home() / NAME


def kept_runs(where: Path) -> list[KeptRun]:
    """Return the runs in the folder `where`, the oldest first: by their number, or by the time in their name."""
    paths = where.iterdir() if where.is_dir() else ()
    found = [_kept(path) for path in paths if path.is_dir() and not path.is_symlink()]

    def started(run: KeptRun) -> tuple[int, float]:
        numbers = re.findall(r"^\d+$|\b\d{8}-\d{6}\b", run.folder.name)
        return int(numbers[-1].replace("-", "")) if numbers else 0, run.written_at

    return sorted(found, key=started)


def earlier_runs(run_folder: Path) -> list[KeptRun]:
    """Return the runs that were in `run_folder` before its present one, the oldest first.

    Other folders that somebody has put there are left out.
    """
    return [run for run in kept_runs(run_folder / NAME) if _is_numbered(run.folder) or run.runs]


def earlier_results(run_folder: Path) -> str:
    """Return where the earlier results of a folder are, such as ``2 earlier results are in out/runs``, or ``""``."""
    earlier = len(earlier_runs(run_folder))
    results = "1 earlier result is" if earlier == 1 else f"{earlier} earlier results are"
    return f"{results} in {run_folder / NAME}" if earlier else ""


def which_run(root: RunRecord, run_folder: Path | None) -> str:
    """Return which run a command acts on, such as ``run 1 (2 earlier results are in out/runs)``.

    Parameters
    ----------
    root : the run whose prediction is in force.
    run_folder : the folder of a song without a project, whose earlier results are in separate folders and have their
        own numbers.
    """
    earlier = earlier_results(run_folder) if run_folder else ""
    return f"run {root.number} ({earlier})" if earlier else f"run {root.number}"


def set_aside(run_folder: Path, files: FileSet) -> None:
    """Move the present run of a folder into a new folder below `runs` when the set of files takes effect."""
    numbers = [int(path.name) for path in (run_folder / NAME).glob("*") if path.name.isdecimal()]
    place = run_folder / NAME / str(max(numbers, default=0) + 1)
    for path in sorted(run_folder.iterdir()):
        if path.is_file() and _is_ours(path):
            files.move(path, place / path.name)


def dated_copies(run_folder: Path) -> list[Path]:
    """Return the files next to the present result of a folder that an edit or a revert set aside, oldest first."""
    found = (path for path in run_folder.iterdir() if _SET_ASIDE.search(path.name) and path.is_file())
    return sorted(filter(_is_ours, found), key=lambda path: (path.stat().st_mtime, path.name))


def delete(run: KeptRun) -> list[Path]:
    """Delete the files of a run; return files that are not ours and were not deleted.

    Raises
    ------
    InputError
        A file cannot be deleted, such as a page that is open in another program.
    """
    delete_files(list(filter(_is_ours, run.folder.iterdir())))
    try:
        left = sorted(run.folder.iterdir())
        if not left:
            run.folder.rmdir()
    except OSError as error:
        raise _not_deleted(error, run.folder) from error
    return left


def delete_files(paths: Sequence[Path]) -> None:
    """Delete files; raise an `InputError` where one cannot be deleted."""
    try:
        for path in paths:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise _not_deleted(error, paths[0].parent) from error


def _not_deleted(error: OSError, path: Path) -> InputError:
    return InputError(f"cannot be deleted ({error.strerror})", path=error.filename or path, remedy="close it")


def _is_numbered(folder: Path) -> bool:
    return folder.name.isdecimal() and any(map(_is_ours, folder.iterdir()))


def _is_ours(path: Path) -> bool:
    return _OURS.fullmatch(_SET_ASIDE.sub("", path.name)) is not None


def _kept(path: Path) -> KeptRun:
    states = [path.stat(), *(file.stat() for file in path.rglob("*") if file.is_file())]
    return KeptRun(path, max(state.st_mtime for state in states), sum(state.st_size for state in states[1:]))
