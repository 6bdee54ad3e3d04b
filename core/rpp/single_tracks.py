"""The single tracks of a project's buses, each of which gets its own gain.

Conventions: a bus that is a folder without items of its own is split into the tracks in it, where all of its sound
comes from them. The folder's fader does not move, and the tracks' weights allow for it. Any other bus track is one
track.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core import roles
from core.rpp.faders import static_gain
from core.rpp.project import Project, Track
from core.rpp.routing import reached


@dataclass(frozen=True)
class SingleTracks:
    """The tracks of all buses.

    Attributes
    ----------
    tracks : one track per name, such as ``"drums: Kick"``, ordered by bus.
    bus_of : the bus of each name.
    weights : by the track's index, what its envelope times its fader has to be divided by to be its whole gain.
    notes : sentences for the user.
    """

    tracks: Mapping[str, tuple[Track, ...]]
    bus_of: Mapping[str, str]
    weights: Mapping[int, float]
    notes: tuple[str, ...]


def single_tracks(project: Project, buses: Mapping[str, Sequence[Track]]) -> SingleTracks:
    """Return the single tracks of `buses`."""
    tracks: dict[str, tuple[Track, ...]] = {}
    bus_of, weights, notes = {}, {}, []
    for bus, members in buses.items():
        for member in members:
            parts = _parts(project, member)
            for track in parts:
                folders = _gain_of_folders(project, track, member)
                if folders * static_gain(project, track) <= 0.0:
                    notes.append(f"{track.title} was left out, because its fader or its folder's is all the way down")
                    continue
                name = roles.single_track(bus, track.name or str(track.number))
                name = name if name not in tracks else f"{name} ({track.number})"
                tracks[name] = (track,)
                bus_of[name] = bus
                weights[track.index] = 1.0 / folders
            if parts != [member] and member.heard("VOLENV2") is not None:
                notes.append(f"the volume automation of {member.title} stays, on top of that of its tracks")
    return SingleTracks(tracks, bus_of, weights, tuple(notes))


def _parts(project: Project, member: Track) -> list[Track]:
    """Return the tracks with items in a folder, or the track itself where it is not a mere sum of them."""
    sources = [track for track in reached(project, member) if track != member]
    inside = all(project.is_inside(track, member) for track in sources)
    with_receives = any(track.receives for track in (member, *sources))
    leaves = [track for track in sources if track.items]
    is_sum = member.is_folder and not member.items and inside and not with_receives
    return leaves if is_sum and leaves and not any(track.is_folder for track in leaves) else [member]


def _gain_of_folders(project: Project, track: Track, outermost: Track) -> float:
    """Return the gain of the folders around a track, up to `outermost`."""
    gain = 1.0
    while track != outermost and track.parent is not None:
        track = project.tracks[track.parent]
        gain *= static_gain(project, track)
    return gain
