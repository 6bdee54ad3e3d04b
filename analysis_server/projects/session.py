"""A session: a REAPER project, the song it makes, and the tracks that song's curves go to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis_server.projects.rendered_stems import RenderedStems
from analysis_server.telling import Tell, part_of
from core.audio.song import Song
from core.rpp.project import Project, Track

SUMMING_SHARE = 0.2
"""How much of what is told of a session is the summing of its stems."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A project, the song it makes, the tracks each bus's curve goes to, and what the user should know of it.

    `rendered` are the stems that REAPER rendered, where the project is a copy of one that is open there; `is_summed`
    says whether the stems were summed from its media, which is told as the first part of the work.
    """

    project: Project
    song: Song
    tracks: Mapping[str, tuple[Track, ...]]
    notes: tuple[str, ...]
    rendered: RenderedStems | None = None
    is_summed: bool = False

    @property
    def title(self) -> str:
        """The project's name."""
        return self.project.path.stem

    def left(self, tell: Tell) -> Tell:
        """Return what tells of the work that is left when the session is open."""
        return part_of(tell, SUMMING_SHARE, 1.0) if self.is_summed else tell

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
