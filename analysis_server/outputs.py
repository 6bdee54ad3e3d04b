"""Write what mix and match produce, as one set of files: run record, automation, mix, curves, report, project copy.

The project file itself is never written. The copy is written next to it, so that relative media paths remain valid, or
into the folder that the user chose.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from analysis_server import MADE_BY
from analysis_server.paths import by_name, is_project
from analysis_server.report import audio
from analysis_server.report.audio import Sounds
from analysis_server.report.content import Figure, Player, StemSound
from analysis_server.report.mix import Outcome, content_of, shown_levels_lufs
from analysis_server.runs import kept_runs, run_folder
from analysis_server.runs.kept_runs import FILES
from analysis_server.runs.run_folder import AutomationFile, BusAutomation, RunFile, file_points, to_json
from analysis_server.sources.folder import open_song_folder
from analysis_server.sources.project import Assigned, Session, SongRequest
from core.audio.io import EXTENSIONS
from core.audio.song import OTHER_EXTENSIONS, STEM_FILE, Song, is_own_mix
from core.automation.points import TOLERANCE_DB, Automation, EnvelopePoints, to_csv
from core.automation.render import headroom_db
from core.errors import InputError
from core.files import FileSet, flush, replacing_set, require_writable_folder, write_error, write_text
from core.progress import ProgressCallback, part_of
from core.rpp.project import FADER, VOLUME, Project, is_relative
from core.rpp.write import HIGHEST_GAIN, Lowered, Written, combine, with_envelopes
from core.runs import store
from core.runs.edit import ON_TOP
from core.runs.record import GAIN_STEP_DB, LEVEL_STEP_LU, TERM_STEP_DB, BusRun, RunRecord, TrackRun, rounded, to_steps
from core.runs.store import own_moves

_DEEPEST = 3
"""So many levels below an output folder are searched for audio files."""
Existing = Literal["combine", "replace"]
"""What happens to the user's own moves on an envelope."""
Span = tuple[float, float]
Deliver = Callable[[Written, RunRecord], None]
"""Takes the envelopes of an open project and the run's record as soon as they exist."""


def assignment_rows(assignment: Sequence[Assigned]) -> tuple[Figure, ...]:
    """Return the rows of a page's table of files or tracks: name, bus and reason."""
    return tuple(Figure(label=row.name, value=row.bus or "none", means=row.reason) for row in assignment)


def prepare_report() -> None:
    """Import what makes the page and load its template, which a thread can do while a song is measured."""
    import numpy.ma  # noqa: F401, PLC0415 - NumPy's median imports it

    from analysis_server.report.page import environment  # noqa: PLC0415

    environment().get_template("page.html.j2")


def default_folder(song: str) -> Path:
    """Return the default output folder of a song: `<song>-faderwise` in the current folder."""
    name = os.path.basename(os.path.realpath(song)).removesuffix(STEM_FILE)  # noqa: PTH119 - resolve() raises on a link to itself
    return Path(f"{name}{run_folder.COPY_SUFFIX}")


def add_files(
    outcome: Outcome, record: RunRecord, folder: Path, progress: ProgressCallback, files: FileSet
) -> dict[str, str]:
    """Add the files of a run to a set and return the paths they will have, by name.

    Parameters
    ----------
    outcome : what to write.
    record : the run's record; one without a date gets one. An earlier run of other content moves to a folder below
        `runs`.
    folder : where the files will be.
    progress : called with the fraction done.
    files : the set, which puts all files in place when it is complete.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    made = files.folder
    earlier = run_folder.read_if_there(folder)
    record = run_folder.dated(record, earlier)
    if earlier and [run.id for run in earlier] != [record.id]:  # the same result again takes its own place
        kept_runs.set_aside(folder, files)
    for name in FILES:
        files.new(folder / name)
    writing = part_of(progress, 0.0, 1.0, "Writing mix and report")
    outcome.rendered.write_wav(made / "mix.wav", outcome.gain_db, progress=writing)
    with ThreadPoolExecutor(2) as pool:  # flushing the mix takes as long as making all other files
        flushed = pool.submit(flush, made / "mix.wav")
        sounds = pool.submit(_sounds, outcome)
        write_text(made / "automation.json", to_json(_automation_file(outcome)))
        write_text(made / "automation.csv", to_csv(outcome.automation))
        run_folder.write(made, RunFile(runs=[record]))
        outcome.curves.save(made / "curves.npz")
        players, stems = sounds.result()
        _write_sounds_and_report(outcome, players, stems, record.id, made)
        try:
            flushed.result()
        except OSError as error:
            raise write_error(folder, error) from error
    return by_name(folder / name for name in FILES)


def _sounds(outcome: Outcome) -> tuple[tuple[Player, ...], tuple[StemSound, ...]]:
    """Return the sounds of the report: excerpts of both mixes, and of the stems if they were asked for."""
    song, curves = outcome.song, outcome.curves
    start_s = audio.excerpt_start_s(curves.time_s, curves.gains_db, curves.active, song.duration_s)
    before_db = 0.0 if outcome.reference is not None else min(0.0, headroom_db(outcome.before))
    before, after = outcome.labels
    players = audio.excerpts(
        song,
        {before: outcome.reference, after: outcome.rendered},
        (outcome.before, outcome.rendered.figures),
        start_s,
        gains_db=(before_db, outcome.gain_db),
        wholes=(None, "mix.wav"),
    )
    return players, audio.stem_sounds(song, start_s) if outcome.stems_in_report else ()


def _write_sounds_and_report(
    outcome: Outcome, players: tuple[Player, ...], stems: tuple[StemSound, ...], run_id: str, workshop: Path
) -> None:
    from analysis_server.report.page import render_report  # noqa: PLC0415 - see prepare_report

    before, after = outcome.labels
    spectra = (audio.spectrum_of(before, outcome.before), audio.spectrum_of(after, outcome.compared_after))
    Sounds(players, spectra).save(workshop / audio.NAME, run_id)
    write_text(workshop / "report.html", render_report(content_of(outcome, players, stems)))


def _automation_file(outcome: Outcome) -> AutomationFile:
    points = file_points(outcome.automation)
    return AutomationFile(
        made_by=MADE_BY,
        verb=outcome.verb,
        title=outcome.song.title,
        preset=outcome.preset,
        model=outcome.model,
        duration_s=outcome.song.duration_s,
        sample_rate=outcome.song.sample_rate,
        tolerance_db=TOLERANCE_DB,
        range_s=outcome.range_s,
        buses={bus: BusAutomation(stem=file.name, points=points[bus]) for bus, file in outcome.song.stems.items()},
        warnings=list(outcome.text.warnings),
    )


def record_of(
    done: Outcome,
    *,
    tracks: list[TrackRun],
    range_s: Span | None,
    number: int = 1,
    folder: Path | None = None,
    start_s: float = 0.0,
    highest_gain: float = HIGHEST_GAIN,
    stems_stay: bool = True,
    moves_on_top: bool = False,
) -> RunRecord:
    """Return the record of a run, without id and date.

    Parameters
    ----------
    done : what was found.
    tracks : what was written where: on a song's own automation, or on the tracks of a project.
    range_s : the part of the song it is for, in the stems' time.
    number : the run's place in the project's history.
    folder : where a project's run has its other files.
    start_s : the project's time at the stems' first sample.
    highest_gain : the top of an envelope, linear.
    stems_stay : whether the stems outlive the run.
    moves_on_top : whether the user's own moves were combined with those of the run.
    """
    figures = {
        "loudness_before_lufs": done.before.loudness_lufs,
        "loudness_after_lufs": done.compared_after.loudness_lufs,
        "true_peak_before_dbtp": done.before.true_peak_dbtp,
        "true_peak_after_dbtp": done.compared_after.true_peak_dbtp,
        **done.further_figures,
    }
    stems = {bus: str(file.path.resolve()) for bus, file in done.song.stems.items()} if stems_stay else {}
    stem_files = {bus: [str(part.path.resolve()) for part in done.song.stems[bus].parts] for bus in stems}
    stem_files = {bus: files for bus, files in stem_files.items() if files}
    streams = {bus: [part.stream for part in done.song.stems[bus].parts or (done.song.stems[bus],)] for bus in stems}
    streams = {bus: numbers for bus, numbers in streams.items() if any(numbers)}
    return RunRecord(
        number=number,
        action=done.verb,
        made_at="",
        made_by=MADE_BY,
        title=done.song.title,
        model=done.model,
        folder=str(folder.resolve()) if folder else None,
        range_s=range_s,
        start_s=start_s,
        duration_s=done.song.duration_s,
        settings={**({ON_TOP: True} if moves_on_top else {}), **done.applied},
        highest_gain=highest_gain,
        stems=stems,
        stem_files=stem_files or msgspec.UNSET,
        stem_streams=streams or msgspec.UNSET,
        figures={name: round(value, 3) for name, value in figures.items() if np.isfinite(value)},
        warnings=list(done.text.warnings),
        notes=list(done.text.notes) or msgspec.UNSET,
        relation=done.relation or msgspec.UNSET,
        buses=_buses(done),
        tracks=tracks,
    )


def _buses(done: Outcome) -> list[BusRun]:
    curves = done.curves
    levels = shown_levels_lufs(done.measurement, n_frames=len(curves.time_s))
    deviation = curves.deviation_db
    return [
        BusRun(
            role=bus,
            predicted_cdb=to_steps(curves.gains_db[:, i], GAIN_STEP_DB),
            full_cdb=msgspec.UNSET if done.full_db is None else to_steps(done.full_db[:, i], GAIN_STEP_DB),
            level_dlufs=to_steps(levels[:, i], LEVEL_STEP_LU),
            deviation_cdb=None if deviation is None else to_steps(deviation[:, i], GAIN_STEP_DB),
            terms_ddb={term: to_steps(values[:, i], TERM_STEP_DB) for term, values in done.terms_db.items()},
            loudness_lufs=_stored(done.buses[bus].loudness_before_lufs),
            loudness_after_lufs=_stored(done.buses[bus].loudness_after_lufs),
        )
        for i, bus in enumerate(curves.buses)
    ]


def _stored(loudness_lufs: float | None) -> float | msgspec.UnsetType:
    return msgspec.UNSET if loudness_lufs is None else round(loudness_lufs, 6)


def _write_set(
    done: Outcome, record: RunRecord, folder: Path, progress: ProgressCallback, copies: Mapping[Path, bytes]
) -> dict[str, str]:
    """Write a run's files, and a project's copy, and return their paths by name."""
    with replacing_set(folder) as files:
        for path, content in copies.items():
            files.new(path).write_bytes(content)
        written = add_files(done, record, folder, progress, files)
        progress(1.0, "Done")  # the last moment at which the work can be cancelled
    return {**written, **by_name(copies)}


@dataclass(frozen=True)
class FolderDestination:
    """The folder that a song folder's outcome goes to."""

    request: SongRequest
    notes: tuple[str, ...] = ()
    lowered: Lowered = field(default_factory=Lowered)

    def write(self, done: Outcome, progress: ProgressCallback) -> dict[str, str]:
        """Write the outcome and return the files' paths by name.

        Raises
        ------
        InputError
            The folder cannot be written to, or the disk is full.
        """
        out = self.request.out
        folder = Path(out) if out else default_folder(self.request.song)
        tracks = [
            TrackRun(
                guid="", number=number, name=bus, role=bus, scale=1.0, before=None, written=rounded(points.points())
            )
            for number, (bus, points) in enumerate(done.automation.items(), start=1)
        ]
        return _write_set(done, record_of(done, tracks=tracks, range_s=done.range_s), folder, progress, {})


@dataclass(frozen=True)
class CopyDestination:
    """A project's copy with the automation `written` on its tracks, and the folder for everything else."""

    request: SongRequest
    session: Session
    written: Written
    range_s: Span | None
    existing: Existing

    @property
    def lowered(self) -> Lowered:
        """By how many dB buses were lowered so that every curve fits its envelope."""
        return self.written.lowered

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes about the project, its envelopes and its copy."""
        return (*self.session.notes, *self.written.notes, *self._copy_notes())

    def write(self, done: Outcome, progress: ProgressCallback) -> dict[str, str]:
        """Write the copy and the outcome, the run's record in both, as `FolderDestination.write` does."""
        project, path = self.session.project, self._path
        record = self._record(done)
        if self.session.rendered:
            record = store.with_mark(record, project)
        record = run_folder.dated(record, run_folder.runs_of_copy(path))
        edits = [*store.edits_to_add(project.document, record), *store.mark_tracks(project, record)]
        copies = {path: self.written.with_edits(edits).content}
        return _write_set(done, record, self._folder, progress, copies)

    @property
    def _path(self) -> Path:
        return run_folder.copy_path(self.session.project.path, self.request.out)

    @property
    def _folder(self) -> Path:
        if self.request.out:
            return Path(self.request.out)
        return default_folder(self.session.title.removesuffix(run_folder.COPY_SUFFIX))

    def _record(self, done: Outcome) -> RunRecord:
        return record_of(
            done,
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
        record = store.with_mark(self._record(done), self.session.project)
        record = run_folder.dated(record, ())
        self.deliver(self.written, record)
        return _write_set(done, record, self._folder, progress, {})


Destination = FolderDestination | CopyDestination


def output_paths(request: SongRequest) -> list[Path]:
    """Return the folder and the project copy that a request writes; nothing for a dry run."""
    if request.dry_run:
        return []
    if not is_project(request.song):
        return [Path(request.out) if request.out else default_folder(request.song)]
    project = Path(request.song)
    folder = default_folder(project.stem.removesuffix(run_folder.COPY_SUFFIX))
    return [Path(request.out) if request.out else folder, run_folder.copy_path(project, request.out)]


def refuse_inputs(request: SongRequest, song: Song, session: Session | None) -> None:
    """Raise an `InputError` if the output folder cannot be written to, or contains input or other audio files.

    A file of a name that is written, such as a mixdown called mix.wav, would make way for the result.
    """
    if session is not None and session.rendered is None:
        run_folder.refuse_the_original(run_folder.copy_path(session.project.path, request.out), session.project)
    if request.out is None or (session is not None and session.rendered is not None):
        return
    require_writable_folder(Path(request.out))
    folders = {part.path.parent for file in song.signals for part in file.parts or [file]}
    folders |= {Path(folder) for folder in (request.stems, request.song) if folder and Path(folder).is_dir()}
    if session is not None:
        project = session.project
        takes = [take for track in project.tracks for item in track.items for take in item.takes]
        folders |= {project.folder / Path(take.source.file).parent for take in takes if take.source is not None}
        folders.add(project.folder)
    remedy = "choose another folder, or omit --out"
    if os.path.realpath(request.out) in map(os.path.realpath, folders):
        raise InputError("contains input files", path=request.out, option="--out", remedy=remedy)
    other = _other_audio(Path(request.out))
    if other is not None:
        problem = f"contains audio files that Faderwise did not write, such as {other.relative_to(request.out)}"
        raise InputError(problem, path=request.out, option="--out", remedy=remedy)


def _other_audio(out: Path) -> Path | None:
    """Return an audio file in a folder or a few levels below it, where it may be a song's, that is not of a run."""
    for place, inside, names in os.walk(out):
        folder = Path(place)
        is_deepest = len(folder.relative_to(out).parts) == _DEEPEST
        inside[:] = [] if is_deepest else sorted(name for name in inside if not name.startswith("."))
        for name in sorted(names):
            is_audio = Path(name).suffix.lower() in EXTENSIONS | OTHER_EXTENSIONS and not name.startswith(".")
            if is_audio and not (name in FILES and folder == out) and not is_own_mix(folder / name):
                return folder / name
    return None


def check_paths(request: SongRequest, mixdown: str | None = None, *, raw: bool = False) -> Song | None:
    """Check the paths of a request without reading audio; return the song of a song folder, None for a project.

    Parameters
    ----------
    request : the request.
    mixdown : the mixdown's path, if one was chosen.
    raw : as for `open_song_folder`.

    Raises
    ------
    InputError
        The output folder is a file or contains input files, or the song folder cannot be used.
    """
    if request.out is not None:
        require_writable_folder(Path(request.out))
    if is_project(request.song) or request.stems is not None or request.tracks or request.only:
        return None
    song = open_song_folder(request.song, request.buses, mixdown, complete=True, raw=raw)
    refuse_inputs(request, song, None)
    return song


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
        own=moves,
        highest_gain=_highest_gain(session),
        weights=session.weights,
        name=target,
    )


def with_own_moves(
    session: Session | None, automation: Automation, *, range_s: Span | None, existing: Existing
) -> tuple[dict[str, EnvelopePoints], list[str]]:
    """Return the automation with the moves that a project's envelopes keep on top of it, and warnings.

    Parameters
    ----------
    session : the project's, or None for a song folder.
    automation : the new gains, in the stems' time.
    range_s : the part of the song they are for.
    existing : what happens to the user's own moves on the envelopes.
    """
    heard, warnings = dict(automation), list[str]()
    target = session.rendered.target if session is not None and session.rendered else VOLUME
    if session is None or existing != "combine" or target == FADER:
        return heard, warnings
    start_s, span_s = session.start_s, session.span_s(range_s)
    for bus, tracks in session.tracks.items():
        moves = [own_moves(session.project, track, target) for track in tracks]
        moving = [own for own in moves if own is not None and own.is_heard and not own.is_constant]
        if bus not in automation or not moving:
            continue
        if len(moving) < len(tracks) or any(
            replace(own, block=None) != replace(moving[0], block=None) for own in moving
        ):
            warnings.append(
                f"the tracks of {bus} have different moves of their own; the project has them, but mix.wav, the report "
                "and automation.csv do not (use --level tracks for them)"
            )
            continue
        points = automation[bus].shifted(start_s)
        if span_s is None:
            heard[bus] = combine(points.from_start(), moving[0]).shifted(-start_s)
        else:
            heard[bus] = combine(points.cut(span_s), moving[0], is_part=True).within(span_s).shifted(-start_s)
    return heard, warnings


def _highest_gain(session: Session) -> float:
    return session.rendered.highest_gain if session.rendered else HIGHEST_GAIN


def _names_relative_media(project: Project) -> bool:
    return any(
        take.source is not None and is_relative(take.source.file)
        for track in project.tracks
        for item in track.items
        for take in item.takes
    )
