"""`faderwise mix`: a model's gains for a song's stems, as automation, a rendered mix and a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from analysis_server import model_store
from analysis_server.projects.opening import is_project, opened_session, require_song_folder
from analysis_server.projects.rendered_stems import RenderedStems
from analysis_server.projects.session import Existing, Session, write_outcome
from analysis_server.report.content import Figure
from analysis_server.runs import outcome, run_records
from analysis_server.runs.run_records import Found, Run
from analysis_server.showing.report_page import Story
from analysis_server.song_folder import open_song_folder
from analysis_server.telling import Tell, stage, untold
from core.audio.song import Song
from core.automating.automation import BusPoints, thin_curves
from core.automating.rendering import MixFigures, common_gain_db, headroom_db, measure_mixes
from core.errors import InputError
from core.measuring.default_measurement import measure
from core.measuring.measurement import Measurement
from core.measuring.paper_measurement import measure_as_paper
from core.modelling.explanation import Prediction
from core.modelling.model import Model
from core.modelling.prediction import predict_explained
from core.progress import part_of
from core.rpp.envelope_writing import HIGHEST_GAIN, Written


class MixRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mix `song` (a SONG_DIR, or a REAPER project) with `model` and write the outcome into the folder `out`.

    Of a project, `tracks` are the bus tracks by role, `stems` is the folder of exported stems, `rendered` are stems
    that REAPER rendered, and `existing` says whether the user's own moves on the envelopes stay on top of the new
    gains. `range_s` restricts the automation to a part of the song; `target_lufs` chooses the mix's loudness, which
    is the plain sum's otherwise; with `dry_run` nothing is written.
    """

    song: str
    model: str = model_store.DEFAULT_MODEL
    out: str | None = None
    buses: dict[str, str] = {}
    range_s: tuple[float, float] | None = None
    target_lufs: float | None = None
    dry_run: bool = False
    stems: str | None = None
    tracks: dict[str, list[str]] = {}
    existing: Existing = "replace"
    rendered: RenderedStems | None = None


class MixResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; `files` by name, empty after a dry run."""

    title: str
    model: str
    preset: str
    n_frames: int
    n_points: dict[str, int]
    median_gain_db: dict[str, float]
    loudness_before_lufs: float
    loudness_after_lufs: float
    true_peak_dbtp: float
    files: dict[str, str]
    warnings: list[str]


def run(request: MixRequest, tell: Tell = untold) -> MixResult:
    """Mix and write.

    Raises
    ------
    InputError
        The song or the model cannot be used, or the folder cannot be written to.
    """
    model = model_store.find(request.model)
    if is_project(request.song):
        with opened_session(
            request.song, tell, stems=request.stems, tracks=request.tracks, rendered=request.rendered
        ) as session:
            return _mixed(request, model, session.song, session, tell)
    require_song_folder(request.song, request.stems, request.tracks, request.existing)
    return _mixed(request, model, open_song_folder(request.song, request.buses), None, tell)


def _mixed(request: MixRequest, model: Model, song: Song, session: Session | None, tell: Tell) -> MixResult:
    _require_range(request.range_s, song)
    measurement, prediction = predicted(song, model, tell)
    mixed = _levelled(song, model, prediction, request, tell)
    result_files: dict[str, str] = {}
    written = session.written(mixed.automation, request.range_s, request.existing) if session else None
    of_project = _project_notes(session, written, request) if session and written else []
    story = Story(_summary(song, model), _figures(model, song), (*of_project, *measurement.notes, *mixed.warnings))
    done = outcome.Outcome(
        song=song,
        measurement=measurement,
        curves=mixed.prediction.curves,
        automation=mixed.automation,
        before=mixed.before,
        after=mixed.after,
        reference=None,
        verb="mix",
        preset=model.preset,
        model=model.name,
        range_s=request.range_s,
        file_gain_db=mixed.file_gain_db,
        story=story,
        record=run_records.record_of(
            _run(request, model, mixed, story, session),
            Found(song, measurement, mixed.prediction.curves, mixed.prediction.explanation),
            mixed.automation,
            written,
        ),
    )
    if not request.dry_run and session and written:
        result_files = write_outcome(done, session, written, out=request.out, tell=tell, start=0.55)
    elif not request.dry_run:
        folder = Path(request.out) if request.out else outcome.default_folder(request.song)
        result_files = outcome.write(done, folder, tell, 0.55)
    return MixResult(
        title=song.title,
        model=model.name,
        preset=model.preset,
        n_frames=len(prediction.curves.time_s),
        n_points={bus: len(points.time_s) for bus, points in mixed.automation.items()},
        median_gain_db=mixed.prediction.curves.median_gain_db(),
        loudness_before_lufs=mixed.before.loudness_lufs,
        loudness_after_lufs=mixed.after.loudness_lufs,
        true_peak_dbtp=mixed.after.true_peak_dbtp,
        files=result_files,
        warnings=list(story.warnings),
    )


def _project_notes(session: Session, written: Written, request: MixRequest) -> list[str]:
    return [*session.notes, *written.notes, *session.copy_notes(request.out, request.range_s)]


@dataclass(frozen=True, kw_only=True)
class _Levelled:
    prediction: Prediction
    automation: dict[str, BusPoints]
    before: MixFigures
    after: MixFigures
    file_gain_db: float
    warnings: list[str]


def _require_range(range_s: tuple[float, float] | None, song: Song) -> None:
    if range_s is None:
        return
    start_s, end_s = range_s
    if not 0.0 <= start_s < end_s or start_s >= song.duration_s:
        raise InputError(
            f"--range {start_s:g}:{end_s:g}: the song lasts {song.duration_s:.1f} s; give a start and a later end in it"
        )


def _run(request: MixRequest, model: Model, mixed: _Levelled, story: Story, session: Session | None) -> Run:
    return Run(
        action="mix",
        model=model.name,
        range_s=session.part_s(request.range_s) if session else request.range_s,
        figures=run_records.figures_of(mixed.before, mixed.after),
        warnings=story.warnings,
        folder=session.folder(request.out) if session else None,
        start_s=session.start_s if session else 0.0,
        highest_gain=session.rendered.highest_gain if session and session.rendered else HIGHEST_GAIN,
        stems_stay=session is None or request.stems is not None,
        moves_on_top=request.existing == "combine",
    )


def predicted(song: Song, model: Model, tell: Tell) -> tuple[Measurement, Prediction]:
    """Return the default preset's measurement, which the report shows, and the model's curves."""
    progress = stage(tell, f"measuring {song.title}", 0.0, 0.35)
    if model.feature_set == "condition3":
        measurement = measure(song, progress=progress)
        return measurement, predict_explained(model, measurement)
    if model.preset == "paper":
        features = measure_as_paper(
            song, feature_set=model.feature_set, with_mixdown=False, progress=part_of(progress, 0.0, 0.5)
        )
        return measure(song, progress=part_of(progress, 0.5, 1.0)), predict_explained(model, features)
    measurement = measure(song, feature_set=model.feature_set, progress=progress)
    return measurement, predict_explained(model, measurement)


def _levelled(song: Song, model: Model, prediction: Prediction, request: MixRequest, tell: Tell) -> _Levelled:
    """Choose the common gain: in the automation where it is a balance, else in the rendered file alone."""
    automation = thin_curves(prediction.curves, span_s=request.range_s)
    progress = stage(tell, "measuring the mix", 0.35, 0.55)
    before, after = measure_mixes(song, [None, automation], progress=progress)
    wanted_db = common_gain_db(before, after, request.target_lufs)
    in_file = model.feature_set != "condition3" or request.range_s is not None
    if in_file:
        file_gain_db = wanted_db if request.target_lufs is not None else min(0.0, headroom_db(after))
        moved_db = 0.0
    else:
        file_gain_db, moved_db = 0.0, wanted_db
    automation = {bus: points.shifted(moved_db) for bus, points in automation.items()}
    return _Levelled(
        prediction=prediction.scaled(moved_db),
        automation=automation,
        before=before,
        after=after.louder(moved_db + file_gain_db),
        file_gain_db=file_gain_db,
        warnings=_level_warnings(request, before, after.louder(moved_db + file_gain_db), file_gain_db),
    )


def _level_warnings(request: MixRequest, before: MixFigures, after: MixFigures, file_gain_db: float) -> list[str]:
    warnings = []
    wanted_lufs = before.loudness_lufs if request.target_lufs is None else request.target_lufs
    if file_gain_db < -0.05:
        warnings.append(f"mix.wav is {-file_gain_db:.1f} dB quieter than the automation makes it, to keep its peaks in")
    elif after.loudness_lufs < wanted_lufs - 0.1 and request.target_lufs is not None:
        warnings.append(
            f"the mix came to {after.loudness_lufs:.1f} LUFS, not {wanted_lufs:.1f}: its true peak would pass -1 dBTP"
        )
    return warnings


def _summary(song: Song, model: Model) -> str:
    learned = f"learned from {len(model.songs)} songs" if model.songs else "a rule that needs no training"
    return f"{', '.join(song.buses)} mixed with the model {model.name} ({learned})."


def _figures(model: Model, song: Song) -> tuple[Figure, ...]:
    return (
        Figure(label="Model", value=model.name, means=f"preset {model.preset}, features {model.feature_set}"),
        Figure(label="Length", value=f"{song.duration_s:.1f} s", means="of the longest stem"),
    )
