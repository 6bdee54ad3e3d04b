"""REAPER's actions: read from the scripts' headers, written as lines of reaper-kb.ini.

A line is `SCR flags section id "description" path`. The id is the script's name and never changes, so that a shortcut
stays with its action through every update; the path is relative to REAPER's Scripts folder, and quoted as it may have
blanks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from analysis_server.reaper_setup.config_file import Lines
from core.errors import InputError

FOLDER = "Faderwise"
"""The folder in REAPER's Scripts folder."""

_OURS = "FADERWISE_"
_NEW_INSTANCE, _MAIN_SECTION = 516, 0
_TOKEN = re.compile(rb"\"([^\"]*)\"|'([^']*)'|`([^`]*)`|(\S+)")
_HEADER = re.compile(r"#\s*@(\w+)\s+(.+)")


@dataclass(frozen=True)
class Action:
    """An action: its script's file name, what REAPER's action list calls it, and its script's version."""

    file: str
    description: str
    version: str

    @property
    def command(self) -> str:
        """The id in reaper-kb.ini; with `_` before it REAPER's name of the command."""
        return _OURS + Path(self.file).stem.removeprefix(_OURS.lower()).upper()

    def place(self, scripts: Path) -> str:
        """Return the script's path below REAPER's Scripts folder, in the form of `Registered.path`."""
        return _place(scripts, f"{FOLDER}/{self.file}")

    @property
    def line(self) -> bytes:
        """The line of reaper-kb.ini."""
        path = Path(FOLDER, self.file)
        words = f'SCR {_NEW_INSTANCE} {_MAIN_SECTION} {self.command} "{self.description}" "{path}"'
        return words.encode()


@dataclass(frozen=True)
class Registered:
    """What a line of reaper-kb.ini registers; `path` is made absolute."""

    command: str
    description: str
    path: str


def is_ours(command: str) -> bool:
    """Tell whether an id in reaper-kb.ini is one of ours."""
    return command.startswith(_OURS)


def read_action(path: Path) -> Action | None:
    """Return the action a script's header names; None where it has no header.

    Raises
    ------
    InputError
        The header lacks the description or the version, or the description cannot be written to reaper-kb.ini.
    """
    leading = path.read_text(encoding="utf-8").partition("\n\n")[0]
    header = {match[1]: match[2] for match in map(_HEADER.match, leading.splitlines()) if match}
    if not header:
        return None
    description, version = header.get("description", "").strip(), header.get("version", "").strip()
    if not description or not version or re.search(r"[\"'`]", description):
        raise InputError("its header needs `# @description` (without quotes) and `# @version`", path=path)
    return Action(path.name, description, version)


def actions_in(scripts: Path) -> list[Action]:
    """Return the actions of a folder's scripts, by file name."""
    return [action for path in sorted(scripts.glob("*.py")) if (action := read_action(path))]


def registered(body: bytes, scripts: Path) -> Registered | None:
    """Return what a line of reaper-kb.ini registers, relative paths being in `scripts`; None for any other line."""
    tokens = [b"".join(match).decode("utf-8", "surrogateescape") for match in _TOKEN.findall(body)]
    if len(tokens) < 6 or tokens[0].upper() != "SCR":
        return None
    return Registered(tokens[3].removeprefix("_"), tokens[4], _place(scripts, tokens[5]))


def missing(lines: Lines, actions: Iterable[Action], scripts: Path) -> list[Action]:
    """Return the actions that are not registered as they should be, nor by the user's own hand."""
    found = [entry for body in lines.bodies if (entry := registered(body, scripts))]
    by_command = {entry.command: entry for entry in found}
    others = {entry.path for entry in found if not is_ours(entry.command)}
    return [
        action
        for action in actions
        if by_command.get(action.command) != Registered(action.command, action.description, action.place(scripts))
        and not (action.command not in by_command and action.place(scripts) in others)
    ]


def with_action(lines: Lines, action: Action) -> Lines:
    """Return reaper-kb.ini's lines with an action registered; an older registration of it is put right."""
    index = _index_of(lines, action.command)
    return lines.with_added([action.line]) if index is None else lines.with_changed(index, action.line)


def without_command(lines: Lines, command: str) -> Lines:
    """Return the lines without the registration of a command."""
    index = _index_of(lines, command)
    return lines if index is None else lines.without(index)


def shortcuts(lines: Lines, commands: Iterable[str]) -> int:
    """Return how many shortcuts the user has given to these commands."""
    names = {f"_{command}".encode() for command in commands}
    return sum(body.startswith(b"KEY ") and not names.isdisjoint(body.split()) for body in lines.bodies)


def _index_of(lines: Lines, command: str) -> int | None:
    def registers(body: bytes) -> bool:
        entry = registered(body, Path())
        return entry is not None and entry.command == command

    return lines.find(registers)


def _place(scripts: Path, path: str) -> str:
    return os.path.normcase(os.path.normpath(scripts / path.replace("\\", "/")))
