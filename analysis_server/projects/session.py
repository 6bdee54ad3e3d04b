"""A session: a REAPER project, the song it makes, where that song's curves go, and the copy that holds them.

The project's own file is never written. The copy goes beside it, so that relative media paths mean the same there,
or into the folder that `--out` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from analysis_server.projects import project_copy
from analysis_server.projects.rendered_stems import RenderedStems
from analysis_server.runs import outcome, run_records
from analysis_server.telling import Tell
from core import history
from core.audio.song import Song
from core.automating.automation import Automation
from core.history.own_moves import own_moves
from core.rpp.envelope_writing import HIGHEST_GAIN, Written, with_envelopes
from core.rpp.media import is_relative
from core.rpp.project import Project, Track

Existing = Literal["combine", "replace"]
"""What becomes of the user's own moves on an envelope."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A project, the song it makes, the tracks each bus's curve goes to, and what the user should know of it.

    `rendered` are the stems that REAPER rendered, where the project is a copy of one that is open there.
    """

    project: Project
    song: Song
    tracks: Mapping[str, tuple[Track, ...]]
    notes: tuple[str, ...]
    rendered: RenderedStems | None = None

    @property
    def title(self) -> str:
        """The project's name."""
        return self.project.path.stem

    def copy_path(self, out: str | None) -> Path:
        """Return where the copy goes: beside the project, or into the folder that was asked for."""
        return project_copy.path_of(self.project.path, out)

    def default_folder(self) -> Path:
        """Return where everything else goes when nothing is said."""
        return outcome.default_folder(self.title.removesuffix(project_copy.SUFFIX))

    def folder(self, out: str | None) -> Path:
        """Return where everything but the copy goes."""
        return Path(out) if out else self.default_folder()

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

    def written(
        self, automation: Automation, range_s: tuple[float, float] | None, existing: Existing = "replace"
    ) -> Written:
        """Return the copy's content.

        Raises
        ------
        InputError
            A track's envelope cannot be written.
        """
        span_s = self.span_s(range_s)
        if self.rendered:
            automation = {bus: points.later(self.start_s) for bus, points in automation.items()}
            if span_s is not None:
                automation = {bus: points.within(span_s) for bus, points in automation.items()}
        tracks = [track for bus in self.tracks.values() for track in bus]
        return with_envelopes(
            self.project,
            self.tracks,
            automation,
            span_s=span_s,
            moves={track.guid: own_moves(self.project, track) for track in tracks} if existing == "combine" else None,
            highest_gain=self.rendered.highest_gain if self.rendered else HIGHEST_GAIN,
        )

    def copy_notes(self, out: str | None, span_s: tuple[float, float] | None) -> list[str]:
        """Return sentences on where the copy lies, and on what it does outside a range."""
        if self.rendered:
            return []
        notes = []
        path = self.copy_path(out)
        if path.resolve().parent != self.project.folder and _names_relative_media(self.project):
            notes.append(
                f"{path.name} names its media relative to {self.project.folder}; move it there before you open it"
            )
        if span_s is not None:
            notes.append(
                f"outside the range {path.name} plays as the project does, while mix.wav has plain stems there"
            )
        return notes


def write_outcome(
    done: outcome.Outcome, session: Session, written: Written, *, out: str | None, tell: Tell, start: float
) -> dict[str, str]:
    """Write the usual files and the project's copy, with the run's record in both; return their paths by name.

    Raises
    ------
    InputError
        A folder cannot be written to, or the disk is full.
    """
    path = session.copy_path(out)
    project_copy.refuse_the_original(path, session.project)
    record = run_records.dated(done.record, project_copy.known_runs(path))
    content = written.with_edits(history.added(session.project.document, record)).content
    with project_copy.replaced(path, content):
        files = outcome.write(replace(done, record=record), session.folder(out), tell, start)
    return {**files, path.name: str(path)}


def _names_relative_media(project: Project) -> bool:
    return any(
        take.source is not None and is_relative(take.source.file)
        for track in project.tracks
        for item in track.items
        for take in item.takes
    )
