"""`faderwise mix`: a model's gains for a song's stems, as automation, a rendered mix and a report."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from analysis_server import models
from analysis_server.outputs import (
    Deliver,
    Destination,
    Existing,
    assignment_rows,
    check_paths,
    destination_of,
    output_paths,
    prepare_report,
    refuse_inputs,
    with_own_moves,
)
from analysis_server.paths import is_project, locked
from analysis_server.presets import predict_song
from analysis_server.report.content import Figure
from analysis_server.report.mix import BusResult, Outcome, ReportText, bus_results, headline_of, lowered_figures
from analysis_server.sources.project import (
    Assigned,
    Level,
    Opened,
    SongRequest,
    assignment_of,
    names_by_bus,
    opened_song,
    plain_sum_notes,
)
from analysis_server.verbs.adjust import Adjustments, adjust
from core import roles
from core.analysis.loudness import FLOOR_LUFS
from core.audio.framing import LONGEST_S
from core.audio.song import Song
from core.automation.points import Automation, EnvelopePoints, thin_curves
from core.automation.render import (
    LOUDEST_LUFS,
    PEAK_LIMIT_DBTP,
    QUIETEST_LUFS,
    MixFigures,
    RenderedMix,
    common_gain_db,
    headroom_db,
    level_notes,
    render_mix,
)
from core.errors import InputError, suggestion
from core.files import temporary_folder
from core.gains.curves import GainCurves
from core.matching import new_bus_notes
from core.models.explain import Prediction
from core.models.model import Model, songs_in_words
from core.progress import ProgressCallback, no_progress, stages
from core.rpp.write import Lowered
from core.runs.edit import DEPTH, KEPT
from core.wording import decibels

_AT_LIMIT_DB = 0.01
"""A mix counts as limited by its peaks when it has less headroom than this."""
_REPORTED_DB = 0.1
_MOST_RENDERINGS = 6


class MixRequest(SongRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mix a song with `model`.

    Attributes
    ----------
    model : a model's name or file.
    range_s : the part of the song the automation is for; the whole of it by default.
    target_lufs : the mix's loudness; the plain sum's by default.
    existing : of a project, whether the user's own moves on the envelopes stay on top of the new gains.
    level : whether each bus gets a gain, or each single track.
    like, depth_percent, ride_percent, keep : adjustments of the prediction, as in `adjust.Adjustments`.
    stems_in_report : whether the report contains an excerpt of every bus, for solo and mute.
    """

    model: str = models.DEFAULT_MODEL
    range_s: tuple[float, float] | None = None
    target_lufs: float | None = None
    existing: Existing = "replace"
    level: Level = "buses"
    like: str | None = None
    depth_percent: float = 100.0
    ride_percent: dict[str, float] = msgspec.field(default_factory=dict)
    keep: list[str] = msgspec.field(default_factory=list)
    stems_in_report: bool = False


class MixResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was done; `files` by name, empty after a dry run.

    `headline`, `median_gain_db` and `buses` are those of `range_s`; the other figures are of the whole mix.
    `lowered_db` is by how much buses were lowered so that their curves fit the range of their envelopes.
    `notes` are information, such as the effect of the adjustments; `warnings` may be a problem.
    """

    title: str
    headline: str
    model: str
    like: str | None
    preset: str
    range_s: tuple[float, float] | None
    n_frames: int
    n_points: dict[str, int]
    median_gain_db: dict[str, float]
    buses: dict[str, BusResult]
    loudness_before_lufs: float
    loudness_after_lufs: float
    true_peak_dbtp: float
    lowered_db: dict[str, float]
    assignment: list[Assigned]
    files: dict[str, str]
    notes: list[str]
    warnings: list[str]


def run(request: MixRequest, progress: ProgressCallback = no_progress, *, deliver: Deliver | None = None) -> MixResult:
    """Mix and write.

    Parameters
    ----------
    request : what to mix, and how.
    progress : called with the fraction done.
    deliver : takes the envelopes of a project that is open in REAPER as soon as they exist, instead of a copy.

    Raises
    ------
    InputError
        The song or the model cannot be used, or the folder cannot be written to.
    """
    model = _checked_model(request)
    with (
        locked(*output_paths(request)),
        opened_song(request, progress, level=request.level, separate=model.feature_set == "condition3") as opened,
        temporary_folder() as workshop,
    ):
        refuse_inputs(request, opened.song, opened.session)
        return _mixed(request, model, opened, workshop, deliver)


def check(request: MixRequest) -> Song | None:
    """Check everything about a request that can be checked without reading audio; return the song of a song folder.

    Raises
    ------
    InputError
        The model does not exist, an option has an impossible value, or the song folder cannot be mixed in this way.
    """
    _checked_model(request)
    song = check_paths(request, raw=request.level == "tracks")
    if song is None:
        return None
    _within_song(request, song)
    if request.level == "buses":
        for option, names in (("--keep", request.keep), ("--ride", request.ride_percent)):
            known = _bus_names(song)
            missing = [n for n in names if roles.bus_of(n.casefold()) not in known and roles.role_of(n) not in known]
            if missing:
                remedy = f"{suggestion(missing[0], song.buses)}it has {', '.join(song.buses)}"
                raise InputError(f"the song has no bus {missing[0]!r}", option=option, remedy=remedy)
    return song


def _bus_names(song: Song) -> set[str]:
    return {roles.bus_of(bus.casefold()) for bus in song.buses}


def _checked_model(request: MixRequest) -> Model:
    _require_loudness(request.target_lufs)
    model = models.find(request.model)
    msgspec.convert(request, Adjustments, from_attributes=True).check(model)
    if request.existing == "combine" and not is_project(request.song):
        raise InputError(
            "applies only to REAPER projects (.RPP)", path=request.song, option="--existing", remedy="omit it"
        )
    _new_bus_notes(request, model)
    return model


def _new_bus_notes(request: MixRequest, model: Model) -> list[str]:
    gain = f"no song of the model {model.name} has it, so it is balanced by the general rule for instruments"
    return new_bus_notes((*request.buses, *request.tracks), model.buses, gain)


def _mixed(
    request: MixRequest,
    model: Model,
    opened: Opened,
    workshop: Path,
    deliver: Deliver | None,
) -> MixResult:
    song = opened.song
    request, range_notes = _within_song(request, song)
    measuring, levelling, writing = stages(
        opened.progress, {f"Measuring {song.title}": 0.35, "Rendering mix": 0.5, "Writing results": 0.15}
    )
    with ThreadPoolExecutor(1) as pool:
        pool.submit(prepare_report)
        plain_sum = pool.submit(plain_sum_notes, song)
        measurement, prediction = predict_song(song, model, measuring)
    asked = msgspec.convert(request, Adjustments, from_attributes=True)
    prediction, adjustments, warnings = adjust(prediction, measurement, asked, opened.session, path=request.song)

    def heard_of(automation: Automation) -> dict[str, EnvelopePoints]:
        return with_own_moves(opened.session, automation, range_s=request.range_s, existing=request.existing)[0]

    mixed = _levelled(song, model, prediction, request, heard_of=heard_of, workshop=workshop, progress=levelling)
    mixed, where = _fitted(request, model, opened, mixed, heard_of=heard_of, workshop=workshop, deliver=deliver)
    heard, own_warnings = with_own_moves(
        opened.session, mixed.automation, range_s=request.range_s, existing=request.existing
    )
    terms_db = dict(mixed.prediction.terms_db)
    if any(heard[bus] is not points for bus, points in mixed.automation.items()):
        time_s = mixed.prediction.curves.time_s
        own_db = [heard[bus].at(time_s) - points.at(time_s) for bus, points in mixed.automation.items()]
        terms_db["own"] = np.stack(own_db, axis=1)
    buses = bus_results(
        names_by_bus(song, opened.session),
        measurement,
        mixed.prediction.curves,
        heard,
        range_s=request.range_s,
        kept=mixed.prediction.kept,
    )
    text = ReportText(
        _summary(model, request.like),
        (*_figures(model, song, request.like), *lowered_figures(where.lowered)),
        (
            *models.hidden_model_warnings(request.model),
            *range_notes,
            *warnings,
            *where.notes,
            *own_warnings,
            *measurement.warnings,
            *mixed.warnings,
            *_balance_notes(plain_sum.result(), mixed.prediction.curves),
        ),
        (*_new_bus_notes(request, model), *song.notes(), *adjustments, *_single_bus_notes(mixed.prediction)),
        headline_of(
            buses,
            prefix=f"Balance of {request.like}" if request.like else "",
            range_s=request.range_s,
        ),
    )
    assignment = assignment_of(song, opened.session)
    done = Outcome(
        song=song,
        measurement=measurement,
        curves=mixed.prediction.curves,
        automation=heard,
        buses=buses,
        before=mixed.before,
        after=mixed.after,
        reference=None,
        verb="mix",
        preset=model.preset,
        model=model.name,
        range_s=request.range_s,
        file_gain_db=mixed.file_gain_db,
        rendered=mixed.rendered,
        moved_db=mixed.moved_db,
        text=text,
        full_db=prediction.full_db,
        applied={
            **({DEPTH: request.depth_percent} if prediction.full_db is not None else {}),
            **({KEPT: list(prediction.kept)} if prediction.kept else {}),
        },
        terms_db=terms_db,
        stems_in_report=request.stems_in_report,
        assignment=assignment_rows(assignment),
    )
    files = {} if request.dry_run else where.write(done, writing)
    return MixResult(
        title=song.title,
        headline=text.headline,
        model=model.name,
        like=request.like,
        preset=model.preset,
        range_s=request.range_s,
        n_frames=len(prediction.curves.time_s),
        n_points={bus: len(points.time_s) for bus, points in heard.items()},
        median_gain_db={bus: found.gain_db for bus, found in buses.items()},
        buses=buses,
        loudness_before_lufs=mixed.before.loudness_lufs,
        loudness_after_lufs=mixed.after.loudness_lufs,
        true_peak_dbtp=mixed.after.true_peak_dbtp,
        lowered_db={bus: where.lowered.of(bus) for bus in buses if where.lowered.of(bus) > 0.0},
        assignment=assignment,
        files=files,
        notes=list(text.notes),
        warnings=list(text.warnings),
    )


HeardOf = Callable[[Automation], dict[str, EnvelopePoints]]
"""Adds to new gains the moves of the user's envelopes where these are kept."""


@dataclass(frozen=True, kw_only=True)
class _Levelled:
    """A prediction at its level; `fitting_lufs` is what the true peak allows where no envelope has a top."""

    prediction: Prediction
    automation: dict[str, EnvelopePoints]
    before: MixFigures
    after: MixFigures
    file_gain_db: float
    moved_db: float
    rendered: RenderedMix
    fitting_lufs: float
    warnings: list[str]

    def with_gain_db(self, gain_db: float) -> _Levelled:
        return replace(
            self,
            prediction=self.prediction.with_gain_db(gain_db),
            automation={bus: points.with_gain_db(gain_db) for bus, points in self.automation.items()},
            after=self.after.with_gain_db(gain_db),
            moved_db=self.moved_db + gain_db,
        )


def _balance_notes(of_sum: Sequence[str], curves: GainCurves) -> list[str]:
    """Return the sentences about a mixdown that is the plain sum of the stems, with how much the gains change it."""
    medians_db = curves.median_gain_db()
    middle_db = statistics.median(medians_db.values())
    bus, change_db = max(((bus, gain_db - middle_db) for bus, gain_db in medians_db.items()), key=lambda p: abs(p[1]))
    return [
        f"{note}; this mix changes it by up to {abs(change_db):.1f} dB ({bus} {decibels(change_db)}); "
        "to keep the producer's balance, use faderwise match"
        for note in of_sum
    ]


def _single_bus_notes(prediction: Prediction) -> list[str]:
    curves = prediction.curves
    heard = [bus for bus, on in zip(curves.buses, curves.active.T, strict=True) if on.any()]
    if len(heard) != 1 or "paper" in prediction.terms_db:
        return []
    return [f"{heard[0]} is the only bus with sound, so there is no balance to set"]


def _require_loudness(target_lufs: float | None) -> None:
    if target_lufs is not None and not QUIETEST_LUFS <= target_lufs <= LOUDEST_LUFS:
        raise InputError(
            f"the loudness must be between {QUIETEST_LUFS:g} and {LOUDEST_LUFS:g} LUFS",
            option=f"--target-lufs {target_lufs:g}",
            remedy="give a value such as -14",
        )


def _within_song(request: MixRequest, song: Song) -> tuple[MixRequest, list[str]]:
    """Return the request with its range ending at the song's end at the latest, and a note if that shortened it."""
    if request.range_s is None:
        return request, []
    start_s, end_s = request.range_s
    if not 0.0 <= start_s < end_s < LONGEST_S or start_s >= song.duration_s:
        raise InputError(
            f"{start_s:g} to {end_s:g} s is not a part of the song, which lasts {song.duration_s:.1f} s",
            option="--range",
            remedy="give a start and a later end within it",
        )
    if end_s <= song.duration_s:
        return request, []
    request = msgspec.structs.replace(request, range_s=(start_s, song.duration_s))
    return request, [f"the range ends at {song.duration_s:.1f} s, the end of the song, instead of {end_s:g} s"]


def _levelled(
    song: Song,
    model: Model,
    prediction: Prediction,
    request: MixRequest,
    *,
    heard_of: HeardOf,
    workshop: Path,
    progress: ProgressCallback,
) -> _Levelled:
    """Choose the common gain: part of the automation for a balance model, else only of the rendered file."""
    automation = thin_curves(prediction.curves, span_s=request.range_s)
    rendered = render_mix(song, heard_of(automation), workshop / "mix.f32", with_plain_sum=True, progress=progress)
    before, after = rendered.plain_sum, rendered.figures
    assert before is not None  # noqa: S101 - it was asked for
    if _is_levelled_in_file(model, request):
        file_gain_db, moved_db = _file_gain_db(request, before, after), 0.0
    else:
        file_gain_db, moved_db = 0.0, common_gain_db(before, after, request.target_lufs)
    figures = after.with_gain_db(moved_db + file_gain_db)
    return _Levelled(
        prediction=prediction.with_gain_db(moved_db),
        automation={bus: points.with_gain_db(moved_db) for bus, points in automation.items()},
        before=before,
        after=figures,
        file_gain_db=file_gain_db,
        moved_db=moved_db,
        rendered=rendered,
        fitting_lufs=figures.loudness_lufs,
        warnings=_level_warnings(request, before, figures, file_gain_db),
    )


def _fitted(
    request: MixRequest,
    model: Model,
    opened: Opened,
    mixed: _Levelled,
    *,
    heard_of: HeardOf,
    workshop: Path,
    deliver: Deliver | None,
) -> tuple[_Levelled, Destination]:
    """Return the mix as its envelopes have it, and where it goes.

    Where buses are lowered alone, the common gain is chosen again for what is left, because they may have had the peak.
    Buses that are at the top of their envelopes stay there, so this takes a few renderings.
    """
    for _ in range(_MOST_RENDERINGS):
        where = destination_of(
            request,
            opened.session,
            mixed.automation,
            range_s=request.range_s,
            existing=request.existing,
            deliver=deliver,
        )
        if not where.lowered:
            return mixed, where
        lowered = _lowered(
            opened.song, model, mixed, request, lowered=where.lowered, heard_of=heard_of, workshop=workshop
        )
        if _is_levelled_in_file(model, request) or not where.lowered.alone_db:
            break
        left_db = min(common_gain_db(mixed.before, lowered.after, request.target_lufs), where.lowered.room_db)
        if 0.0 <= left_db < _AT_LIMIT_DB:
            break
        mixed = mixed.with_gain_db(left_db)
    return lowered, where


def _is_levelled_in_file(model: Model, request: MixRequest) -> bool:
    return model.feature_set != "condition3" or request.range_s is not None or bool(request.keep)


def _file_gain_db(request: MixRequest, before: MixFigures, after: MixFigures) -> float:
    if request.target_lufs is None:
        return min(0.0, headroom_db(after))
    return common_gain_db(before, after, request.target_lufs)


def _lowered(
    song: Song,
    model: Model,
    mixed: _Levelled,
    request: MixRequest,
    *,
    lowered: Lowered,
    heard_of: HeardOf,
    workshop: Path,
) -> _Levelled:
    """Return the same with buses lowered, as their envelopes have them, and the figures of that mix."""
    prediction = mixed.prediction.lowered([lowered.of(bus) for bus in song.buses])
    automation = thin_curves(prediction.curves, span_s=request.range_s)
    if request.range_s is None and not lowered.alone_db:
        rendered, moved_db = mixed.rendered, mixed.moved_db - lowered.all_db
    else:
        rendered, moved_db = render_mix(song, heard_of(automation), workshop / "lowered.f32"), 0.0
    after = rendered.figures.with_gain_db(moved_db)
    file_gain_db = _file_gain_db(request, mixed.before, after) if _is_levelled_in_file(model, request) else 0.0
    after = after.with_gain_db(file_gain_db)
    return replace(
        mixed,
        prediction=prediction,
        automation=automation,
        after=after,
        file_gain_db=file_gain_db,
        moved_db=moved_db,
        rendered=rendered,
        warnings=_level_warnings(request, mixed.before, after, file_gain_db)
        + ([] if _is_levelled_in_file(model, request) else _top_warnings(request, mixed, after, lowered)),
    )


def _level_warnings(request: MixRequest, before: MixFigures, after: MixFigures, file_gain_db: float) -> list[str]:
    """Return warnings about an attenuated file, and about a mix whose peak keeps it below its target loudness."""
    target_lufs = request.target_lufs
    at_limit = headroom_db(after) < _AT_LIMIT_DB
    warnings = level_notes(file_gain_db, None if at_limit else target_lufs)
    if at_limit and _missing_db(request, before, after) > _REPORTED_DB and (target_lufs is not None or not warnings):
        warnings.append(
            f"{_quieter(request, before, after)}, because otherwise its true peak at {after.true_peak_s:.2f} s would "
            f"exceed {PEAK_LIMIT_DBTP:g} dBTP; lower or limit that peak in the stems"
        )
    return warnings


def _top_warnings(request: MixRequest, mixed: _Levelled, after: MixFigures, lowered: Lowered) -> list[str]:
    """Return a warning about a mix that is quieter for its envelopes by more than all buses were lowered."""
    missing_db = _missing_db(request, mixed.before, after)
    if headroom_db(after) < _AT_LIMIT_DB or missing_db <= lowered.all_db + _REPORTED_DB:
        return []
    peak_db = after.loudness_lufs + missing_db - mixed.fitting_lufs
    warning = f"{_quieter(request, mixed.before, after)}, because otherwise a curve would pass the top of an envelope"
    if peak_db > _REPORTED_DB:
        warning += f"; even without that, the mix would be {peak_db:.1f} dB quieter because of its true peak"
    return [warning]


def _missing_db(request: MixRequest, before: MixFigures, after: MixFigures) -> float:
    """Return by how much a mix is quieter than it should be, dB; 0 for silence."""
    wanted_lufs = before.loudness_lufs if request.target_lufs is None else request.target_lufs
    return wanted_lufs - after.loudness_lufs if after.loudness_lufs > FLOOR_LUFS else 0.0


def _quieter(request: MixRequest, before: MixFigures, after: MixFigures) -> str:
    missing_db = _missing_db(request, before, after)
    than = "the plain sum" if request.target_lufs is None else "the target"
    levels = f"{after.loudness_lufs:.1f} instead of {after.loudness_lufs + missing_db:.1f} LUFS"
    return f"the mix is {missing_db:.1f} dB quieter than {than} ({levels})"


def _summary(model: Model, like: str | None) -> str:
    learned = (
        f"learned from {songs_in_words(song.title for song in model.songs)}"
        if model.songs
        else "a rule that needs no training"
    )
    if like:
        return f"Mixed with the balance of {like}, and moves of the model {model.name} ({learned})."
    return f"Mixed with the model {model.name} ({learned})."


def _figures(model: Model, song: Song, like: str | None) -> tuple[Figure, ...]:
    balance = (Figure(label="Balance", value=f"of {like}", means="the relative loudness of the buses"),)
    return (
        *(balance if like else ()),
        Figure(label="Model", value=model.name, means=f"preset {model.preset}, features {model.feature_set}"),
        Figure(label="Length", value=f"{song.duration_s:.1f} s", means="of the longest stem"),
    )
