"""Destinations of an outcome: a folder, or a project copy.

The project file itself is never written. The copy is written next to it, so that relative media paths remain valid, or
into the folder that the user chose.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from analysis_server.outputs import run_output
from analysis_server.outputs.run_output import Outcome, Place
from analysis_server.paths import is_project
from analysis_server.runs import run_folder
from analysis_server.sources.project import Session, SongRequest
from core.audio.song import Song
from core.automation.points import Automation
from core.errors import InputError
from core.files import replacing_set
from core.progress import ProgressCallback
from core.rpp.media import is_relative
from core.rpp.project import FADER, VOLUME, Project
from core.rpp.write import HIGHEST_GAIN, Written, with_envelopes
from core.runs import store
from core.runs.record import RunRecord
from core.runs.store import own_moves

Existing = Literal["combine", "replace"]
"""What happens to the user's own moves on an envelope."""
Span = tuple[float, float]
Deliver = Callable[[Written, RunRecord], None]
"""Takes the envelopes of an open project and the run's record as soon as they exist."""


@dataclass(frozen=True)
class FolderDestination:
    """The folder that a song folder's outcome goes to."""

    request: SongRequest
    notes: tuple[str, ...] = ()
    lowered_db: float = 0.0

    def write(self, done: Outcome, progress: ProgressCallback) -> dict[str, str]:
        """Write the outcome and return the files' paths by name.

        Raises
        ------
        InputError
            The folder cannot be written to, or the disk is full.
        """
        out = self.request.out
        folder = Path(out) if out else run_output.default_folder(self.request.song)
        place = Place(range_s=done.range_s, tracks=run_output.tracks_of_stems(done.automation))
        with replacing_set(folder) as files:
            written = run_output.write(done, run_output.record_of(done, place), folder, progress, files)
            progress(1.0, "Done")  # the last moment at which the work can be cancelled
        return written


@dataclass(frozen=True)
class CopyDestination:
    """A project's copy with the automation `written` on its tracks, and the folder for everything else."""

    request: SongRequest
    session: Session
    written: Written
    range_s: Span | None
    existing: Existing

    @property
    def lowered_db(self) -> float:
        """By how many dB all buses were lowered so that every curve fits its envelope."""
        return self.written.lowered_db

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about the project, its envelopes and its copy."""
        return (*self.session.notes, *self.written.notes, *self._copy_notes())

    def write(self, done: Outcome, progress: ProgressCallback) -> dict[str, str]:
        """Write the copy and the outcome, the run's record in both, as `FolderDestination.write` does."""
        project, path = self.session.project, self._path
        run_folder.refuse_the_original(path, project)
        record = run_output.record_of(done, self._place())
        if self.session.rendered:
            record = store.with_mark(record, project)
        record = run_folder.dated(record, run_folder.runs_of_copy(path))
        edits = [*store.edits_to_add(project.document, record), *store.mark_tracks(project, record)]
        content = self.written.with_edits(edits).content
        with replacing_set(self._folder) as files:
            files.new(path).write_bytes(content)
            written = run_output.write(done, record, self._folder, progress, files)
            progress(1.0, "Done")  # the last moment at which the work can be cancelled
        return {**written, path.name: str(path)}

    @property
    def _path(self) -> Path:
        return run_folder.copy_path(self.session.project.path, self.request.out)

    @property
    def _folder(self) -> Path:
        if self.request.out:
            return Path(self.request.out)
        return run_output.default_folder(self.session.title.removesuffix(run_folder.COPY_SUFFIX))

    def _place(self) -> Place:
        return Place(
            number=store.next_number(self.session.project),
            folder=self._folder,
            range_s=self.session.part_s(self.range_s),
            start_s=self.session.start_s,
            highest_gain=_highest_gain(self.session),
            stems_stay=self.request.stems is not None,
            moves_on_top=self.existing == "combine",
            tracks=store.track_runs(self.written),
        )

    def _copy_notes(self) -> list[str]:
        """Return notes about the copy's location and about the gain outside a range."""
        if self.session.rendered:
            return []
        notes, path, project = [], self._path, self.session.project
        if Path(os.path.realpath(path)).parent != project.folder and _names_relative_media(project):
            notes.append(f"{path.name} names its media relative to {project.folder}; move it there before you open it")
        if self.range_s is not None:
            notes.append(
                f"outside the range {path.name} plays as the project does, while mix.wav has plain stems there"
            )
        return notes


@dataclass(frozen=True)
class OpenProject(CopyDestination):
    """A project that is open in REAPER: its envelopes are delivered first, then audio and report are written."""

    deliver: Deliver

    def write(self, done: Outcome, progress: ProgressCallback) -> dict[str, str]:
        """Deliver the envelopes and the run's record, then write the other files as `FolderDestination.write` does."""
        record = store.with_mark(run_output.record_of(done, self._place()), self.session.project)
        record = run_folder.dated(record, ())
        self.deliver(self.written, record)
        with replacing_set(self._folder) as files:
            written = run_output.write(done, record, self._folder, progress, files)
            progress(1.0, "Done")  # the last moment at which the work can be cancelled
        return written


Destination = FolderDestination | CopyDestination


def output_paths(request: SongRequest) -> list[Path]:
    """Return the folder and the project copy that a request writes; nothing for a dry run."""
    if request.dry_run:
        return []
    if not is_project(request.song):
        return [Path(request.out) if request.out else run_output.default_folder(request.song)]
    project = Path(request.song)
    folder = run_output.default_folder(project.stem.removesuffix(run_folder.COPY_SUFFIX))
    return [Path(request.out) if request.out else folder, run_folder.copy_path(project, request.out)]


def refuse_inputs(request: SongRequest, song: Song, session: Session | None) -> None:
    """Raise an `InputError` if the output folder contains files that the request reads.

    A file of a name that is written, such as a mixdown called mix.wav, would make way for the result.
    """
    if request.out is None or request.dry_run or (session is not None and session.rendered is not None):
        return
    folders = {part.path.parent for file in song.signals for part in file.parts or [file]}
    folders |= {Path(folder) for folder in (request.stems, request.song) if folder and Path(folder).is_dir()}
    if session is not None:
        project = session.project
        takes = [take for track in project.tracks for item in track.items for take in item.takes]
        folders |= {project.folder / Path(take.source.file).parent for take in takes if take.source is not None}
        folders.add(project.folder)
    if os.path.realpath(request.out) in map(os.path.realpath, folders):
        remedy = "choose another folder, or leave --out out"
        raise InputError("contains input files", path=request.out, option="--out", remedy=remedy)


def destination_of(
    request: SongRequest,
    session: Session | None,
    automation: Automation,
    *,
    range_s: Span | None = None,
    existing: Existing = "replace",
    deliver: Deliver | None = None,
) -> Destination:
    """Return where a request's outcome goes.

    Parameters
    ----------
    request : what was asked for.
    session : the project's, or None for a song folder.
    automation : what goes onto the tracks, in the stems' time.
    range_s : the part of the song it is for.
    existing : what happens to the user's own moves on the envelopes.
    deliver : takes the envelopes of a project that is open in REAPER, instead of a copy of the project.

    Raises
    ------
    InputError
        A track's envelope cannot be written.
    """
    if session is None:
        return FolderDestination(request)
    written = _written(session, automation, range_s, existing)
    if deliver is not None:
        return OpenProject(request, session, written, range_s, existing, deliver)
    return CopyDestination(request, session, written, range_s, existing)


def _written(session: Session, automation: Automation, range_s: Span | None, existing: Existing) -> Written:
    span_s = session.span_s(range_s)
    if session.rendered:
        automation = {bus: points.shifted(session.start_s) for bus, points in automation.items()}
        if span_s is not None:
            automation = {bus: points.within(span_s) for bus, points in automation.items()}
    tracks = [track for bus in session.tracks.values() for track in bus]
    target = session.rendered.target if session.rendered else VOLUME
    moves = {track.guid: own_moves(session.project, track, target) for track in tracks}
    return with_envelopes(
        session.project,
        session.tracks,
        automation,
        span_s=span_s,
        moves=moves if existing == "combine" and target != FADER else None,
        highest_gain=_highest_gain(session),
        weights=session.weights,
        name=target,
    )


def _highest_gain(session: Session) -> float:
    return session.rendered.highest_gain if session.rendered else HIGHEST_GAIN


def _names_relative_media(project: Project) -> bool:
    return any(
        take.source is not None and is_relative(take.source.file)
        for track in project.tracks
        for item in track.items
        for take in item.takes
    )
