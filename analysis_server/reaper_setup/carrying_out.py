"""Carrying a plan out: the record first, then the files, then REAPER's configuration, each file whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from analysis_server.reaper_setup import actions as kb
from analysis_server.reaper_setup.lines import Lines, read_lines, write_lines
from analysis_server.reaper_setup.places import KEYMAP, SETTINGS, refuse_while_running
from analysis_server.reaper_setup.plan import Plan
from analysis_server.reaper_setup.record import write_record
from analysis_server.reaper_setup.settings import with_change
from core.errors import InputError
from core.files import replacing


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
