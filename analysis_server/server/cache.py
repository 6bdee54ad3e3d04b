"""Results on disk, by the hash of audio and settings; the least recently used go first.

An entry is a folder: the files a job made, and `entry.msgpack`, which is a SHA-256 of its own and then the result
and the files' hashes. It is made elsewhere, flushed and renamed into place. Whatever does not fit its hash is
dropped, and the work is done again.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from analysis_server.server.known_files import KnownFiles, let_settle, stamp_of
from core.errors import FaderwiseError
from core.files import replacing

_MANIFEST = "entry.msgpack"
_DIGEST_BYTES = 32
_COPIED_BYTES = 1 << 20
_MOST_ENTRIES = 20_000


class CorruptEntryError(FaderwiseError):
    """A file is not what its entry says."""


class MadeFile(msgspec.Struct, frozen=True):
    """A file a job made: its content's hash and its size."""

    content: str
    size: int


class _Manifest(msgspec.Struct, frozen=True):
    result: Any
    files: dict[str, MadeFile]


@dataclass(frozen=True)
class Entry:
    """What a job made: `result`, and `files` by name in `folder`."""

    folder: Path
    result: Any
    files: Mapping[str, MadeFile]


def survey(folder: Path, result: Any, *, known: KnownFiles) -> Entry:
    """Return what a job left in `folder`."""
    files = {
        path.relative_to(folder).as_posix(): MadeFile(known.hash_of(path), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return Entry(folder, result, files)


def publish(entry: Entry, target_of: Callable[[str], Path], known: KnownFiles, check: Callable[[], None]) -> None:
    """Copy an entry's files to where they were asked for; one that is there already is left alone.

    Raises
    ------
    CorruptEntryError
        A file has changed since it was made.
    InputError
        A place cannot be written to.
    """
    copied = {}
    for name, made in entry.files.items():
        target = target_of(name)
        check()
        if known.if_known(target) != made.content:
            _copy(entry.folder / name, made, target, check)
            copied[target] = (made.content, stamp_of(target))
    if copied:
        let_settle()
    for target, (content, stamp) in copied.items():
        known.remember(target, content, stamp)


def _copy(source: Path, made: MadeFile, target: Path, check: Callable[[], None]) -> None:
    digest = hashlib.sha256()
    with replacing(target) as temporary, temporary.open("wb") as copy:
        for piece in _pieces(source):
            check()
            digest.update(piece)
            copy.write(piece)
        if f"sha256:{digest.hexdigest()}" != made.content:
            raise CorruptEntryError(f"{source}: has changed since it was made")


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(_COPIED_BYTES):
                yield piece
    except OSError as error:
        raise CorruptEntryError(f"{path}: cannot be read ({error.strerror})") from error


class Cache:
    """The entries in one folder, at most `limit_bytes` of them after each `evict`."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._entries = folder / "entries"
        self._limit_bytes = limit_bytes

    def find(self, key: str) -> Entry | None:
        """Return the entry of `key`, now the most recently used; a damaged one is dropped."""
        path = self._entries / key / _MANIFEST
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
        manifest = _decoded(content)
        if manifest is None:
            self.drop(key)
            return None
        os.utime(path)
        return Entry(path.parent, manifest.result, manifest.files)

    def keep(self, key: str, entry: Entry) -> None:
        """Move an entry's folder into the cache under `key`; too large a one, or one that is there, is left."""
        if sum(made.size for made in entry.files.values()) > self._limit_bytes // 2:
            return
        body = msgspec.msgpack.encode(_Manifest(entry.result, dict(entry.files)))
        with replacing(entry.folder / _MANIFEST, keep_old=False) as temporary:
            temporary.write_bytes(hashlib.sha256(body).digest() + body)
        for name in entry.files:
            _flush(entry.folder / name)
        self._entries.mkdir(parents=True, exist_ok=True)
        if not (self._entries / key).exists():
            entry.folder.rename(self._entries / key)

    def drop(self, key: str) -> None:
        """Remove the entry of `key`, if there is one."""
        dropped = self._entries / f".dropped-{secrets.token_hex(8)}"
        try:
            (self._entries / key).rename(dropped)
        except OSError:  # it is gone, or in use: then the next one who finds it damaged drops it
            return
        shutil.rmtree(dropped, ignore_errors=True)

    def evict(self) -> None:
        """Drop the least recently used entries until the others fit; remove what a kill left."""
        for leftover in self._entries.glob(".dropped-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        used = sorted(self._used(), reverse=True)
        total = 0
        for number, (_, size, key) in enumerate(used):
            total += size
            if total > self._limit_bytes or number >= _MOST_ENTRIES:
                self.drop(key)

    def _used(self) -> Iterator[tuple[int, int, str]]:
        for folder in self._entries.glob("[0-9a-f]*"):
            yield self._use_of(folder)

    def _use_of(self, folder: Path) -> tuple[int, int, str]:
        """Return when an entry was last used, its size and its key."""
        try:
            size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            return (folder / _MANIFEST).stat().st_mtime_ns, size, folder.name
        except OSError:  # another process drops it just now, or it has no manifest and is nothing
            return 0, self._limit_bytes + 1, folder.name


def _decoded(content: bytes) -> _Manifest | None:
    digest, body = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    try:
        return msgspec.msgpack.decode(body, type=_Manifest)
    except msgspec.DecodeError:
        return None


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def relocated(content: Any, old: str, new: str) -> Any:
    """Return a result with every text that starts with the path `old` starting with `new`."""
    if isinstance(content, str) and content.startswith(old):
        rest = content[len(old) :].lstrip("/\\")
        return str(Path(new) / rest) if new else rest
    if isinstance(content, dict):
        return {key: relocated(value, old, new) for key, value in content.items()}
    if isinstance(content, list):
        return [relocated(value, old, new) for value in content]
    return content
