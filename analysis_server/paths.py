"""Folders of the application: user data, bundled files, the bundled song."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import InputError


def home() -> Path:
    """Return the folder: `FADERWISE_HOME`, or the user's data folder of this system."""
    chosen = os.environ.get("FADERWISE_HOME")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs  # noqa: PLC0415 - install.py imports this module before anything is installed

    return Path(platformdirs.user_data_dir("faderwise", appauthor=False))


def carried(name: str) -> Path:
    """Return the folder called `name`, `/` between its parts.

    Raises
    ------
    InputError
        It is in neither place: the installation is damaged.
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
        It is not there: the installation is damaged.
    """
    return carried("examples/caesium")
