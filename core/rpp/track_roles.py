"""Match the tracks of a project to roles and buses."""

from __future__ import annotations

from core.matching import Item, Match, assign
from core.rpp.project import Project, Track


def match_tracks(project: Project) -> list[Match]:
    """Return the match of each track, in the project's order."""
    return assign(
        [
            Item(
                track.name,
                parent=track.parent,
                has_audio=bool(track.items or track.receives),
                receives_only=is_return(project, track),
            )
            for track in project.tracks
        ]
    )


def is_return(project: Project, track: Track) -> bool:
    """Return whether a track only repeats what is heard without it, as an effect return does."""
    sources = [project.tracks[one.source] for one in track.receives if 0 <= one.source < len(project.tracks)]
    return bool(sources) and not track.items and not track.is_folder and all(one.sends_to_parent for one in sources)
