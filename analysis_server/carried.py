"""What the program carries beside its code: it lies in the checkout, or inside the installed package."""

from __future__ import annotations

from pathlib import Path

from core.errors import InputError


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
    raise InputError(f"{here}: {name} is missing; install Faderwise again")
