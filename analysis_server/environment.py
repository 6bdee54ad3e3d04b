"""The virtual environment Faderwise lives in: examined, made, mended, with Python's standard library alone.

install.py uses it before anything is installed; `faderwise doctor` uses it to see whether the environment is whole.
"""

from __future__ import annotations  # Python 3.8 must still read this file, to say that it is too old

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WINDOWS = os.name == "nt"
if WINDOWS:
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parents[1]  # the checkout
SOURCES = ("core", "analysis_server", "reaper_scripts", "examples")  # what a non-editable installation copies
MARKER, STAMP = "made-by-faderwise.txt", "faderwise-stamp.json"
TOOLS = {"test": ["pytest", "mypy", "ruff"]}
OURS = ["core", "analysis_server"]  # looked for, not run: a slip in them breaks no environment
PROBE = """import importlib.util, sys, numpy, scipy, soundfile
sys.exit(", ".join("no " + name for name in sys.argv[1:] if not importlib.util.find_spec(name)) or 0)"""
ASTRAY = re.compile("PYTHON(PATH|HOME)|__PYVENV_LAUNCHER__|VIRTUAL_ENV|PIP_(TARGET|PREFIX|ROOT|PYTHON)")
REGISTRY = "The package registry cannot be reached: check the network, HTTPS_PROXY and PIP_INDEX_URL"
OFFLINE = "connection|name resolution|getaddrinfo|timed out|proxyerror|sslerror|from versions: none"
REMEDIES = {  # a pattern in what pip or Python wrote: exit code and remedy; the first that matches counts
    r"no space left|winerror 112\b|disk quota": (1, "The disk is full: free about 1 GB"),
    r"permission denied|read-only file": (2, "No permission to write there: use a folder that is yours"),
    r"winerror (5|32)\b": (2, "No permission to write there, or it is in use: close Faderwise"),
    OFFLINE: (1, REGISTRY),
    r"sndfile": (2, "libsndfile is missing: install it (Debian and Ubuntu: sudo apt install libsndfile1)"),
    r"": (1, "Nothing half-made will be used: see to what is said above"),
}


class Trouble(Exception):  # noqa: N818 - not a fault of the program
    """What the user must be told, with its remedy, and the exit code."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment: where it is, how the checkout goes into it, and with which extras."""

    folder: Path
    editable: bool
    extras: tuple[str, ...] = ()

    def program(self, name: str = "python") -> str:
        """Return the path of one of its programs."""
        return str(self.folder / (f"Scripts/{name}.exe" if WINDOWS else f"bin/{name}"))

    def identity(self) -> dict[str, str]:
        """Return what it depends on: its Python, its place and the checkout's contents."""
        contents = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
        found = [path for name in SOURCES for path in (ROOT / name).rglob("*") if not self.editable]
        for path in sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts):
            contents.update(os.fsencode(f"{path.relative_to(ROOT)} {path.stat().st_mtime_ns}\n"))
        python = f"Python {sysconfig.get_python_version()} on {sysconfig.get_platform()}"
        return {"home": f"{python} in {self.folder}", "contents": contents.hexdigest()}

    def read_stamp(self) -> dict[str, Any]:
        """Return the stamp that a finished environment carries; nothing where there is none."""
        with contextlib.suppress(OSError, ValueError):
            stamp = json.loads((self.folder / STAMP).read_text("utf-8"))
            if isinstance(stamp, dict) and set(stamp) == {"home", "contents", "extras"}:
                return stamp
        return {}

    def ailment(self, extras: tuple[str, ...]) -> str:
        """Start its Python and look for the essentials; return what is wrong, or nothing."""
        names = OURS + [tool for extra in extras for tool in TOOLS.get(extra, [])]
        try:
            done = run([self.program(), "-B", "-W", "ignore", "-c", PROBE, *names], self.folder, quiet=True)
        except OSError as error:
            return f"its Python does not start ({error.strerror})"
        if done.returncode:
            return f"it does not work ({(done.stdout.splitlines() or ['no word'])[-1]})"
        return "" if Path(self.program("faderwise")).exists() else "its command faderwise is missing"

    def examine(self) -> tuple[list[str], str]:
        """Return the steps it needs (names in `STEPS`) and why."""
        if not os.path.lexists(self.folder):
            return ["make", "fill"], ""
        if not (self.folder / MARKER).is_file():
            return ["set aside", "make", "fill"], "it was not made by install.py"
        stamp, now = self.read_stamp(), self.identity()
        missing = [extra for extra in self.extras if extra not in stamp.get("extras", ())]
        if stamp.get("home") == now["home"]:
            reason = self.ailment(tuple(set(self.extras).difference(missing)))
        else:
            reason = f"it was made for {stamp['home']}" if stamp else "an earlier run did not finish"
        if reason:
            return ["remove", "make", "fill"], reason
        if stamp["contents"] != now["contents"]:
            return ["update"], "pyproject.toml has changed" if self.editable else "the checkout has changed"
        return (["update"], f"not yet there: {', '.join(missing)}") if missing else ([], "")

    def clear(self) -> None:
        """Rename what is there; delete it if ours (so an interrupted deletion leaves no half in place)."""
        ours = (self.folder / MARKER).is_file() and not self.folder.is_symlink()
        name = f"{self.folder.name}-broken-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        aside = self.folder.rename(self.folder.with_name(name))
        if ours:
            shutil.rmtree(aside)

    def make(self) -> None:
        """Make it, empty, and marked as ours before anything else is in it."""
        self.folder.mkdir(parents=True)
        (self.folder / MARKER).write_text("Made by install.py of Faderwise, which may delete it.\n", "utf-8")
        step("Making the environment", [base_python(), "-I", "-m", "venv", "--without-pip", str(self.folder)])

    def pip(self, *arguments: str) -> list[str]:
        """Return the command that installs by its pip."""
        quiet = ["--disable-pip-version-check", "--quiet", "--no-input"]
        return [self.program(), "-I", "-m", "pip", "install", *quiet, *arguments]

    def install_packages(self, extras: tuple[str, ...]) -> None:
        """Install the checkout with `extras` by pip: the one step that needs the network."""
        checkout = f".[{','.join(extras)}]" if extras else "."
        step("Preparing pip", [self.program(), "-I", "-m", "ensurepip", "--upgrade", "--default-pip"])
        step("Preparing pip", self.pip("pip>=21.3"))  # Python 3.10.0 has one that knows no --editable here
        step("Installing with pip", self.pip(*(["--editable"] if self.editable else []), checkout))

    def fill(self) -> None:
        """Install what belongs in it and stamp it; what a plain failure leaves whole stays whole."""
        old, now, stamp = self.read_stamp(), self.identity(), self.folder / STAMP
        extras = tuple(sorted({*self.extras, *old.get("extras", ())}))
        unfinished = stamp.with_suffix(".new")
        unfinished.write_text(json.dumps({**now, "extras": extras}), "utf-8")
        stamp.unlink(missing_ok=True)
        try:
            self.install_packages(extras)
        except Trouble:
            if old and not self.ailment(tuple(old["extras"])):
                unfinished.write_text(json.dumps(old), "utf-8")
                unfinished.replace(stamp)
            raise
        if problem := self.ailment(extras):
            raise explain("The check of the finished environment", problem)
        unfinished.replace(stamp)

    def ensure(self, dry_run: bool = False) -> None:
        """Do (or only tell) the steps it needs; where it is whole already there are none."""
        check_machine()
        with contextlib.nullcontext() if dry_run else alone():
            names, reason = self.examine()
            for sentence, act in (STEPS[name] for name in names):
                print(("Would do: " if dry_run else "") + sentence.format(folder=self.folder, reason=reason))
                if not dry_run:
                    act(self)


STEPS = {
    "remove": ("Removing {folder}, to make it anew: {reason}.", Environment.clear),
    "set aside": ("Renaming {folder} to {folder}-broken-...: {reason}.", Environment.clear),
    "make": ("Making the environment in {folder} (first time: about a minute) ...", Environment.make),
    "fill": ("Installing Faderwise and what it needs ...", Environment.fill),
    "update": ("Bringing {folder} up to date ({reason}) ...", Environment.fill),
}


def run(command: list[str], folder: Path | None = None, quiet: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command without variables that lead Python or pip astray; `quiet` keeps what it writes."""
    variables = {name: value for name, value in os.environ.items() if not ASTRAY.fullmatch(name.upper())}
    variables["PIP_USER"] = "0"
    if not str(ROOT).isascii():  # Python < 3.13 reads an editable install's path in the locale's encoding
        variables["PYTHONUTF8"] = "1"
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    streams = {**streams, "errors": "replace"} if quiet else {}
    return subprocess.run(command, cwd=folder, env=variables, check=False, **streams)  # noqa: S603 - a list


def step(doing: str, command: list[str]) -> None:
    """Run one step of the set-up out of sight; raise what went wrong, explained."""
    done = run(command, ROOT, quiet=True)
    if done.returncode:
        raise explain(doing, done.stdout)


def explain(doing: str, output: str) -> Trouble:
    """Turn what a failed step wrote into what the user must know: its last lines and the remedy."""
    code, remedy = next(told for sign, told in REMEDIES.items() if re.search(sign, output, re.IGNORECASE))
    lines = [line for line in output.splitlines() if line.strip()][-12:]
    told = f" {lines[0]}. " if len(lines) == 1 else "\n  ".join(["", *lines]) + "\n"
    return Trouble(f"{doing} failed:{told}{remedy}, then run the same command again; that is safe.", code)


def check_machine() -> None:
    """Refuse a Python that is too old, or that cannot make environments (Debian's without python3-venv)."""
    python, version = sys.executable, ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < (3, 10):  # noqa: UP036 - the very check
        newer = [f"python3.{minor}" for minor in range(20, 9, -1) if shutil.which(f"python3.{minor}")]
        remedy = f"run `{newer[0]} install.py`" if newer else "get it from python.org or your package manager"
        raise Trouble(f"Python 3.10 or newer is needed, found {version} ({python}); {remedy}.", 2)
    missing = " and ".join(name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name))
    package = f"python3.{sys.version_info[1]}-venv"
    remedy = f"on Debian and Ubuntu `sudo apt install {package}` (or python3-venv); else one from python.org"
    if missing:
        raise Trouble(f"This Python ({python}) lacks {missing}; remedy: {remedy}.", 2)


def base_python() -> str:
    """Return the interpreter to build with: not one inside another virtual environment."""
    if WINDOWS or sys.prefix == sys.base_prefix:
        return getattr(sys, "_base_executable", sys.executable)
    return str(Path(sys.executable).resolve())


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one run at a time work from this checkout, by a lock on pyproject.toml (which stays as it is)."""
    path, told = ROOT / "pyproject.toml", False
    with path.open("r+b" if os.access(path, os.W_OK) else "rb") as handle:
        handle.seek(1 << 30)  # Windows locks bytes: take one far behind the end
        while not take(handle.fileno()):
            if not told:
                print("Another install.py is at work in this checkout; waiting for it to finish ...")
            told = True
            time.sleep(0.1)
        yield


def take(descriptor: int) -> bool:
    """Lock an open file until it is closed; False while another process holds the lock."""
    with contextlib.suppress(BlockingIOError, PermissionError):
        if WINDOWS:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
