"""Audio that arrives in chunks: on disk, bounded, gone when its job is."""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from analysis_server.server.messages import Chunk, Upload
from analysis_server.server.settings import CHUNK_BYTES, MIB
from core.errors import ServerError

_SPARED_BYTES = 256 * MIB
_MOST_UPLOADS = 4096
_ROOT_NAME = re.compile(r"[^\\:\0-\x1f]+")


@dataclass
class _Arriving:
    path: Path
    size: int
    sha256: str
    offset: int = 0
    seen_s: float = field(default_factory=time.monotonic)
    digest: Any = field(default_factory=hashlib.sha256)

    @property
    def is_whole(self) -> bool:
        return self.offset == self.size


class Uploads:
    """Uploaded files in `folder`, all together at most `limit_bytes`, each for `age_s` without a job."""

    def __init__(self, folder: Path, limit_bytes: int, age_s: float) -> None:
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._age_s = age_s
        self._uploads: dict[str, _Arriving] = {}
        self._taken: dict[str, int] = {}

    def announce(self, message: Upload) -> int:
        """Make room for a file, and return how much of it is there.

        Raises
        ------
        ServerError
            There is no room, or the id stands for another file.
        """
        known = self._uploads.get(message.upload)
        if known is not None:
            if (known.size, known.sha256) != (message.size, message.sha256):
                raise ServerError(f"upload {message.upload}: is another file", code="upload")
            return known.offset
        self._require_room(message.size)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / message.upload
        path.touch(mode=0o600)
        self._uploads[message.upload] = _Arriving(path, message.size, message.sha256)
        self._checked(message.upload)
        return 0

    def add(self, message: Chunk) -> int:
        """Write a chunk if it is the next one, and return how much is there.

        Raises
        ------
        ServerError
            The upload is unknown, longer than announced, or in the end not what was announced.
        """
        arriving = self._uploads.get(message.upload)
        if arriving is None:
            raise ServerError(f"upload {message.upload}: is not known; announce it first", code="upload")
        if len(message.data) > CHUNK_BYTES or message.offset + len(message.data) > arriving.size:
            raise ServerError(f"upload {message.upload}: the chunk is too long", code="upload")
        if message.offset == arriving.offset:
            self._append(message)
            arriving.digest.update(message.data)
            arriving.offset += len(message.data)
            arriving.seen_s = time.monotonic()
            self._checked(message.upload)
        return arriving.offset

    def _append(self, message: Chunk) -> None:
        try:
            with self._uploads[message.upload].path.open("ab") as file:
                file.write(message.data)
        except OSError as error:
            self._remove(message.upload)
            raise ServerError(f"upload {message.upload}: cannot be stored ({error.strerror})", "disk_full") from error

    def take(self, job: str, audio: dict[str, str]) -> dict[str, str]:
        """Give uploads to a job, and return the file of each path in its tree.

        Raises
        ------
        ServerError
            A path leads out of the tree, or an upload is not there or not whole.
        """
        for path, name in audio.items():
            _require_inside(path)
            if name not in self._uploads or not self._uploads[name].is_whole:
                raise ServerError(f"{path}: its upload {name} is not there or not complete", code="upload")
        if len(set(audio.values())) != len(audio):
            raise ServerError("an upload stands for two files; send it twice", code="upload")
        taken = {path: self._uploads.pop(name) for path, name in audio.items()}
        self._taken[job] = sum(arriving.size for arriving in taken.values())
        return {path: str(arriving.path) for path, arriving in taken.items()}

    def release(self, job: str) -> None:
        """Count a job's uploads no longer."""
        self._taken.pop(job, None)

    def age(self) -> None:
        """Remove uploads that no job takes."""
        oldest_s = time.monotonic() - self._age_s
        for name in [name for name, arriving in self._uploads.items() if arriving.seen_s < oldest_s]:
            self._remove(name)

    def _checked(self, name: str) -> None:
        arriving = self._uploads[name]
        if arriving.is_whole and arriving.digest.hexdigest() != arriving.sha256:
            self._remove(name)
            raise ServerError(f"upload {name}: is damaged, its hash is another one", code="upload")

    def _remove(self, name: str) -> None:
        self._uploads.pop(name).path.unlink(missing_ok=True)

    def _require_room(self, size: int) -> None:
        waiting = sum(arriving.size for arriving in self._uploads.values()) + sum(self._taken.values())
        if waiting + size > self._limit_bytes or len(self._uploads) >= _MOST_UPLOADS:
            raise ServerError(f"an upload of {size} bytes is more than there is room for", code="upload")
        missing = sum(arriving.size - arriving.offset for arriving in self._uploads.values())
        if missing + size + _SPARED_BYTES > shutil.disk_usage(self._folder.parent).free:
            raise ServerError(f"an upload of {size} bytes would fill the disk", code="upload")


def _require_inside(path: str) -> None:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or not _ROOT_NAME.fullmatch(path):
        raise ServerError(f"{path!r}: is no path inside a tree; use relative names with / between them", code="upload")
