"""Where the bundled song lies: in the checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

from core.errors import InputError

_NAME = "caesium"


def bundled_song() -> Path:
    """Return the folder of the bundled song.

    Raises
    ------
    InputError
        It is in neither place: the installation is damaged.
    """
    here = Path(__file__).resolve().parent
    for folder in (here.parent / "examples" / _NAME, here / "examples" / _NAME):
        if folder.is_dir():
            return folder
    raise InputError(f"{here}: the bundled song is missing; install Faderwise again")
