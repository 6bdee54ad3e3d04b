"""Remove from a REAPER folder exactly what its record lists; keep what the user has changed since.

REAPER's configuration is put back line by line, for REAPER has written its own changes into it since.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis_server.reaper_setup import keymap as kb
from analysis_server.reaper_setup.config_file import Lines, read_lines, write_lines
from analysis_server.reaper_setup.find_reaper import KEYMAP, SETTINGS, refuse_while_running
from analysis_server.reaper_setup.install import file_hash
from analysis_server.reaper_setup.keymap import FOLDER
from analysis_server.reaper_setup.record import Record, read_record, record_path
from analysis_server.reaper_setup.settings import read_settings, without_change
from core.errors import InputError


@dataclass(frozen=True)
class Undoing:
    """What would be taken out of a resource folder, and what would stay."""

    folder: Path
    record: Record
    files: tuple[str, ...]
    settings: Lines | None
    keymap: Lines | None
    kept: tuple[str, ...]

    def told(self) -> list[str]:
        """Return the changes as lines for the user."""
        lines = [f"In {self.folder}:"]
        if self.files:
            lines.append(f"  remove {len(self.files)} files of Faderwise from {self.folder / 'Scripts' / FOLDER}")
        if self.settings:
            lines += [f"  {SETTINGS}: put back {change.key}" for change in self.record.settings]
        if self.keymap:
            lines += [f"  {KEYMAP}: take out {command}" for command in self.record.commands]
        return lines + [f"  keep {sentence}" for sentence in self.kept]


def make_undoing(folder: Path) -> Undoing | None:
    """Return what would be taken out of `folder`; None where nothing was added.

    Raises
    ------
    InputError
        A file of REAPER or the record cannot be read.
    """
    record = read_record(folder)
    if record is None:
        return None
    scripts = folder / "Scripts"
    now = {name: file_hash(scripts / name) for name in record.files}
    changed = sorted(name for name in now if now[name] not in ("", record.files[name]))
    settings, keymap = _settings_undone(folder, record), _keymap_undone(folder, record)
    shortcuts = kb.shortcuts(read_lines(folder / KEYMAP), record.commands)
    kept = [f"{scripts / name}: you changed it" for name in changed]
    kept += [f"{SETTINGS}'s settings of Python: you changed them"] if record.settings and settings is None else []
    kept += [f"your {shortcuts} keyboard shortcuts of these actions, without effect"] if shortcuts else []
    return Undoing(
        folder=folder,
        record=record,
        files=tuple(name for name in now if now[name] == record.files[name]),
        settings=_if_other(settings, folder / SETTINGS),
        keymap=_if_other(keymap, folder / KEYMAP),
        kept=tuple(kept),
    )


def undo(undoing: Undoing) -> None:
    """Take out what was added; the record goes last, so that an interrupted run can be run again.

    Raises
    ------
    InputError
        REAPER runs, a file changed since that was worked out, or a folder cannot be written to.
    """
    refuse_while_running()
    if make_undoing(undoing.folder) != undoing:
        raise InputError("has changed meanwhile", path=undoing.folder, remedy="run the same command again")
    try:
        _undo(undoing)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"cannot be removed ({reason})", path=error.filename or undoing.folder, remedy="see to it and try again"
        ) from error


def _undo(undoing: Undoing) -> None:
    folder, record = undoing.folder, undoing.record
    for name, lines in ((SETTINGS, undoing.settings), (KEYMAP, undoing.keymap)):
        if lines is not None:
            write_lines(folder / name, lines)
    for name in undoing.files:
        (folder / "Scripts" / name).unlink(missing_ok=True)
    for name, backup in record.backups.items():
        _drop_backup(folder / backup, folder / name)
    for name in record.created:
        if (folder / name).is_file() and not (folder / name).stat().st_size:
            (folder / name).unlink()
    record_path(folder).unlink(missing_ok=True)
    _remove_empty(folder / "Scripts" / FOLDER)
    if "Scripts" in record.created:
        _remove_folder(folder / "Scripts")


def _settings_undone(folder: Path, record: Record) -> Lines | None:
    """Return reaper.ini with all our changes taken back; None where the user has changed one of them since."""
    lines = read_settings(folder / SETTINGS) if record.settings else read_lines(folder / SETTINGS)
    for change in reversed(record.settings):
        undone = without_change(lines, change)
        if undone is None:
            return None
        lines = undone
    return lines


def _keymap_undone(folder: Path, record: Record) -> Lines:
    lines = read_lines(folder / KEYMAP)
    for command in record.commands:
        lines = kb.without_command(lines, command)
    return lines


def _if_other(lines: Lines | None, path: Path) -> Lines | None:
    return None if lines is None or lines == read_lines(path) else lines


def _drop_backup(backup: Path, original: Path) -> None:
    """Remove a backup that is identical to the original; any other stays."""
    if file_hash(backup) and file_hash(backup) == file_hash(original):
        backup.unlink()


def _remove_empty(folder: Path) -> None:
    """Remove what Python compiled of our scripts, and the folders that are empty then."""
    for place in _deepest_first(folder):
        if place.name == "__pycache__":
            for compiled in place.glob("*.pyc"):
                compiled.unlink()
        _remove_folder(place)


def _deepest_first(folder: Path) -> Iterator[Path]:
    found = [path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()]
    yield from sorted(found, key=lambda path: len(path.parts), reverse=True)
    yield folder


def _remove_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is not empty, or not there
        folder.rmdir()
