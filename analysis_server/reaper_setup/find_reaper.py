"""Find REAPER: its resource folders, its program, and whether it is running.

A resource folder contains reaper.ini. The usual one is the system's; a portable installation has it next to its program
(on macOS next to REAPER.app); `REAPER_RESOURCE_PATH` names the one to use instead.
"""

from __future__ import annotations

import contextlib
import csv
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from core.errors import InputError

SETTINGS, KEYMAP = "reaper.ini", "reaper-kb.ini"
_VARIABLE = "REAPER_RESOURCE_PATH"


def resource_folders(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Return REAPER's resource folders on this machine, none if REAPER has never run.

    Raises
    ------
    InputError
        `REAPER_RESOURCE_PATH` names a folder without reaper.ini.
    """
    if chosen := environ.get(_VARIABLE):
        folder = Path(os.path.expanduser(chosen)).absolute()  # noqa: PTH111 - Path's own may raise
        if not (folder / SETTINGS).is_file():
            raise InputError(
                f"{_VARIABLE} is set to it, but it contains no {SETTINGS}",
                path=folder,
                remedy="start REAPER once, or correct the variable",
            )
        return [folder]
    candidates = [*_usual_folders(environ), *map(_portable_folder, programs(environ))]
    return list(dict.fromkeys(folder.resolve() for folder in candidates if (folder / SETTINGS).is_file()))


def programs(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the REAPER programs found in the usual places."""
    return [path for path in _usual_programs(environ) if path.is_file()]


def running() -> list[str]:
    """Return this user's REAPER processes, as `name (process 123)`."""
    if os.name == "nt":
        return [f"{name} (process {pid})" for name, pid in _from_tasklist(_output("tasklist", "/FO", "CSV", "/NH"))]
    if Path("/proc/self/stat").exists():
        return [f"reaper (process {pid})" for pid in _from_proc(Path("/proc"))]
    return [f"{name} (process {pid})" for name, pid in _from_ps(_output("ps", "-xo", "pid=,comm="))]


def refuse_while_running() -> None:
    """Raise an error while REAPER is running, because it rewrites its settings when it closes.

    Raises
    ------
    InputError
        REAPER is running.
    """
    if found := running():
        raise InputError(f"REAPER is running: {', '.join(found)}", remedy="close it, then run the same command again")


def _usual_folders(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path.home()
    if os.name == "nt":
        yield Path(environ.get("APPDATA") or home / "AppData/Roaming", "REAPER")
    elif sys.platform == "darwin":
        yield home / "Library/Application Support/REAPER"
    else:
        yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "REAPER")
        yield home / ".config/REAPER"


def _usual_programs(environ: Mapping[str, str]) -> Iterator[Path]:
    home = Path.home()
    if os.name == "nt":
        roots = [environ.get(name) for name in ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)", "SystemDrive")]
        for root in filter(None, roots):
            yield from (
                Path(f"{root}\\", name, "reaper.exe") for name in ("REAPER (x64)", "REAPER (arm64ec)", "REAPER")
            )
    elif sys.platform == "darwin":
        for folder in (Path("/Applications"), home / "Applications", home / "REAPER"):
            yield from (folder / name / "Contents/MacOS/REAPER" for name in ("REAPER.app", "REAPER64.app"))
    else:
        on_path = (Path(folder) for folder in environ.get("PATH", "").split(os.pathsep) if folder)
        known = (Path("/opt/REAPER"), home / "opt/REAPER", home / "REAPER", home / ".local/opt/REAPER")
        yield from dict.fromkeys((folder / "reaper").resolve() for folder in (*known, *on_path))


def _portable_folder(program: Path) -> Path:
    """Return the resource folder of a portable installation of a program."""
    return program.parents[3] if program.parts[-4:-1][1:] == ("Contents", "MacOS") else program.parent


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, errors="replace", timeout=30).stdout  # noqa: S603 - a list, of the system's own programs
    except (OSError, subprocess.SubprocessError) as error:
        raise InputError(
            f"{command[0]} failed, so it is unknown whether REAPER is running ({error})",
            remedy="repair it and try again",
        ) from error


def _from_tasklist(output: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in csv.reader(output.splitlines()) if row and row[0].lower() == "reaper.exe"]


def _from_ps(output: str) -> list[tuple[str, str]]:
    rows = (line.strip().partition(" ") for line in output.splitlines())
    return [(name.strip(), pid) for pid, _, name in rows if Path(name.strip()).name == "REAPER"]


def _from_proc(folder: Path) -> Iterable[str]:
    for process in sorted(folder.glob("[0-9]*")):
        with contextlib.suppress(OSError):  # it has ended
            if (process / "comm").read_bytes().strip() == b"reaper" and process.stat().st_uid == os.getuid():
                yield process.name
