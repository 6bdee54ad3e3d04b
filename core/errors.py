"""Exceptions with the fields that front ends render.

FaderwiseError                        exit code 1
├── InputError (also a ValueError)    invalid input: exit code 2
│   └── ModelError                    a model file is unreadable, or a model does not fit the song
├── DiskFullError                     there is not enough free space
├── ServerError                       the analysis server refused, was lost or ended a job; has a `code`
└── Cancelled                         the work was cancelled
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

_BAD_PATH = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS}
)
_DISK_FULL = frozenset({errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)})
_NOT_TEXT = "the name is not valid UTF-8"
_LONGEST_SHOWN = 1000


class FaderwiseError(Exception):
    """Root of every error that this project raises on purpose.

    Parameters
    ----------
    problem : what is wrong, without the path and the remedy.
    path : the file or folder concerned.
    remedy : what the user can do about it, in the imperative.
    option : the command-line option (`--bus`) or dialog field that is wrong.

    Attributes
    ----------
    code : the kind of error for programs: one of docs/reference/protocol.md, section 7.
    """

    code = "failed"

    def __init__(
        self,
        problem: str,
        *,
        path: str | os.PathLike[str] | None = None,
        remedy: str | None = None,
        option: str | None = None,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = None if path is None else os.fspath(path)
        self.remedy = remedy
        self.option = option

    def __str__(self) -> str:
        """Return the error as one line: `OPTION: PATH: problem; remedy`, without the parts that are missing."""
        subject = "".join(f"{part}: " for part in (self.option, self.path) if part)
        return f"{subject}{self.problem}" + (f"; {self.remedy}" if self.remedy else "")


class InputError(FaderwiseError, ValueError):
    """The user's input cannot be used."""

    code = "input"


class ModelError(InputError):
    """A model file is unreadable, or a model does not fit the song."""

    code = "model"


class Cancelled(FaderwiseError):  # noqa: N818 - not an error: the user asked for it
    """The work was cancelled."""

    code = "cancelled"

    def __init__(self, problem: str = "cancelled") -> None:
        super().__init__(problem)


class DiskFullError(FaderwiseError):
    """There is not enough free space to write a file."""

    code = "disk_full"


class OutOfMemoryError(FaderwiseError):
    """The work needs more memory than is available."""

    code = "out_of_memory"


class ServerError(FaderwiseError):
    """The analysis server refused, was lost, or ended a job; `code` is one of docs/reference/protocol.md, section 7."""

    def __init__(
        self,
        problem: str,
        code: str = "internal",
        *,
        path: str | os.PathLike[str] | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(problem, path=path, remedy=remedy)
        self.code = code


def to_user_error(error: BaseException) -> BaseException:
    """Return the error to report for `error` where work ends.

    A path that the system rejects (missing, too long, not permitted) and a name that is not text become an `InputError`
    that names it; a full disk becomes a `DiskFullError`; a lack of memory, also for another thread, becomes an
    `OutOfMemoryError`; every other error is returned unchanged.
    """
    if isinstance(error, MemoryError) or _lacks_memory(error):
        return OutOfMemoryError(
            "the work needs more memory than is available", remedy="close other programs, or use shorter songs"
        )
    if isinstance(error, UnicodeEncodeError) and _is_surrogate(error.object[error.start]):
        name = _word_around(error.object, error.start)
        return InputError(_NOT_TEXT, path=name, remedy="rename it, and try again")
    if not isinstance(error, OSError):
        return error
    if error.errno in _DISK_FULL:
        problem = f"the disk is full, or the file is too large for it ({error.strerror})"
        return DiskFullError(problem, path=error.filename, remedy="free some space, and try again")
    if error.errno in _BAD_PATH and error.filename:
        remedy = "check its name and its permissions"
        return InputError(f"cannot be used ({error.strerror})", path=error.filename, remedy=remedy)
    return error


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "did you mean NAME? " with the one of `known` that `word` is most like or begins, or an empty string."""
    from difflib import get_close_matches  # noqa: PLC0415 - commands without an error start faster

    names = list(known)
    near = get_close_matches(word.casefold(), names, 1) or [name for name in names if name.startswith(word)]
    return f"did you mean {near[0]}? " if near else ""


def require_text(word: str) -> None:
    """Raise an `InputError` unless `word` can be part of a path and of a text file.

    Raises
    ------
    InputError
        It contains a NUL, or bytes that are not UTF-8 (which Python keeps as lone surrogates).
    """
    if "\0" in word:
        raise InputError("a path cannot contain a NUL", path=_shown(word), remedy="give another name")
    if any(map(_is_surrogate, word)):
        raise InputError(_NOT_TEXT, path=_shown(word), remedy="rename it, and try again")


def _lacks_memory(error: BaseException) -> bool:
    # CPython raises a plain RuntimeError, without a field, where the system refuses a thread
    thread_refused = isinstance(error, RuntimeError) and str(error) == "can't start new thread"
    return thread_refused or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _word_around(text: str, at: int) -> str:
    """Return the quoted string or line of `text` around the position `at`: most often a path, with escapes."""
    start = max(text.rfind(mark, 0, at) for mark in '\n"') + 1
    ends = [end for mark in '\n"' if (end := text.find(mark, at)) >= 0]
    return _shown(text[start : min(ends, default=None)])


def _shown(text: str) -> str:
    return text[:_LONGEST_SHOWN].encode(errors="backslashreplace").decode().replace("\0", "\\0")
