"""What requests say of the songs they are about: folders, or REAPER projects and how their stems come."""

from __future__ import annotations

import msgspec

from analysis_server.projects.rendered_stems import RenderedStems


class ProjectParts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a REAPER project becomes a song; none of it is for song folders.

    Attributes
    ----------
    tracks : its bus tracks by role, names or numbers, as `--bus ROLE=TRACK` gives them; found by name where left out.
    stems : the folder of its exported stems; without it they are summed from the project's media.
    rendered : the stems that REAPER rendered of exactly these tracks; the project is a copy of the open one then.
    """

    tracks: dict[str, list[str]] = {}
    stems: str | None = None
    rendered: RenderedStems | None = None


class SongRequest(ProjectParts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done with one song, and where its outcome goes.

    Attributes
    ----------
    song : a SONG_DIR, or a REAPER project.
    buses : files of a SONG_DIR by role, as `--bus ROLE=FILE` gives them.
    out : the folder to write to; one named after the song by default, and a project's copy beside the project.
    dry_run : write nothing.
    """

    song: str
    buses: dict[str, str] = {}
    out: str | None = None
    dry_run: bool = False
