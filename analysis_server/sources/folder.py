"""Open a song folder, with buses and mixdown chosen by hand where given."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analysis_server.sources.dataset import Layout, layout_of
from core.audio.song import LEFT_OUT, Song, open_song
from core.errors import InputError
from core.roles import canonical_role

_MAIN_BUSES = ("drums", "bass", "vocals")


def open_song_folder(
    song: str, buses: Mapping[str, str | Sequence[str]], mixdown: str | None = None, *, complete: bool = False
) -> Song:
    """Return the song in the folder `song`.

    Parameters
    ----------
    song : a SONG_DIR.
    buses : role to file names (in that folder) or paths, as `--bus ROLE=FILE` gives them.
    mixdown : the mixdown's path, or None for the one in the folder.
    complete : whether to refuse a song that lacks a main bus while the name of one of its files was not understood.

    Raises
    ------
    InputError
        As `core.audio.song.open_song`; or a role is a mixdown's name; or the song is incomplete.
    """
    folder = Path(song)
    chosen: dict[str, list[Path]] = {}
    for name, files in buses.items():
        role = LEFT_OUT if name == LEFT_OUT else canonical_role(name)
        names = [files] if isinstance(files, str) else files
        chosen.setdefault(role, []).extend(_in_folder(folder, file) for file in names)
    layout = layout_of(folder) if folder.is_dir() else Layout(folder)
    if layout.buses and not chosen:
        chosen = {role: [layout.stems / file for file in files] for role, files in layout.buses.items()}
    given = _in_folder(folder, mixdown) if mixdown else layout.mixdown
    found = open_song(layout.stems, buses=chosen, mixdown=given)
    if layout.stems != folder:
        found = replace(found, title=folder.resolve().name)
    missing = [bus for bus in _MAIN_BUSES if bus not in found.stems]
    if complete and missing and found.ignored:
        _refuse_incomplete(found, missing)
    return found


def _refuse_incomplete(song: Song, missing: Sequence[str]) -> None:
    names = [path.name for path in song.ignored]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    there_is = "was" if len(names) == 1 else "were"
    raise InputError(
        f"no file of the {' or the '.join(missing)} was found, and {shown} {there_is} not understood",
        path=song.ignored[0].parent,
        option="--bus",
        remedy=f"add --bus {shlex.quote(f'{missing[0]}={names[0]}')} to use it, or "
        f"--bus {shlex.quote(f'{LEFT_OUT}={names[0]}')} to leave it out",
    )


def _in_folder(folder: Path, name: str) -> Path:
    inside = folder / name
    return inside if inside.is_file() else Path(name)
