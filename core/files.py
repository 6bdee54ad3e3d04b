"""Write files so that an interrupt at any instant leaves either the old or the new content.

A file is written under a temporary name, flushed and renamed; a file of other content that it replaces is kept under
its time of change. `replacing_set` does the same for several files at once. Temporary files are in folders whose names
begin with `.faderwise-`; each contains a lock file that is locked while the folder is in use, so that the next run
recognises and clears the folders of processes that were killed. This module needs the standard library only, because
install.py writes with it before anything is installed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import DiskFullError, FaderwiseError, InputError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

WORKSHOP = ".faderwise-"
"""The prefix of the names of temporary folders."""
_WORKSHOP_NAME = re.compile(re.escape(WORKSHOP) + r"[0-9a-f]{8}")
_OWNER, _TOKEN, _MAIN, _COMMIT, _ROLLBACK = ".owner", ".token", ".main", ".commit.json", ".rollback.json"
_UNOWNED_AGE_S = 3600.0
"""When a temporary folder without a lock file (of version 0.1.0) counts as left behind."""
_CHUNK_BYTES = 1 << 20
_SIMILAR = 0.75
"""From this ratio of `difflib` on, a name is probably a misspelling of another."""
_LONGEST_NAME_BYTES = 255
_NO_ROOM = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})


@contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder inside `folder`, which is created if it is missing; it is deleted when the block ends.

    First, the temporary folders in `folder` that killed processes left behind are cleared, see `recover`. Folders that
    were created here are removed again if they are empty at the end.

    Raises
    ------
    InputError
        The folder cannot be written to.
    DiskFullError
        The disk is full.
    """
    created = _create_folders(folder)
    made: Path | None = None
    lock: int | None = None
    try:
        recover(folder)
        made, lock = _owned_folder(folder)
        yield made
    finally:
        if lock is not None:
            _unlock(lock)
        if made is not None:
            _delete(made)
        for path in reversed(created):
            with suppress(OSError):  # it is not empty: it was written to
                path.rmdir()


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Yield a folder in the system's temporary folder, as `workshop` does: the next run clears what a kill leaves."""
    with workshop(Path(tempfile.gettempdir())) as folder:
        yield folder


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One file of a set.

    Attributes
    ----------
    workshop : the temporary folder; empty for the one that contains the journal.
    name : the file's name, in the temporary folder and in the folder around it.
    existed : whether there was a file of that name.
    keep_as : the path to keep the old file at, relative to its folder, if it is kept.
    is_new : whether there is a new file; otherwise the old one only moves.
    """

    workshop: str
    name: str
    existed: bool
    keep_as: str | None
    is_new: bool


@dataclass
class FileSet:
    """New versions of several files, collected by `replacing_set`.

    Attributes
    ----------
    folder : a temporary folder for anything else; it is deleted when the set is complete.
    """

    folder: Path
    _stack: ExitStack
    _files: dict[Path, tuple[Path, bool]] = field(default_factory=dict)
    _moves: dict[Path, Path] = field(default_factory=dict)
    _workshops: dict[Path, Path] = field(default_factory=dict)

    def new(self, path: Path, *, keep_old: bool = True) -> Path:
        """Return the temporary path at which to write the new version of `path`.

        Parameters
        ----------
        path : the file to replace, in any folder.
        keep_old : keep a file of other content that is at `path` now under its time of change.

        Raises
        ------
        InputError
            `path` is a folder, a device, a pipe or a socket, or its folder cannot be written to.
        """
        _require_replaceable(path)
        staged = self._staged(path)
        self._files[staged] = (path, keep_old)
        return staged

    def move(self, path: Path, to: Path) -> None:
        """Move the present file at `path` to `to`, which is below its folder, when the set takes effect."""
        self._moves[self._staged(path)] = to

    def _staged(self, path: Path) -> Path:
        parent = path.parent.resolve()
        if parent not in self._workshops:
            self._workshops[parent] = self._stack.enter_context(workshop(path.parent))
        return self._workshops[parent] / path.name

    def commit(self) -> None:
        """Put all files in place, or none of them.

        Raises
        ------
        InputError, DiskFullError
            A file cannot be written; nothing was changed.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - many commands write nothing

        if not self._files:
            return
        token, entries = secrets.token_hex(16), []
        with ThreadPoolExecutor() as pool:  # the disk flushes several files together in the time of one
            flushed = {staged: pool.submit(flush, staged) for staged in self._files}
        for staged in {**self._moves, **self._files}:
            path, keep_old = self._files.get(staged, (staged.parent.parent / staged.name, True))
            is_new, keep_as = staged in self._files, None
            try:
                _require_replaceable(path)
                if is_new:
                    flushed[staged].result()
                if staged in self._moves:
                    keep_as = os.path.relpath(self._moves[staged], path.parent)
                elif keep_old and _differs(path, staged):
                    keep_as = _name_to_keep(path)
                existed = path.is_file()
                if existed:
                    _link_or_copy(path, _backup_of(staged))
                (staged.parent / _TOKEN).write_text(token)
                (staged.parent / _MAIN).write_text(str(self.folder.absolute()))
            except OSError as error:
                raise write_error(path, error) from error
            made = "" if staged.parent == self.folder else str(staged.parent.absolute())
            entries.append(_Entry(workshop=made, name=path.name, existed=existed, keep_as=keep_as, is_new=is_new))
        journal = {"token": token, "entries": [asdict(entry) for entry in entries]}
        try:
            _write_and_flush(self.folder / f"{_COMMIT}.new", json.dumps(journal).encode())
            (self.folder / f"{_COMMIT}.new").replace(self.folder / _COMMIT)
            _flush_folder(self.folder)
        except OSError as error:
            raise write_error(self.folder, error) from error
        _complete(self.folder)


@contextmanager
def replacing_set(folder: Path) -> Iterator[FileSet]:
    """Yield a `FileSet`; when the block ends without an exception, all its files take effect together.

    The new files are written into temporary folders next to their places. When all of them are complete and flushed, a
    journal that lists them is written; from then on the new set is valid: if the process is killed before all files are
    renamed, `recover` renames the rest. Before that moment nothing outside the temporary folders has changed. If a file
    cannot be put in place, those that were are put back.

    Parameters
    ----------
    folder : the folder that most of the files are in; its journal is what `recover(folder)` completes.

    Raises
    ------
    InputError, DiskFullError
        A file cannot be written; no file has changed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     with replacing_set(Path(name)) as files:
    ...         _ = files.new(Path(name) / "a.txt").write_text("one")
    ...         _ = files.new(Path(name) / "b.txt").write_text("two")
    ...     sorted(path.name for path in Path(name).iterdir())
    ['a.txt', 'b.txt']
    """
    with ExitStack() as stack:
        made = stack.enter_context(workshop(folder))
        files = FileSet(made, stack)
        files._workshops[folder.resolve()] = made
        yield files
        files.commit()


def recover(folder: Path) -> None:
    """Complete the sets of files in `folder` that a killed process had committed, and delete its temporary folders.

    Temporary folders that a running process uses, or that belong to another user, are not touched.
    """
    try:
        found = [path for path in folder.iterdir() if _WORKSHOP_NAME.fullmatch(path.name)]
    except OSError:
        return
    for path in found:
        with suppress(OSError):
            if _is_own_folder(path):
                _recover_one(path)


def _recover_one(made: Path) -> None:
    owner = made / _OWNER
    if not owner.exists():
        with suppress(OSError):
            made.rmdir()  # killed between the last two steps of `_delete`, or before it took the lock
        if made.exists() and time.time() - made.stat().st_mtime > _UNOWNED_AGE_S:
            shutil.rmtree(made, ignore_errors=True)
        return
    lock = _lock(owner)
    if lock is None:
        return
    is_done = True
    try:
        if (made / _COMMIT).exists() or (made / _ROLLBACK).exists():
            with suppress(FaderwiseError):  # neither forward nor back: the next run tries again
                is_done = False
                _complete(made)
                is_done = True
        elif (main := _journal_elsewhere(made)) is not None:
            recover(main.parent)
            is_done = _journal_elsewhere(made) is None
    finally:
        _unlock(lock)
    if is_done:
        _delete(made)


def _delete(made: Path) -> None:
    """Delete a temporary folder, its lock file last, so that a kill leaves a folder that `recover` recognises."""
    with suppress(OSError):
        for path in made.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _OWNER:
                path.unlink(missing_ok=True)
        (made / _OWNER).unlink(missing_ok=True)
        made.rmdir()


def _journal_elsewhere(made: Path) -> Path | None:
    """Return the folder with the journal of the set that a temporary folder belongs to, if the set is not complete."""
    try:
        main = Path((made / _MAIN).read_text())
    except (OSError, UnicodeDecodeError):
        return None
    is_open = main.name != made.name and any((main / name).exists() for name in (_COMMIT, _ROLLBACK))
    return main if is_open and _WORKSHOP_NAME.fullmatch(main.name) else None


def _complete(made: Path) -> None:
    """Rename the files of a committed set into place; if that fails, put the old ones back.

    Raises
    ------
    InputError, DiskFullError
        A file cannot be put in place.
    """
    if (made / _ROLLBACK).exists():
        _roll_back(made, _read_journal(made / _ROLLBACK))
        return
    entries = _read_journal(made / _COMMIT)
    path = made
    try:
        for entry in entries:
            staged = _staged(made, entry)
            path = staged.parent.parent / entry.name
            if entry.is_new and not staged.exists():
                continue  # renamed before the process was killed
            if entry.keep_as is not None and path.is_file() and not (path.parent / entry.keep_as).exists():
                (path.parent / entry.keep_as).parent.mkdir(parents=True, exist_ok=True)
                _link_or_copy(path, path.parent / entry.keep_as)
            if entry.is_new:
                staged.replace(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        (made / _COMMIT).replace(made / _ROLLBACK)
        _roll_back(made, entries)
        raise write_error(path, error) from error
    for parent in {_staged(made, entry).parent.parent for entry in entries}:
        _flush_folder(parent)
    (made / _COMMIT).unlink(missing_ok=True)


def _roll_back(made: Path, entries: list[_Entry]) -> None:
    for entry in entries:
        staged = _staged(made, entry)
        path, backup = staged.parent.parent / entry.name, _backup_of(staged)
        if not entry.existed and not staged.exists():
            path.unlink(missing_ok=True)
        elif entry.existed and backup.exists():
            backup.replace(path)
        if entry.keep_as is not None:
            kept = path.parent / entry.keep_as
            kept.unlink(missing_ok=True)
            if kept.parent != path.parent:
                with suppress(OSError):
                    kept.parent.rmdir()
    (made / _ROLLBACK).unlink(missing_ok=True)


def _read_journal(path: Path) -> list[_Entry]:
    """Return the entries of a journal that name files next to temporary folders of the same set, and nothing else.

    A journal in a folder that came from elsewhere cannot name files outside that folder: the other temporary folder
    would have to contain its token.
    """
    try:
        journal = json.loads(path.read_bytes())
        entries = [_Entry(**entry) for entry in journal["entries"]]
        return [entry for entry in entries if _is_valid(_staged(path.parent, entry).parent, entry, journal["token"])]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []


def _is_valid(made: Path, entry: _Entry, token: str) -> bool:
    kept = Path(entry.keep_as or "kept")
    if entry.name != Path(entry.name).name or entry.name in ("", ".", "..") or kept.is_absolute() or ".." in kept.parts:
        return False
    try:
        has_token = (made / _TOKEN).read_text() == token
    except (OSError, UnicodeDecodeError):
        return False
    return has_token and _WORKSHOP_NAME.fullmatch(made.name) is not None and _is_own_folder(made)


def _staged(made: Path, entry: _Entry) -> Path:
    return (Path(entry.workshop) if entry.workshop else made) / entry.name


def _backup_of(staged: Path) -> Path:
    return staged.with_name(f".old-{hashlib.sha256(os.fsencode(staged.name)).hexdigest()[:16]}")


@contextmanager
def replacing(path: Path, *, keep_old: bool = True) -> Iterator[Path]:
    """Yield a temporary path; when the block ends without an exception, that file becomes `path`.

    On an error or an interrupt the temporary file is removed and `path` is unchanged. With `keep_old`, a file of other
    content at `path` is kept under its time of change. A path in the folder of a `FileSet` is temporary itself.

    Raises
    ------
    InputError
        The folder cannot be written to, or `path` is a folder, a device, a pipe or a socket.
    DiskFullError
        The disk is full.
    """
    _require_replaceable(path)
    if _WORKSHOP_NAME.fullmatch(path.parent.name):
        try:
            path.touch()
            yield path
        except OSError as error:
            raise write_error(path, error) from error
        return
    with workshop(path.parent) as made:
        staged = made / path.name
        try:
            staged.open("xb").close()
            yield staged
            flush(staged)
            if keep_old and _differs(path, staged):
                _link_or_copy(path, path.with_name(_name_to_keep(path)))
            staged.replace(path)
        except OSError as error:
            raise write_error(path, error) from error


def move_into_place(made: Path, path: Path) -> None:
    """Move a finished file to `path` on the same disk; a file of other content there is kept under its time of change.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _require_replaceable(path)
        if _differs(path, made):
            _link_or_copy(path, path.with_name(_name_to_keep(path)))
        made.replace(path)
    except OSError as error:
        raise write_error(path, error) from error


def write_text(path: Path, text: str, *, keep_old: bool = True) -> None:
    """Write `text` as UTF-8 with LF line ends, all or nothing.

    Parameters
    ----------
    path : the file to write.
    text : its content.
    keep_old : whether an existing file with other content is set aside.
    """
    with replacing(path, keep_old=keep_old) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any, *, keep_old: bool = True) -> None:
    """Write `content` as indented JSON, all or nothing. NaN and infinities are refused.

    Parameters
    ----------
    path : the file to write.
    content : anything that the json module encodes.
    keep_old : whether an existing file with other content is set aside.
    """
    write_text(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n", keep_old=keep_old)


def undecodable() -> tuple[type[Exception], type[Exception], type[Exception]]:
    """Return what msgspec raises for damaged files, including text that is not UTF-8 and excessive nesting."""
    import msgspec  # noqa: PLC0415 - help and small commands use this module, and decode nothing

    return (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


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


def content_hash(*paths: Path) -> str:
    """Return the SHA-256 of the bytes of a file, or of several in turn, as ``"sha256:..."``."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def write_error(path: Path, error: OSError) -> FaderwiseError:
    """Return the error that reports why `path` could not be written: a full disk, or a folder that cannot be used."""
    reason = error.strerror or error
    while _WORKSHOP_NAME.fullmatch(path.parent.name):  # name the user's file
        path = path.parent.with_name(path.name)
    path = path.parent if _WORKSHOP_NAME.fullmatch(path.name) else path
    if error.errno in _NO_ROOM:
        problem = f"cannot be written: the disk is full, or the file is too large for it ({reason})"
        return DiskFullError(problem, path=path, remedy="free some space, and try again")
    return InputError(f"cannot be written ({reason})", path=path, remedy="choose another folder")


def _require_replaceable(path: Path) -> None:
    """Refuse a name that is too long, and what a rename would destroy: a folder, a device, a pipe, a socket."""
    try:
        kind = stat.S_IFMT(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return  # the folder is created, or reported, later
    except OSError as error:
        raise write_error(path, error) from error
    if kind == stat.S_IFDIR:
        raise InputError("cannot be written (there is a folder of that name)", path=path, remedy="move it away")
    if kind not in (stat.S_IFREG, stat.S_IFLNK):
        raise InputError("is a device, a pipe or a socket", path=path, remedy="choose another name")


def _create_folders(folder: Path) -> list[Path]:
    """Create `folder` and its parents, and return those that were missing."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()][::-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(folder, error) from error
    return missing


def _owned_folder(folder: Path) -> tuple[Path, int]:
    """Create a temporary folder and take its lock."""
    while True:
        made = folder / f"{WORKSHOP}{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)  # another process may have removed it as empty
            made.mkdir(mode=0o700)
            lock = _lock(made / _OWNER)
        except FileNotFoundError:
            continue  # another process cleared the folder before it had its lock file
        except OSError as error:
            shutil.rmtree(made, ignore_errors=True)
            raise write_error(folder, error) from error
        except BaseException:  # interrupted
            shutil.rmtree(made, ignore_errors=True)
            raise
        if lock is not None:
            if (made / _OWNER).exists():
                return made, lock
            _unlock(lock)  # another process cleared the folder before it was locked


def _lock(path: Path) -> int | None:
    """Lock a file until the process ends or unlocks the returned descriptor; None if another one has locked it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, (BlockingIOError, PermissionError)):
            return None
        raise
    return descriptor


def _unlock(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    os.close(descriptor)


def _is_own_folder(path: Path) -> bool:
    state = path.lstat()
    return stat.S_ISDIR(state.st_mode) and (os.name == "nt" or state.st_uid == os.geteuid())


def flush(path: Path) -> None:
    """Wait until the disk has a file's content."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    if os.name == "nt":
        return
    with suppress(OSError):  # some file systems cannot
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_and_flush(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _differs(path: Path, new: Path) -> bool:
    """Return whether `path` is a file with other content than `new`."""
    if not path.is_file():
        return False
    return path.stat().st_size != new.stat().st_size or content_hash(path) != content_hash(new)


def _name_to_keep(path: Path) -> str:
    """Return an unused name for the present file at `path`: with its time of change, and a number where needed."""
    stamp = _changed_at(path)
    kept = _sibling(path, "", f".{stamp}")
    number = 2
    while kept.exists():
        kept = _sibling(path, "", f".{stamp}-{number}")
        number += 1
    return kept.name


def _sibling(path: Path, before: str, after: str) -> Path:
    """Return a path next to `path` with text around its stem, whose end is cut where the name would be too long."""
    room = _LONGEST_NAME_BYTES - len(os.fsencode(before + after + path.suffix))
    stem = os.fsencode(path.stem)
    fits = path.stem if len(stem) <= room else stem[: max(room, 0)].decode(errors="ignore")
    return path.with_name(f"{before}{fits}{after}{path.suffix}")


def _changed_at(path: Path) -> str:
    """Return when a file was last changed, for a name; now where the file's time is out of range."""
    changed_s = path.stat().st_mtime
    try:
        then = time.localtime(changed_s)
    except (OverflowError, ValueError, OSError):
        then = time.localtime()
    return time.strftime("%Y%m%d-%H%M%S", then)


def _link_or_copy(path: Path, kept: Path) -> None:
    """Make the file at `path` available at `kept` too, so that there is no instant at which it is at neither."""
    try:
        kept.hardlink_to(path)
    except OSError:  # a file system without hard links
        copy = _sibling(kept, ".", f"-{secrets.token_hex(4)}")
        try:
            shutil.copy2(path, copy)
            copy.replace(kept)
        finally:
            copy.unlink(missing_ok=True)


def require_writable_folder(folder: Path) -> None:
    """Raise an `InputError` if no file can be written into `folder`, which may not exist yet; nothing is written."""
    existing = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if not existing.is_dir():
        problem = "it is a file" if existing == folder else f"{existing} is a file"
    elif not os.access(existing, os.W_OK | os.X_OK):
        problem = os.strerror(errno.EACCES)
    else:
        return
    raise InputError(f"cannot be written to ({problem})", path=folder, remedy="choose another folder")


def require_folder(path: Path, remedy: str) -> None:
    """Raise an `InputError` where `path` is not a folder; `remedy` is for a path that does not exist."""
    if path.is_dir():
        return
    if path.exists():
        raise InputError("is a file", path=path, remedy="give the folder that contains it")
    raise InputError("no such folder", path=path, remedy=f"{similar_path(path)}{remedy}")


def similar_path(path: Path) -> str:
    """Return "did you mean PATH? " with the most similar name in the folder of a missing file, or an empty string."""
    from difflib import get_close_matches  # noqa: PLC0415 - commands without an error start faster

    try:
        found = {other.name.casefold(): other for other in sorted(path.parent.iterdir()) if other.name[:1] != "."}
    except OSError:
        return ""
    near = get_close_matches(path.name.casefold(), found, 1, _SIMILAR)
    return f"did you mean {found[near[0]]}? " if near else ""
