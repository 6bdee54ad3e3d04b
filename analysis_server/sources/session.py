"""A REAPER project as a song, and requests that name songs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from core.audio.song import Song
from core.progress import ProgressCallback, part_of
from core.rpp.project import VOLUME, Project, Track


class RenderedStems(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stems of bus tracks, after their plug-ins and before their faders.

    Attributes
    ----------
    files : one a bus track, by GUID.
    span_s : the stretch of the project they are of.
    write_s : the part of the project their automation is for; None for all of it.
    home : the folder of the open project, of which the project file is a copy.
    highest_gain : the top of an envelope, linear.
    target : what gains are written on, as in `core.rpp.project`.
    """

    files: dict[str, str]
    span_s: tuple[float, float]
    write_s: tuple[float, float] | None = None
    home: str | None = None
    highest_gain: float = 2.0
    target: str = VOLUME


class ProjectParts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a REAPER project becomes a song; none of it is for song folders.

    Attributes
    ----------
    tracks : its bus tracks by role, names or numbers, as `--bus ROLE=TRACK` gives them; found by name where left out.
        Those of the role "none" are in no bus.
    only : the tracks to work on, names, numbers or ranges such as "5-9"; all others are not changed.
    stems : the folder of its exported stems; without it they are summed from the project's media.
    rendered : the stems that REAPER rendered of exactly these tracks; the project is a copy of the open one then.
    """

    tracks: dict[str, list[str]] = {}
    only: list[str] = []
    stems: str | None = None
    rendered: RenderedStems | None = None


class SongRequest(ProjectParts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be done with one song, and where its outcome goes.

    Attributes
    ----------
    song : a SONG_DIR, or a REAPER project.
    buses : files of a SONG_DIR by role, as `--bus ROLE=FILE` gives them.
    out : the folder to write to; one named after the song by default, and a project's copy next to the project.
    dry_run : write nothing.
    """

    song: str
    buses: dict[str, str | list[str]] = {}
    out: str | None = None
    dry_run: bool = False


SUMMING_SHARE = 0.2
"""The share of a session's progress that summing its stems takes."""


Level = Literal["buses", "tracks"]
"""Whether each bus gets a gain, or each single track."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A project, the song it makes, the tracks each bus's curve goes to, and notes for the user.

    `rendered` are the stems that REAPER rendered, where the project is a copy of one that is open there; `is_summed`
    says whether the stems were summed from its media, which is the first part of the progress.
    """

    project: Project
    song: Song
    tracks: Mapping[str, tuple[Track, ...]]
    notes: tuple[str, ...]
    rendered: RenderedStems | None = None
    is_summed: bool = False
    weights: Mapping[int, float] | None = None

    @property
    def title(self) -> str:
        """The project's name."""
        return self.project.path.stem

    def left(self, progress: ProgressCallback) -> ProgressCallback:
        """Return the progress callback for the work after opening the session."""
        return part_of(progress, SUMMING_SHARE, 1.0) if self.is_summed else progress

    @property
    def start_s(self) -> float:
        """The project's time at the stems' first sample."""
        return self.rendered.span_s[0] if self.rendered else 0.0

    def span_s(self, range_s: tuple[float, float] | None) -> tuple[float, float] | None:
        """Return the part of the project that is written to: the range, or where REAPER's time selection is."""
        return self.rendered.write_s if self.rendered else range_s

    def part_s(self, range_s: tuple[float, float] | None) -> tuple[float, float] | None:
        """Return the same part in the stems' time, as a run's record has it."""
        span_s = self.span_s(range_s)
        return None if span_s is None else (span_s[0] - self.start_s, span_s[1] - self.start_s)
