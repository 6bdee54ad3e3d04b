"""What `--bus` means: a file of a song folder, or tracks of a REAPER project."""

from __future__ import annotations

from collections.abc import Sequence

from analysis_server.projects.opening import is_project
from core.errors import InputError

Chosen = Sequence[tuple[str, str]]


def files_by_role(chosen: Chosen) -> dict[str, str]:
    """Return each role's file.

    Raises
    ------
    InputError
        A role was given twice.
    """
    roles = [role for role, _ in chosen]
    twice = sorted({role for role in roles if roles.count(role) > 1})
    if twice:
        raise InputError(f"--bus {twice[0]}=... was given twice; a stem is one file, so sum them first")
    return dict(chosen)


def files_of(chosen: Chosen, *songs: str) -> dict[str, str]:
    """Return each role's file, where `songs` are folders; none where they are projects.

    Raises
    ------
    InputError
        Files and tracks are mixed, or a role was given twice.
    """
    if chosen and len({is_project(song) for song in songs}) > 1:
        raise InputError(
            "--bus means a file in a song's folder and a track in a project; learn from one kind at a time"
        )
    return {} if all(map(is_project, songs)) else files_by_role(chosen)


def tracks_of(chosen: Chosen, *songs: str) -> dict[str, list[str]]:
    """Return each role's tracks, where `songs` are projects; none where they are folders."""
    if not all(map(is_project, songs)):
        return {}
    tracks: dict[str, list[str]] = {}
    for role, track in chosen:
        tracks.setdefault(role, []).append(track)
    return tracks
