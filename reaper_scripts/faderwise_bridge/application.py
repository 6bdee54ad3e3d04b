"""The installed application: where it is, its processes, and the job folder through which it is asked.

Every file is written under a temporary name and renamed, so that a reader never sees half of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from faderwise_bridge import BridgeError

_WINDOWS = os.name == "nt"
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)
_OTHER_PYTHONS = ("PYTHON", "__PYVENV", "VIRTUAL_ENV")
"""How variables begin that would point the application at another Python installation."""
_PLACE = "faderwise_application.json"
_REMEDY = "Run `python3 install.py` in Faderwise's folder, then start the action again."


class Relay:
    """The process that runs the phases of one job: `python -m analysis_server.reaper.relay JOB`.

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
                return Relay(self._start(["analysis_server.reaper.relay", str(job.folder)], log, subprocess.PIPE))
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


_OLDEST_S = 14 * 86400.0


class Job:
    """A job: its folder, and what is asked for (`asked`, stored in job.json)."""

    def __init__(self, folder: Path, asked: dict[str, Any]) -> None:
        self.folder = folder
        self.asked = asked

    @property
    def title(self) -> str:
        """A description of the job."""
        return f"{self.asked['action']} of {self.asked['title']}"

    def save(self, phase: str, **changes: Any) -> None:
        """Write what is asked for in the next phase, and remove the answer to the last one."""
        for name in ("result.json", "report_error.json", "progress.json", "cancel"):
            _remove(self.folder / name)
        self.asked.update(changes, phase=phase)
        write_json(self.folder / "job.json", self.asked)

    def answer(self) -> dict[str, Any] | None:
        """Return the application's answer, or None before there is one."""
        return read_json(self.folder / "result.json")

    def progress(self) -> dict[str, Any]:
        """Return the progress: `fraction`, `stage`, `heartbeat` (Unix time)."""
        return read_json(self.folder / "progress.json") or {}

    def note_polled(self) -> None:
        """Note that the job is being polled."""
        with contextlib.suppress(OSError):
            os.utime(str(self.folder / "job.json"))

    def note_applied(self) -> None:
        """Note that the result was applied, so that only the report is still to come."""
        self.asked["phase"] = "report"
        with contextlib.suppress(BridgeError):
            write_json(self.folder / "job.json", self.asked)

    def idle_s(self) -> float:
        """Return how long ago the job was polled."""
        try:
            return time.time() - (self.folder / "job.json").stat().st_mtime
        except OSError:
            return _OLDEST_S

    def cancel(self) -> None:
        """Ask the application to stop."""
        try:
            (self.folder / "cancel").touch()
        except OSError:  # the disk is full; without a job the application stops as well
            _remove(self.folder / "job.json")

    def is_cancelled(self) -> bool:
        """Return whether it was asked to stop."""
        return (self.folder / "cancel").exists()

    def forget(self) -> None:
        """Remove the request, so that processes of the job stop and nothing resumes it."""
        _remove(self.folder / "job.json")

    def remove(self) -> None:
        """Remove the folder; what cannot be removed now goes later."""
        self.forget()
        for _ in range(3):  # a process that is just ending may write while the folder is emptied
            shutil.rmtree(str(self.folder), ignore_errors=True)


def new_job(home: Path, asked: dict[str, Any]) -> Job:
    """Create a job folder."""
    folder = home / "jobs" / (time.strftime("%Y%m%d-%H%M%S-") + secrets.token_hex(3))
    try:
        (home / "jobs").mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
        (folder / "stems").mkdir()
    except OSError as error:
        raise BridgeError(
            f"{folder.parent}: cannot be written to ({error.strerror or error}). Make it writable, or free some space, "
            "then run the action again."
        ) from error
    return Job(folder, asked)


def job_in(folder: Path) -> Job | None:
    """Return the job in a folder, or None if it does not exist or its file is damaged."""
    asked = read_json(folder / "job.json") or {}
    is_sound = asked.get("phase") in ("plan", "do", "report") and all(
        isinstance(asked.get(name, kind()), kind) for name, kind in (("action", str), ("title", str), ("before", dict))
    )
    return Job(folder, asked) if is_sound else None


def left_jobs(home: Path) -> list[Job]:
    """Return the jobs in the data folder; folders without a valid job, or that are too old, are removed."""
    found = []
    try:
        folders = sorted(path for path in (home / "jobs").iterdir() if path.is_dir())
    except OSError:
        return []
    for folder in folders:
        job = job_in(folder)
        if job is None or _age_s(folder) > _OLDEST_S:
            shutil.rmtree(str(folder), ignore_errors=True)
        else:
            found.append(job)
    return found


def _age_s(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:  # another REAPER has just removed it
        return float("inf")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, all or nothing."""
    temporary = path.with_name("." + path.name + "-" + secrets.token_hex(3))
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=True, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise BridgeError(
            f"{path}: cannot be written ({error.strerror or error}). Free some space, then run the action again."
        ) from error


def read_json(path: Path) -> dict[str, Any] | None:
    """Return the content of a JSON file, or None if it does not exist (yet)."""
    try:
        with path.open(encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
