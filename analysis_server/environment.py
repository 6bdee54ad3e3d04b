"""Check, create and repair the virtual environment of Faderwise, with only Python's standard library.

install.py uses this before anything is installed; `faderwise doctor` uses it to check the environment.
"""

from __future__ import annotations  # Python 3.8 must parse this file in order to report that it is too old

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import DiskFullError, FaderwiseError, InputError

WINDOWS = os.name == "nt"
if WINDOWS:
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""
SOURCES = ("core", "analysis_server", "reaper_scripts", "examples")
"""Folders that a non-editable installation copies."""
MARKER, STAMP = "made-by-faderwise.txt", "faderwise-stamp.json"
TOOLS = {"test": ["pytest", "mypy", "ruff"]}
OWN_PACKAGES = ["core", "analysis_server"]
PROBE = """import importlib.util, sys, numpy, scipy, soundfile
sys.exit(", ".join("no " + name for name in sys.argv[1:] if not importlib.util.find_spec(name)) or 0)"""
MISLEADING_VARIABLES = re.compile("PYTHON(PATH|HOME)|__PYVENV_LAUNCHER__|VIRTUAL_ENV|PIP_(TARGET|PREFIX|ROOT|PYTHON)")
OFFLINE = "connection|name resolution|getaddrinfo|timed out|proxyerror|sslerror|from versions: none"
REMEDIES = {  # pattern in the output of pip or Python: kind of error and remedy; the first match counts
    r"no space left|winerror 112\b|disk quota": (DiskFullError, "free about 1 GB"),
    r"permission denied|read-only file": (InputError, "use a folder that you may write to"),
    r"winerror (5|32)\b": (InputError, "close Faderwise, or use a folder that you may write to"),
    OFFLINE: (FaderwiseError, "check the network, HTTPS_PROXY and PIP_INDEX_URL"),
    r"sndfile": (InputError, "install libsndfile (Debian and Ubuntu: sudo apt install libsndfile1)"),
    r"": (FaderwiseError, "see the output above; an unfinished environment is never used"),
}


@dataclass(frozen=True)
class Environment:
    """A virtual environment: its folder, whether the checkout is installed as editable, and the extras."""

    folder: Path
    editable: bool
    extras: tuple[str, ...] = ()

    def program(self, name: str = "python") -> str:
        """Return the path of a program in the environment."""
        return str(self.folder / (f"Scripts/{name}.exe" if WINDOWS else f"bin/{name}"))

    def identity(self) -> dict[str, str]:
        """Return what the environment depends on: Python, folder and the checkout's contents."""
        contents = hashlib.sha256((ROOT / "pyproject.toml").read_bytes())
        found = [path for name in SOURCES for path in (ROOT / name).rglob("*") if not self.editable]
        for path in sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts):
            contents.update(os.fsencode(f"{path.relative_to(ROOT)} {path.stat().st_mtime_ns}\n"))
        python = f"Python {sysconfig.get_python_version()} on {sysconfig.get_platform()}"
        return {"home": f"{python} in {self.folder}", "contents": contents.hexdigest()}

    def read_stamp(self) -> dict[str, Any]:
        """Return the stamp of a finished environment, or an empty dictionary."""
        with contextlib.suppress(OSError, ValueError):
            stamp = json.loads((self.folder / STAMP).read_text("utf-8"))
            if isinstance(stamp, dict) and set(stamp) == {"home", "contents", "extras"}:
                return stamp
        return {}

    def problem(self, extras: tuple[str, ...]) -> str:
        """Start its Python and import the essentials; return what is wrong, or an empty string."""
        names = OWN_PACKAGES + [tool for extra in extras for tool in TOOLS.get(extra, [])]
        try:
            done = run([self.program(), "-B", "-W", "ignore", "-c", PROBE, *names], self.folder, quiet=True)
        except OSError as error:
            return f"its Python does not start ({error.strerror})"
        if done.returncode:
            return f"it does not work ({(done.stdout.splitlines() or ['no output'])[-1]})"
        return "" if Path(self.program("faderwise")).exists() else "its command faderwise is missing"

    def examine(self) -> tuple[list[str], str]:
        """Return the steps that are needed (names in `STEPS`) and the reason."""
        if not os.path.lexists(self.folder):
            return ["make", "fill"], ""
        if not (self.folder / MARKER).is_file():
            return ["set aside", "make", "fill"], "it was not made by install.py"
        stamp, now = self.read_stamp(), self.identity()
        missing = [extra for extra in self.extras if extra not in stamp.get("extras", ())]
        if stamp.get("home") == now["home"]:
            reason = self.problem(tuple(set(self.extras).difference(missing)))
        else:
            reason = f"it was made for {stamp['home']}" if stamp else "an earlier run did not finish"
        if reason:
            return ["remove", "make", "fill"], reason
        if stamp["contents"] != now["contents"]:
            return ["update"], "pyproject.toml has changed" if self.editable else "the checkout has changed"
        return (["update"], f"missing: {', '.join(missing)}") if missing else ([], "")

    def clear(self) -> None:
        """Rename the folder, then delete it if it is ours, so that an interrupted deletion leaves nothing in place."""
        ours = (self.folder / MARKER).is_file() and not self.folder.is_symlink()
        name = f"{self.folder.name}-broken-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        aside = self.folder.rename(self.folder.with_name(name))
        if ours:
            shutil.rmtree(aside)

    def make(self) -> None:
        """Create the empty environment, marked as ours first."""
        self.folder.mkdir(parents=True)
        (self.folder / MARKER).write_text("Made by install.py of Faderwise, which may delete it.\n", "utf-8")
        run_step("Creating the environment", [base_python(), "-I", "-m", "venv", "--without-pip", str(self.folder)])

    def pip(self, *arguments: str) -> list[str]:
        """Return the pip command that installs `arguments`."""
        quiet = ["--disable-pip-version-check", "--quiet", "--no-input"]
        return [self.program(), "-I", "-m", "pip", "install", *quiet, *arguments]

    def install_packages(self, extras: tuple[str, ...]) -> None:
        """Install the checkout with `extras` by pip. Only this step needs the network."""
        checkout = f".[{','.join(extras)}]" if extras else "."
        print("Preparing pip ...")
        run_step("Preparing pip", [self.program(), "-I", "-m", "ensurepip", "--upgrade", "--default-pip"])
        run_step("Preparing pip", self.pip("pip>=21.3"))  # Python 3.10.0's is too old for --editable
        command = self.pip(*(["--editable"] if self.editable else []), checkout)
        print("Downloading packages ...")
        run_step("Installing with pip", [word for word in command if word != "--quiet"], show_pip_step)

    def fill(self) -> None:
        """Install the packages and write the stamp; after a failure a working environment stays usable."""
        old, now, stamp = self.read_stamp(), self.identity(), self.folder / STAMP
        extras = tuple(sorted({*self.extras, *old.get("extras", ())}))
        unfinished = stamp.with_suffix(".new")
        unfinished.write_text(json.dumps({**now, "extras": extras}), "utf-8")
        stamp.unlink(missing_ok=True)
        try:
            self.install_packages(extras)
        except FaderwiseError:
            if old and not self.problem(tuple(old["extras"])):
                unfinished.write_text(json.dumps(old), "utf-8")
                unfinished.replace(stamp)
            raise
        print("Checking the environment ...")
        if problem := self.problem(extras):
            raise explained("Checking the finished environment", problem)
        unfinished.replace(stamp)

    def is_incomplete(self) -> bool:
        """Return whether `ensure` would change anything."""
        return bool(self.examine()[0])

    def ensure(self, dry_run: bool = False) -> None:
        """Run the steps that are needed, or only print them."""
        check_machine()
        with contextlib.nullcontext() if dry_run else exclusive():
            names, reason = self.examine()
            for plan, doing, rest, act in (STEPS[name] for name in names):
                print(plan if dry_run else doing, rest.format(folder=self.folder, reason=reason))
                if not dry_run:
                    act(self)


STEPS = {
    "remove": ("Will remove", "Removing", "{folder} to create it again: {reason}.", Environment.clear),
    "set aside": ("Will rename", "Renaming", "{folder} to {folder}-broken-...: {reason}.", Environment.clear),
    "make": ("Will create", "Creating", "the environment in {folder} (one to three minutes in all).", Environment.make),
    "fill": ("Will install", "Installing", "Faderwise and its dependencies.", Environment.fill),
    "update": ("Will update", "Updating", "{folder} ({reason}).", Environment.fill),
}


def run(
    command: list[str], folder: Path | None = None, quiet: bool = False, show: Callable[[str], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without misleading Python and pip variables; `quiet` captures its output, `show` gets its lines."""
    variables = {name: value for name, value in os.environ.items() if not MISLEADING_VARIABLES.fullmatch(name.upper())}
    variables["PIP_USER"] = "0"
    if not str(ROOT).isascii():  # Python < 3.13 reads an editable install's path in the locale's encoding
        variables["PYTHONUTF8"] = "1"
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    streams = {**streams, "errors": "replace"} if quiet or show else {}
    if show:
        output = []
        with subprocess.Popen(command, cwd=folder, env=variables, **streams) as process:  # noqa: S603 - a list
            for line in process.stdout or ():
                output.append(line)
                show(line)
        return subprocess.CompletedProcess(command, process.returncode, "".join(output))
    return subprocess.run(command, cwd=folder, env=variables, check=False, **streams)  # noqa: S603 - a list


def run_step(doing: str, command: list[str], show: Callable[[str], None] | None = None) -> None:
    """Run one step of the set-up, passing each line of its output to `show`; raise an explained error if it fails."""
    done = run(command, ROOT, quiet=True, show=show)
    if done.returncode:
        raise explained(doing, done.stdout)


def show_pip_step(line: str) -> None:
    """Print how many packages pip installs, when it begins to install them."""
    head, _, names = line.partition("Installing collected packages:")
    if not head and names:
        print(f"Installing {len(names.split(','))} packages ...")


def explained(doing: str, output: str) -> FaderwiseError:
    """Return an error with the last lines of a failed step's output and the remedy."""
    kind, remedy = next(found for pattern, found in REMEDIES.items() if re.search(pattern, output, re.IGNORECASE))
    lines = [line.strip() for line in output.splitlines() if line.strip()][-12:]
    shown = lines[0] if len(lines) == 1 else "".join(f"\n  {line}" for line in lines)
    return kind(f"{doing} failed: {shown}", remedy=f"{remedy}, then run the same command again; that is safe")


def check_machine() -> None:
    """Refuse a Python that is too old or cannot create environments (Debian's without python3-venv)."""
    if sys.version_info[:2] < (3, 10):  # noqa: UP036 - this is the check
        newer = [f"python3.{minor}" for minor in range(20, 9, -1) if shutil.which(f"python3.{minor}")]
        remedy = f"run `{newer[0]} install.py`" if newer else "get it from python.org or your package manager"
        version = ".".join(map(str, sys.version_info[:3]))
        raise InputError(f"is Python {version}, and 3.10 or newer is needed", path=sys.executable, remedy=remedy)
    missing = " and ".join(name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name))
    if missing:
        package = f"python3.{sys.version_info[1]}-venv"
        remedy = f"on Debian and Ubuntu run `sudo apt install {package}`, elsewhere install Python from python.org"
        raise InputError(f"lacks {missing}", path=sys.executable, remedy=remedy)


def base_python() -> str:
    """Return the interpreter outside of any virtual environment."""
    if WINDOWS or sys.prefix == sys.base_prefix:
        return getattr(sys, "_base_executable", sys.executable)
    return str(Path(sys.executable).resolve())


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Allow one install.py at a time in this checkout, by a lock on pyproject.toml (which is not changed)."""
    path, reported = ROOT / "pyproject.toml", False
    with path.open("r+b" if os.access(path, os.W_OK) else "rb") as handle:
        handle.seek(1 << 30)  # Windows locks bytes: lock one far beyond the end
        while not try_lock(handle.fileno()):
            if not reported:
                print("Another install.py is running in this checkout; waiting for it to finish ...")
            reported = True
            time.sleep(0.1)
        yield


def try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; return False while another process has the lock."""
    with contextlib.suppress(BlockingIOError, PermissionError):
        if WINDOWS:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
