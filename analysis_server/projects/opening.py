"""Opening a REAPER project as a session: its buses found, their stems summed, exported, or rendered by REAPER."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from analysis_server.projects import project_copy
from analysis_server.projects.exported_stems import session_with_stems
from analysis_server.projects.project_mixdown import find_mixdown
from analysis_server.projects.rendered_stems import RenderedStems, song_of
from analysis_server.projects.session import Existing, Session
from analysis_server.projects.summed_stems import summed_session
from analysis_server.telling import Tell
from core import history
from core.errors import InputError
from core.roles import canonical_role
from core.rpp.buses import find_buses
from core.rpp.envelope_writing import scale_of
from core.rpp.project import Project, read_project

_SUFFIX = ".rpp"


def is_project(path: str) -> bool:
    """Tell whether `path` names a REAPER project."""
    return Path(path).suffix.lower() == _SUFFIX


def require_song_folder(
    song: str, stems: str | None, tracks: Mapping[str, Sequence[str]], existing: Existing = "replace"
) -> None:
    """Raise an `InputError` where options of projects were given for a song folder."""
    if stems is not None or tracks or existing == "combine":
        raise InputError(
            f"{song}: --stems, --existing and bus tracks belong to a REAPER project (.RPP); leave them out"
        )


def project_with_runs(path: Path) -> Project:
    """Return the project at `path`, which must have runs of ours.

    Raises
    ------
    InputError
        It has none; a copy beside it that has some is named.
    """
    project = read_project(path)
    if not history.read_history(project):
        damaged = history.damaged_runs(project)
        if damaged:
            raise InputError(next(iter(damaged.values())))
        copy = project_copy.path_of(path)
        there = copy.is_file() and copy.name != path.name
        remedy = f"give {copy}" if there else "mix or match it first"
        raise InputError(f"{path}: has no run of Faderwise in it; {remedy}")
    return project


@contextmanager
def opened_session(
    path: str,
    tell: Tell,
    *,
    stems: str | None = None,
    tracks: Mapping[str, Sequence[str]] | None = None,
    mixdown: str | None = None,
    for_writing: bool = True,
    rendered: RenderedStems | None = None,
) -> Iterator[Session]:
    """Give the session in the project at `path`; stems summed from its media are removed at the end.

    Parameters
    ----------
    path : the project.
    tell : is told how far the summing is, and may stop it.
    stems : a folder of exported stems; without it they are summed from the project's media.
    tracks : tracks by role, name or number each, as `--bus ROLE=TRACK` gives them.
    mixdown : the mixdown's file; without it one beside the project, or in `stems`, is taken where there is one.
    for_writing : whether envelopes are to be written, so that a fader all the way down is an error.
    rendered : the stems that REAPER rendered of exactly these tracks; the project is a copy of the open one then.

    Raises
    ------
    InputError
        The project, its media or the stems cannot be read, or no bus was found.
    """
    project = read_project(Path(path))
    if rendered is not None and rendered.home is not None:
        project = replace(project, home=Path(rendered.home))
    buses = find_buses(project, _by_role(tracks or {}), with_names=rendered is None)
    if for_writing:
        for track in buses.all_tracks:
            scale_of(project, track)
    with tempfile.TemporaryDirectory(prefix="faderwise-") as folder:
        if rendered is not None:
            mix = find_mixdown(project, mixdown) if mixdown else None
            song = song_of(project.path.stem, buses, rendered, Path(folder), mix)
            yield Session(project=project, song=song, tracks=buses.tracks, notes=buses.notes, rendered=rendered)
        elif stems is None:
            yield summed_session(project, buses, Path(folder), mixdown, tell)
        else:
            yield session_with_stems(project, buses, Path(stems), mixdown)


def _by_role(tracks: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    merged: dict[str, list[str]] = {}
    for role, names in tracks.items():
        merged.setdefault(canonical_role(role), []).extend(names)
    return merged
