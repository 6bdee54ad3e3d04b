"""Store run records in a project's ext state.

Conventions: a record is JSON, deflated, in URL-safe base64, and split into values of at most `PIECE_CHARACTERS`. The
first value begins with ``1.<pieces>.<CRC-32 of the base64, hex>.``, so that a missing or damaged piece is detected.
Version 0.1.0 wrote values of 8,000 characters, which REAPER cuts when it reads the saved project again.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Mapping

import msgspec

from core.errors import UNDECODABLE, InputError
from core.rpp.ext_state import ext_state, ext_state_edits
from core.rpp.parser import Document, Edit
from core.rpp.project import Project
from core.runs.record import VERSION, RunRecord, problem_of

PIECE_CHARACTERS = 900
"""WDL writes strings from 1,023 characters on as blocks, and its reader cuts lines after 4,094 characters."""
_CUT_LINE_CHARACTERS = 4094
LARGEST_RECORD_BYTES = 64 * 1024 * 1024
_KEY = re.compile(r"RUN_(\d{4,9})_(\d{2,9})", re.IGNORECASE)
_HEAD = re.compile(r"1\.(\d{1,6})\.([0-9a-f]{8})\.")


def to_ext_state(record: RunRecord) -> dict[str, str]:
    """Return the record as keys and values of our section."""
    return as_pieces(msgspec.json.encode(record), record.number)


def as_pieces(text: bytes, number: int) -> dict[str, str]:
    """Return run `number`'s record, as JSON, as keys and values of our section."""
    body = base64.urlsafe_b64encode(zlib.compress(text, 6)).decode()
    room = PIECE_CHARACTERS - len("1.000000.00000000.")
    pieces = [body[start : start + room] for start in range(0, len(body), room)]
    pieces[0] = f"1.{len(pieces)}.{zlib.crc32(body.encode()):08x}.{pieces[0]}"
    return {f"RUN_{number:04}_{place:02}": piece for place, piece in enumerate(pieces, start=1)}


def numbers_in(keys: Iterable[str]) -> tuple[int, ...]:
    """Return the numbers of the runs that keys belong to, lowest first."""
    return tuple(sorted({int(found[1]) for key in keys if (found := _KEY.fullmatch(key))}))


def keys_to_delete(keys: Iterable[str], first: int) -> tuple[str, ...]:
    """Return those of a section's keys that belong to run `first` and later ones."""
    return tuple(key for key in keys if (found := _KEY.fullmatch(key)) and int(found[1]) >= first)


def from_ext_state(values: Mapping[str, str], number: int) -> RunRecord:
    """Return a run's record.

    Raises
    ------
    InputError
        A piece is missing, cut or damaged, or a later version of this program wrote it.
    """
    found = {
        int(key[2]): (name, value)
        for name, value in values.items()
        if (key := _KEY.fullmatch(name)) and int(key[1]) == number
    }
    pieces = [found[place] for place in sorted(found)]
    text = "".join(value for _, value in pieces)
    head = _HEAD.match(text)
    body = text[head.end() :] if head else ""
    if head is None or int(head[1]) != len(pieces) or f"{zlib.crc32(body.encode()):08x}" != head[2]:
        if any(len(name) + 1 + len(value) == _CUT_LINE_CHARACTERS for name, value in pieces):
            raise InputError(
                f"the record of run {number} was cut when REAPER reopened the project, because Faderwise 0.1.0 wrote "
                f"lines that are too long for REAPER; its automation is complete, but it cannot be audited, edited or "
                "reverted",
                remedy="to revert it, take the envelopes from a copy that was saved before the run, such as the "
                ".rpp-bak; to go on from here, mix or match again: later runs can be reverted to this state",
            )
        raise InputError(
            f"the record of run {number} is damaged", remedy="take an older copy of the project to get it back"
        )
    return _decoded(body, number)


def _decoded(body: str, number: int) -> RunRecord:
    try:
        inflating = zlib.decompressobj()
        text = inflating.decompress(base64.urlsafe_b64decode(body), LARGEST_RECORD_BYTES)
        version = msgspec.json.decode(text, type=_Versioned).version
        record = msgspec.json.decode(text, type=RunRecord) if version <= VERSION else None
    except (zlib.error, binascii.Error, *UNDECODABLE) as error:
        raise InputError(f"the record of run {number} cannot be read ({error})", remedy="take an older copy") from error
    if record is None:
        raise InputError(
            f"run {number} was recorded by a later Faderwise (version {version})", remedy="update this one"
        )
    if problem := problem_of(record) or _misnumbered(record, number):
        raise InputError(f"the record of run {number} cannot be used ({problem})", remedy="take an older copy")
    return record


def _misnumbered(record: RunRecord, number: int) -> str | None:
    return None if record.number == number else f"it belongs to run {record.number}"


class _Versioned(msgspec.Struct):
    version: int = VERSION


SECTION = "Faderwise"


def read_history(project: Project) -> tuple[RunRecord, ...]:
    """Return the project's runs, earliest first, without those whose record cannot be read (`damaged_runs`)."""
    values = ext_state(project.document, SECTION)
    found = [_run(values, number) for number in numbers_in(values)]
    return tuple(run for run in found if isinstance(run, RunRecord))


def damaged_runs(project: Project) -> dict[int, InputError]:
    """Return, by number, why a run's record cannot be read."""
    values = ext_state(project.document, SECTION)
    found = {number: _run(values, number) for number in numbers_in(values)}
    return {
        number: InputError(run.problem, path=project.path, remedy=run.remedy)
        for number, run in found.items()
        if isinstance(run, InputError)
    }


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


def _run(values: dict[str, str], number: int) -> RunRecord | InputError:
    try:
        return from_ext_state(values, number)
    except InputError as error:
        return error
