"""`run.json`: the records of the runs whose outcome lies in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from core.decoding import UNDECODABLE
from core.errors import InputError
from core.files import read_whole, write_text
from core.history import RunRecord
from core.history.record import problem_of

NAME = "run.json"
FORMAT, VERSION = "faderwise-runs", 1


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file; `runs` earliest first."""

    format: str = FORMAT
    version: int = VERSION
    runs: list[RunRecord]


def write(folder: Path, runs: Sequence[RunRecord], *, keep_old: bool = True) -> None:
    """Write the file into `folder`, all or nothing."""
    write_text(folder / NAME, msgspec.json.encode(RunFile(runs=list(runs))).decode() + "\n", keep_old=keep_old)


def read(folder: Path) -> list[RunRecord]:
    """Return the runs whose outcome lies in `folder`.

    Raises
    ------
    InputError
        There is no such file, or it is damaged.
    """
    path = folder / NAME
    try:
        file = msgspec.json.decode(read_whole(path), type=RunFile)
    except FileNotFoundError:
        raise InputError(f"{folder}: has no {NAME}; give a folder that mix or match wrote, or a project") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except UNDECODABLE as error:
        raise InputError(f"{path}: is damaged ({error}); mix or match the song again") from error
    problem = next(filter(None, map(problem_of, file.runs)), None)
    if problem:
        raise InputError(f"{path}: holds a run that cannot be used ({problem}); mix or match the song again")
    if any(later.number <= run.number for run, later in pairwise(file.runs)):
        raise InputError(f"{path}: holds runs that are out of order; mix or match the song again")
    if file.format != FORMAT or file.version > VERSION or not file.runs:
        raise InputError(f"{path}: is no record of runs that this version reads; update Faderwise or mix again")
    return file.runs


def read_if_there(folder: Path) -> list[RunRecord]:
    """Return the runs whose outcome lies in `folder`; none where nothing of the kind can be read."""
    try:
        return read(folder)
    except InputError:
        return []
