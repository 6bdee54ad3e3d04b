"""`faderwise match`: a mixdown's fader moves, recovered on the song's stems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from analysis_server.locks import locked
from analysis_server.outputs.destination import Deliver, destination_of, output_paths, refuse_inputs
from analysis_server.outputs.run_output import Outcome
from analysis_server.presets import estimated
from analysis_server.report.content import Figure
from analysis_server.report.mix import BusResult, ReportText, bus_results, headline_of
from analysis_server.sources.assignment import Assigned, assignment_of
from analysis_server.sources.project import Opened, opened_song
from analysis_server.sources.session import SongRequest
from core.audio.io import AudioFile
from core.audio.song import Song
from core.automation.points import Automation, thin_curves
from core.automation.render import RenderedMix, headroom_db, level_warnings, measure_file, render_mix
from core.decibels import db_to_gain
from core.files import temporary_folder
from core.gains.estimate import Estimate, limiter_reduction_db
from core.progress import ProgressCallback, no_progress, stages


class MatchRequest(SongRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recover the gains that turn the stems of a song into `mixdown`."""

    mixdown: str | None = None


class MatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; `files` by name, empty after a dry run."""

    title: str
    headline: str
    domain: str
    reason: str
    lag_samples: int
    fit: float
    limiter_db: float
    n_frames: int
    n_points: dict[str, int]
    median_gain_db: dict[str, float]
    buses: dict[str, BusResult]
    median_deviation_db: dict[str, float]
    assignment: list[Assigned]
    files: dict[str, str]
    warnings: list[str]


def run(
    request: MatchRequest, progress: ProgressCallback = no_progress, *, deliver: Deliver | None = None
) -> MatchResult:
    """Recover and write.

    Parameters
    ----------
    request : which mixdown of which song.
    progress : called with the fraction done.
    deliver : takes the envelopes of a project that is open in REAPER as soon as they exist, instead of a copy.

    Raises
    ------
    InputError
        The song cannot be read or has no mixdown, or the folder cannot be written to.
    """
    with (
        locked(*output_paths(request)),
        opened_song(request, progress, mixdown=request.mixdown) as opened,
        temporary_folder() as workshop,
    ):
        refuse_inputs(request, opened.song, opened.session)
        return _matched(request, opened, workshop, deliver)


def _matched(request: MatchRequest, opened: Opened, workshop: Path, deliver: Deliver | None) -> MatchResult:
    song = opened.song
    estimating, measuring, writing = stages(
        opened.progress, {f"Estimating {song.title}": 0.4, "Rendering mix": 0.2, "Writing results": 0.4}
    )
    found = estimated(song, "default", None, None, estimating)
    automation = thin_curves(found.curves)
    rendered = render_mix(song, automation, workshop / "mix.f32", progress=measuring)
    after = rendered.figures
    limiter_db = limiter_reduction_db(found.limiter, float(db_to_gain(after.true_peak_dbtp)))
    where = destination_of(request, opened.session, automation, deliver=deliver)
    moved_db = -where.lowered_db
    if where.lowered_db > 0.0:
        found = replace(found, curves=found.curves.with_gain_db(moved_db))
        automation = thin_curves(found.curves)
        after = after.with_gain_db(moved_db)
    warnings = (*where.notes, *found.warnings, *level_warnings(min(0.0, headroom_db(after))))
    story = _story(song, found, limiter_db, warnings)
    assignment = assignment_of(song, opened.session)
    done = replace(_outcome(song, found, automation, rendered, story, moved_db=moved_db), assignment=assignment)
    files = {} if request.dry_run else where.write(done, writing)
    return MatchResult(
        title=song.title,
        headline=story.headline,
        domain=found.domain,
        reason=found.reason,
        lag_samples=found.lag_samples,
        fit=found.fit,
        limiter_db=limiter_db,
        n_frames=len(found.curves.time_s),
        n_points={bus: len(points.time_s) for bus, points in automation.items()},
        median_gain_db=found.curves.median_gain_db(),
        buses=bus_results(song, found.measurement, found.curves, automation),
        median_deviation_db=_median_deviation_db(found),
        assignment=assignment,
        files=files,
        warnings=list(story.warnings),
    )


def _outcome(
    song: Song, found: Estimate, automation: Automation, rendered: RenderedMix, story: ReportText, *, moved_db: float
) -> Outcome:
    after = rendered.figures.with_gain_db(moved_db)
    file_gain_db = min(0.0, headroom_db(after))
    return Outcome(
        song=song,
        measurement=found.measurement,
        curves=found.curves,
        automation=automation,
        before=measure_file(song, _mixdown(song)),
        after=after.with_gain_db(file_gain_db),
        rendered=rendered,
        moved_db=moved_db,
        reference=song.mixdown,
        verb="match",
        preset="default",
        model=None,
        range_s=None,
        file_gain_db=file_gain_db,
        text=story,
        further_figures={"fit": found.fit},
    )


def _mixdown(song: Song) -> AudioFile:
    assert song.mixdown is not None  # noqa: S101 - the estimate needed it
    return song.mixdown


def _median_deviation_db(found: Estimate) -> dict[str, float]:
    assert found.curves.deviation_db is not None  # noqa: S101 - the default preset's curves have it
    medians = np.median(found.curves.deviation_db, axis=0)
    return dict(zip(found.curves.buses, medians.tolist(), strict=True))


def _story(song: Song, found: Estimate, limiter_db: float, warnings: tuple[str, ...]) -> ReportText:
    figures = [
        Figure(
            label="Fit", value=f"{100 * found.fit:.1f} %", means="share of the mixdown's energy that the gains explain"
        ),
        Figure(label="Domain", value=found.domain, means=found.reason),
        Figure(
            label="Lag",
            value=f"{found.lag_samples} samples",
            means="delay of the mixdown against the stems",
        ),
    ]
    if limiter_db > 0.0:
        figures.append(
            Figure(
                label="Limiter",
                value=f"up to {limiter_db:.1f} dB",
                means="gain reduction common to all buses, removed from the curves",
            )
        )
    summary = f"The fader moves of {_mixdown(song).path.name}, recovered on {', '.join(song.buses)}."
    return ReportText(summary, tuple(figures), warnings, headline_of(found.curves, prefix="Recovered"))
