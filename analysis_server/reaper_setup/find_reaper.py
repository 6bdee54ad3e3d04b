"""Find REAPER (its resource folders, its program, whether it is running) and a Python library that it can load.

A resource folder contains reaper.ini. The usual one is the system's; a portable installation has it next to its program
(on macOS next to REAPER.app); `REAPER_RESOURCE_PATH` names the one to use instead.

REAPER loads only libraries of its own architecture. A library's architecture is in its first bytes: ELF (Linux),
Mach-O, thin or for several processors (macOS), PE (Windows).
"""

from __future__ import annotations

import contextlib
import csv
import os
import platform
import re
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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


OLDEST = (3, 8)
_ELF = {3: "x86", 40: "arm", 62: "x86_64", 183: "arm64"}
_PE = {0x14C: "x86", 0x8664: "x86_64", 0xAA64: "arm64"}
_MACH = {7: "x86", 12: "arm", 0x01000007: "x86_64", 0x0100000C: "arm64"}
_SAME = {"amd64": "x86_64", "aarch64": "arm64", "i386": "x86", "i686": "x86"}
_NAME = re.compile(r"(?:lib)?python(3)\.?(\d+)m?\.(?:so[.\d]*|dylib|dll)", re.IGNORECASE)
_FRAMEWORK = re.compile(r"Python\.framework/Versions/(3)\.(\d+)/Python")
_HEAD_BYTES = 4096


@dataclass(frozen=True)
class Library:
    """A Python library: its path, the version in its name, and the processors that it is built for."""

    path: Path
    version: tuple[int, int]
    processors: frozenset[str]

    def suits(self, processors: frozenset[str]) -> bool:
        """Return whether a REAPER that is built for one of `processors` can load it."""
        return self.version >= OLDEST and not processors.isdisjoint(self.processors)

    def interpreter(self) -> Path | None:
        """Return the `python` program of its installation, or None if there is none."""
        name = f"python{self.version[0]}.{self.version[1]}"
        names = ("python.exe",) if os.name == "nt" else (f"bin/{name}",)
        return next((path for folder in self._roots() for each in names if (path := folder / each).is_file()), None)

    def _roots(self) -> Iterator[Path]:
        for path in (self.path, self.path.resolve()):
            yield from path.parents


def library_at(path: Path) -> Library | None:
    """Return the Python library in a file, or None if it does not exist or is something else."""
    found = _NAME.fullmatch(path.name) or _FRAMEWORK.search(path.as_posix())
    processors = processors_of(path)
    return Library(path, (int(found[1]), int(found[2])), processors) if found and processors else None


def processors_of(path: Path) -> frozenset[str]:
    """Return the processors that a program or library is built for; none for any other file."""
    try:
        if not path.is_file():  # opening a pipe would block
            return frozenset()
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        found = list(_processors(head))
    except (OSError, ValueError, struct.error):
        return frozenset()
    return frozenset(filter(None, found))


def wanted_processors(reaper_programs: Iterable[Path]) -> frozenset[str]:
    """Return the processors of REAPER's programs; this machine's processor if none was found."""
    found = frozenset[str]().union(*map(processors_of, reaper_programs))
    machine = platform.machine().lower()
    return found or frozenset({_SAME.get(machine, machine)})


def best_library(processors: frozenset[str]) -> Library | None:
    """Return the library that REAPER should load: of the running Python, otherwise the system's newest."""
    fitting = [found for path in _candidates() if (found := library_at(path)) and found.suits(processors)]
    return fitting[0] if fitting else None


def _candidates() -> Iterator[Path]:
    version = sysconfig.get_config_var("VERSION") or f"{sys.version_info[0]}.{sys.version_info[1]}"
    base = Path(sys.base_prefix)
    if os.name == "nt":
        yield from (base / f"python{version}.dll", base / "DLLs" / f"python{version}.dll")
        return
    if sys.platform == "darwin":
        yield from (base / f"lib/libpython{version}.dylib", base / "Python")
        for root in ("/Library", "/opt/homebrew", "/usr/local"):
            versions = Path(root, "Frameworks/Python.framework/Versions")
            yield from _newest_first(versions.glob("3.*/lib/libpython3.*.dylib"))
        return
    folders = [base / "lib", Path(sysconfig.get_config_var("LIBDIR") or base / "lib")]
    for folder in folders:
        yield from (folder / f"libpython{version}.so", folder / f"libpython{version}.so.1.0")
    folders += [*Path("/usr/lib").glob("*-linux-gnu*"), *map(Path, ("/usr/lib64", "/usr/lib", "/usr/local/lib"))]
    yield from _newest_first(path for folder in folders for path in folder.glob("libpython3.*.so*"))


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: [int(number) for number in re.findall(r"\d+", path.name)], reverse=True)


def _processors(head: bytes) -> Iterator[str | None]:
    if head[:4] == b"\x7fELF":
        order = "<" if head[5:6] == b"\x01" else ">"
        yield _ELF.get(struct.unpack_from(f"{order}H", head, 18)[0])
    elif head[:2] == b"MZ":
        start = struct.unpack_from("<I", head, 0x3C)[0]
        if head[start : start + 4] == b"PE\0\0":
            yield _PE.get(struct.unpack_from("<H", head, start + 4)[0])
    elif head[:4] in (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe"):
        yield _MACH.get(struct.unpack_from("<I", head, 4)[0])
    elif head[:4] == b"\xca\xfe\xba\xbe":
        count = struct.unpack_from(">I", head, 4)[0]
        yield from (_MACH.get(struct.unpack_from(">I", head, 8 + 20 * number)[0]) for number in range(min(count, 8)))
