"""`faderwise compare`: compare models, runs and mixdowns on the same stems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from analysis_server import models
from analysis_server.paths import is_project
from analysis_server.presets import predict_song
from analysis_server.report.compare import CompareResult, Side, page_of, result_of
from analysis_server.report.mix import or_silence
from analysis_server.report.page import render_report
from analysis_server.runs.run_folder import audit_target
from analysis_server.runs.run_stems import song_of
from analysis_server.sources.folder import open_song_folder
from core.analysis.measure import Measurement
from core.audio.io import EXTENSIONS, inspect
from core.audio.song import Song
from core.automation.render import measure_file
from core.decibels import FloatArray
from core.errors import InputError
from core.files import write_text
from core.gains.curves import GainCurves
from core.gains.estimate import estimate
from core.models import balance
from core.progress import ProgressCallback, no_progress, part_of
from core.runs.audit import Audited, Curves, compare, curves_after_run, curves_of_prediction, present_curves

PAGE = "compare.html"
_MODEL_PREFIX = "model:"
_NUMBER = re.compile(r"#(\d{1,9})$")


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
    one, other = _in_common(first, second)
    found = compare(one.buses, one.time_s, one.gain_db, other.gain_db, one.sounding & other.sounding)
    result = result_of(first, second, found)
    if request.out is None:
        return result
    path = Path(request.out) / PAGE
    write_text(path, render_report(page_of(result, one, other)))
    return msgspec.structs.replace(result, files={PAGE: str(path)})


def _in_common(first: Side, second: Side) -> tuple[Curves, Curves]:
    """Return both sides' curves of the buses and frames that both have."""
    buses = [bus for bus in first.curves.buses if bus in second.curves.buses]
    if not buses:
        raise InputError(f"{first.name} and {second.name} have no bus in common", remedy="compare two of the same song")
    n_frames = min(len(first.curves.time_s), len(second.curves.time_s))
    return first.curves.of(buses).until(n_frames), second.curves.of(buses).until(n_frames)


def _named(text: str) -> _Named:
    if text.startswith(_MODEL_PREFIX):
        return _Named(text.removeprefix(_MODEL_PREFIX))
    if text in models.names() and Path(text).is_dir():
        remedy = f"write ./{text} for the folder, or {_MODEL_PREFIX}{text} for the model"
        raise InputError("is the name of a model and of a folder", path=text, remedy=remedy)
    plain, found = _NUMBER.sub("", text), _NUMBER.search(text)
    if not is_project(plain) and not Path(plain).is_dir():
        return _Named(text)
    audited = audit_target(plain)
    number = int(found[1]) if found else None
    known = [run.number for run in audited.runs]
    if number is not None and number not in known:
        raise InputError("has no such run", path=text, remedy=f"its runs: {', '.join(map(str, known))}")
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
    if found is None:
        raise InputError("needs stems to be compared on", path=without_stems[0], remedy="give them with --on SONG_DIR")
    return found


def _side(named: _Named, song: Song | None, progress: ProgressCallback) -> Side:
    if named.audited is not None:
        return _run_side(named, named.audited)
    assert song is not None  # noqa: S101 - `_song` saw to it
    is_mixdown = Path(named.text).suffix.lower() in EXTENSIONS
    return (_mixdown_side if is_mixdown else _model_side)(named.text, song, progress)


def _run_side(named: _Named, audited: Audited) -> Side:
    runs = audited.runs
    if named.number is None:
        return Side(named.text, "run", present_curves(audited), dict(runs[-1].figures))
    curves = curves_after_run(runs, named.number, named.text)
    figures = next(dict(run.figures) for run in runs if run.number == named.number)
    return Side(named.text, "run", curves, figures)


def _model_side(name: str, song: Song, progress: ProgressCallback) -> Side:
    model = models.find(name)
    measurement, found = predict_song(song, model, part_of(progress, 0.0, 1.0, f"Measuring {song.title}"))
    curves = curves_of_prediction(found.curves, _levels_lufs(measurement, found.curves))
    titles = [song.title for song in model.songs]
    return Side(model.name, "model", curves, {"songs": float(len(model.songs))}, measurement.notes, titles)


def _mixdown_side(file: str, song: Song, progress: ProgressCallback) -> Side:
    mixdown = inspect(Path(file))
    name = mixdown.path.name
    progress = part_of(progress, 0.0, 1.0, f"Estimating {name}")
    found = estimate(replace(song, mixdown=mixdown), progress=progress)
    curves = curves_of_prediction(found.curves, _levels_lufs(found.measurement, found.curves))
    figures = measure_file(song, mixdown)
    measured = {"loudness_lufs": figures.loudness_lufs, "true_peak_dbtp": figures.true_peak_dbtp, "fit": found.fit}
    return Side(name, "mixdown", curves, measured, [f"{name}: {warning}" for warning in found.warnings])


def _levels_lufs(measurement: Measurement, curves: GainCurves) -> FloatArray:
    return or_silence(balance.frame_levels_lufs(measurement))[: len(curves.time_s)]
