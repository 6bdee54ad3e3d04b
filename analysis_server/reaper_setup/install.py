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
import os
import re
import shutil
import time
from collections import Counter
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
from core.wording import count

NO_REAPER = "REAPER was not found. Start it once, close it, and run this again (docs/guides/installing.md)."
NO_PYTHON = (
    "REAPER will not find Python: there is no shared library of Python 3.8 or later for its processor. Install one "
    "(Debian and Ubuntu: sudo apt install libpython3-dev; otherwise Python from python.org), then run this again."
)
_LAYOUT = 1
_ICON_FOLDERS = (f"{scripts.ICONS}/150", f"{scripts.ICONS}/200", scripts.ICONS)
_FOLDERS = ("Scripts", *_ICON_FOLDERS, "Data", "MenuSets")
"""The folders that files are added to, a folder after those in it."""


@dataclass(frozen=True)
class Prompter:
    """Functions that print a line (`say`) and ask a yes/no question (`ask`).

    `ask` is None where the user has already seen the changes and agreed: they are then made without listing them again.
    `details` lists each file and action; otherwise their number is shown for each folder.
    """

    say: Callable[[str], None]
    ask: Callable[[str], bool] | None
    details: bool = True


@dataclass(frozen=True)
class Content:
    """What belongs into REAPER: files by name (`path_of`), and actions.

    Without packages, those installed earlier stay.
    """

    files: Mapping[str, bytes]
    actions: Sequence[Action]
    has_packages: bool


@dataclass(frozen=True)
class Record:
    """What was added.

    files : SHA-256 of each file, as lower-case hexadecimal digits.
    settings : changed lines of reaper.ini.
    commands : actions registered in reaper-kb.ini.
    created : files and folders that did not exist before.
    backups : names of the copies of the original configuration files, by file name.
    """

    files: dict[str, str] = field(default_factory=dict)
    settings: tuple[SettingChange, ...] = ()
    commands: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    backups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What would change in a resource folder.

    lines, summary : the changes, as lines for the user: each one, and their numbers.
    writes : contents of files; `edited` are those that the user changed.
    removals : hashes of the files to remove.
    before, after : the lines of reaper.ini and reaper-kb.ini.
    actions : those that would be registered.
    record_before, record : what was added before, and then; None to remove everything.
    """

    folder: Path
    lines: tuple[str, ...]
    summary: tuple[str, ...]
    writes: Mapping[str, bytes]
    edited: frozenset[str]
    removals: Mapping[str, str]
    before: Mapping[str, Lines]
    after: Mapping[str, Lines]
    actions: tuple[Action, ...]
    record_before: Record
    record: Record | None

    @property
    def is_empty(self) -> bool:
        """Whether everything is up to date."""
        return not (self.writes or self.removals) and self.before == self.after


def install_actions(application: Application, prompter: Prompter, *, dry_run: bool = False) -> list[Path]:
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
    packages = scripts.downloaded_packages(application.home)
    if packages is None:
        names = scripts.package_names()
        prompter.say(f"Will download {names} with pip." if dry_run else f"Downloading {names} with pip ...")
        packages = None if dry_run else scripts.download_packages(application.home, application.python)
    processors = wanted_processors(find_reaper.programs())
    plans = [make_plan(folder, content_of(packages, application), processors) for folder in folders]
    if any(not python_of(plan.after[SETTINGS], processors) for plan in plans):
        prompter.say(NO_PYTHON)
    changing = [plan for plan in plans if not plan.is_empty]
    if not changing:
        prompter.say("The actions in REAPER are up to date.")
    elif _is_agreed(changing, "Make these changes?", prompter, dry_run):
        _remember_folders(application.home, [*known_folders(application.home), *folders])
        for plan in plans:
            apply_plan(plan)
        prompter.say("The actions are installed. Start REAPER, open the action list (key ?) and type: Faderwise")
        prompter.say(f"For a toolbar, import {scripts.MENU} in Options > Customize menus/toolbars...")
    return folders


def uninstall_actions(home: Path, prompter: Prompter, *, dry_run: bool = False) -> list[Path]:
    """Remove what was added to every REAPER, and return the resource folders (of a dry run: those that would change).

    Raises
    ------
    InputError
        REAPER is running, or its files cannot be read or written.
    """
    folders = list(dict.fromkeys([*known_folders(home), *find_reaper.resource_folders()]))
    plans = [plan for folder in folders if (plan := plan_removal(folder))]
    if not plans:
        prompter.say("Faderwise is not installed in REAPER." if folders else "REAPER was not found.")
        if not dry_run:
            scripts.remove_packages(home)
        return []
    if not _is_agreed(plans, "Remove these from REAPER?", prompter, dry_run):
        return [plan.folder for plan in plans] if dry_run else []
    for plan in plans:
        apply_plan(plan)
        left = sorted(path.name for path in record_path(plan.folder).parent.glob("*"))
        remaining = f"; Scripts/{FOLDER} still contains: {', '.join(left)}" if left else ""
        prompter.say(f"Removed Faderwise from {plan.folder}{remaining}.")
    _remember_folders(home, [])
    scripts.remove_packages(home)
    return [plan.folder for plan in plans]


def _is_agreed(plans: Iterable[Plan], question: str, prompter: Prompter, dry_run: bool) -> bool:
    if prompter.ask is None:
        return not dry_run
    for plan in plans:
        lines = plan.lines if prompter.details else plan.summary
        hint = "" if lines == plan.lines else " (--dry-run lists each file and action)"
        for line in (f"In {plan.folder}{hint}:", *(f"  {line}" for line in lines)):
            prompter.say(line)
    if dry_run:
        return False
    is_agreed = prompter.ask(question)
    if not is_agreed:
        prompter.say("REAPER was not changed.")
    return is_agreed


def content_of(packages: Path | None, application: Application | None = None) -> Content:
    """Return what belongs into REAPER, with the location of the application if it is given.

    Raises
    ------
    InputError
        The installation is damaged.
    """
    bundled = scripts.bundled_scripts()
    actions = scripts.actions_in(bundled)
    files = scripts.files_in(bundled, FOLDER) | scripts.toolbar_files(actions)
    if packages:
        files |= scripts.files_in(packages, f"{FOLDER}/{VENDOR}")
    if application:
        files[f"{FOLDER}/{scripts.APPLICATION_FILE}"] = application.described()
    return Content(files, actions, packages is not None)


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
    old = read_record(folder) or Record()
    now = {name: _file_hash(path_of(folder, name)) for name in {*content.files, *old.files}}
    wanted = {name: hashlib.sha256(data).hexdigest() for name, data in content.files.items()}
    if not content.has_packages:
        wanted |= {name: old.files[name] for name in old.files if name.startswith(f"{FOLDER}/{VENDOR}/")}
    writes = {name: data for name, data in content.files.items() if now[name] != wanted[name]}
    edited = frozenset(name for name in writes if now[name] not in ("", old.files.get(name)))
    removals = {name: old.files[name] for name in sorted(old.files.keys() - wanted) if now[name] == old.files[name]}

    settings, keymap = read_settings(folder / SETTINGS), read_lines(folder / KEYMAP)
    before = {SETTINGS: settings, KEYMAP: keymap}
    changes = _python_settings(settings, processors)
    actions = config.missing(keymap, content.actions, folder / "Scripts")
    retired = set(old.commands).difference(action.command for action in content.actions)
    for change in changes:
        settings = config.with_change(settings, change)
    for command in retired:
        keymap = config.without_command(keymap, command)
    for action in actions:
        keymap = config.with_action(keymap, action)
    after = {SETTINGS: settings, KEYMAP: keymap}

    kept = " (you changed it: your version is kept under another name)"
    lines = [f"write {path_of(folder, name)}{kept if name in edited else ''}" for name in _abbreviated(writes)]
    lines += [f"remove {path_of(folder, name)}" for name in _abbreviated(removals)]
    summary = [f"write {path_of(folder, name)}{kept}" for name in sorted(edited)]
    summary += [f"write {counted}" for counted in _by_folder(folder, set(writes) - edited)]
    summary += [f"remove {counted}" for counted in _by_folder(folder, removals)]
    settings_lines = []
    for change in changes:
        now_set = f" (now {_decoded(change.before)!r})" if change.before is not None else ""
        settings_lines.append(f"{SETTINGS}: set {_decoded(change.after)!r}{now_set}")
    lines += [*settings_lines, *(f"{KEYMAP}: register {_decoded(action.line)}" for action in actions)]
    lines += [f"{KEYMAP}: remove {command}" for command in sorted(retired)]
    summary += [*settings_lines, *([f"{KEYMAP}: register {count(len(actions), 'action')}"] if actions else [])]
    summary += [f"{KEYMAP}: remove {count(len(retired), 'action')}"] if retired else []

    edits = [name for name in before if before[name] != after[name]]
    created = [name for name in (*_FOLDERS, *edits) if not (folder / name).exists()]
    commands = [command for command in old.commands if command not in retired]
    record = Record(
        files={name: digest for name, digest in wanted.items() if name in old.files or name in writes},
        settings=_merged(old.settings, changes),
        commands=tuple(dict.fromkeys([*commands, *(action.command for action in actions)])),
        created=tuple(dict.fromkeys([*old.created, *created])),
        backups=_backups(folder, old.backups, edits),
    )
    others = [] if content.has_packages else [f"write {path_of(folder, FOLDER) / VENDOR}{os.sep}"]
    others.append(f"write {record_path(folder)}")
    new_backups = [backup for name, backup in record.backups.items() if name not in old.backups]
    others += [f"write {folder / re.sub('[0-9]{8}-[0-9]{6}', 'DATE', backup)}" for backup in new_backups]
    lines, summary = [*lines, *others], [*summary, *others]
    return Plan(
        folder, tuple(lines), tuple(summary), writes, edited, removals, before, after, tuple(actions), old, record
    )


def _file_hash(path: Path) -> str:
    """Return a file's SHA-256 as hexadecimal digits, an empty text if it does not exist."""
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


def _merged(earlier: Iterable[SettingChange], changes: Iterable[SettingChange]) -> tuple[SettingChange, ...]:
    """Return the changes of an earlier installation and of this one, with the lines from before both."""
    merged = {change.key: change for change in earlier}
    for change in changes:
        first = merged.get(change.key)
        is_ours = first is not None and first.after == change.before
        merged[change.key] = replace(change, before=first.before) if first and is_ours else change
    return tuple(merged.values())


def _backups(folder: Path, earlier: Mapping[str, str], edits: Iterable[str]) -> dict[str, str]:
    """Return the backups that still exist, and the names of those to make before `edits`."""
    backups = {name: backup for name, backup in earlier.items() if (folder / backup).is_file()}
    for name in edits:
        if name not in backups and (folder / name).exists():
            stem, suffix = name.split(".")
            backups[name] = f"{stem}.before-faderwise-{time.strftime('%Y%m%d-%H%M%S')}.{suffix}"
    return backups


def _abbreviated(names: Iterable[str]) -> list[str]:
    """Return names for the user: of a package its folder, not its files."""

    def shown(name: str) -> str:
        parts = name.split("/")
        return name if len(parts) < 4 or parts[0] != FOLDER else "/".join(parts[:3]) + "/"

    return list(dict.fromkeys(map(shown, names)))


def _by_folder(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the number of files in each folder; those of the scripts and of their packages are counted together."""

    def place(name: str) -> Path:
        return path_of(folder, FOLDER) if name.startswith(f"{FOLDER}/") else path_of(folder, name).parent

    numbers = Counter(map(place, names))
    return [f"{count(numbers[path], 'file')} in {path}" for path in sorted(numbers)]


def _decoded(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def plan_removal(folder: Path) -> Plan | None:
    """Return how to remove what was added to `folder`, None if nothing was added.

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
    removals = {name: digest for name, digest in record.files.items() if now[name] == digest}
    before = read_settings(folder / SETTINGS) if record.settings else read_lines(folder / SETTINGS)
    settings: Lines | None = before
    for change in reversed(record.settings):
        settings = config.without_change(settings, change) if settings is not None else None
    keymap_before = keymap = read_lines(folder / KEYMAP)
    for command in record.commands:
        keymap = config.without_command(keymap, command)

    lines = [f"remove {len(removals)} files of Faderwise"] if removals else []
    if settings not in (None, before):
        lines += [f"{SETTINGS}: restore {change.key}" for change in record.settings]
    if keymap != keymap_before:
        lines += [f"{KEYMAP}: remove {command}" for command in record.commands]
    changed = sorted(name for name in now if now[name] not in ("", record.files[name]))
    lines += [f"keep {path_of(folder, name)}: you changed it" for name in changed]
    if settings is None:
        lines.append(f"keep the Python settings in {SETTINGS}: you changed them")
    after = {SETTINGS: before if settings is None else settings, KEYMAP: keymap}
    lines += [
        f"keep {folder / backup}, the copy from before: {name} has other changes since then"
        for name, backup in record.backups.items()
        if (folder / backup).is_file() and (folder / backup).read_bytes() != after[name].content
    ]
    if shortcuts := config.count_shortcuts(keymap_before, record.commands):
        lines.append(f"keep your {shortcuts} keyboard shortcuts of these actions, which no longer have an effect")
    return Plan(
        folder=folder,
        lines=tuple(lines),
        summary=tuple(lines),
        writes={},
        edited=frozenset(),
        removals=removals,
        before={SETTINGS: before, KEYMAP: keymap_before},
        after=after,
        actions=(),
        record_before=record,
        record=None,
    )


def apply_plan(plan: Plan) -> None:
    """Make the changes of a plan. After an interruption, planning and carrying out again completes them.

    Raises
    ------
    InputError
        REAPER is running, a file changed since the plan was made, or a folder cannot be written to.
    """
    folder = plan.folder
    refuse_while_running()
    edits = [name for name in plan.before if plan.before[name] != plan.after[name]]
    for name in edits:
        if read_lines(folder / name) != plan.before[name]:
            problem, remedy = "was changed by another program", "run the same command again"
            raise InputError(problem, path=folder / name, remedy=remedy)
    if plan.record:
        _write_record(folder, plan.record)
    for name, content in plan.writes.items():
        with replacing(path_of(folder, name), keep_old=name in plan.edited) as temporary:
            temporary.write_bytes(content)
    refuse_while_running()
    for name in edits:
        backup = plan.record.backups.get(name) if plan.record else None
        if backup and not (folder / backup).exists():
            with replacing(folder / backup, keep_old=False) as temporary:
                shutil.copy2(folder / name, temporary)
        write_lines(folder / name, plan.after[name])
    try:
        for name, digest in plan.removals.items():
            if _file_hash(path_of(folder, name)) == digest:
                path_of(folder, name).unlink()
        if plan.record is None:
            _remove_traces(folder, plan.record_before)
    except OSError as error:
        raise InputError(
            f"cannot be removed ({error.strerror or error})",
            path=error.filename or folder,
            remedy="change its permissions and try again",
        ) from error


def _remove_traces(folder: Path, record: Record) -> None:
    """Remove what is left after the files; the record last, so that an interrupted removal can be repeated."""
    for name, backup in record.backups.items():
        backed_up = _file_hash(folder / backup)
        if backed_up and backed_up == _file_hash(folder / name):
            (folder / backup).unlink()
    for name in record.created:
        if (folder / name).is_file() and not (folder / name).stat().st_size:
            (folder / name).unlink()
    record_path(folder).unlink(missing_ok=True)
    own = folder / "Scripts" / FOLDER
    folders = [path for path in own.rglob("*") if path.is_dir() and not path.is_symlink()]
    folders = [*sorted(folders, key=lambda path: len(path.parts), reverse=True), own]
    for path in folders:
        if path.name == "__pycache__":
            for compiled in path.glob("*.pyc"):
                compiled.unlink()
    for path in [*folders, *(folder / name for name in _FOLDERS if name in record.created)]:
        with contextlib.suppress(OSError):  # it is not empty, or does not exist
            path.rmdir()


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
        return _parse_record(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            f"is not a valid record of what was installed ({error})", path=path, remedy="restore a copy, or delete it"
        ) from error


def _parse_record(content: Any) -> Record:
    """Return the record in a file's content, in which only names of Faderwise's own are accepted: they get removed."""
    if content["layout"] != _LAYOUT:
        raise ValueError(f"its layout {content['layout']} is unknown to this version")
    record = Record(
        files=dict(content["files"]),
        settings=tuple(
            SettingChange(key, None if before is None else _from_base64(before), _from_base64(after))
            for key, before, after in content["settings"]
        ),
        commands=tuple(content["commands"]),
        created=tuple(content["created"]),
        backups=dict(content["backups"]),
    )
    texts = [*record.files, *record.files.values(), *(change.key for change in record.settings), *record.commands]
    texts += [*record.created, *record.backups, *record.backups.values()]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a name in it is not a text")
    foreign = [name for name in record.files if not _is_our_file(name)]
    foreign += [name for name in record.created if name not in (*_FOLDERS, SETTINGS, KEYMAP)]
    foreign += [backup for name, backup in record.backups.items() if not _is_backup(backup, name)]
    foreign += [command for command in record.commands if not is_our_command(command)]
    if foreign:
        raise ValueError(f"{foreign[0]!r} does not belong to Faderwise")
    return record


def _is_our_file(name: str) -> bool:
    places = (f"{FOLDER}/", *(f"{folder}/faderwise_" for folder in _ICON_FOLDERS))
    is_ours = name.startswith(places) or name == scripts.MENU
    return is_ours and ".." not in PureWindowsPath(name).parts and "\0" not in name


def _is_backup(backup: str, name: str) -> bool:
    is_ours = name in (SETTINGS, KEYMAP)
    return is_ours and re.subn(r"\.before-faderwise-\d{8}-\d{6}(?=\.ini\Z)", "", backup) == (name, 1)


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _write_record(folder: Path, record: Record) -> None:
    def encoded(body: bytes | None) -> str | None:
        return None if body is None else base64.b64encode(body).decode()

    content = {
        "layout": _LAYOUT,
        "version": __version__,
        "files": record.files,
        "settings": [[change.key, encoded(change.before), encoded(change.after)] for change in record.settings],
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
