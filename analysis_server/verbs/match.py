"""`faderwise match`: a mixdown's fader moves, recovered on the song's stems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from analysis_server.projects.opening import is_project, opened_session, require_song_folder
from analysis_server.projects.rendered_stems import RenderedStems
from analysis_server.projects.session import Session, write_outcome
from analysis_server.report.content import Figure
from analysis_server.runs import outcome, run_records
from analysis_server.runs.run_records import Found, Run
from analysis_server.showing.report_page import Story
from analysis_server.song_folder import open_song_folder
from analysis_server.telling import Tell, stage, untold
from analysis_server.verbs.estimate import estimated
from core.audio.reading import AudioFile
from core.audio.song import Song
from core.automating.automation import thin_curves
from core.automating.rendering import MixFigures, headroom_db, measure_file, measure_mixes
from core.decibels import db_to_gain
from core.estimating.estimation import Estimate, limiter_reduction_db
from core.rpp.envelope_writing import HIGHEST_GAIN


class MatchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recover the gains that turn the stems of `song` into `mixdown`; write the outcome into the folder `out`.

    Of a REAPER project, `tracks` are the bus tracks by role, `stems` is the folder of exported stems, and `rendered`
    are stems that REAPER rendered.
    """

    song: str
    mixdown: str | None = None
    out: str | None = None
    buses: dict[str, str] = {}
    dry_run: bool = False
    stems: str | None = None
    tracks: dict[str, list[str]] = {}
    rendered: RenderedStems | None = None


class MatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; `files` by name, empty after a dry run."""

    title: str
    domain: str
    reason: str
    lag_samples: int
    fit: float
    limiter_db: float
    n_frames: int
    n_points: dict[str, int]
    median_gain_db: dict[str, float]
    median_deviation_db: dict[str, float]
    files: dict[str, str]
    warnings: list[str]


def run(request: MatchRequest, tell: Tell = untold) -> MatchResult:
    """Recover and write.

    Raises
    ------
    InputError
        The song cannot be read or has no mixdown, or the folder cannot be written to.
    """
    if is_project(request.song):
        with opened_session(
            request.song,
            tell,
            stems=request.stems,
            tracks=request.tracks,
            mixdown=request.mixdown,
            rendered=request.rendered,
        ) as session:
            return _matched(request, session.song, session, tell)
    require_song_folder(request.song, request.stems, request.tracks)
    return _matched(request, open_song_folder(request.song, request.buses, request.mixdown), None, tell)


def _matched(request: MatchRequest, song: Song, session: Session | None, tell: Tell) -> MatchResult:
    found = estimated(song, "default", None, None, stage(tell, f"estimating {song.title}", 0.0, 0.4))
    automation = thin_curves(found.curves)
    (after,) = measure_mixes(song, [automation], progress=stage(tell, "measuring the mix", 0.4, 0.6))
    limiter_db = limiter_reduction_db(found.limiter, float(db_to_gain(after.true_peak_dbtp)))
    written = session.written(automation, None) if session else None
    if session and written:
        found = replace(
            found, warnings=(*session.notes, *written.notes, *session.copy_notes(request.out, None), *found.warnings)
        )
    files: dict[str, str] = {}
    if not request.dry_run:
        file_gain_db = min(0.0, headroom_db(after))
        before = measure_file(song, _mixdown(song))
        done = outcome.Outcome(
            song=song,
            measurement=found.measurement,
            curves=found.curves,
            automation=automation,
            before=before,
            after=after.louder(file_gain_db),
            reference=song.mixdown,
            verb="match",
            preset="default",
            model=None,
            range_s=None,
            file_gain_db=file_gain_db,
            story=_story(song, found, limiter_db),
            record=run_records.record_of(
                _run(request, found, (before, after.louder(file_gain_db)), session),
                Found(song, found.measurement, found.curves),
                automation,
                written,
            ),
        )
        if session and written:
            files = write_outcome(done, session, written, out=request.out, tell=tell, start=0.6)
        else:
            folder = Path(request.out) if request.out else outcome.default_folder(request.song)
            files = outcome.write(done, folder, tell, 0.6)
    return MatchResult(
        title=song.title,
        domain=found.domain,
        reason=found.reason,
        lag_samples=found.lag_samples,
        fit=found.fit,
        limiter_db=limiter_db,
        n_frames=len(found.curves.time_s),
        n_points={bus: len(points.time_s) for bus, points in automation.items()},
        median_gain_db=found.curves.median_gain_db(),
        median_deviation_db=_median_deviation_db(found),
        files=files,
        warnings=list(found.warnings),
    )


def _run(request: MatchRequest, found: Estimate, mixes: tuple[MixFigures, MixFigures], session: Session | None) -> Run:
    return Run(
        action="match",
        model=None,
        range_s=session.part_s(None) if session else None,
        figures={**run_records.figures_of(*mixes), "fit": found.fit},
        warnings=found.warnings,
        folder=session.folder(request.out) if session else None,
        start_s=session.start_s if session else 0.0,
        highest_gain=session.rendered.highest_gain if session and session.rendered else HIGHEST_GAIN,
        stems_stay=session is None or request.stems is not None,
    )


def _mixdown(song: Song) -> AudioFile:
    assert song.mixdown is not None  # noqa: S101 - the estimate needed it
    return song.mixdown


def _median_deviation_db(found: Estimate) -> dict[str, float]:
    assert found.curves.deviation_db is not None  # noqa: S101 - the default preset's curves have it
    medians = np.median(found.curves.deviation_db, axis=0)
    return dict(zip(found.curves.buses, medians.tolist(), strict=True))


def _story(song: Song, found: Estimate, limiter_db: float) -> Story:
    figures = [
        Figure(label="Fit", value=f"{100 * found.fit:.1f} %", means="of the mixdown's energy the gains explain"),
        Figure(label="Domain", value=found.domain, means=found.reason),
        Figure(
            label="Lag",
            value=f"{found.lag_samples} samples",
            means="how much later than the stems the mixdown comes",
        ),
    ]
    if limiter_db > 0.0:
        figures.append(
            Figure(
                label="Limiter",
                value=f"up to {limiter_db:.1f} dB",
                means="common to all buses, told apart from them",
            )
        )
    summary = f"The fader moves of {_mixdown(song).path.name}, recovered on {', '.join(song.buses)}."
    return Story(summary, tuple(figures), found.warnings)
