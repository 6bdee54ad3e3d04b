"""Exceptions with the fields that front ends render.

FaderwiseError                        exit code 1
├── InputError (also a ValueError)    something the user gave cannot be used: exit code 2
│   └── ModelError                    a model file is unreadable, or a model does not fit the song
├── DiskFullError                     there is not enough free space
├── ServerError                       the analysis server refused, was lost or ended a job; has a `code`
└── Cancelled                         the work was cancelled
"""

from __future__ import annotations

import errno
import os

_NO_SUCH_PLACE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS}
)

_LONGEST_SHOWN = 1000


class FaderwiseError(Exception):
    """Root of every error that this project raises on purpose.

    Parameters
    ----------
    problem : what is wrong, without the path and the remedy.
    path : the file or folder concerned.
    remedy : what the user can do about it, in the imperative.
    option : the command-line option (`--bus`) or dialog field that is wrong.
    """

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
    """Something the user gave cannot be used."""


class ModelError(InputError):
    """A model file is unreadable, or a model does not fit the song."""


class Cancelled(FaderwiseError):  # noqa: N818 - not an error: the user asked for it
    """The work was cancelled."""

    def __init__(self, problem: str = "cancelled") -> None:
        super().__init__(problem)


class DiskFullError(FaderwiseError):
    """There is not enough free space to write a file."""


class ServerError(FaderwiseError):
    """The analysis server refused, was lost, or ended a job; `code` is one of docs/reference/protocol.md, section 9."""

    def __init__(self, problem: str, code: str = "internal", *, remedy: str | None = None) -> None:
        super().__init__(problem, remedy=remedy)
        self.code = code


def as_told(error: BaseException) -> BaseException:
    """Return what the user is told of `error`, where work ends.

    A path that the system does not take (too long, not there, not permitted, a NUL in it) is an `InputError` that names
    it, whoever came upon it, and so is a name that is no text, a link that leads to itself, and a home folder that
    nobody has; anything else stays what it is.
    """
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return InputError("this name is no text in UTF-8", path=_named_in(error), remedy="rename it, and try again")
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return InputError("a path holds a NUL, which no file's name does", remedy="give another name")
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):
        return InputError("is a link that leads to itself", path=str(error).partition(" from ")[2], remedy="remove it")
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return InputError(
            "a path begins with ~, or none was given, and there is no such home folder", remedy="give a whole path"
        )
    if not isinstance(error, OSError) or error.errno not in _NO_SUCH_PLACE or not error.filename:
        return error
    return InputError(
        f"cannot be used ({error.strerror})", path=error.filename, remedy="check its name and its permissions"
    )


def _named_in(error: UnicodeEncodeError) -> str:
    """Return the word, most often a path, in which a text could not be encoded, as every terminal can show it."""
    start = max(error.object.rfind(mark, 0, error.start) for mark in '\n"') + 1
    ends = [end for mark in '\n"' if (end := error.object.find(mark, error.end)) >= 0]
    return error.object[start : min(ends, default=None)][:_LONGEST_SHOWN].encode(errors="backslashreplace").decode()
