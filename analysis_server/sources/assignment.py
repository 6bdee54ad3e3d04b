"""Assignment of the files of a song folder or the tracks of a project to buses."""

from __future__ import annotations

import msgspec

from analysis_server.sources.session import Session
from core.audio.song import Song
from core.gains.alignment import constant_gains
from core.rpp.buses import match_tracks
from core.rpp.faders import reached
from core.rpp.project import Track


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """A file or track, its bus or None, and why."""

    name: str
    bus: str | None
    reason: str


def assignment_of(song: Song, session: Session | None) -> list[Assigned]:
    """Return the bus of every audio file of a song folder, or of every track of a project, and why.

    Parameters
    ----------
    song : the song that is mixed or matched.
    session : the session it was made from, where a project was named.
    """
    return _of_files(song) if session is None else _of_tracks(session)


def names_by_bus(song: Song, session: Session | None) -> dict[str, list[str]]:
    """Return the names of the files of each bus of a song folder, or of its tracks in a project."""
    if session is not None:
        return {
            bus: [f"{track.number} {track.name}".strip() for track in tracks] for bus, tracks in session.tracks.items()
        }
    return {bus: [part.path.name for part in file.parts or (file,)] for bus, file in song.stems.items()}


def plain_sum_notes(song: Song) -> list[str]:
    """Return a sentence about a mixdown that is nearly the plain sum of the stems, if it is."""
    if song.mixdown is None or len(song.buses) < 2 or not constant_gains(song).is_plain_sum:
        return []
    name = song.mixdown.path.name
    return [f"{name} is nearly the plain sum of the stems, so the producer's balance is already in them"]


def _of_files(song: Song) -> list[Assigned]:
    rows = [Assigned(name=found.path.name, bus=found.bus, reason=found.reason) for found in song.assignment]
    listed = {found.path for found in song.assignment}
    for bus, file in song.stems.items():
        files = [part.path for part in file.parts or (file,)]
        rows += [Assigned(name=path.name, bus=bus, reason="--bus") for path in files if path not in listed]
    if song.mixdown is not None and song.mixdown.path not in listed:
        rows.append(Assigned(name=song.mixdown.path.name, bus=None, reason="it is the mixdown"))
    return rows


def _of_tracks(session: Session) -> list[Assigned]:
    project = session.project
    bus_of = session.song.bus_of
    bus_tracks = {track.index: bus_of.get(name, name) for name, tracks in session.tracks.items() for track in tracks}
    through: dict[int, Track] = {}
    for tracks in session.tracks.values():
        for track in tracks:
            through.update((part.index, track) for part in reached(project, track) if part.index not in bus_tracks)
    rows = []
    for track, match in zip(project.tracks, match_tracks(project), strict=True):
        bus, reason = bus_tracks.get(track.index), match.reason
        if bus is not None and match.bus != bus:
            reason = "it was chosen for this bus"
        elif track.index in through:
            bus = bus_tracks[through[track.index].index]
            reason = f"it is heard through {through[track.index].title}"
        elif bus is None and match.bus is not None:
            reason = "it is muted, silent, or heard through another track"
        if track.is_muted:
            reason += "; it is muted"
        rows.append(Assigned(name=f"{track.number} {track.name}".strip(), bus=bus, reason=reason))
    return rows
