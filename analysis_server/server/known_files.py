"""Files whose content hash is known, as long as nothing touches them.

A file counts as untouched while its size, its times of change and its inode are the same. What was changed a
moment ago is not remembered: a second change could leave the same time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from core.decoding import UNDECODABLE
from core.errors import InputError
from core.files import content_hash, replacing

_MOST_FILES = 20_000
_SETTLED_NS = 12_000_000


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """What changes when a file does."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class KnownFile(msgspec.Struct, frozen=True, array_like=True):
    """A file and its content's hash, as `core.files.content_hash` gives it."""

    path: str
    stamp: Stamp
    content: str


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of the file at `path`."""
    status = path.stat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def let_settle() -> None:
    """Wait until a file that has just been written can be remembered."""
    time.sleep(1.1e-9 * _SETTLED_NS)


class KnownFiles:
    """Hashes by path; may be used from several threads."""

    def __init__(self) -> None:
        self._files: dict[str, KnownFile] = {}
        self._news: dict[str, KnownFile] = {}
        self._lock = threading.Lock()

    def hash_of(self, path: Path) -> str:
        """Return the file's hash, computed if need be."""
        if known := self.if_known(path):
            return known
        before = stamp_of(path)
        content = content_hash(path)
        if before == stamp_of(path):
            self.remember(path, content, before)
        return content

    def if_known(self, path: Path) -> str | None:
        """Return the file's hash if it is known without reading the file."""
        known = self._files.get(_name(path))
        try:
            return known.content if known is not None and known.stamp == stamp_of(path) else None
        except OSError:
            return None

    def remember(self, path: Path, content: str, stamp: Stamp) -> None:
        """Keep the hash of a file's content for as long as its stamp stays."""
        if time.time_ns() - max(stamp.mtime_ns, stamp.ctime_ns) > _SETTLED_NS:
            self.take_in([KnownFile(_name(path), stamp, content)])

    def take_in(self, files: Iterable[KnownFile]) -> None:
        """Keep what another process found; past a number the oldest are forgotten."""
        with self._lock:
            for file in files:
                self._files.pop(file.path, None)
                self._files[file.path] = self._news[file.path] = file
            for path in list(self._files)[: max(0, len(self._files) - _MOST_FILES)]:
                del self._files[path]

    def among(self, paths: Iterable[Path]) -> list[KnownFile]:
        """Return what is known of `paths`."""
        return [known for path in paths if (known := self._files.get(_name(path)))]

    def news(self) -> list[KnownFile]:
        """Return what was learned since the last call."""
        with self._lock:
            news, self._news = list(self._news.values()), {}
        return news

    def load(self, path: Path) -> None:
        """Take in what `save` wrote; a missing or damaged file says nothing."""
        try:
            files = msgspec.msgpack.decode(path.read_bytes(), type=list[KnownFile])
        except (OSError, *UNDECODABLE):
            return
        self.take_in(files)
        self.news()

    def save(self, path: Path) -> None:
        """Write everything to `path`, if it can be written."""
        with self._lock:
            files = list(self._files.values())
        try:
            with replacing(path, keep_old=False) as temporary:
                temporary.write_bytes(msgspec.msgpack.encode(files))
        except InputError:  # they will be hashed again, nothing is lost
            return


def _name(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links are not followed: a link may change
