"""The error tree. A message names the file, what was found and what would be right.

FaderwiseError
├── InputError (also a ValueError)    something the user gave cannot be used: exit code 2
│   ├── ModelError                    a model file, or a model that does not fit the song
│   └── DiskFullError                 there is no room for what is to be written
├── ServerError                       the analysis server refused, was lost or ended a job; it has a `code`
└── Cancelled                         the work was told to stop: nothing half-written stays
"""

import errno

_NO_SUCH_PLACE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS}
)

_LONGEST_SHOWN = 1000


class FaderwiseError(Exception):
    """Root of every error this project raises on purpose."""


class InputError(FaderwiseError, ValueError):
    """Something the user gave cannot be used; the message says what would be right."""


class ModelError(InputError):
    """A model file is unreadable, or a model does not fit what it is asked to mix."""


class Cancelled(FaderwiseError):  # noqa: N818 - nothing went wrong
    """The work was told to stop."""


class DiskFullError(InputError):
    """There is no room for what is to be written."""


class ServerError(FaderwiseError):
    """The analysis server refused, was lost, or ended a job; `code` is one of docs/protocol.md, section 9."""

    def __init__(self, message: str, code: str = "internal") -> None:
        super().__init__(message)
        self.code = code


def as_told(error: BaseException) -> BaseException:
    """Return what the user is told of `error`, where work ends.

    A path that the system does not take (too long, not there, not permitted, a NUL in it) is an `InputError` that names
    it, whoever came upon it, and so is a name that is no text, a link that leads to itself, and a home folder that
    nobody has; anything else stays what it is.
    """
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return InputError(f"{_named_in(error)}: this name is no text in UTF-8; rename it, and try again")
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return InputError("a path holds a NUL, which no file's name does; give another name")
    if isinstance(error, RuntimeError) and str(error).startswith("Symlink loop"):
        return InputError(f"{str(error).partition(' from ')[2]}: is a link that leads to itself; remove it")
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return InputError(
            "a path begins with ~, or none was given, and there is no such home folder; give a whole path"
        )
    if not isinstance(error, OSError) or error.errno not in _NO_SUCH_PLACE or not error.filename:
        return error
    return InputError(f"{error.filename}: cannot be used ({error.strerror}); check its name and its permissions")


def _named_in(error: UnicodeEncodeError) -> str:
    """Return the word, most often a path, in which a text could not be encoded, as every terminal can show it."""
    start = max(error.object.rfind(mark, 0, error.start) for mark in '\n"') + 1
    ends = [end for mark in '\n"' if (end := error.object.find(mark, error.end)) >= 0]
    return error.object[start : min(ends, default=None)][:_LONGEST_SHOWN].encode(errors="backslashreplace").decode()
