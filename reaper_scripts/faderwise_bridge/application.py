"""The installed application: where it is, and how its processes are started."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from faderwise_bridge.errors import BridgeError
from faderwise_bridge.job import Job, read_json

_WINDOWS = os.name == "nt"
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_OTHER_PYTHONS = ("PYTHON", "__PYVENV", "VIRTUAL_ENV")
"""How variables begin that would point the application at another Python installation."""
_PLACE = "faderwise_application.json"
_REMEDY = "Run `python3 install.py` in Faderwise's folder, then start the action again."


class Relay:
    """The process that runs the phases of one job: `python -m analysis_server.reaper JOB`.

    It outlives REAPER until the phase that it is running has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run_again(self) -> bool:
        """Have it run the phase that is now in `job.json`; return False if it has ended."""
        try:
            self._process.stdin.write(b"again\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        except (OSError, ValueError):
            return False
        return self.is_running()

    def is_running(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def let_end(self) -> None:
        """Let it end after the phase that it is running."""
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.close()  # type: ignore[union-attr]

    def kill(self) -> None:
        """End it at once."""
        if self.is_running():
            self._process.kill()


class _Detached(subprocess.Popen):
    """A process that may outlive this one without a warning."""

    def __del__(self) -> None:
        """Let it run."""


class Application:
    """The application: its Python, and its data folder."""

    def __init__(self, python: Path, home: Path) -> None:
        self.python = python
        self.home = home

    def start(self, job: Job) -> Relay:
        """Start the relay of a job."""
        try:
            with (job.folder / "process.log").open("ab") as log:
                return Relay(self._start(["analysis_server.reaper", str(job.folder)], log, subprocess.PIPE))
        except OSError as error:
            raise BridgeError(
                f"The application cannot be started ({self.python}: {error.strerror or error}). {_REMEDY}"
            ) from error

    def show(self, page: Path) -> None:
        """Open a page in the user's browser, in a separate process, so that REAPER does not wait for it."""
        with contextlib.suppress(OSError):
            self._start(["webbrowser", page.as_uri()], subprocess.DEVNULL, subprocess.DEVNULL)

    def _start(self, module: list[str], log: Any, stdin: int) -> subprocess.Popen[bytes]:
        variables = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OTHER_PYTHONS)}
        variables["FADERWISE_HOME"] = str(self.home)
        return _Detached(
            [str(self.python), "-I", "-m", *module],
            stdin=stdin,
            stdout=log,
            stderr=log,
            cwd=str(self.home),
            env=variables,
            creationflags=_NO_WINDOW,
            start_new_session=not _WINDOWS,
        )


def find() -> Application:
    """Return the installed application.

    Raises
    ------
    BridgeError
        It is not installed, or was moved.
    """
    place = read_json(Path(__file__).resolve().parents[1] / _PLACE) or {}
    home = Path(os.path.expanduser(str(place.get("home") or _usual_home())))  # noqa: PTH111 - Path's own may raise
    usual = home / "environment" / ("Scripts/python.exe" if _WINDOWS else "bin/python")
    python = Path(str(place.get("python") or usual))
    if not (_is_valid_path(home) and _is_valid_path(python) and python.is_file()):
        raise BridgeError(f"Faderwise's application is not installed: {str(python)[:300]} is missing. {_REMEDY}")
    return Application(python, home)


def _is_valid_path(path: Path) -> bool:
    """Return whether the system accepts a path, whether or not it exists."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _usual_home() -> Path:
    """Return the data folder that install.py uses by default."""
    if os.environ.get("FADERWISE_HOME"):
        return Path(os.environ["FADERWISE_HOME"])
    if _WINDOWS:
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "faderwise"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/faderwise"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "faderwise"
