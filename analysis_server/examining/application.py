"""The application itself: its environment, its libraries, its folder, its keys, its server."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from analysis_server.client.client import Client
from analysis_server.client.starting import forget_ended
from analysis_server.environment import MARKER
from analysis_server.examining.finding import Finding, asked, note, right, wrong
from analysis_server.runs import kept_runs
from core import __version__
from core.errors import FaderwiseError

_AGAIN = "run `python3 install.py` again; it makes anew what is broken"
_LIBRARIES = ("numpy", "scipy.signal", "soundfile", "soxr", "pyfftw", "zmq", "msgspec", "matplotlib")
_ROOM_BYTES = 500_000_000
_MUCH_BYTES = 2_000_000_000
_OTHERS = 0o077
_ENDS_WITHIN_S = 5.0


def examine_application(home: Path) -> Iterator[Finding]:
    """Look at the application that runs now, whose things are in `home`."""
    yield _environment()
    yield _command()
    yield _libraries()
    yield _packages()
    yield _folder(home)
    yield _runs(home)
    yield _keys(home)
    yield _server(home)


def _environment() -> Finding:
    version, place = ".".join(map(str, sys.version_info[:3])), Path(sys.prefix)
    found = f"Faderwise {__version__} on Python {version} in {place}"
    if sys.prefix == sys.base_prefix:
        return note("environment", f"{found}, which is no environment of its own", "`python3 install.py` makes one")
    made_here = (place / MARKER).is_file()
    return right("environment", found) if made_here else note("environment", f"{found}, not made by install.py")


def _command() -> Finding:
    ours = Path(sys.executable).parent
    found = shutil.which("faderwise")
    if found and Path(found).resolve().parent == ours.resolve():
        return right("command", found)
    remedy = f"to type `faderwise` anywhere, put {ours} on your PATH"
    return note(
        "command", f"`faderwise` is {found}, not this one" if found else "`faderwise` is not on the PATH", remedy
    )


def _libraries() -> Finding:
    """Import what computes: their compiled parts must load."""
    failed = {}
    for name in _LIBRARIES:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:  # noqa: PERF203 - each on its own
            failed[name] = str(error)
    if failed:
        return wrong("libraries", "; ".join(f"{name} does not load: {why}" for name, why in failed.items()), _AGAIN)
    return right("libraries", f"{', '.join(_LIBRARIES)} load")


def _packages() -> Finding:
    well, output = asked([sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "check"])
    if "No module named pip" in output:
        return note("versions", "not looked at: this environment has no pip")
    return right("versions", "all packages fit each other") if well else wrong("versions", output, _AGAIN)


def _folder(home: Path) -> Finding:
    place = next(path for path in (home, *home.absolute().parents) if os.path.exists(path))  # noqa: PTH110 - never raises
    remedy = f"give yourself the right to write to {place}, or set FADERWISE_HOME to another folder"
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return wrong("folder", f"{home} cannot be written to ({error.strerror})", remedy)
    free = shutil.disk_usage(place).free
    found = f"{home} can be written to, {free / 1e9:.1f} GB are free"
    return right("folder", found) if free > _ROOM_BYTES else wrong("folder", found, "free some space on this disk")


def _runs(home: Path) -> Finding:
    where = home / kept_runs.NAME
    runs = kept_runs.kept_runs(where)
    n_bytes = sum(run.n_bytes for run in runs)
    found = f"{len(runs)} of REAPER's actions in {where}, {n_bytes / 1e6:.0f} MB"
    if n_bytes > _MUCH_BYTES:
        return note("runs", found, "`faderwise runs clear` deletes reports and mixes that are older than 30 days")
    return right("runs", found)


def _keys(home: Path) -> Finding:
    folder = home / "keys"
    if not folder.is_dir():
        return note("keys", "none yet; the server makes them when it first starts")
    files = [folder, *folder.rglob("*")]
    open_to_others = [path for path in files if os.name != "nt" and path.stat().st_mode & _OTHERS]
    if open_to_others:
        modes = " ".join(f"'{path}'" for path in open_to_others)
        return wrong("keys", f"others may read {', '.join(map(str, open_to_others))}", f"chmod go-rwx {modes}")
    return right("keys", f"{folder}, for you alone")


def _server(home: Path) -> Finding:
    """Connect to the server; where none is up, start one and stop it again."""
    try:
        with Client(home, starts=False, name="doctor") as client:
            welcome = client.hello(deadline_s=5.0)
            return right("server", f"Faderwise {welcome.program} is up")
    except (FaderwiseError, OSError):
        return _started(home)


def _wait_until(done: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _ENDS_WITHIN_S
    while not done() and time.monotonic() < end_s:
        time.sleep(0.05)


def _started(home: Path) -> Finding:
    try:
        with Client(home, name="doctor") as client:
            client.hello(deadline_s=30.0)
            client.shutdown("idle")
        _wait_until(forget_ended)
    except (FaderwiseError, OSError) as error:
        return wrong("server", f"it does not start: {error}", f"see {home / 'logs' / 'server.jsonl'}; {_AGAIN}")
    return right("server", "none is up; one starts when it is needed")
