"""Files that matter: written beside their place, flushed, renamed; what stood there before is kept."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from core.errors import DiskFullError, FaderwiseError, InputError

WORKSHOP = ".faderwise-"
"""How the name of a temporary folder begins in which files are made."""
_CHUNK_BYTES = 1 << 20
_LONGEST_NAME_BYTES = 255
_RENAMED_OVER = frozenset({stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})  # a folder is the renaming's to refuse
_NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


@contextmanager
def replacing(path: Path, *, keep_old: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `path`; when the block ends well, that file becomes `path`.

    On an error or an interrupt the temporary file is removed and `path` is as it was. With `keep_old`, a file
    of other content that stood at `path` is set aside under its time of change.

    Raises
    ------
    InputError
        The folder cannot be written to, the disk is full, or `path` is a device, a pipe or a socket.
    """
    temporary = _sibling(path, ".", f"-{secrets.token_hex(4)}")
    try:
        _require_file(path)
        _make(temporary)
        yield temporary
        _flush_to_disk(temporary)
        if keep_old:
            _set_aside(path, new=temporary)
        temporary.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        with suppress(OSError):  # where it could not even be made
            temporary.unlink(missing_ok=True)


def move_into_place(made: Path, path: Path) -> None:
    """Move a finished file to `path` on the same disk; a file of other content there is set aside.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    try:
        _require_file(path)
        _set_aside(path, new=made)
        made.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error


@contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder inside `folder`, which is made where it is missing; it goes when the block ends.

    What is made there and moved into place at the end leaves `folder` as it was after an error or an interrupt.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    made = folder / f"{WORKSHOP}{secrets.token_hex(4)}"
    try:
        _make_folder(made)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def write_text(path: Path, text: str, *, keep_old: bool = True) -> None:
    """Write `text` as UTF-8 with LF line ends, all or nothing."""
    with replacing(path, keep_old=keep_old) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any, *, keep_old: bool = True) -> None:
    """Write `content` as indented JSON, all or nothing. NaN and infinities are refused."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n", keep_old=keep_old)


def read_whole(path: Path) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    InputError
        It is a pipe or a device, which might be waited for for ever.
    OSError
        It is not there or cannot be read.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError("is a pipe or a device", path=path, remedy="give a file")
    return path.read_bytes()


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, as ``"sha256:..."``."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _unwritten(path: Path, error: OSError) -> FaderwiseError:
    reason = error.strerror or error
    if error.errno in _NO_ROOM:
        return DiskFullError(f"cannot be written ({reason})", path=path, remedy="free some space")
    return InputError(f"cannot be written ({reason})", path=path, remedy="choose another folder")


def _require_file(path: Path) -> None:
    """Refuse what a rename would take away without a trace: a device, a pipe, a socket.

    A name that is too long is told now as well, not when all is written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritten(path.parent, error) from error
    with suppress(FileNotFoundError):
        if stat.S_IFMT(path.lstat().st_mode) not in _RENAMED_OVER:
            raise InputError("is no file, but a device, a pipe or a socket", path=path, remedy="choose another name")


def _make_folder(made: Path) -> None:
    """Make a folder; like a file, it has its name before."""
    try:
        made.parent.mkdir(parents=True, exist_ok=True)
        made.mkdir(mode=0o700)
    except OSError as error:
        raise _unwritten(made.parent, error) from error


def _make(temporary: Path) -> None:
    """Make an empty file; it has its name before, so that no interrupt in between leaves it behind."""
    try:
        temporary.open("xb").close()
    except OSError as error:
        raise _unwritten(temporary.parent, error) from error


def _flush_to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _set_aside(path: Path, *, new: Path) -> None:
    if not path.is_file() or content_hash(path) == content_hash(new):
        return
    stamp = _changed_at(path)
    kept = _sibling(path, "", f".{stamp}")
    number = 2
    while kept.exists():
        kept = _sibling(path, "", f".{stamp}-{number}")
        number += 1
    _keep_as(path, kept)


def _sibling(path: Path, before: str, after: str) -> Path:
    """Return the file beside `path` whose name has more around its stem; of a stem too long for that the end goes."""
    room = _LONGEST_NAME_BYTES - len(os.fsencode(before + after + path.suffix))
    stem = os.fsencode(path.stem)
    fits = path.stem if len(stem) <= room else stem[: max(room, 0)].decode(errors="ignore")
    return path.with_name(f"{before}{fits}{after}{path.suffix}")


def _changed_at(path: Path) -> str:
    """Return when a file was last changed, for a name; the present where the file's time is no time at all."""
    changed_s = path.stat().st_mtime
    try:
        then = time.localtime(changed_s)
    except (OverflowError, ValueError, OSError):
        then = time.localtime()
    return time.strftime("%Y%m%d-%H%M%S", then)


def _keep_as(path: Path, kept: Path) -> None:
    """Let the file at `path` stand at `kept` too, so that at no instant it stands nowhere."""
    try:
        kept.hardlink_to(path)
    except OSError:  # a file system without hard links
        copy = _sibling(kept, ".", f"-{secrets.token_hex(4)}")
        try:
            shutil.copy2(path, copy)
            copy.replace(kept)
        finally:
            copy.unlink(missing_ok=True)
