"""The error tree. A message names the file, what was found and what would be right.

FaderwiseError
├── InputError (also a ValueError)    something the user gave cannot be used: exit code 2
│   ├── ModelError                    a model file, or a model that does not fit the song
│   └── DiskFullError                 there is no room for what is to be written
├── ServerError                       the analysis server refused, was lost or ended a job; it has a `code`
└── Cancelled                         the work was told to stop: nothing half-written stays
"""


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
