"""`faderwise compare`: compare models, runs and mixdowns on the same stems."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from analysis_server import MADE_BY, models
from analysis_server.paths import by_name, is_project
from analysis_server.presets import predict_song
from analysis_server.report.content import (
    BusComparison,
    BusContent,
    Figure,
    FigureTable,
    ReportContent,
    clock_text,
    decimal_text,
    gain_text,
    headline,
)
from analysis_server.report.mix import shown_levels_lufs
from analysis_server.report.page import render_report, write_page
from analysis_server.runs.kept_runs import earlier_results
from analysis_server.runs.run_folder import audit_target
from analysis_server.runs.run_stems import song_of, stems_problem
from analysis_server.sources.folder import open_song_folder
from core.analysis.measure import Measurement
from core.audio.io import EXTENSIONS, inspect
from core.audio.song import Song
from core.automation.points import Automation, thin_curves
from core.automation.render import common_gain_db, measure_file, measure_mixes
from core.decibels import LOWEST_DB, db_to_gain
from core.errors import InputError, suggestion
from core.files import similar_path
from core.gains.curves import GainCurves
from core.gains.estimate import estimate
from core.progress import ProgressCallback, no_progress, part_of, stages
from core.roles import bus_of
from core.runs.audit import (
    Audited,
    ComparedBus,
    Comparison,
    compare,
    curves_after_run,
    present_curves,
)
from core.wording import shown_difference

_MODEL_PREFIX = "model:"
_LEAST_SHOWN_DB = 0.005
_SAME_STEMS_LU = 3.0
"""Level curves of the same stem differ by a constant, those of two songs vary by more than this standard deviation."""
_NUMBER = re.compile(r"#(\d{1,9})$")
_FIGURES: Mapping[str, tuple[str, str]] = {
    "songs": ("Songs learned", ""),
    "fit": ("Fit", "share of the mixdown that the gains explain"),
    "loudness_lufs": ("Loudness", "gated, BS.1770"),
    "true_peak_dbtp": ("True peak", "highest level between samples, BS.1770"),
    "loudness_before_lufs": ("Loudness before", "of the plain sum of the stems, or of a matched mixdown"),
    "loudness_after_lufs": ("Loudness as written", "of the run's mix"),
    "true_peak_before_dbtp": ("True peak before", "of the plain sum of the stems, or of a matched mixdown"),
    "true_peak_after_dbtp": ("True peak as written", "of the run's mix"),
}
"""The label of each further figure of an operand, and what it means."""


class CompareRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Compare `first` with `second`: each a model (name or file), a run or a mixdown.

    A run is a project with runs or a folder of `mix`, in its present state; with the suffix ``#N``, as run N wrote
    it. Models and mixdowns need stems: `on` is a song folder, by default a run's own stems where they still are. With
    `out`, a folder, the comparison is written there as a page.
    """

    first: str
    second: str
    on: str | None = None
    buses: dict[str, str | list[str]] = {}
    out: str | None = None


@dataclass(frozen=True)
class _Side:
    """One operand of a comparison.

    Attributes
    ----------
    name, kind : what it is called, and whether it is a ``"model"``, a ``"run"`` or a ``"mixdown"``.
    curves, figures : its gains, and what else is known of it, by name with unit.
    warnings : warnings about the origin of the gains.
    songs : the titles that a model has learned; None if the operand is not a model.
    """

    name: str
    kind: str
    curves: GainCurves
    figures: Mapping[str, float]
    warnings: Sequence[str] = ()
    songs: Sequence[str] | None = None


class SideResult(msgspec.Struct, frozen=True, kw_only=True):
    """One operand: its name and kind, the buses and songs that only it has, and further figures."""

    name: str
    kind: str
    buses_alone: list[str]
    figures: dict[str, float]
    songs_alone: list[str]


class CompareResult(msgspec.Struct, frozen=True, kw_only=True):
    """The differences; the overall level difference `common_db` is removed from each bus's difference.

    `notes` are information, `warnings` what may be a problem.
    """

    first: SideResult
    second: SideResult
    buses: dict[str, ComparedBus]
    common_db: float
    balance_difference_db: float
    files: dict[str, str]
    notes: list[str]
    warnings: list[str]

    @property
    def is_equal(self) -> bool:
        """Whether no shown figure differs."""
        largest_db = [abs(bus.largest_db) for bus in self.buses.values()]
        return max([abs(self.common_db), *largest_db]) < _LEAST_SHOWN_DB

    def shown_difference_db(self, bus: ComparedBus) -> float:
        """Return B - A of a bus, from the two levels as they are shown."""
        return shown_difference(bus.first_db, bus.second_db - self.common_db, 2)

    @property
    def sentence(self) -> str:
        """How far the balances are apart."""
        if self.is_equal:
            return "There is no difference between them."
        balances = f"The balances differ by {self.balance_difference_db:.1f} dB on average."
        if abs(self.common_db) < _LEAST_SHOWN_DB:
            return balances
        size = f"{abs(self.common_db):.2f} dB {'higher' if self.common_db > 0.0 else 'lower'}"
        return (
            f"{balances} The gains of B are {size} than those of A overall; "
            "this difference is removed from the values of B below."
        )


@dataclass(frozen=True)
class _Named:
    """An operand; `audited` is the present state of a run, and None for a model or a mixdown."""

    text: str
    audited: Audited | None = None
    number: int | None = None


def run(request: CompareRequest, progress: ProgressCallback = no_progress) -> CompareResult:
    """Compare.

    Raises
    ------
    InputError
        An operand cannot be compared, stems are missing, or the operands have no bus in common.
    """
    named = (_named(request.first), _named(request.second))
    song = _song(request, named)
    first = _side(named[0], song, part_of(progress, 0.0, 0.5))
    second = _side(named[1], song, part_of(progress, 0.5, 1.0))
    buses = [bus for bus in first.curves.buses if bus in second.curves.buses]
    if not buses:
        raise _nothing_in_common(first, second)
    n_frames = min(len(first.curves.time_s), len(second.curves.time_s))
    one, other = (side.curves.selected(buses, n_frames) for side in (first, second))
    found = compare(one.buses, one.time_s, one.gains_db, other.gains_db, one.active & other.active)
    result = _result_of(first, second, found, _different_stems_notes(one, other))
    if request.out is None:
        return result
    path = Path(request.out) / "compare.html"
    write_page(path, render_report(_page_of(result, one, other)))
    return msgspec.structs.replace(result, files=by_name([path]))


def _nothing_in_common(first: _Side, second: _Side) -> InputError:
    of_tracks = [any(bus_of(bus) != bus for bus in side.curves.buses) for side in (first, second)]
    if of_tracks[0] == of_tracks[1]:
        return InputError(
            f"{first.name} and {second.name} have no bus in common", remedy="compare two of the same song"
        )
    tracks, buses = (first, second) if of_tracks[0] else (second, first)
    return InputError(
        f"{tracks.name} has a gain for each single track, {buses.name} one for each bus",
        remedy="compare two runs with the same --level",
    )


def _named(text: str) -> _Named:
    if text.startswith(_MODEL_PREFIX):
        return _Named(text.removeprefix(_MODEL_PREFIX))
    if text in models.names() and Path(text).is_dir():
        remedy = f"write ./{text} for the folder, or {_MODEL_PREFIX}{text} for the model"
        raise InputError("is the name of a model and of a folder", path=text, remedy=remedy)
    plain, found = _NUMBER.sub("", text), _NUMBER.search(text)
    if not is_project(plain) and not Path(plain).is_dir():
        is_mixdown = Path(text).suffix.lower() in EXTENSIONS
        if not (Path(text) if is_mixdown else models.file_of(text)).is_file():
            hint = similar_path(Path(text)) or suggestion(text, models.names())
            kinds = f"a model ({', '.join(models.names())}), a project or folder with a run, or a mixdown"
            raise InputError("no such model, run or mixdown", path=text, remedy=f"{hint}give {kinds}")
        if not is_mixdown:
            models.find(text)  # a damaged one is reported before stems are asked for
        return _Named(text)
    audited = audit_target(plain)
    number = int(found[1]) if found else None
    known = [run.number for run in audited.runs]
    if number is not None and number not in known:
        earlier = "" if is_project(plain) else earlier_results(Path(plain))
        remedy = "; ".join(filter(None, (f"give one of its runs, {', '.join(map(str, known))}", earlier)))
        raise InputError("has no such run", path=text, remedy=remedy)
    return _Named(text, audited, number)


def _song(request: CompareRequest, sides: Sequence[_Named]) -> Song | None:
    """Return the stems to compare models and mixdowns on, or None where both sides are runs."""
    without_stems = [side.text for side in sides if side.audited is None]
    if not without_stems:
        return None
    if request.on is not None:
        return open_song_folder(request.on, request.buses)
    songs = [song_of(side.audited.runs[-1]) for side in sides if side.audited]
    found = next((song for song in songs if song is not None), None)
    of_folder = next((side for side in sides if side.audited and not is_project(_NUMBER.sub("", side.text))), None)
    if found is None and of_folder is not None and of_folder.audited:
        remedy = "put the stems back, or give them with --on SONG_DIR"
        raise InputError(stems_problem(of_folder.audited.runs[-1]), path=of_folder.text, remedy=remedy)
    if found is None:
        raise InputError("needs stems to be compared on", path=without_stems[0], remedy="give them with --on SONG_DIR")
    return found


def _side(named: _Named, song: Song | None, progress: ProgressCallback) -> _Side:
    if named.audited is not None:
        return _run_side(named, named.audited)
    assert song is not None  # noqa: S101 - `_song` saw to it
    is_mixdown = Path(named.text).suffix.lower() in EXTENSIONS
    return (_mixdown_side if is_mixdown else _model_side)(named.text, song, progress)


def _run_side(named: _Named, audited: Audited) -> _Side:
    runs = audited.runs
    if named.number is None:
        return _Side(named.text, "run", present_curves(audited), dict(runs[-1].figures))
    curves = curves_after_run(runs, named.number, named.text)
    figures = next(dict(run.figures) for run in runs if run.number == named.number)
    return _Side(named.text, "run", curves, figures)


def _model_side(name: str, song: Song, progress: ProgressCallback) -> _Side:
    model = models.find(name)
    measuring, levelling = stages(progress, {f"Measuring {song.title}": 0.5, "Measuring mix": 0.5})
    measurement, found = predict_song(song, model, measuring)
    automation = thin_curves(found.curves)
    if model.feature_set == "condition3":  # as `mix` sets the common gain
        mixed, plain_sum = measure_mixes(song, [automation, None], progress=levelling)
        moved_db = common_gain_db(plain_sum, mixed, None)
        automation = {bus: points.with_gain_db(moved_db) for bus, points in automation.items()}
    curves = _as_written(found.curves, automation, measurement)
    titles = [song.title for song in model.songs]
    warnings = [*models.hidden_model_warnings(name), *measurement.warnings]
    return _Side(model.name, "model", curves, {"songs": float(len(model.songs))}, warnings, titles)


def _mixdown_side(file: str, song: Song, progress: ProgressCallback) -> _Side:
    mixdown = inspect(Path(file))
    name = mixdown.path.name
    progress = part_of(progress, 0.0, 1.0, f"Estimating {name}")
    found = estimate(replace(song, mixdown=mixdown), progress=progress)
    curves = _as_written(found.curves, thin_curves(found.curves), found.measurement)
    figures = measure_file(song, mixdown)
    measured = {"loudness_lufs": figures.loudness_lufs, "true_peak_dbtp": figures.true_peak_dbtp, "fit": found.fit}
    return _Side(name, "mixdown", curves, measured, [f"{name}: {warning}" for warning in found.warnings])


def _as_written(curves: GainCurves, automation: Automation, measurement: Measurement) -> GainCurves:
    """Return the gains of the automation that is made from the curves, with the levels that a record has."""
    level_lufs = shown_levels_lufs(measurement, n_frames=len(curves.time_s))
    gains_db = np.stack([automation[bus].at(curves.time_s) for bus in curves.buses], axis=1)
    return replace(curves, gains=db_to_gain(gains_db), level_lufs=level_lufs, active=np.isfinite(level_lufs))


def _different_stems_notes(first: GainCurves, second: GainCurves) -> list[str]:
    """Return a note where the levels of the stems are those of two songs; `first` and `second` have the same frames."""
    assert first.level_lufs is not None and second.level_lufs is not None  # noqa: S101 - set for every operand
    apart_lu = []
    for index in range(len(first.buses)):
        heard = first.active[:, index] & second.active[:, index]
        if heard.any():
            apart_lu.append(float(np.std(first.level_lufs[heard, index] - second.level_lufs[heard, index])))
    if apart_lu and float(np.median(apart_lu)) < _SAME_STEMS_LU:
        return []
    return [
        f"the stems of A ({first.title}) and B ({second.title}) differ in their levels over time, as those of two "
        "songs; then the differences are also those of the songs"
    ]


def _result_of(first: _Side, second: _Side, found: Comparison, about_stems: Sequence[str]) -> CompareResult:
    apart_s = abs(float(first.curves.time_s[-1]) - float(second.curves.time_s[-1]))
    notes = [f"the lengths differ by {apart_s:.1f} s; only the common part was compared"] if apart_s > 1.0 else []
    return CompareResult(
        first=_side_result(first, second),
        second=_side_result(second, first),
        buses={bus.bus: bus for bus in found.buses},
        common_db=found.common_db,
        balance_difference_db=found.balance_db,
        files={},
        notes=[*about_stems, *notes],
        warnings=list(dict.fromkeys([*first.warnings, *second.warnings])),
    )


def _side_result(side: _Side, other: _Side) -> SideResult:
    both_are_models = side.songs is not None and other.songs is not None
    return SideResult(
        name=side.name,
        kind=side.kind,
        buses_alone=[bus for bus in side.curves.buses if bus not in other.curves.buses],
        figures=dict(side.figures),
        songs_alone=[song for song in side.songs or () if song not in (other.songs or ())] if both_are_models else [],
    )


def _page_of(result: CompareResult, first: GainCurves, second: GainCurves) -> ReportContent:
    """Return the page's content; `first` and `second` are the curves that were compared, of the same frames."""
    sides = f"A is the {result.first.kind} {result.first.name}, B the {result.second.kind} {result.second.name}."
    return ReportContent(
        title=f"{result.first.name} and {result.second.name}",
        verb="compare",
        headline=headline(
            {bus.bus: result.shown_difference_db(bus) for bus in result.buses.values()},
            prefix="B against A",
            decimals=2,
        ),
        summary=f"{sides} {result.sentence}",
        duration_s=float(first.time_s[-1]) if len(first.time_s) else 0.0,
        buses=tuple(_bus(bus, i, result, first, second) for i, bus in enumerate(result.buses.values())),
        figures=(*_figures("A", result.first), *_figures("B", result.second)),
        warnings=tuple(result.warnings),
        notes=tuple(result.notes),
        made_by=MADE_BY,
        tables=(_differences(result), _alone(result)),
    )


def _bus(bus: ComparedBus, index: int, result: CompareResult, first: GainCurves, second: GainCurves) -> BusContent:
    assert first.level_lufs is not None  # noqa: S101 - set for every operand
    return BusContent(
        role=bus.bus,
        time_s=first.time_s,
        gain_db=np.maximum(first.gains_db[:, index], LOWEST_DB),
        level_lufs=first.level_lufs[:, index],
        active=first.active[:, index] & second.active[:, index],
        compared=BusComparison(
            second_gain_db=np.maximum(second.gains_db[:, index], LOWEST_DB) - result.common_db,
            first_db=bus.first_db,
            second_db=bus.second_db - result.common_db,
        ),
    )


def _differences(result: CompareResult) -> FigureTable:
    rows = [
        Figure(
            label=bus.bus,
            value=gain_text(result.shown_difference_db(bus), 2),
            means="no difference"
            if result.is_equal
            else f"moves {decimal_text(bus.moves_db, 2)} dB apart; at most {gain_text(bus.largest_db, 2)}, "
            f"at {clock_text(bus.largest_at_s)}",
        )
        for bus in sorted(result.buses.values(), key=lambda bus: -abs(bus.difference_db))
    ]
    heads = ("Bus", "B \N{MINUS SIGN} A", "Over time")
    return FigureTable("Differences of balance", heads, tuple(rows), "The two have no bus in common.")


def _alone(result: CompareResult) -> FigureTable:
    rows = [
        Figure(label=letter, value=what, means=", ".join(names))
        for letter, side in (("A", result.first), ("B", result.second))
        for what, names in (("buses", side.buses_alone), ("songs", side.songs_alone))
        if names
    ]
    return FigureTable("Only in one", ("Side", "What", "Which"), tuple(rows), "")


def _figures(letter: str, side: SideResult) -> list[Figure]:
    return [
        Figure(label=f"{letter}: {label}", value=_value(name, side.figures[name]), means=means or side.name)
        for name, (label, means) in _FIGURES.items()
        if name in side.figures
    ]


def _value(name: str, value: float) -> str:
    if name == "songs":
        return f"{value:.0f}"
    if name == "fit":
        return f"{decimal_text(100.0 * value)} %"
    return f"{decimal_text(value)} {'LUFS' if name.endswith('_lufs') else 'dBTP'}"
