"""Open a song folder, with buses and mixdown chosen by hand where given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from core.audio.song import Song, open_song
from core.errors import InputError
from core.roles import canonical_role


def open_song_folder(song: str, buses: Mapping[str, str], mixdown: str | None = None) -> Song:
    """Return the song in the folder `song`.

    Parameters
    ----------
    song : a SONG_DIR.
    buses : role to file name (in that folder) or path, as `--bus ROLE=FILE` gives them.
    mixdown : the mixdown's path, or None for the one in the folder.

    Raises
    ------
    InputError
        As `core.audio.song.open_song`, or a role's name is a mixdown's, or two names mean one role.
    """
    folder = Path(song)
    chosen: dict[str, Path] = {}
    for name, file in buses.items():
        role = canonical_role(name)
        if role in chosen:
            raise InputError(
                f"--bus {name}=...: the role {role} was given twice", remedy="a stem is one file, so sum them first"
            )
        chosen[role] = _in_folder(folder, file)
    return open_song(folder, buses=chosen, mixdown=_in_folder(folder, mixdown) if mixdown else None)


def _in_folder(folder: Path, name: str) -> Path:
    inside = folder / name
    return inside if inside.is_file() else Path(name)
