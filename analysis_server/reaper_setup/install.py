"""Plan what setting up Faderwise changes in a REAPER folder, and apply it."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis_server.reaper_setup import keymap as kb
from analysis_server.reaper_setup.config_file import Lines, read_lines, write_lines
from analysis_server.reaper_setup.find_reaper import KEYMAP, SETTINGS, refuse_while_running
from analysis_server.reaper_setup.keymap import Action
from analysis_server.reaper_setup.python_library import Library, best_library, library_at
from analysis_server.reaper_setup.record import Record, backup_name, read_record, write_record
from analysis_server.reaper_setup.settings import SettingChange, library_set, python_changes, read_settings, with_change
from core.errors import InputError
from core.files import replacing


@dataclass(frozen=True)
class Content:
    """What belongs into REAPER: files by their path in its Scripts folder, and actions.

    Files below `awaited` belong there too, but what they hold is not known yet.
    """

    files: Mapping[str, bytes]
    actions: Sequence[Action]
    awaited: str = ""


@dataclass(frozen=True)
class Plan:
    """What would change in a resource folder, and the record of it."""

    folder: Path
    writes: Mapping[str, bytes]
    edited: frozenset[str]
    removals: tuple[str, ...]
    settings: tuple[SettingChange, ...]
    actions: tuple[Action, ...]
    retired: tuple[str, ...]
    settings_before: Lines
    keymap_before: Lines
    record: Record

    @property
    def is_empty(self) -> bool:
        """Whether everything is as it should be."""
        return not (self.writes or self.removals or self.settings or self.actions or self.retired)

    def told(self) -> list[str]:
        """Return the changes as lines for the user."""
        scripts = self.folder / "Scripts"
        lines = [f"In {self.folder}:"]
        lines += [f"  write {scripts / name}" + self._aside(name) for name in _shown(self.writes)]
        lines += [f"  remove {scripts / name}" for name in _shown(self.removals)]
        for change in self.settings:
            was = f", which was {_readable(change.before)!r}" if change.before is not None else ""
            lines.append(f"  {SETTINGS}: set {_readable(change.after)!r}{was}")
        lines += [f"  {KEYMAP}: register {_readable(action.line)}" for action in self.actions]
        lines += [f"  {KEYMAP}: take out {command}" for command in self.retired]
        return lines

    def _aside(self, name: str) -> str:
        return " (you changed it: your version is set aside)" if name in self.edited else ""


def make_plan(folder: Path, content: Content, processors: frozenset[str]) -> Plan:
    """Return what would change in `folder`, whose REAPER is made for `processors`.

    Raises
    ------
    InputError
        A file of REAPER or the record cannot be read.
    """
    scripts, old = folder / "Scripts", read_record(folder) or Record()
    now = {name: file_hash(scripts / name) for name in {*content.files, *old.files}}
    wanted = {name: hashlib.sha256(data).hexdigest() for name, data in content.files.items()}
    awaited = {name for name in old.files if content.awaited and name.startswith(content.awaited)}
    gone = set(old.files).difference(wanted, awaited)
    writes = {name: data for name, data in content.files.items() if now[name] != wanted[name]}
    settings_lines, keymap = read_settings(folder / SETTINGS), read_lines(folder / KEYMAP)
    known = {action.command for action in content.actions}
    plan = Plan(
        folder=folder,
        writes=writes,
        edited=frozenset(name for name in writes if now[name] not in ("", old.files.get(name))),
        removals=tuple(sorted(name for name in gone if now[name] == old.files[name])),
        settings=tuple(_python_settings(settings_lines, processors)),
        actions=tuple(kb.missing(keymap, content.actions, scripts)),
        retired=tuple(command for command in old.commands if command not in known),
        settings_before=settings_lines,
        keymap_before=keymap,
        record=old,
    )
    owned = {name: wanted[name] for name in wanted if name in old.files or name in writes}
    return replace(plan, record=_recorded(plan, owned | {name: old.files[name] for name in awaited}))


def file_hash(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits; nothing where it is not there.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", path=path, remedy="move it away and try again"
        ) from error


def python_of(lines: Lines, processors: frozenset[str]) -> Library | None:
    """Return the Python library that reaper.ini names, if REAPER can load it."""
    named = library_set(lines)
    found = library_at(named) if named else None
    return found if found and found.suits(processors) else None


def _python_settings(lines: Lines, processors: frozenset[str]) -> list[SettingChange]:
    if python_of(lines, processors):
        return python_changes(lines, None)
    best = best_library(processors)
    return python_changes(lines, best.path) if best else []


def _recorded(plan: Plan, files: dict[str, str]) -> Record:
    old, first = plan.record, {change.key: change for change in plan.record.settings}
    for change in plan.settings:
        earlier = first.get(change.key)
        ours = earlier is not None and earlier.after == change.before
        first[change.key] = replace(change, before=earlier.before) if earlier and ours else change
    kept = [command for command in old.commands if command not in plan.retired]
    edits = {SETTINGS: bool(plan.settings), KEYMAP: bool(plan.actions or plan.retired)}
    return Record(
        files=files,
        settings=tuple(first.values()),
        commands=tuple(dict.fromkeys([*kept, *(action.command for action in plan.actions)])),
        created=tuple(dict.fromkeys([*old.created, *_created(plan, edits)])),
        backups={name: backup for name in edits if (backup := _backup(plan, name, edited=edits[name]))},
    )


def _created(plan: Plan, edits: Mapping[str, bool]) -> list[str]:
    places = ["Scripts", *(name for name, edited in edits.items() if edited)]
    return [name for name in places if not (plan.folder / name).exists()]


def _backup(plan: Plan, name: str, *, edited: bool) -> str | None:
    """Return the name of the backup of a configuration file from before the first change."""
    earlier = plan.record.backups.get(name)
    if earlier and (plan.folder / earlier).is_file():
        return earlier
    if not edited or not (plan.folder / name).exists():
        return None
    return backup_name(name)


def _shown(names: Mapping[str, bytes] | Sequence[str]) -> list[str]:
    """Return the names a user wants to read: of a package its folder, not its files."""
    return list(dict.fromkeys(name if name.count("/") < 3 else "/".join(name.split("/")[:3]) + "/" for name in names))


def _readable(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def carry_out(plan: Plan) -> None:
    """Make the changes of a plan. Interrupted, the same plan made anew does what is left.

    Raises
    ------
    InputError
        REAPER runs, a file changed since the plan was made, or a folder cannot be written to.
    """
    refuse_while_running()
    edits = edited(plan)
    for name, (before, _) in edits.items():
        if read_lines(plan.folder / name) != before:
            raise InputError("has changed meanwhile", path=plan.folder / name, remedy="run the same command again")
    write_record(plan.folder, plan.record)
    _write_files(plan)
    refuse_while_running()
    for name, (_, after) in edits.items():
        _back_up(plan.folder, name, plan.record.backups)
        write_lines(plan.folder / name, after)


def edited(plan: Plan) -> dict[str, tuple[Lines, Lines]]:
    """Return each configuration file that changes, before and after."""
    settings, keymap = plan.settings_before, plan.keymap_before
    for change in plan.settings:
        settings = with_change(settings, change)
    for command in plan.retired:
        keymap = kb.without_command(keymap, command)
    for action in plan.actions:
        keymap = kb.with_action(keymap, action)
    both = {SETTINGS: (plan.settings_before, settings), KEYMAP: (plan.keymap_before, keymap)}
    return {name: (before, after) for name, (before, after) in both.items() if before != after}


def _write_files(plan: Plan) -> None:
    scripts = plan.folder / "Scripts"
    for name, content in plan.writes.items():
        with replacing(scripts / name, keep_old=name in plan.edited) as temporary:
            temporary.write_bytes(content)
    for name in plan.removals:
        _remove(scripts / name)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot be removed ({error.strerror})", path=path, remedy="see to its permissions") from error


def _back_up(folder: Path, name: str, backups: Mapping[str, str]) -> None:
    backup = folder / backups.get(name, name)
    if name in backups and not backup.exists():
        with replacing(backup, keep_old=False) as temporary:
            shutil.copy2(folder / name, temporary)
