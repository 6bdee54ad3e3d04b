"""reaper.ini's settings of ReaScript's Python: read, and changed line by line.

`reascript=1` switches it on; `pythonlibpath64` is the folder of Python's shared library and `pythonlibdll64` its file
name only; a full path is not accepted there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis_server.reaper_setup.config_file import Lines, read_lines
from core.errors import InputError

SECTION = b"[reaper]"
SWITCH, FOLDER, FILE = "reascript", "pythonlibpath64", "pythonlibdll64"
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class SettingChange:
    """A line of reaper.ini before (None where there was none) and after."""

    key: str
    before: bytes | None
    after: bytes


def read_settings(path: Path) -> Lines:
    """Return the lines of a reaper.ini.

    Raises
    ------
    InputError
        It cannot be read, or REAPER has never written it.
    """
    lines = read_lines(path)
    try:
        _section(lines)
    except InputError as error:
        raise InputError(f"{error}", path=path) from error
    return lines


def value_of(lines: Lines, key: str) -> str:
    """Return a setting's value; empty where it is not set."""
    index = _index_of(lines, key)
    return "" if index is None else lines.bodies[index].partition(b"=")[2].strip().decode("utf-8", "surrogateescape")


def library_set(lines: Lines) -> Path | None:
    """Return the Python library that reaper.ini names, or None."""
    folder, file = value_of(lines, FOLDER), value_of(lines, FILE)
    return Path(folder, file) if folder and file else None


def python_changes(lines: Lines, library: Path | None) -> list[SettingChange]:
    """Return what switches ReaScript's Python on, with `library` unless that is None."""
    wanted = {SWITCH: "1"} | ({FOLDER: str(library.parent), FILE: library.name} if library else {})
    return [_change(lines, key, value) for key, value in wanted.items() if value_of(lines, key) != value]


def with_change(lines: Lines, change: SettingChange) -> Lines:
    """Return reaper.ini's lines with a setting changed or added at the end of its section.

    Raises
    ------
    InputError
        The section [REAPER] is missing: REAPER has never been started.
    """
    index = _index_of(lines, change.key)
    if index is not None:
        return lines.with_changed(index, change.after)
    start, end = _section(lines)
    while end > start + 1 and not lines.bodies[end - 1].strip():
        end -= 1
    return lines.with_added([change.after], end)


def without_change(lines: Lines, change: SettingChange) -> Lines | None:
    """Return the lines with a change taken back, or as they are where it was never made; None where it was changed."""
    index = _index_of(lines, change.key)
    now = None if index is None else lines.bodies[index]
    if index is None or now != change.after:
        return lines if now == change.before else None
    return lines.without(index) if change.before is None else lines.with_changed(index, change.before)


def _change(lines: Lines, key: str, value: str) -> SettingChange:
    index = _index_of(lines, key)
    before = None if index is None else lines.bodies[index]
    name = key.encode() if before is None else before.partition(b"=")[0].rstrip()
    return SettingChange(key, before, name + b"=" + value.encode("utf-8", "surrogateescape"))


def _section(lines: Lines) -> tuple[int, int]:
    """Return where the section [REAPER] starts and ends."""
    start = lines.find(lambda body: body.removeprefix(_UTF8_MARK).strip().lower() == SECTION)
    if start is None:
        raise InputError("there is no section [REAPER]", remedy="start REAPER once, close it, and try again")
    end = lines.find(lambda body: body.lstrip().startswith(b"["), start + 1)
    return start, len(lines.bodies) if end is None else end


def _index_of(lines: Lines, key: str) -> int | None:
    start, end = _section(lines)
    index = lines.find(lambda body: body.partition(b"=")[0].strip().lower() == key.encode(), start + 1)
    return index if index is not None and index < end else None
