"""The private files of client and server: CURVE keys, authorized keys, the connection file and the server's lock.

A key pair is a JSON file that only its user can read. Before a key, an authorized key or the connection file is used,
its owner and permissions are checked, and anything that is not a regular file is refused.
"""

from __future__ import annotations

import os
import secrets
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import zmq
from filelock import FileLock, Timeout
from zmq.utils import z85

from analysis_server.paths import is_own, private_folder, restrict
from core.errors import ServerError
from core.files import undecodable

_KEY_LENGTH = 40
_MAX_FILE_BYTES = 64 * 1024
_OTHERS, _WRITABLE_BY_OTHERS = 0o077, 0o022
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_NEW_KEY = "delete it; the server makes a new one when it starts"
_OWN_KEY = "replace it with a file of yours that only you can change (chmod 644), or delete it"


class KeyPair(msgspec.Struct, frozen=True):
    """A CURVE key pair, Z85 text; of an authorized client only the public key is known."""

    public: str
    secret: str = ""


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its user can read, all or nothing; the folder must exist."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(descriptor, "wb") as file:
            restrict(temporary, 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_private(path: Path, *, is_public: bool = False, remedy: str = _NEW_KEY) -> bytes:
    """Return the content of a regular file of this user that other users cannot read.

    Parameters
    ----------
    path : the file.
    is_public : other users may read it, but not change it.
    remedy : what the user can do about a file that is refused.

    Raises
    ------
    FileNotFoundError
        It does not exist.
    ServerError
        It is not a regular file, belongs to another user, or others can read or change it.
    """

    def refused(problem: str) -> ServerError:
        return ServerError(problem, "insecure", path=path, remedy=remedy)

    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise refused(f"cannot be read ({error.strerror})") from error
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise refused("not a regular file")
        if not is_own(state):
            raise refused("belongs to another user")
        if os.name != "nt" and state.st_mode & (_WRITABLE_BY_OTHERS if is_public else _OTHERS):
            raise refused(f"other users can {'change' if is_public else 'read or change'} it")
        return os.read(descriptor, _MAX_FILE_BYTES)
    finally:
        os.close(descriptor)


def server_keys(home: Path) -> KeyPair:
    """Return the server's key pair, created if it is missing."""
    return _key_pair(home, "server.json")


def client_keys(home: Path) -> KeyPair:
    """Return the key pair that all clients of this user share, created if it is missing."""
    return _key_pair(home, "client.json")


def authorized_keys(home: Path, report: Callable[[ServerError], None] = lambda _problem: None) -> frozenset[str]:
    """Return the public keys of all clients that may connect; files that cannot be used are reported and ignored."""
    keys = {client_keys(home).public}
    for path in sorted(private_folder(home, "keys", "authorized").glob("*.json")):
        with suppress(FileNotFoundError):
            try:
                keys.add(_decode(path, read_private(path, is_public=True, remedy=_OWN_KEY)).public)
            except ServerError as problem:
                report(problem)
    return frozenset(keys)


class AuthorizedKeys:
    """The credentials provider of `zmq.auth`: reads the key files again at every handshake."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def callback(self, _domain: str, key: bytes) -> bool:
        """Return whether the client with this public key may connect."""
        with suppress(OSError, ServerError):
            return key.decode("ascii", errors="replace") in authorized_keys(self._home)
        return False


def _key_pair(home: Path, name: str) -> KeyPair:
    path = private_folder(home, "keys") / name
    with suppress(FileNotFoundError):
        pair = _decode(path, read_private(path))
        if not _is_key(pair.secret) or zmq.curve_public(pair.secret.encode()).decode() != pair.public:
            raise ServerError("not a valid key file", "insecure", path=path, remedy=_NEW_KEY)
        return pair
    public, secret = zmq.curve_keypair()
    pair = KeyPair(public.decode(), secret.decode())
    write_private(path, msgspec.json.encode(pair))
    return pair


def _decode(path: Path, content: bytes) -> KeyPair:
    try:
        keys = msgspec.json.decode(content, type=KeyPair)
    except undecodable() as error:
        raise ServerError(f"not a valid key file ({error})", "insecure", path=path, remedy=_NEW_KEY) from error
    if not _is_key(keys.public):
        problem = f"does not contain a CURVE key of {_KEY_LENGTH} characters"
        raise ServerError(problem, "insecure", path=path, remedy=_NEW_KEY)
    return keys


def _is_key(text: str) -> bool:
    try:
        return len(text) == _KEY_LENGTH and z85.encode(z85.decode(text.encode())) == text.encode()
    except (KeyError, ValueError, struct.error):
        return False


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
    """Return the content of the connection file, or None if it does not exist.

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
    except undecodable() as error:
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
