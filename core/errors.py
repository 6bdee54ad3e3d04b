"""The error tree. A message names the file, what was found and what would be right.

FaderwiseError
├── InputError (also a ValueError)    something the user gave cannot be used: exit code 2
│   └── ModelError                    a model file, or a model that does not fit the song
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
