"""Write what mix and match produce: run record, automation, mix, curves and report, as one set of files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from analysis_server import MADE_BY
from analysis_server.report import audio
from analysis_server.report.audio import Sounds
from analysis_server.report.content import Figure
from analysis_server.report.mix import ReportText, bus_loudness_lufs, content_of, or_silence
from analysis_server.report.page import render_report
from analysis_server.runs import kept_runs, run_folder
from analysis_server.runs.kept_runs import FILES
from analysis_server.runs.run_folder import AutomationFile, BusAutomation, file_points, to_json
from analysis_server.sources.project import Assigned
from core.analysis.measure import Measurement
from core.audio.io import AudioFile
from core.audio.song import STEM_FILE, Song
from core.automation.points import TOLERANCE_DB, Automation, to_csv
from core.automation.render import MixFigures, RenderedMix, headroom_db
from core.decibels import FloatArray
from core.files import FileSet, write_text
from core.gains.curves import GainCurves
from core.models import balance
from core.models.explain import Explanation
from core.progress import ProgressCallback, stages
from core.rpp.write import HIGHEST_GAIN
from core.runs.edit import ON_TOP
from core.runs.record import (
    GAIN_STEP_DB,
    LEVEL_STEP_LU,
    TERM_STEP_DB,
    BusRun,
    RunRecord,
    TrackRun,
    rounded,
    to_steps,
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that is known when the writing starts.

    Attributes
    ----------
    song, measurement, curves, automation : the song and what was found for it.
    before, after : figures of what the automated mix is compared with, and of that mix.
    reference : what it is compared with: the mixdown's file, or None for the plain sum of the stems.
    verb, preset, model, range_s : what was asked for.
    file_gain_db : how much louder `mix.wav` is than the automation makes it (0 unless a peak or a target asks).
    rendered, moved_db : the mix with the automation before `moved_db` was added to all its points.
    text : the texts of the report.
    explanation : the terms of the gains, where they are known.
    further_figures : further figures of the mix, by name with unit.
    assignment : the bus of each file or track, and why.
    stems_in_report : whether the report contains an excerpt of every stem, for solo and mute.
    """

    song: Song
    measurement: Measurement
    curves: GainCurves
    automation: Automation
    before: MixFigures
    after: MixFigures
    reference: AudioFile | None
    verb: str
    preset: str
    model: str | None
    range_s: tuple[float, float] | None
    file_gain_db: float
    rendered: RenderedMix
    text: ReportText
    moved_db: float = 0.0
    explanation: Explanation | None = None
    further_figures: Mapping[str, float] = field(default_factory=dict)
    assignment: Sequence[Assigned] = ()
    stems_in_report: bool = False

    @property
    def compared_after(self) -> MixFigures:
        """Figures of the automated mix to compare with `before`.

        Next to a mixdown that is the mix as the automation makes it, else the mix in `mix.wav`.
        """
        return self.after if self.reference is None else self.after.with_gain_db(-self.file_gain_db)

    @property
    def labels(self) -> tuple[str, str]:
        """The labels of the two compared mixes."""
        return ("Before", "After") if self.reference is None else ("Mixdown", "Recovered")


def default_folder(song: str) -> Path:
    """Return the default output folder of a song: `<song>-faderwise` in the current folder."""
    name = os.path.basename(os.path.realpath(song)).removesuffix(STEM_FILE)  # noqa: PTH119 - resolve() raises on a link to itself
    return Path(f"{name}-faderwise")


def write(
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
    write_text(made / "automation.json", to_json(_automation_file(outcome)))
    write_text(made / "automation.csv", to_csv(outcome.automation))
    run_folder.write(made, [record])
    outcome.curves.save(made / "curves.npz")
    _write_audio_and_report(outcome, record.id, made, progress)
    return {name: str(folder / name) for name in FILES}


def _write_audio_and_report(outcome: Outcome, run_id: str, workshop: Path, progress: ProgressCallback) -> None:
    song, curves = outcome.song, outcome.curves
    writing, reporting = stages(progress, {"Writing mix": 0.5, "Writing report": 0.5})
    before_db = 0.0 if outcome.reference is not None else min(0.0, headroom_db(outcome.before))
    before, after = outcome.labels
    figures = (outcome.before, outcome.after.with_gain_db(-outcome.file_gain_db))
    start_s = audio.excerpt_start_s(curves.time_s, curves.gains_db, curves.active, song.duration_s)
    with ThreadPoolExecutor(1) as pool:  # reading and encoding keep a core busy while the mix is written
        players_made = pool.submit(
            audio.excerpts,
            song,
            {before: outcome.reference, after: outcome.automation},
            figures,
            start_s,
            gains_db=(before_db, outcome.file_gain_db),
            wholes=(None, "mix.wav"),
        )
        gain_db = outcome.moved_db + outcome.file_gain_db
        outcome.rendered.write_wav(workshop / "mix.wav", gain_db, progress=writing)
        players = players_made.result()
    reporting(0.0)
    spectra = (audio.spectrum_of(before, outcome.before), audio.spectrum_of(after, outcome.compared_after))
    Sounds(players, spectra).save(workshop / audio.NAME, run_id)
    content = content_of(
        outcome.text,
        song=song,
        measurement=outcome.measurement,
        curves=curves,
        automation=outcome.automation,
        mixes={before: outcome.before, after: outcome.compared_after},
        players=players,
        verb=outcome.verb,
        made_by=MADE_BY,
        explanation=outcome.explanation,
        assignment=tuple(
            Figure(label=row.name, value=row.bus or "none", means=row.reason) for row in outcome.assignment
        ),
        range_s=outcome.range_s,
        stems=audio.stem_sounds(song, start_s) if outcome.stems_in_report else (),
    )
    write_text(workshop / "report.html", render_report(content))


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


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a run wrote: on a song's own automation, or on the tracks of a project.

    Attributes
    ----------
    tracks : what was written where.
    range_s : the part of the song it is for, in the stems' time.
    number : the run's place in the project's history.
    folder : where a project's run has its other files.
    start_s : the project's time at the stems' first sample.
    highest_gain : the top of an envelope, linear.
    stems_stay : whether the stems outlive the run.
    moves_on_top : whether the user's own moves were combined with those of the run.
    """

    tracks: list[TrackRun]
    range_s: tuple[float, float] | None
    number: int = 1
    folder: Path | None = None
    start_s: float = 0.0
    highest_gain: float = HIGHEST_GAIN
    stems_stay: bool = True
    moves_on_top: bool = False


def record_of(done: Outcome, place: Place) -> RunRecord:
    """Return the record of a run, without id and date."""
    figures = {**_figures(done.before, done.compared_after), **done.further_figures}
    stems = {bus: str(file.path.resolve()) for bus, file in done.song.stems.items()} if place.stems_stay else {}
    stem_files = {bus: [str(part.path.resolve()) for part in done.song.stems[bus].parts] for bus in stems}
    stem_files = {bus: files for bus, files in stem_files.items() if files}
    streams = {bus: [part.stream for part in done.song.stems[bus].parts or (done.song.stems[bus],)] for bus in stems}
    streams = {bus: numbers for bus, numbers in streams.items() if any(numbers)}
    return RunRecord(
        number=place.number,
        action=done.verb,
        made_at="",
        made_by=MADE_BY,
        title=done.song.title,
        model=done.model,
        folder=str(place.folder.resolve()) if place.folder else None,
        range_s=place.range_s,
        start_s=place.start_s,
        duration_s=done.song.duration_s,
        settings={ON_TOP: True} if place.moves_on_top else {},
        highest_gain=place.highest_gain,
        stems=stems,
        stem_files=stem_files or msgspec.UNSET,
        stem_streams=streams or msgspec.UNSET,
        figures={name: round(value, 3) for name, value in figures.items() if np.isfinite(value)},
        warnings=list(done.text.warnings),
        buses=_buses(done),
        tracks=place.tracks,
    )


def tracks_of_stems(automation: Automation) -> list[TrackRun]:
    """Return what was written for the stems of a song without a project: its automation."""
    return [
        TrackRun(
            guid="",
            number=number,
            name=bus,
            role=bus,
            scale=1.0,
            before=None,
            written=rounded(points.points()),
        )
        for number, (bus, points) in enumerate(automation.items(), start=1)
    ]


def _figures(before: MixFigures, after: MixFigures) -> dict[str, float]:
    return {
        "loudness_before_lufs": before.loudness_lufs,
        "loudness_after_lufs": after.loudness_lufs,
        "true_peak_before_dbtp": before.true_peak_dbtp,
        "true_peak_after_dbtp": after.true_peak_dbtp,
    }


def _buses(done: Outcome) -> list[BusRun]:
    curves = done.curves
    measured = balance.frame_levels_lufs(done.measurement)[: len(curves.time_s)]
    levels = _as_long_as(measured, len(curves.time_s))
    loudness = [bus_loudness_lufs(or_silence(column)) for column in measured.T]
    deviation = curves.deviation_db
    return [
        BusRun(
            role=bus,
            predicted_cdb=to_steps(curves.gains_db[:, i], GAIN_STEP_DB),
            level_lufs=to_steps(levels[:, i], LEVEL_STEP_LU),
            deviation_cdb=None if deviation is None else to_steps(deviation[:, i], GAIN_STEP_DB),
            terms_ddb=_terms(done.explanation, i),
            loudness_lufs=round(loudness[i], 2) if np.isfinite(loudness[i]) else msgspec.UNSET,
        )
        for i, bus in enumerate(curves.buses)
    ]


def _terms(explanation: Explanation | None, bus: int) -> dict[str, list[int]]:
    if explanation is None:
        return {}
    terms = explanation.contributions_db[:, bus]
    return {term: to_steps(terms[:, number], TERM_STEP_DB) for number, term in enumerate(explanation.terms)}


def _as_long_as(levels: FloatArray, n_frames: int) -> FloatArray:
    short = max(n_frames - len(levels), 0)
    return np.pad(levels, ((0, short), (0, 0)), mode="edge")[:n_frames]
