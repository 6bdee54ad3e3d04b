"""Faderwise in REAPER: the Python it loads, what the scripts import, the scripts, the actions, the application."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from analysis_server.examining.finding import Finding, asked, note, right, wrong
from analysis_server.reaper_setup import import_probe, packages, places
from analysis_server.reaper_setup.actions import FOLDER, actions_in
from analysis_server.reaper_setup.lines import Lines
from analysis_server.reaper_setup.plan import Content, Plan, make_plan
from analysis_server.reaper_setup.python_library import OLDEST, Library, library_at, wanted_processors
from analysis_server.reaper_setup.scripts import APPLICATION, VENDOR, bundled_scripts, package_files, script_files
from analysis_server.reaper_setup.settings import SWITCH, library_set, value_of
from core import __version__
from core.errors import InputError

_INSTALL = "close REAPER and run `faderwise reaper install`"
_PREFERENCES = "Preferences > Plug-ins > ReaScript"
_NEEDED = ("reapy", "typing_extensions", "faderwise_bridge.actions")
_VERSION = "import core; print(core.__version__)"


def examine_reaper(home: Path) -> Iterator[Finding]:
    """Look at every REAPER of this user."""
    try:
        folders = places.resource_folders()
    except InputError as error:
        yield wrong("REAPER", str(error), "correct REAPER_RESOURCE_PATH, or start REAPER once")
        return
    if not folders:
        yield note("REAPER", "none was found", "if you have one, set REAPER_RESOURCE_PATH to its folder of settings")
        return
    programs = places.programs()
    yield right("REAPER", "; ".join(map(str, [*folders, *programs])))
    processors = wanted_processors(programs)
    for folder in folders:
        try:
            plan = make_plan(folder, _content(home), processors)
        except InputError as error:
            yield wrong("REAPER's files", str(error), "mend or remove that file, then run `faderwise reaper install`")
            continue
        yield from _examine(plan, processors)


def _content(home: Path) -> Content:
    """Return what belongs into REAPER, but for the file that says where the application is."""
    vendor, scripts = packages.kept(home), bundled_scripts()
    files = script_files(scripts) | package_files(vendor)
    return Content(files, actions_in(scripts), awaited="" if vendor else f"{FOLDER}/{VENDOR}/")


def _examine(plan: Plan, processors: frozenset[str]) -> Iterator[Finding]:
    library = _library(plan.settings_before)
    yield _python(plan, library, processors)
    yield _scripts(plan)
    yield _imports(plan.folder, library)
    yield _actions(plan)
    yield examine_place(plan.folder / "Scripts" / FOLDER / APPLICATION)


def _library(settings: Lines) -> Library | None:
    named = library_set(settings)
    return library_at(named) if named else None


def _python(plan: Plan, library: Library | None, processors: frozenset[str]) -> Finding:
    named, lines = library_set(plan.settings_before), plan.settings_before
    remedy = f"{_INSTALL}, or choose another in {_PREFERENCES}"
    if value_of(lines, SWITCH) == "0":
        return wrong("REAPER's Python", "ReaScript's Python is switched off", remedy)
    if named is None:
        return wrong("REAPER's Python", "reaper.ini names no Python library, so REAPER guesses", remedy)
    if library is None:
        return wrong("REAPER's Python", f"{named} is not there, or is no Python library", remedy)
    version, made_for = ".".join(map(str, library.version)), ", ".join(sorted(library.processors))
    if library.version < OLDEST:
        return wrong("REAPER's Python", f"{named} is Python {version}; 3.8 is the oldest that works", remedy)
    if processors.isdisjoint(library.processors):
        wanted = ", ".join(sorted(processors))
        return wrong("REAPER's Python", f"{named} is made for {made_for}, REAPER for {wanted}", remedy)
    return right("REAPER's Python", f"{named}: Python {version} for {made_for}")


def _scripts(plan: Plan) -> Finding:
    folder = plan.folder / "Scripts" / FOLDER
    if plan.edited:
        names = ", ".join(sorted(name.removeprefix(f"{FOLDER}/") for name in plan.edited))
        remedy = f"if that was not meant, {_INSTALL}: your version is set aside"
        return wrong("scripts", f"{folder}: not as Faderwise {__version__} has them: {names}", remedy)
    if plan.writes:
        count = f"{len(plan.writes)} of them missing or of another version"
        return wrong("scripts", f"{folder}: {count}", _INSTALL)
    return right("scripts", f"{folder}, of Faderwise {__version__}")


def _imports(folder: Path, library: Library | None) -> Finding:
    """Let the Python that REAPER loads import what the scripts import."""
    interpreter = library.interpreter() if library else None
    if interpreter is None:
        return note("imports", "not looked at: the Python library has no interpreter beside it")
    scripts = str(folder / "Scripts" / FOLDER)
    well, output = asked([str(interpreter), "-I", "-B", import_probe.__file__, scripts, *_NEEDED])
    if not well:
        return wrong("imports", f"{interpreter} cannot import what the scripts need: {output}", _INSTALL)
    try:
        told = json.loads(output.splitlines()[-1])
        return right("imports", f"reapy {told['modules']['reapy']} under Python {told['python']}")
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        return wrong("imports", f"{interpreter} does not answer as a Python does: {output[-200:]!r}", _INSTALL)


def _actions(plan: Plan) -> Finding:
    missing = [action.description for action in plan.actions]
    if missing:
        return wrong("actions", f"not in REAPER's action list: {', '.join(missing)}", _INSTALL)
    return right("actions", f"all are in {places.KEYMAP}")


def examine_place(file: Path) -> Finding:
    """Start the Python that the scripts would start, as `file` says."""
    try:
        python = str(json.loads(file.read_text("utf-8"))["python"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return wrong("application", f"{file} does not say where the application is ({error})", _INSTALL)
    well, output = asked([python, "-I", "-c", _VERSION])
    if not well:
        return wrong("application", f"{python}, which the scripts start, does not work: {output}", _INSTALL)
    if output != __version__:
        return wrong("application", f"{python} is Faderwise {output}, the scripts are of {__version__}", _INSTALL)
    return right("application", f"the scripts start {python}")
