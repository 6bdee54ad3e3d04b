"""Check the installation and REAPER's set-up."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from packaging.requirements import Requirement

from analysis_server.environment import MARKER
from analysis_server.reaper_setup import find_reaper, scripts
from analysis_server.reaper_setup.config_files import SWITCH, Lines, library_set, value_of
from analysis_server.reaper_setup.find_reaper import OLDEST, SETTINGS, Library, library_at, wanted_processors
from analysis_server.reaper_setup.install import Plan, content_of, make_plan
from analysis_server.reaper_setup.scripts import APPLICATION_FILE, FOLDER
from analysis_server.runs import kept_runs
from analysis_server.server.client import Client, forget_ended
from analysis_server.server.security import connection_path
from core import __version__
from core.errors import FaderwiseError, InputError, to_user_error
from core.progress import ProgressCallback, no_progress
from core.wording import count

State = Literal["ok", "note", "failed"]
_LIMIT_S = 60.0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was checked (`subject`), how it is (`state`, `found`), and unless it is ok the `remedy`.

    `note` is information and needs no fix.
    """

    subject: str
    state: State
    found: str
    remedy: str = ""


def ok(subject: str, found: str) -> Finding:
    """Return a finding without a problem."""
    return Finding(subject=subject, state="ok", found=found)


def note(subject: str, found: str, remedy: str = "") -> Finding:
    """Return a finding that is only information."""
    return Finding(subject=subject, state="note", found=found, remedy=remedy)


def failed(subject: str, found: str, remedy: str) -> Finding:
    """Return a problem and its remedy."""
    return Finding(subject=subject, state="failed", found=found, remedy=remedy)


def run_program(command: Sequence[str]) -> tuple[bool, str]:
    """Run a program and return whether it succeeded, and its output or its last message."""
    try:
        done = subprocess.run(  # noqa: S603 - a list
            list(command), capture_output=True, text=True, errors="replace", check=False, timeout=_LIMIT_S
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    output = done.stdout.strip() if done.returncode == 0 else (done.stderr or done.stdout).strip()
    return done.returncode == 0, output if done.returncode == 0 else (output.splitlines() or ["no output"])[-1]


_AGAIN = "run `python3 install.py` again to repair it"
_LIBRARIES = ("numpy", "scipy.signal", "soundfile", "soxr", "pyfftw", "zmq", "msgspec", "matplotlib")
_ROOM_BYTES = 500_000_000
_MUCH_BYTES = 2_000_000_000
_OTHERS = 0o077
_ENDS_WITHIN_S = 5.0


def examine_application(home: Path, *, full: bool = False) -> Iterator[Finding]:
    """Check the running application, whose data folder is `home`.

    By default only metadata is read. With `full`, every library is imported, `pip check` runs, and the server is
    started where none is running.
    """
    yield _environment()
    yield _command()
    yield _import_libraries(home) if full else _find_libraries()
    yield _check_packages() if full else _check_requirements()
    yield _folder(home)
    yield _runs(home)
    yield _keys(home)
    yield _server(home, full)


def _environment() -> Finding:
    version, place = ".".join(map(str, sys.version_info[:3])), Path(sys.prefix)
    found = f"Faderwise {__version__} on Python {version} in {place}"
    if sys.prefix == sys.base_prefix:
        return note("environment", f"{found}, which is not a separate environment", "`python3 install.py` creates one")
    made_here = (place / MARKER).is_file()
    return ok("environment", found) if made_here else note("environment", f"{found}, not made by install.py")


def _command() -> Finding:
    ours = Path(sys.executable).parent
    found = shutil.which("faderwise")
    if found and Path(found).resolve().parent == ours.resolve():
        return ok("command", found)
    remedy = f"to type `faderwise` anywhere, put {ours} on your PATH"
    problem = f"is {found}, not this one" if found else "is not on the PATH"
    return note("command", f"`faderwise` {problem}", remedy)


def _import_libraries(home: Path) -> Finding:
    """Import the compiled libraries, which shows whether their shared objects load."""
    os.environ.setdefault("MPLCONFIGDIR", str(home / "cache" / "matplotlib"))  # read when matplotlib is imported
    reasons = {}
    for name in _LIBRARIES:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:  # noqa: PERF203 - each on its own
            reasons[name] = str(error)
    if reasons:
        return failed("libraries", "; ".join(f"{name} does not load: {why}" for name, why in reasons.items()), _AGAIN)
    return ok("libraries", f"{', '.join(_LIBRARIES)} load")


def _find_libraries() -> Finding:
    """Look for the compiled libraries without importing them."""
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name.partition(".")[0]) is None]
    if missing:
        return failed("libraries", f"not installed: {', '.join(missing)}", _AGAIN)
    return ok("libraries", f"{', '.join(_LIBRARIES)} are installed (`faderwise doctor --full` also loads them)")


def _check_packages() -> Finding:
    succeeded, output = run_program([sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "check"])
    if "No module named pip" in output:
        return note("versions", "not checked: this environment has no pip")
    return ok("versions", "all packages are compatible") if succeeded else failed("versions", output, _AGAIN)


def _check_requirements() -> Finding:
    """Compare the installed versions with the ranges that Faderwise requires."""
    try:
        requirements = importlib.metadata.requires("faderwise") or []
    except importlib.metadata.PackageNotFoundError:
        return note("versions", "not checked: Faderwise runs without being installed")
    problems, n_checked = [], 0
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        n_checked += 1
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"{requirement} is not installed")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            problems.append(f"{requirement.name} is {version}, required is {requirement.specifier}")
    if problems:
        return failed("versions", "; ".join(problems), _AGAIN)
    return ok("versions", f"the {n_checked} required packages have supported versions")


def _folder(home: Path) -> Finding:
    place = next(path for path in (home, *home.absolute().parents) if os.path.exists(path))  # noqa: PTH110 - never raises
    remedy = f"make {place} writable, or set FADERWISE_HOME to another folder"
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return failed("folder", f"{home} cannot be written to ({error.strerror})", remedy)
    free = shutil.disk_usage(place).free
    found = f"{home} can be written to, {free / 1e9:.1f} GB are free"
    return ok("folder", found) if free > _ROOM_BYTES else failed("folder", found, "free some space on this disk")


def _runs(home: Path) -> Finding:
    where = home / kept_runs.NAME
    runs = kept_runs.kept_runs(where)
    n_bytes = sum(run.n_bytes for run in runs)
    found = f"{count(len(runs), 'run')} from REAPER, {n_bytes / 1e6:.0f} MB in {where}"
    if n_bytes > _MUCH_BYTES:
        return note("runs", found, "`faderwise runs clear` deletes reports and mixes that are older than 30 days")
    return ok("runs", found)


def _keys(home: Path) -> Finding:
    folder = home / "keys"
    if not folder.is_dir():
        return note("keys", "none yet; the server creates them when it first starts")
    files = [folder, *folder.rglob("*")]
    open_to_others = [path for path in files if os.name != "nt" and path.stat().st_mode & _OTHERS]
    if open_to_others:
        modes = " ".join(f"'{path}'" for path in open_to_others)
        return failed("keys", f"others may read {', '.join(map(str, open_to_others))}", f"chmod go-rwx {modes}")
    return ok("keys", f"{folder}, accessible only to you")


def _server(home: Path, full: bool) -> Finding:
    """Connect to the server; where none answers, start one and stop it again if `full`."""
    if not full and not connection_path(home).is_file():
        return ok("server", "none is running; one starts when it is needed")
    try:
        with Client(home, starts=False, name="doctor") as client:
            welcome = client.hello(deadline_s=5.0)
            return ok("server", f"Faderwise {welcome.program} is running")
    except (FaderwiseError, OSError) as error:
        if full:
            return _started(home)
        return note("server", str(error), "`faderwise doctor --full` starts one to check it")


def _started(home: Path) -> Finding:
    try:
        with Client(home, name="doctor") as client:
            client.hello(deadline_s=30.0)
            client.shutdown("idle")
        end_s = time.monotonic() + _ENDS_WITHIN_S
        while not forget_ended() and time.monotonic() < end_s:
            time.sleep(0.05)
    except (FaderwiseError, OSError) as error:
        return failed("server", f"it does not start: {error}", f"see {home / 'logs' / 'server.jsonl'}; {_AGAIN}")
    return ok("server", "none is running; one starts when it is needed")


_INSTALL = "close REAPER and run `faderwise reaper install`"
_PREFERENCES = "Preferences > Plug-ins > ReaScript"
CHECK_FILE = "reaper_check.json"


class _Fact(msgspec.Struct, frozen=True):
    name: str
    expected: str
    seen: str
    as_expected: bool
    consequence: str


class _Check(msgspec.Struct, frozen=True):
    """`reaper_check.json`, which the action *Check this REAPER* writes."""

    reaper: str
    facts: list[_Fact]


IMPORT_PROBE = """
import json, platform, sys, types
folder = sys.argv[1]
sys.path[:0] = [folder, folder + "/vendor"]
obj = None  # how reapy detects that it is inside REAPER
reaper_python = sys.modules["reaper_python"] = types.ModuleType("reaper_python")
reaper_python._ft, reaper_python.RPR_GetResourcePath = {}, lambda: folder
import reapy, typing_extensions, faderwise_bridge.actions
print(json.dumps([platform.python_version(), reapy.__version__]))
"""
"""Import what the scripts import, under the Python that REAPER loads (3.8 or later), without REAPER's own module."""
_VERSION = "import core; print(core.__version__)"


def examine_reaper(home: Path) -> Iterator[Finding]:
    """Look at every REAPER of this user."""
    try:
        folders = find_reaper.resource_folders()
    except InputError as error:
        yield failed("REAPER", str(error), "correct REAPER_RESOURCE_PATH, or start REAPER once")
        return
    if not folders:
        remedy = "start REAPER once and close it, or set REAPER_RESOURCE_PATH to the folder of its reaper.ini; then "
        yield note("REAPER", "none was found", remedy + "run `faderwise reaper install`")
        return
    programs = find_reaper.programs()
    yield ok("REAPER", "; ".join(map(str, [*folders, *programs])))
    processors, content = wanted_processors(programs), content_of(scripts.downloaded_packages(home))
    for folder in folders:
        try:
            plan = make_plan(folder, content, processors)
        except InputError as error:
            yield failed(
                "REAPER's files", str(error), "repair or remove that file, then run `faderwise reaper install`"
            )
            continue
        named = library_set(plan.before[SETTINGS])
        library = library_at(named) if named else None
        yield _python(plan.before[SETTINGS], named, library, processors)
        yield _scripts(plan)
        yield _imports(folder, library)
        missing = ", ".join(action.description for action in plan.actions)
        if missing:
            yield failed("actions", f"not in REAPER's action list: {missing}", _INSTALL)
        else:
            yield ok("actions", f"all are in {find_reaper.KEYMAP}")
        yield examine_place(folder / "Scripts" / FOLDER / APPLICATION_FILE)
    yield examine_check(home)


def examine_check(home: Path) -> Finding:
    """Report what the action *Check this REAPER* saw last."""
    subject, remedy = "REAPER check", "run the action Faderwise: Check this REAPER in REAPER"
    try:
        report = msgspec.json.decode((home / CHECK_FILE).read_bytes(), type=_Check)
    except FileNotFoundError:
        return note(subject, "not run yet", remedy)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return note(subject, f"{home / CHECK_FILE} cannot be read ({error})", remedy)
    different = [
        f"{fact.name}: {fact.seen} (expected: {fact.expected}; {fact.consequence})"
        for fact in report.facts
        if not fact.as_expected
    ]
    summary = f"REAPER {report.reaper}: {len(report.facts) - len(different)} of {len(report.facts)} facts as expected"
    return note(subject, "; ".join([summary, *different])) if different else ok(subject, summary)


def _python(lines: Lines, named: Path | None, library: Library | None, processors: frozenset[str]) -> Finding:
    remedy = f"{_INSTALL}, or choose another in {_PREFERENCES}"
    if value_of(lines, SWITCH) == "0":
        return failed("REAPER's Python", "ReaScript's Python is switched off", remedy)
    if named is None:
        return failed("REAPER's Python", "reaper.ini sets no Python library, so REAPER searches for one", remedy)
    if library is None:
        return failed("REAPER's Python", f"{named} does not exist or is not a Python library", remedy)
    version, made_for = ".".join(map(str, library.version)), ", ".join(sorted(library.processors))
    if library.version < OLDEST:
        return failed("REAPER's Python", f"{named} is Python {version}; 3.8 is the oldest that works", remedy)
    if processors.isdisjoint(library.processors):
        wanted = ", ".join(sorted(processors))
        return failed("REAPER's Python", f"{named} is made for {made_for}, REAPER for {wanted}", remedy)
    return ok("REAPER's Python", f"{named}: Python {version} for {made_for}")


def _scripts(plan: Plan) -> Finding:
    folder = plan.folder / "Scripts" / FOLDER
    if plan.edited:
        names = ", ".join(sorted(name.removeprefix(f"{FOLDER}/") for name in plan.edited))
        remedy = f"if this was not intended, {_INSTALL}: your version is kept under another name"
        return failed("scripts", f"{folder}: not as Faderwise {__version__} has them: {names}", remedy)
    if plan.writes:
        return failed("scripts", f"{folder}: {len(plan.writes)} of them missing or of another version", _INSTALL)
    return ok("scripts", f"{folder}, of Faderwise {__version__}")


def _imports(folder: Path, library: Library | None) -> Finding:
    """Let the Python that REAPER loads import what the scripts import."""
    interpreter = library.interpreter() if library else None
    if interpreter is None:
        return note("imports", "not checked: there is no interpreter next to the Python library")
    scripts = str(folder / "Scripts" / FOLDER)
    succeeded, output = run_program([str(interpreter), "-I", "-B", "-c", IMPORT_PROBE, scripts])
    if not succeeded:
        return failed("imports", f"{interpreter} cannot import what the scripts need: {output}", _INSTALL)
    try:
        python, reapy = json.loads(output.splitlines()[-1])
        return ok("imports", f"reapy {reapy} under Python {python}")
    except (IndexError, TypeError, ValueError, RecursionError):
        return failed("imports", f"{interpreter} does not behave like Python: {output[-200:]!r}", _INSTALL)


def examine_place(file: Path) -> Finding:
    """Start the Python that the scripts would start according to `file`."""
    try:
        python = str(json.loads(file.read_text("utf-8"))["python"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return failed("application", f"{file} does not contain the path of the application ({error})", _INSTALL)
    succeeded, output = run_program([python, "-I", "-c", _VERSION])
    if not succeeded:
        return failed("application", f"{python}, which the scripts start, does not work: {output}", _INSTALL)
    if output != __version__:
        return failed("application", f"{python} is Faderwise {output}, the scripts are of {__version__}", _INSTALL)
    return ok("application", f"the scripts start {python}")


_LOOKS = 17
"""About how many findings there are, for the progress bar."""


class DoctorResult(msgspec.Struct, frozen=True, kw_only=True):
    """All findings; `ok` unless one of them has `failed`."""

    version: str
    ok: bool
    findings: list[Finding]


def run(home: Path, progress: ProgressCallback = no_progress, *, full: bool = False) -> DoctorResult:
    """Check the application whose data folder is `home`, and Faderwise in every REAPER of this user.

    Parameters
    ----------
    home : the data folder.
    progress : called with the fraction done and the subject of each finding.
    full : also do the slow checks, see `examine_application`.

    Returns
    -------
    The findings in the order of the checks.
    """
    findings = []
    for checks in (examine_application(home, full=full), examine_reaper(home)):
        for finding in _including_failures(checks):
            findings.append(finding)
            progress(min(len(findings) / _LOOKS, 1.0), finding.subject)
    healthy = all(finding.state != "failed" for finding in findings)
    return DoctorResult(version=__version__, ok=healthy, findings=findings)


def _including_failures(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings; an error of a check becomes a finding, too."""
    try:
        yield from findings
    except (InputError, OSError) as error:
        known = to_user_error(error)
        if not isinstance(known, FaderwiseError):
            known = FaderwiseError(str(known))
        yield failed("permissions", str(FaderwiseError(known.problem, path=known.path)), known.remedy or "")
