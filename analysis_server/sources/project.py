"""Open what a request names: a song folder, a project, or a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from analysis_server.paths import is_project
from analysis_server.sources.folder import open_song_folder
from analysis_server.sources.session import Level, ProjectParts, Session, SongRequest
from analysis_server.sources.stems import (
    find_mixdown,
    session_with_stems,
    session_with_track_stems,
    song_of,
    summed_session,
)
from core.audio.song import Song
from core.errors import InputError
from core.files import temporary_folder
from core.progress import ProgressCallback
from core.roles import canonical_role
from core.rpp.buses import Buses, find_buses
from core.rpp.project import read_project
from core.rpp.single_tracks import single_tracks
from core.rpp.write import require_audible

_NO_PARTS = ProjectParts()


@dataclass(frozen=True)
class Opened:
    """A song, its session where a project was named, and the progress callback for the work on it."""

    song: Song
    session: Session | None
    progress: ProgressCallback


@contextmanager
def opened_song(
    request: SongRequest, progress: ProgressCallback, *, mixdown: str | None = None, level: Level = "buses"
) -> Iterator[Opened]:
    """Yield the song that a request names.

    Parameters
    ----------
    request : the song folder or the project, and how it becomes a song.
    progress : called while a project's media are summed.
    mixdown : the mixdown's file; without it the one that is found is used.
    level : whether the stems are buses or single tracks.

    Raises
    ------
    InputError
        The song cannot be read, or what belongs to a project was asked of a song folder.
    """
    if is_project(request.song):
        with opened_session(request.song, progress, request, mixdown=mixdown, level=level) as session:
            yield Opened(session.song, session, session.left(progress))
    elif request.stems is not None or request.tracks:
        raise InputError(
            "--stems and bus tracks belong to a REAPER project (.RPP)", path=request.song, remedy="leave them out"
        )
    else:
        song = open_song_folder(request.song, request.buses, mixdown, complete=True)
        yield Opened(song.with_single_tracks() if level == "tracks" else song, None, progress)


@contextmanager
def opened_session(
    path: str,
    progress: ProgressCallback,
    parts: ProjectParts = _NO_PARTS,
    *,
    mixdown: str | None = None,
    for_writing: bool = True,
    level: Level = "buses",
) -> Iterator[Session]:
    """Yield the session in the project at `path`; stems summed from its media are removed at the end.

    Parameters
    ----------
    path : the project.
    progress : called while media are summed; may cancel.
    parts : how the project becomes a song.
    mixdown : the mixdown's file; without it one next to the project, or among its stems, is used if there is one.
    for_writing : whether envelopes are to be written, so that a fader all the way down is an error.
    level : whether the stems are buses or single tracks.

    Raises
    ------
    InputError
        The project, its media or the stems cannot be read, or no bus was found.
    """
    rendered = parts.rendered
    project = read_project(Path(path))
    if rendered is not None and rendered.home is not None:
        project = replace(project, home=Path(rendered.home))
    buses = find_buses(project, _by_role(parts.tracks), with_names=rendered is None, sums=level == "buses")
    single = single_tracks(project, buses.tracks) if level == "tracks" else None
    if single is not None:
        buses = Buses(single.tracks, (*buses.notes, *single.notes))
    if for_writing:
        for tracks in buses.tracks.values():
            require_audible(project, tracks)
    with temporary_folder() as folder:
        if rendered is not None:
            mix = find_mixdown(project, mixdown) if mixdown else None
            song = song_of(project, buses, rendered, folder, mix)
            session = Session(project=project, song=song, tracks=buses.tracks, notes=buses.notes, rendered=rendered)
        elif parts.stems is None:
            session = summed_session(project, buses, folder, mixdown, progress)
        elif single is None:
            session = session_with_stems(project, buses, Path(parts.stems), mixdown)
        else:
            session = session_with_track_stems(project, buses, Path(parts.stems))
        if single is not None:
            session = replace(
                session,
                song=replace(session.song, bus_of={name: single.bus_of[name] for name in session.song.stems}),
                weights=single.weights,
            )
        yield session


def _by_role(tracks: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    merged: dict[str, list[str]] = {}
    for role, names in tracks.items():
        merged.setdefault(canonical_role(role), []).extend(names)
    return merged
