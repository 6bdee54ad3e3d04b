"""A project's stems as they were exported: which file belongs to which bus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis_server.projects.project_mixdown import find_mixdown, named_file
from analysis_server.projects.session import Session
from core import roles
from core.audio.reading import EXTENSIONS
from core.audio.song import open_song
from core.errors import InputError
from core.rpp.buses import Buses
from core.rpp.project import Project, Track


def session_with_stems(project: Project, buses: Buses, folder: Path, mixdown: str | None) -> Session:
    """Return the session whose stems were exported into `folder`.

    Raises
    ------
    InputError
        The folder holds no stems that can be read, or none that belongs to a bus.
    """
    named = _stems_by_track(folder, buses)
    song = open_song(folder, buses=named, mixdown=named_file(project, mixdown))
    song = replace(song, title=project.path.stem, mixdown=song.mixdown or find_mixdown(project, None))
    tracks = {role: buses.tracks[role] for role in song.stems if role in buses.tracks}
    if not tracks:
        raise InputError(
            f"{folder}: none of its stems ({', '.join(song.stems)}) belongs to a bus of {project.path.name} "
            f"({', '.join(buses.tracks)}); name them alike, or choose tracks with --bus"
        )
    notes = [
        f"{file.path.name} has no track in {project.path.name}; its curve is in the other files alone, use --bus "
        f"'{role}=TRACK' to choose one"
        for role, file in song.stems.items()
        if role not in tracks
    ]
    notes += [
        f"the {role} have no stem in {folder}; their tracks stay as they are"
        for role in buses.tracks
        if role not in tracks
    ]
    return Session(project=project, song=song, tracks=tracks, notes=(*buses.notes, *notes))


def _stems_by_track(folder: Path, buses: Buses) -> dict[str, Path]:
    """Return the files that are named after a bus's one track, by role, as REAPER names what it exports."""
    if not folder.is_dir():
        return {}
    files = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in EXTENSIONS]
    named = {}
    for role, tracks in buses.tracks.items():
        ours = [path for path in files if len(tracks) == 1 and _is_named_after(path.stem, tracks[0])]
        if len(ours) == 1 and roles.role_of(ours[0].stem) is None:
            named[role] = ours[0]
    return named


def _is_named_after(stem: str, track: Track) -> bool:
    name = track.name.casefold().strip()
    return bool(name) and (stem.casefold() == name or stem.casefold().endswith((f"-{name}", f"_{name}", f" {name}")))
