"""CURVE keys: who may talk to the server.

A key pair is a JSON file that its user alone can read. A pair that others could read is not trusted any more:
it is made anew.
"""

from __future__ import annotations

import getpass
import os
import struct
import subprocess
from pathlib import Path

import msgspec
import zmq
from zmq.utils import z85

from core.decoding import UNDECODABLE
from core.errors import ServerError
from core.files import replacing

_KEY_LENGTH = 40
_OTHERS = 0o077


class KeyPair(msgspec.Struct, frozen=True):
    """A CURVE key pair, Z85 text; of a further client only the public key is known."""

    public: str
    secret: str = ""


def private_folder(path: Path) -> Path:
    """Make `path` a folder that its user alone can enter, and return it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    restrict(path)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its user alone can read, all or nothing."""
    private_folder(path.parent)
    with replacing(path, keep_old=False) as temporary:
        restrict(temporary)
        temporary.write_bytes(content)


def restrict(path: Path) -> None:
    """Take everyone else's rights to `path` away."""
    if os.name != "nt":
        path.chmod(0o700 if path.is_dir() else 0o600)
        return
    rights = f"{getpass.getuser()}:(OI)(CI)F" if path.is_dir() else f"{getpass.getuser()}:F"
    command = ["icacls", str(path), "/inheritance:r", "/grant:r", rights]
    subprocess.run(command, check=False, capture_output=True)  # noqa: S603 - a list, no shell


def server_keys(folder: Path) -> KeyPair:
    """Return the server's pair in `folder`, made if there is none."""
    return _pair(folder / "keys" / "server.json")


def client_keys(folder: Path) -> KeyPair:
    """Return the pair that this user's clients share, made if there is none."""
    return _pair(folder / "keys" / "client.json")


def authorized_keys(folder: Path) -> frozenset[str]:
    """Return the public keys of all clients that may connect."""
    further = {_listed(path) for path in (folder / "keys" / "authorized").glob("*.json")}
    return frozenset({client_keys(folder).public, *(key for key in further if key)})


def _pair(path: Path) -> KeyPair:
    if path.is_file() and _is_private(path):
        return _read(path, is_own=True)
    public, secret = zmq.curve_keypair()
    pair = KeyPair(public.decode(), secret.decode())
    write_private(path, msgspec.json.encode(pair))
    return pair


def _is_private(path: Path) -> bool:
    return os.name == "nt" or not path.stat().st_mode & _OTHERS


def _listed(path: Path) -> str | None:
    try:
        return _read(path, is_own=False).public
    except ServerError:
        return None


def _read(path: Path, *, is_own: bool) -> KeyPair:
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=KeyPair)
    except (OSError, *UNDECODABLE) as error:
        raise ServerError(f"{path}: is no key file ({error}); delete it, and the server makes a new one") from error
    if not _is_key(keys.public) or (is_own and not _belongs(keys.secret, keys.public)):
        raise ServerError(f"{path}: holds no CURVE key of {_KEY_LENGTH} characters; delete it, and a new one is made")
    return keys


def _is_key(text: str) -> bool:
    try:
        return len(text) == _KEY_LENGTH and z85.encode(z85.decode(text.encode())) == text.encode()
    except (KeyError, ValueError, struct.error):
        return False


def _belongs(secret: str, public: str) -> bool:
    return _is_key(secret) and zmq.curve_public(secret.encode()).decode() == public
