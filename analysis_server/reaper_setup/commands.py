"""Set up and remove Faderwise in REAPER: print the changes, ask, apply them, print the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis_server.reaper_setup import find_reaper, packages
from analysis_server.reaper_setup.install import Content, Plan, carry_out, make_plan, python_of
from analysis_server.reaper_setup.keymap import FOLDER, actions_in
from analysis_server.reaper_setup.python_library import wanted_processors
from analysis_server.reaper_setup.record import known_folders, record_path, remember_folders
from analysis_server.reaper_setup.scripts import VENDOR, Application, bundled_scripts, wanted_files
from analysis_server.reaper_setup.uninstall import make_undoing, undo

NO_REAPER = "REAPER was not found. Start it once, close it, and run this again (docs/guides/installing.md)."
NO_PYTHON = (
    "REAPER will find no Python: no shared library of Python 3.8 or newer for its processor is here. Install one "
    "(Debian and Ubuntu: sudo apt install libpython3-dev; else Python from python.org), then run this again."
)
_STAYS = "REAPER stays as it is."


@dataclass(frozen=True)
class Prompter:
    """Functions that print a line (`say`) and ask a yes/no question (`ask`)."""

    say: Callable[[str], None]
    ask: Callable[[str], bool]


def set_up(application: Application, prompter: Prompter, *, dry_run: bool = False) -> list[Path]:
    """Set Faderwise up in every REAPER of this user, and return the resource folders.

    Raises
    ------
    InputError
        REAPER runs, or its files cannot be read or written.
    FaderwiseError
        The packages that the scripts need could not be installed.
    """
    folders = find_reaper.resource_folders()
    if not folders:
        prompter.say(NO_REAPER)
        return []
    if not dry_run:
        find_reaper.refuse_while_running()
    content = _content(application, prompter, dry_run=dry_run)
    processors = wanted_processors(find_reaper.programs())
    plans = [make_plan(folder, content, processors) for folder in folders]
    _warn_of_python(plans, processors, prompter)
    if _agreed(plans, prompter, dry_run=dry_run):
        remember_folders(application.home, [*known_folders(application.home), *folders])
        for plan in plans:
            carry_out(plan)
        prompter.say("REAPER is set up. Start it, open its action list (the key ?) and type: Faderwise")
    return folders


def take_back(home: Path, prompter: Prompter, *, dry_run: bool = False) -> list[Path]:
    """Remove what was added from every REAPER, and return the resource folders.

    Raises
    ------
    InputError
        REAPER runs, or its files cannot be read or written.
    """
    folders = list(dict.fromkeys([*known_folders(home), *find_reaper.resource_folders()]))
    found = [undoing for folder in folders if (undoing := make_undoing(folder))]
    if not found:
        prompter.say("Nothing to take out of REAPER.")
        if not dry_run:
            packages.forget(home)
        return []
    for line in (line for undoing in found for line in undoing.told()):
        prompter.say(line)
    if dry_run:
        return []
    if not prompter.ask("Take this out of REAPER?"):
        prompter.say(_STAYS)
        return []
    for undoing in found:
        undo(undoing)
        left = sorted(path.name for path in record_path(undoing.folder).parent.glob("*"))
        prompter.say(
            f"Faderwise is out of {undoing.folder}"
            + (f"; left in Scripts/{FOLDER}: {', '.join(left)}." if left else ".")
        )
    remember_folders(home, [])
    packages.forget(home)
    return [undoing.folder for undoing in found]


def _content(application: Application, prompter: Prompter, *, dry_run: bool) -> Content:
    """Return the files and actions for REAPER; a dry run installs no packages."""
    folder = packages.kept(application.home)
    awaited = ""
    if folder is None and dry_run:
        prompter.say(f"Would get {packages.names()} with pip.")
        awaited = f"{FOLDER}/{VENDOR}/"
    elif folder is None:
        prompter.say(f"Getting {packages.names()} with pip ...")
        folder = packages.get(application.home, application.python)
    scripts = bundled_scripts()
    files = wanted_files(scripts, folder, application)
    return Content(files=files, actions=actions_in(scripts), awaited=awaited)


def _warn_of_python(plans: Sequence[Plan], processors: frozenset[str], prompter: Prompter) -> None:
    if any(not plan.settings and not python_of(plan.settings_before, processors) for plan in plans):
        prompter.say(NO_PYTHON)


def _agreed(plans: Sequence[Plan], prompter: Prompter, *, dry_run: bool) -> bool:
    changing = [plan for plan in plans if not plan.is_empty]
    if not changing:
        prompter.say("REAPER is set up already; nothing to change.")
        return False
    for line in (line for plan in changing for line in plan.told()):
        prompter.say(line)
    if dry_run:
        return False
    if not prompter.ask("Make these changes to REAPER?"):
        prompter.say(_STAYS)
        return False
    return True
