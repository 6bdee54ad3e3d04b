"""The connection file, the server lock, and the fingerprint of the program."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from analysis_server.paths import private_folder
from analysis_server.server.security import read_private, write_private
from core import __version__
from core.decoding import UNDECODABLE
from core.errors import ServerError

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
"""The folder that contains the import packages."""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the connection file: the server's address, key and process."""

    protocol: int
    address: str
    public_key: str
    pid: int
    program: str


def connection_path(home: Path) -> Path:
    """Return the path of the connection file."""
    return home / "server" / "connection.json"


def write_connection(home: Path, connection: Connection) -> None:
    """Write the connection file, all or nothing, readable by its user only."""
    write_private(private_folder(home, "server") / "connection.json", msgspec.json.encode(connection))


def read_connection(home: Path) -> Connection | None:
    """Return the content of the connection file, or None where there is none.

    Raises
    ------
    ServerError
        The file is damaged, or other users can read or change it.
    """
    path = connection_path(home)
    if not path.parent.is_dir():
        return None
    private_folder(home, "server")
    try:
        return msgspec.json.decode(read_private(path, remedy="stop the server and delete it"), type=Connection)
    except FileNotFoundError:
        return None
    except UNDECODABLE as error:
        problem = f"not a valid connection file ({error})"
        raise ServerError(problem, "unreachable", path=path, remedy="stop the server and delete it") from error


def remove_connection(home: Path, pid: int) -> None:
    """Remove the connection file if it is that of process `pid`."""
    with suppress(ServerError, OSError):
        connection = read_connection(home)
        if connection is not None and connection.pid == pid:
            connection_path(home).unlink(missing_ok=True)


class ServerLock:
    """The lock of a data folder's single server; the system releases it when the process ends."""

    def __init__(self, home: Path) -> None:
        self._folder = private_folder(home, "server")
        self._lock = FileLock(self._folder / "lock", timeout=0, mode=0o600)

    def take(self) -> bool:
        """Take the lock and record this process; return False if another process has it."""
        try:
            self._lock.acquire()
        except Timeout:
            return False
        write_private(self._folder / "pid", str(os.getpid()).encode())
        return True

    def is_taken(self) -> bool:
        """Return whether a process has the lock."""
        try:
            with self._lock:
                return False
        except Timeout:
            return True

    def holder(self) -> int | None:
        """Return the process id of the server that has the lock, if it is known."""
        try:
            return int(read_private(self._folder / "pid"))
        except (OSError, ServerError, ValueError):
            return None

    def release(self) -> None:
        """Release the lock."""
        (self._folder / "pid").unlink(missing_ok=True)
        self._lock.release()


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
