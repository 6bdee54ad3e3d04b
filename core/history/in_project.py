"""Records of runs in a project file: read, added, and taken out again to the byte."""

from __future__ import annotations

from core.errors import InputError
from core.history.pieces import from_ext_state, keys_to_delete, numbers_in, to_ext_state
from core.history.record import RunRecord
from core.rpp.document import Document, Edit
from core.rpp.ext_state import ext_state, ext_state_edits
from core.rpp.project import Project

SECTION = "Faderwise"


def read_history(project: Project) -> tuple[RunRecord, ...]:
    """Return the project's runs, earliest first; of damaged ones `damaged_runs` tells."""
    values = ext_state(project.document, SECTION)
    found = [_run(values, number) for number in numbers_in(values)]
    return tuple(run for run in found if isinstance(run, RunRecord))


def damaged_runs(project: Project) -> dict[int, str]:
    """Return a sentence for each run whose record cannot be read, by its number."""
    values = ext_state(project.document, SECTION)
    found = {number: _run(values, number) for number in numbers_in(values)}
    return {number: f"{project.path}: {run}" for number, run in found.items() if isinstance(run, str)}


def next_number(project: Project) -> int:
    """Return the number a new run gets."""
    return max(numbers_in(ext_state(project.document, SECTION)), default=0) + 1


def added(document: Document, record: RunRecord) -> list[Edit]:
    """Return the edits that add a record to a project file."""
    return ext_state_edits(document, SECTION, to_ext_state(record))


def removed(document: Document, first: int) -> list[Edit]:
    """Return the edits that take run `first` and later ones out; with the last run the section goes."""
    keys = keys_to_delete(ext_state(document, SECTION), first)
    return ext_state_edits(document, SECTION, dict.fromkeys(keys))


def _run(values: dict[str, str], number: int) -> RunRecord | str:
    try:
        return from_ext_state(values, number)
    except InputError as error:
        return str(error)
