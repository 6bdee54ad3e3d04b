"""`faderwise buses`: which bus each file of a folder or track of a project belongs to, and why."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from analysis_server.paths import is_project
from core.audio.song import match_files
from core.errors import InputError
from core.matching import Match
from core.roles import PAPER_BUSES
from core.rpp.buses import match_tracks
from core.rpp.project import read_project


class BusesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """List the buses of the song folder or project at `path`."""

    path: str


class FileRole(msgspec.Struct, frozen=True, kw_only=True):
    """A file's role, its bus or None, and why."""

    file: str
    bus: str | None
    role: str
    reason: str


class TrackRole(msgspec.Struct, frozen=True, kw_only=True):
    """A track's number from 1, name, role, bus or None, and why."""

    track: int
    name: str
    bus: str | None
    role: str
    reason: str


class FileRoles(msgspec.Struct, frozen=True, kw_only=True):
    """The audio files of a song folder."""

    files: list[FileRole]


class TrackRoles(msgspec.Struct, frozen=True, kw_only=True):
    """The tracks of a project."""

    tracks: list[TrackRole]


def run(request: BusesRequest) -> FileRoles | TrackRoles:
    """Return the role and bus of every audio file or track.

    Raises
    ------
    InputError
        The folder or project does not exist, or the folder has no audio files.
    """
    path = Path(request.path)
    if is_project(request.path):
        project = read_project(path)
        return TrackRoles(
            tracks=[
                TrackRole(
                    track=track.number,
                    name=track.name,
                    bus=match.bus,
                    role=match.role,
                    reason=_reason(match, is_muted=track.is_muted),
                )
                for track, match in zip(project.tracks, match_tracks(project), strict=True)
            ]
        )
    if not path.is_dir():
        raise InputError("no such folder", path=path, remedy="give a song folder or a REAPER project (.RPP)")
    matches = match_files(path)
    if not matches:
        raise InputError("no audio files in it", path=path, remedy="give the folder that holds the stems")
    return FileRoles(
        files=[
            FileRole(file=file.relative_to(path).as_posix(), bus=match.bus, role=match.role, reason=_reason(match))
            for file, match in matches.items()
        ]
    )


def bus_options(result: FileRoles | TrackRoles) -> list[str]:
    """Return the options of the command line that give a bus to what has none because its name was not understood.

    Each one names the main bus that is missing, or BUS where none is.
    """
    rows = _named_rows(result)
    found = {bus for _, bus, _ in rows}
    missing = next((bus for bus in PAPER_BUSES if bus not in found and bus != "melody"), "BUS")
    return [
        f"--bus {shlex.quote(f'{missing}={name}')}"
        for name, bus, role in rows
        if bus is None and role in ("unknown", "several buses")
    ]


def all_options(result: FileRoles | TrackRoles) -> list[str]:
    """Return the option of the command line for the present bus of every file or track; BUS where it has none."""
    pairs = [(bus or "BUS", name) for name, bus, _ in _named_rows(result)]
    return [f"--bus {shlex.quote(f'{bus}={name}')}" for bus, name in pairs]


def _named_rows(result: FileRoles | TrackRoles) -> list[tuple[str, str | None, str]]:
    """Return how each file or track is named in an option, its bus, and its role."""
    if isinstance(result, FileRoles):
        return [(row.file, row.bus, row.role) for row in result.files]
    return [(str(row.track), row.bus, row.role) for row in result.tracks]


def _reason(match: Match, *, is_muted: bool = False) -> str:
    return f"{match.reason}; it is muted" if is_muted else match.reason
