"""REAPER's configuration files, changed line by line: reaper.ini and reaper-kb.ini.

Line endings, encoding and all other bytes stay unchanged. A file without a final line ending stays without one, so
that removing an added line again gives the same bytes.

reaper.ini: `reascript=1` enables Python, `pythonlibpath64` is the folder of Python's shared library and
`pythonlibdll64` its file name only; a full path is not accepted there.

reaper-kb.ini: `SCR flags section id "description" path` registers an action. The id is derived from the script's name
and never changes, so that a shortcut stays with its action through every update.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis_server.reaper_setup.scripts import Action, is_our_command
from core.errors import InputError
from core.files import replacing

SWITCH, LIBRARY_FOLDER, LIBRARY_FILE = "reascript", "pythonlibpath64", "pythonlibdll64"
_SECTION = b"[reaper]"
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_TOKEN = re.compile(rb"\"([^\"]*)\"|'([^']*)'|`([^`]*)`|(\S+)")


@dataclass(frozen=True)
class Lines:
    """A file's lines without their endings, and their endings (the last one may be empty)."""

    bodies: tuple[bytes, ...]
    ends: tuple[bytes, ...]

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return b"".join(body + end for body, end in zip(self.bodies, self.ends, strict=True))

    def find(self, matches: Callable[[bytes], bool], start: int = 0) -> int | None:
        """Return the index of the first line from `start` on that matches."""
        return next((index for index in range(start, len(self.bodies)) if matches(self.bodies[index])), None)

    def with_added(self, added: Sequence[bytes], index: int | None = None) -> Lines:
        """Return these lines with others before line `index`, by default at the end."""
        at = len(self.bodies) if index is None else index
        present = [end for end in self.ends if end]
        usual = max(set(present), key=present.count) if present else os.linesep.encode()
        ends = [*self.ends[:at], *[usual] * len(added), *self.ends[at:]]
        if added and 0 < at == len(self.ends) and not self.ends[-1]:
            ends[at - 1], ends[-1] = usual, b""
        return Lines((*self.bodies[:at], *added, *self.bodies[at:]), tuple(ends))

    def with_changed(self, index: int, body: bytes) -> Lines:
        """Return these lines with another line `index`."""
        return replace(self, bodies=(*self.bodies[:index], body, *self.bodies[index + 1 :]))

    def without(self, index: int) -> Lines:
        """Return these lines without line `index`."""
        ends = [*self.ends[:index], *self.ends[index + 1 :]]
        if ends and index == len(ends):
            ends[-1] = ends[-1] if self.ends[index] else b""
        return Lines((*self.bodies[:index], *self.bodies[index + 1 :]), tuple(ends))


def parse_lines(content: bytes) -> Lines:
    """Return the lines of a file's bytes."""
    found = [match for match in re.findall(rb"([^\n]*?)(\r?\n|\Z)", content) if any(match)]
    return Lines(tuple(body for body, _ in found), tuple(end for _, end in found))


def read_lines(path: Path) -> Lines:
    """Return the lines of a file, none if it does not exist.

    Raises
    ------
    InputError
        It cannot be read, or it is UTF-16, which cannot be split into lines as bytes.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return parse_lines(b"")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path=path, remedy="change its permissions") from error
    if content.startswith(_UTF16_MARKS):
        raise InputError("is UTF-16, which REAPER does not write", path=path, remedy="save it as UTF-8 and try again")
    return parse_lines(content)


def write_lines(path: Path, lines: Lines) -> None:
    """Write a file, all or nothing; a symbolic link and the file's permissions are preserved."""
    target = path.resolve()
    mode = target.stat().st_mode & 0o7777 if target.exists() else None
    with replacing(target, keep_old=False) as temporary:
        temporary.write_bytes(lines.content)
        if mode is not None:
            temporary.chmod(mode)


@dataclass(frozen=True)
class SettingChange:
    """A line of reaper.ini before (None if there was none) and after."""

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
    """Return the value of a setting, an empty text if it is not set."""
    index = _index_of_setting(lines, key)
    return "" if index is None else lines.bodies[index].partition(b"=")[2].strip().decode("utf-8", "surrogateescape")


def library_set(lines: Lines) -> Path | None:
    """Return the Python library that reaper.ini names, or None."""
    folder, file = value_of(lines, LIBRARY_FOLDER), value_of(lines, LIBRARY_FILE)
    return Path(folder, file) if folder and file else None


def python_changes(lines: Lines, library: Path | None) -> list[SettingChange]:
    """Return the changes that enable Python, with `library` unless it is None."""
    wanted = {SWITCH: "1"}
    if library:
        wanted |= {LIBRARY_FOLDER: str(library.parent), LIBRARY_FILE: library.name}
    changes = []
    for key, value in wanted.items():
        if value_of(lines, key) != value:
            index = _index_of_setting(lines, key)
            before = None if index is None else lines.bodies[index]
            name = key.encode() if before is None else before.partition(b"=")[0].rstrip()
            changes.append(SettingChange(key, before, name + b"=" + value.encode("utf-8", "surrogateescape")))
    return changes


def with_change(lines: Lines, change: SettingChange) -> Lines:
    """Return reaper.ini's lines with a setting changed, or added at the end of its section.

    Raises
    ------
    InputError
        There is no section [REAPER]: REAPER has never been started.
    """
    index = _index_of_setting(lines, change.key)
    if index is not None:
        return lines.with_changed(index, change.after)
    start, end = _section(lines)
    while end > start + 1 and not lines.bodies[end - 1].strip():
        end -= 1
    return lines.with_added([change.after], end)


def without_change(lines: Lines, change: SettingChange) -> Lines | None:
    """Return the lines with a change undone (unchanged if it was never made), or None if the user changed it since."""
    index = _index_of_setting(lines, change.key)
    now = None if index is None else lines.bodies[index]
    if index is None or now != change.after:
        return lines if now == change.before else None
    return lines.without(index) if change.before is None else lines.with_changed(index, change.before)


def _section(lines: Lines) -> tuple[int, int]:
    """Return where the section [REAPER] starts and ends."""
    start = lines.find(lambda body: body.removeprefix(_UTF8_MARK).strip().lower() == _SECTION)
    if start is None:
        raise InputError("the section [REAPER] is missing", remedy="start REAPER once, close it, and try again")
    end = lines.find(lambda body: body.lstrip().startswith(b"["), start + 1)
    return start, len(lines.bodies) if end is None else end


def _index_of_setting(lines: Lines, key: str) -> int | None:
    start, end = _section(lines)
    index = lines.find(lambda body: body.partition(b"=")[0].strip().lower() == key.encode(), start + 1)
    return index if index is not None and index < end else None


@dataclass(frozen=True)
class Registration:
    """An action in reaper-kb.ini; `path` is absolute."""

    command: str
    description: str
    path: str


def registration(body: bytes, scripts: Path) -> Registration | None:
    """Return what a line of reaper-kb.ini registers (relative paths are in `scripts`), or None for any other line."""
    tokens = [b"".join(match).decode("utf-8", "surrogateescape") for match in _TOKEN.findall(body)]
    if len(tokens) < 6 or tokens[0].upper() != "SCR":
        return None
    return Registration(tokens[3].removeprefix("_"), tokens[4], _absolute(scripts, tokens[5]))


def missing(lines: Lines, actions: Iterable[Action], scripts: Path) -> list[Action]:
    """Return the actions that are not registered correctly, and that the user has not registered either."""
    found = [entry for body in lines.bodies if (entry := registration(body, scripts))]
    by_command = {entry.command: entry for entry in found}
    by_user = {entry.path for entry in found if not is_our_command(entry.command)}
    absent = []
    for action in actions:
        path = _absolute(scripts, action.path)
        entry = by_command.get(action.command)
        is_registered = entry == Registration(action.command, action.description, path)
        if not is_registered and not (entry is None and path in by_user):
            absent.append(action)
    return absent


def with_action(lines: Lines, action: Action) -> Lines:
    """Return reaper-kb.ini's lines with an action registered; an earlier registration of it is replaced."""
    index = _index_of_command(lines, action.command)
    return lines.with_added([action.line]) if index is None else lines.with_changed(index, action.line)


def without_command(lines: Lines, command: str) -> Lines:
    """Return the lines without the registration of a command."""
    index = _index_of_command(lines, command)
    return lines if index is None else lines.without(index)


def count_shortcuts(lines: Lines, commands: Iterable[str]) -> int:
    """Return how many keyboard shortcuts the user has assigned to these commands."""
    names = {f"_{command}".encode() for command in commands}
    return sum(body.startswith(b"KEY ") and not names.isdisjoint(body.split()) for body in lines.bodies)


def _index_of_command(lines: Lines, command: str) -> int | None:
    def registers(body: bytes) -> bool:
        entry = registration(body, Path())
        return entry is not None and entry.command == command

    return lines.find(registers)


def _absolute(scripts: Path, path: str) -> str:
    return os.path.normcase(os.path.normpath(scripts / path.replace("\\", "/")))
