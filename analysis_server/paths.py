"""Folders of the application, and the kinds of paths that users give."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import InputError

_PROJECT_SUFFIXES = (".rpp", ".rpp-bak")
"""A project, and the backup that REAPER makes of it when it saves."""


def home() -> Path:
    """Return the folder of the user's models, keys and runs: `FADERWISE_HOME`, or the system's user data folder.

    Raises
    ------
    InputError
        `FADERWISE_HOME` begins with the home folder of a user that does not exist.
    """
    chosen = os.environ.get("FADERWISE_HOME")
    if chosen:
        folder = os.path.expanduser(chosen)  # noqa: PTH111 - Path.expanduser raises RuntimeError for an unknown user
        if folder.startswith("~"):
            raise InputError("no such home folder", path=chosen, option="FADERWISE_HOME", remedy="give a full path")
        return Path(folder)
    import platformdirs  # noqa: PLC0415 - install.py imports this module before anything is installed

    return Path(platformdirs.user_data_dir("faderwise", appauthor=False))


def is_project(path: str) -> bool:
    """Return whether `path` names a REAPER project or a backup of one."""
    return Path(path).suffix.lower() in _PROJECT_SUFFIXES


def carried(name: str) -> Path:
    """Return the bundled folder called `name`, with `/` between its parts.

    Raises
    ------
    InputError
        It is missing: the installation is damaged.
    """
    here = Path(__file__).resolve().parent
    for folder in (here.parent / name, here / name):
        if folder.is_dir():
            return folder
    raise InputError(f"{name} is missing", path=here, remedy="install Faderwise again")


def bundled_song() -> Path:
    """Return the folder of the bundled song.

    Raises
    ------
    InputError
        It is missing: the installation is damaged.
    """
    return carried("examples/caesium")
