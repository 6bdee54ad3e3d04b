"""`faderwise match`: a mixdown's fader moves, recovered on the song's stems."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from analysis_server.outputs import (
    Deliver,
    assignment_rows,
    check_paths,
    destination_of,
    output_paths,
    prepare_report,
    refuse_inputs,
)
from analysis_server.paths import is_project, locked
from analysis_server.report.content import Figure, decimal_text
from analysis_server.report.mix import BusResult, Outcome, ReportText, bus_results, headline_of, lowered_figures
from analysis_server.sources.project import (
    Assigned,
    Opened,
    SongRequest,
    assignment_of,
    names_by_bus,
    opened_song,
    plain_sum_notes,
    require_mixdown_of,
)
from core.audio.song import Song
from core.automation.points import thin_curves
from core.automation.render import PEAK_LIMIT_DBTP, headroom_db, level_notes, measure_file, render_mix
from core.decibels import db_to_gain
from core.files import temporary_folder
from core.gains.estimate import Estimate, estimate, limiter_reduction_db, require_mixdown
from core.matching import new_bus_notes
from core.progress import ProgressCallback, no_progress, stages
from core.rpp.project import read_project
from core.wording import count


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
    mixdown_lufs: float
    loudness_after_lufs: float
    true_peak_dbtp: float
    n_frames: int
    n_points: dict[str, int]
    median_gain_db: dict[str, float]
    buses: dict[str, BusResult]
    median_deviation_db: dict[str, float]
    assignment: list[Assigned]
    files: dict[str, str]
    notes: list[str]
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


def check(request: MatchRequest) -> Song | None:
    """Check everything about a request that can be checked without reading audio; return the song of a song folder.

    Raises
    ------
    InputError
        The song folder cannot be used, there is no mixdown, or the output folder cannot be written to.
    """
    song = check_paths(request, request.mixdown)
    if song is not None:
        require_mixdown(song)
    elif is_project(request.song):
        project = read_project(Path(request.song))
        require_mixdown_of(project, request.mixdown, request.stems, "name it with --mixdown")
    return song


def _matched(request: MatchRequest, opened: Opened, workshop: Path, deliver: Deliver | None) -> MatchResult:
    song = opened.song
    estimating, rendering, measuring, writing = stages(
        opened.progress,
        {f"Estimating {song.title}": 0.55, "Rendering mix": 0.25, "Measuring mixdown": 0.1, "Writing results": 0.1},
    )
    with ThreadPoolExecutor(1) as pool:
        pool.submit(prepare_report)
        plain_sum = pool.submit(plain_sum_notes, song)
        found = estimate(song, progress=estimating)
    automation = thin_curves(found.curves)
    rendered = render_mix(song, automation, workshop / "mix.f32", progress=rendering)
    mixdown = require_mixdown(song)
    before, after = measure_file(song, mixdown, progress=measuring), rendered.figures
    limiter_db = limiter_reduction_db(found.limiter, float(db_to_gain(after.true_peak_dbtp)))
    where = destination_of(request, opened.session, automation, deliver=deliver)
    if where.lowered:
        lowered_db = [-where.lowered.of(bus) for bus in found.curves.buses]
        found = replace(found, curves=found.curves.with_gain_db(lowered_db))
        automation = thin_curves(found.curves)
        rendered = render_mix(song, automation, workshop / "lowered.f32")
        after = rendered.figures
    assert found.curves.deviation_db is not None  # noqa: S101 - the default preset's curves have it
    deviations_db = np.median(found.curves.deviation_db, axis=0).tolist()
    buses = bus_results(names_by_bus(song, opened.session), found.measurement, found.curves, automation)
    headline = headline_of(buses, prefix="Recovered")
    file_gain_db = min(0.0, headroom_db(after))
    after = after.with_gain_db(file_gain_db)
    text = ReportText(
        f"The fader moves of {mixdown.path.name}, recovered from the stems; {found.reason}.",
        (*_figures(found, limiter_db, file_gain_db), *lowered_figures(where.lowered)),
        (*where.notes, *found.warnings, *plain_sum.result()),
        (*_new_bus_notes(request), *song.notes()),
        headline,
        level_note="".join(level_notes(file_gain_db)),
    )
    assignment = assignment_of(song, opened.session)
    done = Outcome(
        song=song,
        measurement=found.measurement,
        curves=found.curves,
        automation=automation,
        buses=buses,
        before=before,
        after=after,
        rendered=rendered,
        reference=mixdown,
        verb="match",
        preset="default",
        model=None,
        range_s=None,
        file_gain_db=file_gain_db,
        text=text,
        further_figures={"fit": found.fit},
        relation=found.reason,
        assignment=assignment_rows(assignment),
    )
    files = {} if request.dry_run else where.write(done, writing)
    return MatchResult(
        title=song.title,
        headline=headline,
        domain=found.domain,
        reason=found.reason,
        lag_samples=found.lag_samples,
        fit=found.fit,
        limiter_db=limiter_db,
        mixdown_lufs=before.loudness_lufs,
        loudness_after_lufs=after.loudness_lufs,
        true_peak_dbtp=after.true_peak_dbtp,
        n_frames=len(found.curves.time_s),
        n_points={bus: len(points.time_s) for bus, points in automation.items()},
        median_gain_db={bus: result.gain_db for bus, result in buses.items()},
        buses=buses,
        median_deviation_db=dict(zip(found.curves.buses, deviations_db, strict=True)),
        assignment=assignment,
        files=files,
        notes=[*text.notes, *filter(None, [text.level_note])],
        warnings=list(text.warnings),
    )


def _new_bus_notes(request: MatchRequest) -> list[str]:
    return new_bus_notes((*request.buses, *request.tracks), (), "its gain is recovered like those of the others")


def _figures(found: Estimate, limiter_db: float, file_gain_db: float) -> tuple[Figure, ...]:
    what = "energy" if found.domain == "complex" else f"{found.domain} spectrum"
    means = f"share of the mixdown's {what} that the gains explain"
    figures = [Figure(label="Fit", value=f"{100 * found.fit:.1f} %", means=means)]
    if found.lag_samples:
        side = "later" if found.lag_samples > 0 else "earlier"
        value = f"{count(abs(found.lag_samples), 'sample')} {side}"
        figures.append(Figure(label="Delay", value=value, means="of the mixdown against the stems; removed"))
    if limiter_db > 0.0:
        means = "gain reduction common to all buses, removed from the curves"
        figures.append(Figure(label="Limiter", value=f"up to {limiter_db:.1f} dB", means=means))
    if file_gain_db < -0.05:
        means = f"than the automation, so that its true peak does not exceed {decimal_text(PEAK_LIMIT_DBTP, 0)} dBTP"
        figures.append(Figure(label="Level of mix.wav", value=f"{-file_gain_db:.1f} dB lower", means=means))
    return tuple(figures)
