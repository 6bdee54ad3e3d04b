"""The connection file, and the lock that lets one server a folder live."""

from __future__ import annotations

import os
from io import BufferedRandom
from pathlib import Path

import msgspec

from analysis_server.server.keys import private_folder, write_private
from core.decoding import UNDECODABLE
from core.errors import ServerError

if os.name == "nt":
    import msvcrt
else:
    import fcntl


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server listens, and whose process it is."""

    protocol: int
    address: str
    public_key: str
    pid: int
    program: str


def connection_path(folder: Path) -> Path:
    """Return where the connection file of `folder` lies."""
    return folder / "server" / "connection.json"


def write_connection(folder: Path, connection: Connection) -> None:
    """Write the connection file, all or nothing, for its user alone."""
    write_private(connection_path(folder), msgspec.json.encode(connection))


def read_connection(folder: Path) -> Connection | None:
    """Return what the connection file says, or None where there is none.

    Raises
    ------
    ServerError
        The file is damaged.
    """
    path = connection_path(folder)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Connection)
    except FileNotFoundError:
        return None
    except (OSError, *UNDECODABLE) as error:
        raise ServerError(f"{path}: is no connection file ({error}); delete it", code="unreachable") from error


def remove_connection(folder: Path, pid: int) -> None:
    """Remove the connection file, if it is that process's."""
    connection = read_connection(folder)
    if connection is not None and connection.pid == pid:
        connection_path(folder).unlink(missing_ok=True)


class ServerLock:
    """A lock on a folder that the system lets go of when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = private_folder(folder / "server") / "lock"
        self._file: BufferedRandom | None = None

    def take(self) -> bool:
        """Take the lock; False if another process has it."""
        file = self._path.open("a+b")
        try:
            _lock(file)
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def is_taken(self) -> bool:
        """Tell whether some process has the lock."""
        if not self.take():
            return True
        self.release()
        return False

    def release(self) -> None:
        """Let go of the lock."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: BufferedRandom) -> None:
    if os.name == "nt":
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
