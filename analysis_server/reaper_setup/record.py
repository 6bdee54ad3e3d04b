"""The record of what was added to a REAPER folder: written before anything is, so that no interruption loses it.

It is stored next to the scripts: for each file its previous content, for each changed line the old and the new text.
The list of folders with a record is in the user's data folder, because a portable REAPER can be anywhere.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from analysis_server.reaper_setup.find_reaper import KEYMAP, SETTINGS
from analysis_server.reaper_setup.keymap import FOLDER, is_ours
from analysis_server.reaper_setup.settings import SettingChange
from core import __version__
from core.errors import InputError
from core.files import write_json

_LAYOUT = 1
_BACKUP = re.compile(r"([\w-]+)\.before-faderwise-\d{8}-\d{6}\.(\w+)")


@dataclass(frozen=True)
class Record:
    """What was added.

    files : SHA-256 of each file in REAPER's Scripts folder, as lower-case hexadecimal digits.
    settings : changed lines of reaper.ini.
    commands : actions registered in reaper-kb.ini.
    created : configuration files that were not there before.
    backups : copies of configuration files as they were, by file name.
    """

    files: dict[str, str] = field(default_factory=dict)
    settings: tuple[SettingChange, ...] = ()
    commands: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    backups: dict[str, str] = field(default_factory=dict)


def record_path(folder: Path) -> Path:
    """Return the path of the record of a resource folder."""
    return folder / "Scripts" / FOLDER / "installed.json"


def backup_name(name: str) -> str:
    """Return what a configuration file's backup is called that is made now."""
    stem, _, suffix = name.rpartition(".")
    return f"{stem}.before-faderwise-{time.strftime('%Y%m%d-%H%M%S')}.{suffix}"


def read_record(folder: Path) -> Record | None:
    """Return the record of a resource folder, or None where nothing was added.

    Raises
    ------
    InputError
        The record is damaged.
    """
    path = record_path(folder)
    try:
        return _record(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"is no record of what was added ({error})", path=path, remedy="put back a copy, or delete it"
        ) from error


def write_record(folder: Path, record: Record) -> None:
    """Write the record, all or nothing."""
    content = {
        "layout": _LAYOUT,
        "version": __version__,
        "files": record.files,
        "settings": [[change.key, _text(change.before), _text(change.after)] for change in record.settings],
        "commands": list(record.commands),
        "created": list(record.created),
        "backups": record.backups,
    }
    write_json(record_path(folder), content, keep_old=False)


def known_folders(home: Path) -> list[Path]:
    """Return the resource folders that something was added to."""
    try:
        return [Path(folder) for folder in json.loads(_list(home).read_text("utf-8"))]
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def remember_folders(home: Path, folders: Iterable[Path]) -> None:
    """Keep which resource folders something was added to."""
    known = sorted({str(folder) for folder in folders})
    if known:
        write_json(_list(home), known, keep_old=False)
    else:
        _list(home).unlink(missing_ok=True)


def _list(home: Path) -> Path:
    return home / "reaper" / "folders.json"


def _record(content: Any) -> Record:
    """Return the record in a file's content, validated by hand because the installer has only the standard library."""
    if _is(dict, content)["layout"] != _LAYOUT:
        raise ValueError(f"layout {content['layout']}, which this version does not know")
    record = Record(
        files=_named(content["files"]),
        settings=tuple(_setting(change) for change in _is(list, content["settings"])),
        commands=_texts(content["commands"]),
        created=_texts(content["created"]),
        backups=_named(content["backups"]),
    )
    for name in record.files:
        _require_ours(name)
    odd = [name for name in (*record.created, *record.backups) if name not in ("Scripts", SETTINGS, KEYMAP)]
    odd += [backup for name, backup in record.backups.items() if not _is_backup(backup, name)]
    odd += [command for command in record.commands if not is_ours(command)]
    if odd:
        raise ValueError(f"{odd[0]!r} is nothing that was added")
    return record


def _is(kind: type, value: Any) -> Any:
    """Return a value that was found to be of a kind."""
    if not isinstance(value, kind):
        raise ValueError(f"{str(value)[:40]!r} where a {kind.__name__} belongs")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_is(str, value) for value in _is(list, values))


def _named(content: Any) -> dict[str, str]:
    return {name: _is(str, text) for name, text in _is(dict, content).items()}


def _setting(change: Any) -> SettingChange:
    key, before, after = _is(list, change)
    return SettingChange(_is(str, key), None if before is None else _bytes(_is(str, before)), _bytes(_is(str, after)))


def _require_ours(name: str) -> None:
    """Raise a `ValueError` where a name leads out of our folder: what is taken out is deleted."""
    if not name.startswith(f"{FOLDER}/") or ".." in PureWindowsPath(name).parts or "\0" in name:
        raise ValueError(f"{name!r} is no file of Faderwise")


def _is_backup(backup: str, name: str) -> bool:
    found = _BACKUP.fullmatch(backup)
    return found is not None and f"{found[1]}.{found[2]}" == name


def _text(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
