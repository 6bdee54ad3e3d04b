"""The job folder: what the bridge asks for, and what the application answers. docs/development/bridge.md describes it.

Every file is written under a temporary name and renamed, so a reader sees all of it or nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Any

from faderwise_bridge.errors import BridgeError

_OLDEST_S = 14 * 86400.0


class Job:
    """A job: its folder, and what is asked for (`asked`, stored in job.json)."""

    def __init__(self, folder: Path, asked: dict[str, Any]) -> None:
        self.folder = folder
        self.asked = asked

    @property
    def title(self) -> str:
        """The job in words."""
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

    def remove(self) -> None:
        """Remove the folder; what cannot be removed now goes later."""
        _remove(self.folder / "job.json")
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
    """Return the job in a folder, or None where there is none or its file is damaged."""
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
    """Return the content of a JSON file, or None where there is none (yet)."""
    try:
        with path.open(encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
