"""`faderwise buses`: which bus each file of a folder or track of a project belongs to, and why."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from analysis_server.paths import is_project
from analysis_server.sources.folder import Layout, layout_of, open_song_folder, require_one_song, stem_file_of
from analysis_server.sources.project import NOTHING_TO_SUM, assignment_of_tracks, plain_sum_notes
from core.audio.song import (
    COPY,
    Song,
    distinct_names,
    left_out,
    match_files,
    no_stems,
    require_song_folder,
    unreadable,
)
from core.errors import InputError
from core.matching import by_bus
from core.matching.dictionary import SEVERAL_BUSES
from core.roles import LEFT_OUT, MAIN_BUSES
from core.rpp.buses import Buses, find_buses, match_tracks
from core.rpp.project import Project, Track, read_project
from core.rpp.render import has_sound
from core.wording import first_few, listed

_MOST_NAMES = 4
"""The most names of files that cannot be read in one warning."""


class BusesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """List the buses of `song`, a song folder or project."""

    song: str


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
    """The audio files of a song folder; notes for the user, and warnings about files that are not read.

    `options` are values of `--bus`, such as "vocals=lead.wav", for the same assignment; `suggestions` give a bus to
    each file whose name was not understood: the main bus that is missing, or BUS where none is.
    """

    files: list[FileRole]
    options: list[str] = []
    suggestions: list[str] = []
    notes: list[str] = []
    warnings: list[str] = []


class TrackRoles(msgspec.Struct, frozen=True, kw_only=True):
    """The tracks of a project, and notes for the user; `options` and `suggestions` are those of `FileRoles`."""

    tracks: list[TrackRole]
    options: list[str] = []
    suggestions: list[str] = []
    notes: list[str] = []
    warnings: list[str] = []


def run(request: BusesRequest) -> FileRoles | TrackRoles:
    """Return the role and bus of every audio file or track.

    Raises
    ------
    InputError
        The folder or project does not exist, or the folder has no audio files.
    """
    return _of_project(Path(request.song)) if is_project(request.song) else _of_folder(Path(request.song))


def used_in(
    path: str,
    song: Song | None,
    chosen: Mapping[str, list[str]],
    *,
    only: Sequence[str] = (),
    mixdown: str | None = None,
) -> list[tuple[str, str | None]]:
    """Return the name and the bus of every file or track of a song, as mix, match and learn use it.

    Parameters
    ----------
    path : the song folder, stem file or project.
    song : the song, where it is open.
    chosen : files or tracks by role, as `--bus` gives them.
    only : the tracks of a project to work on, as `--tracks` gives them.
    mixdown : the mixdown's file.

    Raises
    ------
    InputError
        The song cannot be read, or a chosen file or track does not exist.
    """
    if is_project(path):
        project = read_project(Path(path))
        buses = find_buses(project, by_bus(chosen.items()), only=only)
        return [(row.name, row.bus) for row in assignment_of_tracks(project, buses.tracks, buses.reasons)]
    if song is None:
        song = open_song_folder(path, chosen, mixdown)
    used = [row for row in song.assignment if row.is_audio]
    rows = list(zip(distinct_names([row.path for row in used]), (row.bus for row in used), strict=True))
    listed = {row.path for row in song.assignment}
    for bus, file in song.stems.items():
        rows += [(part.name, bus) for part in file.parts or (file,) if part.path not in listed]
    if song.mixdown is not None and song.mixdown.path not in listed:
        rows.append((song.mixdown.name, None))
    return rows


def _of_project(path: Path) -> TrackRoles:
    project = read_project(path)
    try:
        buses = find_buses(project)
    except InputError:  # no bus was found; the table has the reasons
        buses = Buses({}, ())
    matches = match_tracks(project)
    rows = [
        TrackRole(track=track.number, name=track.name, bus=row.bus, role=match.role, reason=row.reason)
        for track, match, row in zip(
            project.tracks, matches, assignment_of_tracks(project, buses.tracks, buses.reasons), strict=True
        )
    ]
    options = [f"{bus}={_called(project, track)}" for bus, tracks in buses.tracks.items() for track in tracks]
    unknown = [
        _called(project, track)
        for track, row in zip(project.tracks, rows, strict=True)
        if _is_unknown(row) and has_sound(project, [track])
    ]
    missing = [bus for bus in MAIN_BUSES if bus not in buses.tracks]
    notes = [f"no track for {listed(missing, 'or')} was found"] if missing else []
    notes += [f"the bus {bus} {NOTHING_TO_SUM}" for bus in buses.tracks if not has_sound(project, buses.tracks[bus])]
    suggestions = _suggestions(unknown, buses.tracks)
    return TrackRoles(tracks=rows, options=options, suggestions=suggestions, notes=[*buses.notes, *notes])


def _called(project: Project, track: Track) -> str:
    """Return what a track is called in an option: its number, unless that is the name of a track."""
    is_name = any(other.name.strip() == str(track.number) for other in project.tracks)
    return track.guid if is_name and track.guid else str(track.number)


def _of_folder(path: Path) -> FileRoles:
    stem_file = stem_file_of(path)
    if stem_file is not None:
        return _of_streams(stem_file)
    require_song_folder(path, "give a song folder or a REAPER project (.RPP)")
    layout = layout_of(path)
    require_one_song(layout.stems)
    matches = match_files(layout.stems, known=layout.instruments)
    if not matches:
        raise no_stems(layout.stems)
    rows = {file: _row(layout.stems, file, match.bus, match.role, match.reason) for file, match in matches.items()}
    if layout.mixdown is not None:
        name = layout.mixdown.name
        rows[layout.mixdown] = FileRole(file=name, bus=None, role="mixdown", reason="it is the mixdown of the song")
    damaged = {file: problem for file in matches if (problem := unreadable(file))}
    warnings = _not_read(damaged)
    try:
        song = open_song_folder(str(path), {LEFT_OUT: [rows[file].file for file in damaged]})
    except InputError as error:  # no file has a bus, or two files are the same
        suggestions = _suggestions_of(rows.values())
        return FileRoles(files=list(rows.values()), suggestions=suggestions, warnings=warnings or [str(error)])
    for row in song.assignment:
        if row.path in rows and row.path not in damaged:
            rows[row.path] = _row(layout.stems, row.path, row.bus, row.role, row.reason)
    shown = [row for file, row in rows.items() if row.role != "mixdown" and file not in damaged]
    return FileRoles(
        files=list(rows.values()),
        options=[
            *(f"{row.bus or LEFT_OUT}={row.file}" for row in shown),
            *(f"{LEFT_OUT}={rows[file].file}" for file in damaged),
        ],
        suggestions=_suggestions_of(rows.values()),
        notes=[*song.doubts, *_plain_sum_notes(song), *_raw_notes(layout), *song.notes_on_documents()],
        warnings=[
            *warnings,
            *left_out([row for row in song.assignment if not row.is_audio or row.role == COPY]),
        ],
    )


def _raw_notes(layout: Layout) -> list[str]:
    if layout.raw is None:
        return []
    command = f"faderwise buses {shlex.quote(str(layout.raw))}"
    return [f"single tracks (mix --level tracks) are those in {layout.raw.name}; {command} lists them"]


def _not_read(damaged: Mapping[Path, str]) -> list[str]:
    """Return a warning for each reason why files cannot be read."""
    warnings = []
    for problem in dict.fromkeys(damaged.values()):
        names = [file.name for file, reason in damaged.items() if reason == problem]
        shown = first_few(names, _MOST_NAMES)
        remedy = f"export it again, or leave it out with --bus {LEFT_OUT}=FILE"
        warnings.append(f"not read: {shown} ({problem}); mix, match and learn refuse a song with such a stem: {remedy}")
    return warnings


def _of_streams(stem_file: Path) -> FileRoles:
    song = open_song_folder(str(stem_file), {})
    assert song.mixdown is not None  # noqa: S101 - it is stream 0
    return FileRoles(
        files=[
            FileRole(file=file.name, bus=bus, role=bus or "mixdown", reason=f"it is audio stream {file.stream}")
            for bus, file in [(None, song.mixdown), *song.stems.items()]
        ],
        options=[f"{bus}={file.stream}" for bus, file in song.stems.items()],
        notes=_plain_sum_notes(song),
    )


def _row(folder: Path, file: Path, bus: str | None, role: str, reason: str) -> FileRole:
    return FileRole(file=file.relative_to(folder).as_posix(), bus=bus, role=role, reason=reason)


def _plain_sum_notes(song: Song) -> list[str]:
    try:
        return plain_sum_notes(song)
    except InputError:  # as above
        return []


def _is_unknown(row: FileRole | TrackRole) -> bool:
    return row.bus is None and row.role in ("unknown", SEVERAL_BUSES)


def _suggestions_of(files: Collection[FileRole]) -> list[str]:
    return _suggestions([row.file for row in files if _is_unknown(row)], {row.bus for row in files})


def _suggestions(unknown: Sequence[str], found: Collection[str | None]) -> list[str]:
    missing = next((bus for bus in MAIN_BUSES if bus not in found), "BUS")
    return [f"{missing}={name}" for name in unknown]
