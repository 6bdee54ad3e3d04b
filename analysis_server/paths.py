"""Folders of the application, the kinds of paths that users give, and locks.

Locks allow one writer at a time to a model, a run folder or a project copy. They are in the data folder, named after
the path they are for, so that nothing is left next to the user's files. The system releases them when a process ends.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path

from core import __version__
from core.errors import FaderwiseError, InputError, ServerError

PACKAGE_ROOT = Path(__file__).resolve().parents[1]
"""The folder that contains the import packages."""

_OTHERS = 0o077
_PROJECT_SUFFIXES = (".rpp", ".rpp-bak")
"""A project, and the backup that REAPER makes of it when it saves."""


def home() -> Path:
    """Return the folder of the user's models, keys and runs: `FADERWISE_HOME`, or the system's user data folder.

    Raises
    ------
    InputError
        `FADERWISE_HOME` begins with the home folder of a user that does not exist.
    """
    chosen = os.environ.get("FADERWISE_HOME")
    if chosen:
        folder = os.path.expanduser(chosen)  # noqa: PTH111 - Path.expanduser raises RuntimeError for an unknown user
        if folder.startswith("~"):
            raise InputError("no such home folder", path=chosen, option="FADERWISE_HOME", remedy="give a full path")
        return Path(folder)
    import platformdirs  # noqa: PLC0415 - install.py imports this module before anything is installed

    return Path(platformdirs.user_data_dir("faderwise", appauthor=False))


def plain_path(path: str | Path) -> Path:
    """Return a path as it is shown: absolute and without `..`."""
    absolute = Path(path).absolute()
    return absolute.resolve() if ".." in absolute.parts else absolute


def command_path(path: str | Path) -> str:
    """Return a path as a command to type has it: relative if it is below the current folder."""
    absolute, here = Path(path).absolute(), Path.cwd()
    return str(absolute.relative_to(here) if here in absolute.parents else path)


def by_name(paths: Iterable[Path]) -> dict[str, str]:
    """Return the absolute paths of written files, by file name."""
    return {path.name: str(plain_path(path)) for path in paths}


def private_folder(data_folder: Path, *names: str) -> Path:
    """Create the folder `data_folder/names...` if it is missing, with mode 0700 from `data_folder` on; return it.

    Raises
    ------
    ServerError
        A folder on the way belongs to another user, or cannot be made private.
    """
    folder = data_folder
    data_folder.parent.mkdir(parents=True, exist_ok=True)
    for path in (data_folder, *(folder := folder / name for name in names)):
        path.mkdir(mode=0o700, exist_ok=True)
        state = path.stat()
        if not stat.S_ISDIR(state.st_mode):
            raise ServerError("not a folder", "insecure", path=path, remedy="move it away")
        if not is_own(state):
            remedy = "delete it, or set FADERWISE_HOME"
            raise ServerError("belongs to another user", "insecure", path=path, remedy=remedy)
        if os.name == "nt" or state.st_mode & _OTHERS:
            restrict(path, 0o700)
    return folder


def is_own(state: os.stat_result) -> bool:
    """Return whether a file belongs to this user or to root, who can read everything anyway."""
    return os.name == "nt" or state.st_uid in (os.geteuid(), 0)


def restrict(path: Path, mode: int) -> None:
    """Remove the rights of all other users."""
    if os.name != "nt":
        path.chmod(mode)
        return
    import getpass  # noqa: PLC0415 - on Windows only
    import subprocess  # noqa: PLC0415

    rights = f"{getpass.getuser()}:(OI)(CI)F" if path.is_dir() else f"{getpass.getuser()}:F"
    command = ["icacls", str(path), "/inheritance:r", "/grant:r", rights]
    subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - a list, no shell


def is_project(path: str) -> bool:
    """Return whether `path` names a REAPER project or a backup of one, and not a folder."""
    return Path(path).suffix.lower() in _PROJECT_SUFFIXES and not os.path.isdir(path)  # noqa: PTH112 - never raises


def bundled_folder(name: str) -> Path:
    """Return the bundled folder called `name`, with `/` between its parts.

    Raises
    ------
    InputError
        It is missing: the installation is damaged.
    """
    here = Path(__file__).resolve().parent
    for folder in (here.parent / name, here / name):
        if folder.is_dir():
            return folder
    raise InputError(f"{name} is missing", path=here, remedy="install Faderwise again")


def bundled_song() -> Path:
    """Return the folder of the bundled song.

    Raises
    ------
    InputError
        It is missing: the installation is damaged.
    """
    return bundled_folder("examples/caesium")


def child_environment(data_folder: Path) -> dict[str, str]:
    """Return the environment variables of a process of this program that uses `data_folder`."""
    search_path = [str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "FADERWISE_HOME": str(data_folder), "PYTHONPATH": os.pathsep.join(search_path)}


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Return a text that changes with the version and with every change of the program's files.

    It depends on the size and the modification time of each file, so that nothing has to be read. A process keeps
    the value it computed first: that of the code it runs.
    """
    digest = hashlib.sha256(__version__.encode())
    for package in ("core", "analysis_server"):
        for folder, _, names in sorted(os.walk(PACKAGE_ROOT / package)):
            for name in sorted(names):
                if name.endswith(".py"):
                    state = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - on every start: fast
                    digest.update(f"{folder}/{name} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


_WAIT_S = 600.0


@contextmanager
def locked(*paths: Path) -> Iterator[None]:
    """Hold the locks of files or folders during a read-change-write; another process that wants one of them waits.

    Raises
    ------
    FaderwiseError
        Another process has had a lock for more than 10 minutes.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - many commands write nothing

    try:
        folder = private_folder(home(), "locks")
    except (OSError, ServerError):  # the data folder cannot be written to
        owner = os.geteuid() if os.name != "nt" else os.environ.get("USERNAME", "user")
        folder = private_folder(Path(tempfile.gettempdir()) / f"faderwise-locks-{owner}")
    real = [os.fsencode(os.path.normcase(os.path.realpath(path))) for path in paths]
    with ExitStack() as stack:
        try:
            for name in sorted(f"{hashlib.sha256(path).hexdigest()[:32]}.lock" for path in real):
                stack.enter_context(FileLock(folder / name, timeout=_WAIT_S, mode=0o600))
        except Timeout:
            problem = "another Faderwise process has been writing here for 10 minutes"
            raise FaderwiseError(problem, path=paths[0], remedy="end it, and try again") from None
        yield
