"""The action list: scripts and their command numbers, and the file reaper-kb.ini they are registered in.

A script's line is ``SCR flags section RS... "Custom: name.py" path``, the path relative to the folder Scripts or
absolute, quoted where it has blanks. [e: USFT, samples; the quoting of the path is an assumption]
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tests.reaper_host.rpp_text import quote, words

_FIRST_NUMBER = 53_000
ASK, TERMINATE, NEW_INSTANCE = 4, 260, 516
"""What to do if the script is already running. [e: USFT]"""


@dataclass(frozen=True)
class Action:
    """A registered script; `name` is ``RS...`` without the leading ``_``."""

    number: int
    name: str
    path: Path
    flags: int
    section: int
    title: str


class Actions:
    """What is registered."""

    def __init__(self, resource_path: Path) -> None:
        self._folder = resource_path
        self._file = resource_path / "reaper-kb.ini"
        self._next = _FIRST_NUMBER
        self.actions: dict[int, Action] = {}
        for line in self._file.read_bytes().splitlines() if self._file.exists() else []:
            self._read(line)

    def _read(self, line: bytes) -> None:
        found = words(line)
        if found[:1] == ["SCR"] and len(found) >= 6:
            self._keep(found[3], self._folder / "Scripts" / found[5], int(found[1]), int(found[2]), found[4])

    def _keep(self, name: str, path: Path, flags: int, section: int, title: str) -> int:
        self._next += 1
        self.actions[self._next] = Action(self._next, name, path, flags, section, title)
        return self._next

    def number_of(self, name: str) -> int:
        """Return the command number of ``_RS...``, or 0. [HDR]"""
        return next((action.number for action in self.actions.values() if f"_{action.name}" == name), 0)

    def name_of(self, number: int) -> str | None:
        """Return ``RS...``, or None for a native action. [a: HDR]"""
        return self.actions[number].name if number in self.actions else None

    def titled(self, title: str) -> Action:
        """Return the action of a title or file name, for tests."""
        return next(
            a for a in self.actions.values() if title in (a.title, a.title.removeprefix("Custom: "), a.path.name)
        )

    def add(self, section: int, path: str, commit: bool) -> int:
        """Register a script; return its number, or 0 if the file does not exist. [e: HDR, USAPI]"""
        file = self._folder / "Scripts" / path
        if not file.is_file():
            return 0
        known = next((a.number for a in self.actions.values() if a.path == file and a.section == section), 0)
        name = "RS" + hashlib.sha1(f"{section}{file}".encode(), usedforsecurity=False).hexdigest()
        number = known or self._keep(name, file, ASK, section, f"Custom: {file.name}")
        if commit:
            self.write()
        return number

    def remove(self, section: int, path: str, commit: bool) -> int:
        """Take a script out of the list; 1 if it was in it."""
        file = self._folder / "Scripts" / path
        found = [number for number, a in self.actions.items() if a.path == file and a.section == section]
        for number in found:
            del self.actions[number]
        if commit:
            self.write()
        return int(bool(found))

    def write(self) -> None:
        """Write reaper-kb.ini, keeping lines that are not scripts; REAPER rewrites it when it ends. [e: USFT]"""
        old = self._file.read_bytes().splitlines(keepends=True) if self._file.exists() else []
        kept = [line for line in old if not line.startswith(b"SCR ")]
        self._file.write_bytes(b"".join([*kept, *(self._line(action) for action in self.actions.values())]))

    def _line(self, action: Action) -> bytes:
        scripts = self._folder / "Scripts"
        path = action.path.relative_to(scripts) if action.path.is_relative_to(scripts) else action.path
        where = f'"{path}"' if " " in str(path) else str(path)
        return f"SCR {action.flags} {action.section} {action.name} {quote(action.title)} {where}\n".encode()
