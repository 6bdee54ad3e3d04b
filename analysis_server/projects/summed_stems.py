"""A project's stems summed from its media, and what such a sum leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis_server.projects.project_mixdown import find_mixdown
from analysis_server.projects.session import SUMMING_SHARE, Session
from analysis_server.telling import Tell, stage
from core.audio.reading import inspect
from core.audio.song import Song
from core.errors import InputError
from core.rpp.buses import Buses
from core.rpp.left_out import sentences
from core.rpp.project import Project, Track
from core.rpp.routing import reached
from core.rpp.summing import has_sound, write_stems


def summed_session(project: Project, buses: Buses, folder: Path, mixdown: str | None, tell: Tell) -> Session:
    """Return the session whose stems are summed from the project's media, into `folder`.

    Raises
    ------
    InputError
        No bus plays an audio file, or one cannot be read.
    """
    playing = {role: tracks for role, tracks in buses.tracks.items() if has_sound(project, tracks)}
    if not playing:
        raise InputError(
            f"{project.path}: none of its buses plays an audio file, so nothing can be summed; export the buses as "
            "stems from REAPER and give their folder with --stems"
        )
    silent = [
        f"the {role} play no audio file and were left out; export their stem from REAPER and use --stems"
        for role in buses.tracks
        if role not in playing
    ]
    progress = stage(tell, f"summing the media of {project.path.stem}", 0.0, SUMMING_SHARE)
    files = write_stems(project, playing, folder, progress=progress)
    song = Song(
        title=project.path.stem,
        stems={role: inspect(path) for role, path in files.items()},
        mixdown=find_mixdown(project, mixdown),
    )
    notes = (*buses.notes, *silent, *_sum_notes(project, playing))
    return Session(project=project, song=song, tracks=playing, notes=notes, is_summed=True)


def _sum_notes(project: Project, playing: Mapping[str, tuple[Track, ...]]) -> list[str]:
    buses = [track for tracks in playing.values() for track in tracks]
    indices = {part.index for track in buses for part in reached(project, track)}
    inside = [track for track in project.tracks if track.index in indices]
    outside = [
        track.title
        for track in project.tracks
        if track.index not in indices and not track.is_muted and any(not item.is_muted for item in track.items)
    ]
    notes = sentences(project, inside, buses)
    if outside:
        notes.append(f"outside the buses, so not in the mix: {', '.join(outside)}")
    return notes
