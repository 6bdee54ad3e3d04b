"""The application's own Python: where it is, and how it is started on a job."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from faderwise_bridge.job import Job, read_json
from faderwise_bridge.trouble import Trouble

_WINDOWS = os.name == "nt"
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_LEADS_ASTRAY = ("PYTHON", "__PYVENV", "VIRTUAL_ENV")
_PLACE = "faderwise_application.json"
_REMEDY = "Run `python3 install.py` in the folder that Faderwise came in, then start the action again."


class _Detached(subprocess.Popen):
    """A process that may outlive whoever started it, and is not warned of then."""

    def __del__(self) -> None:
        """Let it go on."""


class Application:
    """The application: its Python, and the folder where everything is kept."""

    def __init__(self, python: Path, home: Path) -> None:
        self.python = python
        self.home = home

    def start(self, job: Job) -> subprocess.Popen:
        """Start the application on a job, in a process that outlives REAPER and opens no window."""
        try:
            with (job.folder / "process.log").open("ab") as log:
                return self._started(["analysis_server.reaper", str(job.folder)], log)
        except OSError as error:
            raise Trouble(
                f"The application does not start ({self.python}: {error.strerror or error}). {_REMEDY}"
            ) from error

    def show(self, page: Path) -> None:
        """Open a page in the user's browser; asking for that here could keep REAPER waiting."""
        with contextlib.suppress(OSError):
            self._started(["webbrowser", page.as_uri()], subprocess.DEVNULL)

    def _started(self, module: list[str], log: Any) -> subprocess.Popen:
        variables = {name: value for name, value in os.environ.items() if not name.upper().startswith(_LEADS_ASTRAY)}
        variables["FADERWISE_HOME"] = str(self.home)
        return _Detached(
            [str(self.python), "-I", "-m", *module],
            stdin=subprocess.DEVNULL,
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
    Trouble
        It is not installed, or was moved.
    """
    place = read_json(Path(__file__).resolve().parents[1] / _PLACE) or {}
    home = Path(os.path.expanduser(str(place.get("home") or _usual_home())))  # noqa: PTH111 - Path's own may raise
    usual = home / "environment" / ("Scripts/python.exe" if _WINDOWS else "bin/python")
    python = Path(str(place.get("python") or usual))
    if not (_is_path(home) and _is_path(python) and python.is_file()):
        raise Trouble(f"Faderwise's application is not installed: there is no {str(python)[:300]}. {_REMEDY}")
    return Application(python, home)


def _is_path(path: Path) -> bool:
    """Tell whether the system takes a path at all, wherever it leads."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return True


def _usual_home() -> Path:
    """Return where install.py keeps everything when nothing else is said."""
    if os.environ.get("FADERWISE_HOME"):
        return Path(os.environ["FADERWISE_HOME"])
    if _WINDOWS:
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "faderwise"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/faderwise"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "faderwise"
