"""Install the actions in REAPER and remove them: plan the changes, show them, ask, apply them.

What was added is recorded next to the scripts before anything is changed, so that no interruption loses it: for each
file its hash, for each changed line the old and the new text. The list of folders with a record is in the user's data
folder, because a portable REAPER can be anywhere.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath
from typing import Any

from analysis_server.reaper_setup import config_files as config
from analysis_server.reaper_setup import find_reaper, scripts
from analysis_server.reaper_setup.config_files import Lines, SettingChange, read_lines, read_settings, write_lines
from analysis_server.reaper_setup.find_reaper import (
    KEYMAP,
    SETTINGS,
    Library,
    best_library,
    library_at,
    refuse_while_running,
    wanted_processors,
)
from analysis_server.reaper_setup.scripts import FOLDER, VENDOR, Action, Application, is_our_command
from core import __version__
from core.errors import InputError
from core.files import replacing, write_json

NO_REAPER = "REAPER was not found. Start it once, close it, and run this again (docs/guides/installing.md)."
NO_PYTHON = (
    "REAPER will not find Python: there is no shared library of Python 3.8 or later for its processor. Install one "
    "(Debian and Ubuntu: sudo apt install libpython3-dev; otherwise Python from python.org), then run this again."
)
_UNCHANGED = "REAPER was not changed."
_LAYOUT = 1
_FOLDERS = ("Scripts", "Data/toolbar_icons", "Data", "MenuSets")
"""The folders that files are added to, a folder after those in it."""
_BACKUP = re.compile(r"([\w-]+)\.before-faderwise-\d{8}-\d{6}\.(\w+)")


@dataclass(frozen=True)
class Prompter:
    """Functions that print a line (`say`) and ask a yes/no question (`ask`).

    `ask` is None where the user has already seen the changes and agreed: they are then made without listing them again.
    """

    say: Callable[[str], None]
    ask: Callable[[str], bool] | None


@dataclass(frozen=True)
class Content:
    """What belongs into REAPER: files by name (`path_of`), and actions.

    Files in the folder `pending` belong there too, but their content is not known yet.
    """

    files: Mapping[str, bytes]
    actions: Sequence[Action]
    pending: str = ""


@dataclass(frozen=True)
class Record:
    """What was added.

    files : SHA-256 of each file, as lower-case hexadecimal digits.
    settings : changed lines of reaper.ini.
    commands : actions registered in reaper-kb.ini.
    created : configuration files that did not exist before.
    backups : names of the copies of the original configuration files, by file name.
    """

    files: dict[str, str] = field(default_factory=dict)
    settings: tuple[SettingChange, ...] = ()
    commands: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    backups: dict[str, str] = field(default_factory=dict)


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
        """Whether everything is up to date."""
        return not (self.writes or self.removals or self.settings or self.actions or self.retired)

    def lines(self) -> list[str]:
        """Return the changes as lines for the user."""
        lines = [f"In {self.folder}:"]
        for name in _abbreviated(self.writes):
            note = " (you changed it: your version is kept under another name)" if name in self.edited else ""
            lines.append(f"  write {path_of(self.folder, name)}{note}")
        lines += [f"  remove {path_of(self.folder, name)}" for name in _abbreviated(self.removals)]
        for change in self.settings:
            before = f" (now {_decoded(change.before)!r})" if change.before is not None else ""
            lines.append(f"  {SETTINGS}: set {_decoded(change.after)!r}{before}")
        lines += [f"  {KEYMAP}: register {_decoded(action.line)}" for action in self.actions]
        return lines + [f"  {KEYMAP}: remove {command}" for command in self.retired]


@dataclass(frozen=True)
class Removal:
    """What would be removed from a resource folder, and what would stay."""

    folder: Path
    record: Record
    files: tuple[str, ...]
    settings: Lines | None
    keymap: Lines | None
    kept: tuple[str, ...]

    def lines(self) -> list[str]:
        """Return the changes as lines for the user."""
        lines = [f"In {self.folder}:"]
        if self.files:
            lines.append(f"  remove {len(self.files)} files of Faderwise")
        if self.settings:
            lines += [f"  {SETTINGS}: restore {change.key}" for change in self.record.settings]
        if self.keymap:
            lines += [f"  {KEYMAP}: remove {command}" for command in self.record.commands]
        return lines + [f"  keep {sentence}" for sentence in self.kept]


def set_up(application: Application, prompter: Prompter, *, dry_run: bool = False) -> list[Path]:
    """Install the actions in every REAPER of this user, and return the resource folders.

    Raises
    ------
    InputError
        REAPER is running, or its files cannot be read or written.
    FaderwiseError
        The packages that the scripts need could not be downloaded.
    """
    folders = find_reaper.resource_folders()
    if not folders:
        prompter.say(NO_REAPER)
        return []
    if not dry_run:
        refuse_while_running()
    content = _content(application, prompter, dry_run=dry_run)
    processors = wanted_processors(find_reaper.programs())
    plans = [make_plan(folder, content, processors) for folder in folders]
    if any(not plan.settings and not python_of(plan.settings_before, processors) for plan in plans):
        prompter.say(NO_PYTHON)
    changing = [plan for plan in plans if not plan.is_empty]
    if not changing:
        prompter.say("The actions in REAPER are up to date.")
    elif _is_agreed([line for plan in changing for line in plan.lines()], "Make these changes?", prompter, dry_run):
        _remember_folders(application.home, [*known_folders(application.home), *folders])
        for plan in plans:
            carry_out(plan)
        prompter.say("The actions are installed. Start REAPER, open the action list (key ?) and type: Faderwise")
        prompter.say(f"For a toolbar, import {scripts.MENU} in Options > Customize menus and toolbars.")
    return folders


def take_back(home: Path, prompter: Prompter, *, dry_run: bool = False) -> list[Path]:
    """Remove what was added to every REAPER, and return the resource folders (of a dry run: those that would change).

    Raises
    ------
    InputError
        REAPER is running, or its files cannot be read or written.
    """
    folders = list(dict.fromkeys([*known_folders(home), *find_reaper.resource_folders()]))
    found = [removal for folder in folders if (removal := plan_removal(folder))]
    if not found:
        prompter.say("Faderwise is not installed in REAPER.")
        if not dry_run:
            scripts.remove_packages(home)
        return []
    lines = [line for removal in found for line in removal.lines()]
    if not _is_agreed(lines, "Remove these from REAPER?", prompter, dry_run):
        return [removal.folder for removal in found] if dry_run else []
    for removal in found:
        remove(removal)
        left = sorted(path.name for path in record_path(removal.folder).parent.glob("*"))
        remaining = f"; Scripts/{FOLDER} still contains: {', '.join(left)}" if left else ""
        prompter.say(f"Removed Faderwise from {removal.folder}{remaining}.")
    _remember_folders(home, [])
    scripts.remove_packages(home)
    return [removal.folder for removal in found]


def _is_agreed(lines: Iterable[str], question: str, prompter: Prompter, dry_run: bool) -> bool:
    if prompter.ask is None:
        return not dry_run
    for line in lines:
        prompter.say(line)
    if dry_run:
        return False
    if not prompter.ask(question):
        prompter.say(_UNCHANGED)
        return False
    return True


def _content(application: Application, prompter: Prompter, *, dry_run: bool) -> Content:
    """Return the files and actions for REAPER; a dry run downloads no packages."""
    packages = scripts.downloaded_packages(application.home)
    pending = ""
    if packages is None and dry_run:
        prompter.say(f"Would download {scripts.package_names()} with pip.")
        pending = f"{FOLDER}/{VENDOR}/"
    elif packages is None:
        prompter.say(f"Downloading {scripts.package_names()} with pip ...")
        packages = scripts.download_packages(application.home, application.python)
    content = content_with(packages, pending)
    place = {f"{FOLDER}/{scripts.APPLICATION_FILE}": application.described()}
    return replace(content, files={**content.files, **place})


def content_with(packages: Path | None, pending: str = "") -> Content:
    """Return what belongs into REAPER, except for the file with the application's location.

    Raises
    ------
    InputError
        The installation is damaged.
    """
    bundled = scripts.bundled_scripts()
    actions = scripts.actions_in(bundled)
    files = scripts.script_files(bundled) | scripts.package_files(packages) | scripts.toolbar_files(actions)
    return Content(files, actions, pending)


def path_of(folder: Path, name: str) -> Path:
    """Return the path of a file in a resource folder: in `Data` and `MenuSets` as named, otherwise in `Scripts`."""
    return folder / name if name.startswith(("Data/", "MenuSets/")) else folder / "Scripts" / name


def make_plan(folder: Path, content: Content, processors: frozenset[str]) -> Plan:
    """Return what would change in `folder`, whose REAPER is built for `processors`.

    Raises
    ------
    InputError
        A file of REAPER or the record cannot be read.
    """
    place, old = folder / "Scripts", read_record(folder) or Record()
    now = {name: _file_hash(path_of(folder, name)) for name in {*content.files, *old.files}}
    wanted = {name: hashlib.sha256(data).hexdigest() for name, data in content.files.items()}
    pending = {name for name in old.files if content.pending and name.startswith(content.pending)}
    obsolete = set(old.files).difference(wanted, pending)
    writes = {name: data for name, data in content.files.items() if now[name] != wanted[name]}
    settings, keymap = read_settings(folder / SETTINGS), read_lines(folder / KEYMAP)
    known = {action.command for action in content.actions}
    plan = Plan(
        folder=folder,
        writes=writes,
        edited=frozenset(name for name in writes if now[name] not in ("", old.files.get(name))),
        removals=tuple(sorted(name for name in obsolete if now[name] == old.files[name])),
        settings=tuple(_python_settings(settings, processors)),
        actions=tuple(config.missing(keymap, content.actions, place)),
        retired=tuple(command for command in old.commands if command not in known),
        settings_before=settings,
        keymap_before=keymap,
        record=old,
    )
    owned = {name: wanted[name] for name in wanted if name in old.files or name in writes}
    return replace(plan, record=_updated_record(plan, owned | {name: old.files[name] for name in pending}))


def _file_hash(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits, an empty text if it does not exist.

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
        raise InputError(f"cannot be read ({error.strerror})", path=path, remedy="move it and try again") from error


def python_of(lines: Lines, processors: frozenset[str]) -> Library | None:
    """Return the Python library that reaper.ini names, if REAPER can load it."""
    named = config.library_set(lines)
    found = library_at(named) if named else None
    return found if found and found.suits(processors) else None


def _python_settings(lines: Lines, processors: frozenset[str]) -> list[SettingChange]:
    if python_of(lines, processors):
        return config.python_changes(lines, None)
    best = best_library(processors)
    return config.python_changes(lines, best.path) if best else []


def _updated_record(plan: Plan, files: dict[str, str]) -> Record:
    old, first = plan.record, {change.key: change for change in plan.record.settings}
    for change in plan.settings:
        earlier = first.get(change.key)
        is_ours = earlier is not None and earlier.after == change.before
        first[change.key] = replace(change, before=earlier.before) if earlier and is_ours else change
    kept = [command for command in old.commands if command not in plan.retired]
    is_edited = {SETTINGS: bool(plan.settings), KEYMAP: bool(plan.actions or plan.retired)}
    created = [name for name in (*_FOLDERS, *is_edited) if is_edited.get(name, True)]
    backups = {}
    for name, edited in is_edited.items():
        earlier_backup = old.backups.get(name)
        if earlier_backup and (plan.folder / earlier_backup).is_file():
            backups[name] = earlier_backup
        elif edited and (plan.folder / name).exists():
            stem, _, suffix = name.rpartition(".")
            backups[name] = f"{stem}.before-faderwise-{time.strftime('%Y%m%d-%H%M%S')}.{suffix}"
    return Record(
        files=files,
        settings=tuple(first.values()),
        commands=tuple(dict.fromkeys([*kept, *(action.command for action in plan.actions)])),
        created=tuple(dict.fromkeys([*old.created, *(n for n in created if not (plan.folder / n).exists())])),
        backups=backups,
    )


def _abbreviated(names: Mapping[str, bytes] | Sequence[str]) -> list[str]:
    """Return names for the user: of a package its folder, not its files."""
    return list(dict.fromkeys(name if name.count("/") < 3 else "/".join(name.split("/")[:3]) + "/" for name in names))


def _decoded(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def carry_out(plan: Plan) -> None:
    """Make the changes of a plan. After an interruption, planning and carrying out again completes them.

    Raises
    ------
    InputError
        REAPER is running, a file changed since the plan was made, or a folder cannot be written to.
    """
    refuse_while_running()
    settings, keymap = plan.settings_before, plan.keymap_before
    for change in plan.settings:
        settings = config.with_change(settings, change)
    for command in plan.retired:
        keymap = config.without_command(keymap, command)
    for action in plan.actions:
        keymap = config.with_action(keymap, action)
    both = {SETTINGS: (plan.settings_before, settings), KEYMAP: (plan.keymap_before, keymap)}
    edits = {name: (before, after) for name, (before, after) in both.items() if before != after}
    for name, (before, _) in edits.items():
        if read_lines(plan.folder / name) != before:
            raise _changed(plan.folder / name)
    _write_record(plan.folder, plan.record)
    _write_files(plan)
    refuse_while_running()
    for name, (_, after) in edits.items():
        _back_up(plan.folder, name, plan.record.backups)
        write_lines(plan.folder / name, after)


def _changed(path: Path) -> InputError:
    return InputError("was changed by another program", path=path, remedy="run the same command again")


def _write_files(plan: Plan) -> None:
    for name, content in plan.writes.items():
        with replacing(path_of(plan.folder, name), keep_old=name in plan.edited) as temporary:
            temporary.write_bytes(content)
    try:
        for name in plan.removals:
            path_of(plan.folder, name).unlink(missing_ok=True)
    except OSError as error:
        raise _cannot_remove(error, plan.folder) from error


def _back_up(folder: Path, name: str, backups: Mapping[str, str]) -> None:
    backup = folder / backups.get(name, name)
    if name in backups and not backup.exists():
        with replacing(backup, keep_old=False) as temporary:
            shutil.copy2(folder / name, temporary)


def plan_removal(folder: Path) -> Removal | None:
    """Return what would be removed from `folder`, None if nothing was added.

    REAPER's configuration is restored line by line, because REAPER has written its own changes into it since.

    Raises
    ------
    InputError
        A file of REAPER or the record cannot be read.
    """
    record = read_record(folder)
    if record is None:
        return None
    now = {name: _file_hash(path_of(folder, name)) for name in record.files}
    changed = sorted(name for name in now if now[name] not in ("", record.files[name]))
    before = read_settings(folder / SETTINGS) if record.settings else read_lines(folder / SETTINGS)
    settings: Lines | None = before
    for change in reversed(record.settings):
        settings = config.without_change(settings, change) if settings is not None else None
    keymap_before = keymap = read_lines(folder / KEYMAP)
    for command in record.commands:
        keymap = config.without_command(keymap, command)
    shortcuts = config.count_shortcuts(keymap_before, record.commands)
    kept = [f"{path_of(folder, name)}: you changed it" for name in changed]
    if record.settings and settings is None:
        kept.append(f"the Python settings in {SETTINGS}: you changed them")
    if shortcuts:
        kept.append(f"your {shortcuts} keyboard shortcuts of these actions, which no longer have an effect")
    return Removal(
        folder=folder,
        record=record,
        files=tuple(name for name in now if now[name] == record.files[name]),
        settings=settings if settings != before else None,
        keymap=keymap if keymap != keymap_before else None,
        kept=tuple(kept),
    )


def remove(removal: Removal) -> None:
    """Remove what was added; the record is removed last, so that an interrupted removal can be repeated.

    Raises
    ------
    InputError
        REAPER is running, a file changed since the removal was planned, or a folder cannot be written to.
    """
    refuse_while_running()
    if plan_removal(removal.folder) != removal:
        raise _changed(removal.folder)
    try:
        _remove(removal)
    except OSError as error:
        raise _cannot_remove(error, removal.folder) from error


def _cannot_remove(error: OSError, folder: Path) -> InputError:
    return InputError(
        f"cannot be removed ({error.strerror or error})",
        path=error.filename or folder,
        remedy="change its permissions and try again",
    )


def _remove(removal: Removal) -> None:
    folder, record = removal.folder, removal.record
    for name, lines in ((SETTINGS, removal.settings), (KEYMAP, removal.keymap)):
        if lines is not None:
            write_lines(folder / name, lines)
    for name in removal.files:
        path_of(folder, name).unlink(missing_ok=True)
    for name, backup in record.backups.items():
        backed_up = _file_hash(folder / backup)
        if backed_up and backed_up == _file_hash(folder / name):
            (folder / backup).unlink()
    for name in record.created:
        if (folder / name).is_file() and not (folder / name).stat().st_size:
            (folder / name).unlink()
    record_path(folder).unlink(missing_ok=True)
    _remove_empty_folders(folder / "Scripts" / FOLDER)
    for name in _FOLDERS:
        if name in record.created:
            _remove_if_empty(folder / name)


def _remove_empty_folders(own: Path) -> None:
    """Remove what Python compiled in our folder, and the folders that are empty then."""
    folders = [path for path in own.rglob("*") if path.is_dir() and not path.is_symlink()]
    for path in [*sorted(folders, key=lambda path: len(path.parts), reverse=True), own]:
        if path.name == "__pycache__":
            for compiled in path.glob("*.pyc"):
                compiled.unlink()
        _remove_if_empty(path)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it is not empty, or does not exist
        folder.rmdir()


def record_path(folder: Path) -> Path:
    """Return the path of the record of a resource folder."""
    return folder / "Scripts" / FOLDER / "installed.json"


def read_record(folder: Path) -> Record | None:
    """Return the record of a resource folder, or None if nothing was added.

    Raises
    ------
    InputError
        The record is damaged.
    """
    path = record_path(folder)
    try:
        return _checked_record(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"is not a valid record of what was installed ({error})", path=path, remedy="restore a copy, or delete it"
        ) from error


def _write_record(folder: Path, record: Record) -> None:
    settings = [
        [change.key, None if change.before is None else _base64(change.before), _base64(change.after)]
        for change in record.settings
    ]
    content = {
        "layout": _LAYOUT,
        "version": __version__,
        "files": record.files,
        "settings": settings,
        "commands": list(record.commands),
        "created": list(record.created),
        "backups": record.backups,
    }
    write_json(record_path(folder), content, keep_old=False)


def known_folders(home: Path) -> list[Path]:
    """Return the resource folders that something was added to."""
    try:
        return [Path(folder) for folder in json.loads((home / "reaper" / "folders.json").read_text("utf-8"))]
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def _remember_folders(home: Path, folders: Iterable[Path]) -> None:
    path, known = home / "reaper" / "folders.json", sorted({str(folder) for folder in folders})
    if known:
        write_json(path, known, keep_old=False)
    else:
        path.unlink(missing_ok=True)


def _checked_record(content: Any) -> Record:
    """Return the record in a file's content, validated here because the installer has only the standard library.

    What is recorded is deleted one day, so nothing outside Faderwise's own files is accepted.
    """
    if _require(dict, content)["layout"] != _LAYOUT:
        raise ValueError(f"its layout {content['layout']} is unknown to this version")
    settings = []
    for key, before, after in (_require(list, change) for change in _require(list, content["settings"])):
        old = None if before is None else _decoded_base64(before)
        settings.append(SettingChange(_require(str, key), old, _decoded_base64(after)))
    record = Record(
        files=_texts_by_name(content["files"]),
        settings=tuple(settings),
        commands=tuple(_require(str, command) for command in _require(list, content["commands"])),
        created=tuple(_require(str, name) for name in _require(list, content["created"])),
        backups=_texts_by_name(content["backups"]),
    )
    foreign = [name for name in record.files if not _is_our_file(name)]
    foreign += [name for name in record.created if name not in (*_FOLDERS, SETTINGS, KEYMAP)]
    foreign += [name for name in record.backups if name not in (SETTINGS, KEYMAP)]
    foreign += [backup for name, backup in record.backups.items() if not _is_backup(backup, name)]
    foreign += [command for command in record.commands if not is_our_command(command)]
    if foreign:
        raise ValueError(f"{foreign[0]!r} does not belong to Faderwise")
    return record


def _require(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{str(value)[:40]!r} is not a {kind.__name__}")
    return value


def _texts_by_name(content: Any) -> dict[str, str]:
    return {name: _require(str, text) for name, text in _require(dict, content).items()}


def _is_our_file(name: str) -> bool:
    is_ours = name.startswith((f"{FOLDER}/", f"{scripts.ICONS}/faderwise_")) or name == scripts.MENU
    return is_ours and ".." not in PureWindowsPath(name).parts and "\0" not in name


def _is_backup(backup: str, name: str) -> bool:
    found = _BACKUP.fullmatch(backup)
    return found is not None and f"{found[1]}.{found[2]}" == name


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode()


def _decoded_base64(text: Any) -> bytes:
    return base64.b64decode(_require(str, text), validate=True)
