"""`faderwise compare`: two models, two runs or two mixdowns on the same stems, or any of these with another."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from analysis_server import model_store
from analysis_server.presets import estimated, predicted
from analysis_server.projects.opening import is_project, project_with_runs
from analysis_server.runs import automation_folder
from analysis_server.runs.run_stems import song_of
from analysis_server.song_folder import open_song_folder
from analysis_server.telling import Tell, part_of, stage, untold
from core import history
from core.audio.reading import EXTENSIONS, inspect
from core.audio.song import Song
from core.automating.rendering import measure_file
from core.errors import InputError
from core.history import RunRecord
from core.modelling.model import Model
from core.revising import run_curves
from core.revising.comparing import ComparedBus, Comparison, compare
from core.revising.run_curves import Curves

_NUMBER = re.compile(r"#(\d{1,9})$")


class CompareRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Compare `first` with `second`: each a model (name or file), a run or a mixdown.

    A run is a project with runs of ours or a folder of `mix`, as it stands now; with ``#N`` behind it, as run N wrote
    it. Models and mixdowns need stems: `on` is a song folder, by default a run's own stems where they still are.
    """

    first: str
    second: str
    on: str | None = None
    buses: dict[str, str] = {}


class SideResult(msgspec.Struct, frozen=True, kw_only=True):
    """One side: what it is called and is, what it has alone, and what else is known of it in figures."""

    name: str
    kind: str
    buses_alone: list[str]
    figures: dict[str, float]
    songs_alone: list[str]


class CompareResult(msgspec.Struct, frozen=True, kw_only=True):
    """What differs; the common gain is no difference of balance and is taken out of each bus's difference."""

    first: SideResult
    second: SideResult
    buses: list[ComparedBus]
    common_db: float
    balance_db: float
    warnings: list[str]


@dataclass(frozen=True)
class _Side:
    name: str
    kind: str
    curves: Curves
    figures: dict[str, float]
    model: Model | None = None


def run(request: CompareRequest, tell: Tell = untold) -> CompareResult:
    """Compare.

    Raises
    ------
    InputError
        A side is nothing that can be compared, there are no stems, or the two have no bus in common.
    """
    song = _song(request)
    first = _side(request.first, song, part_of(tell, 0.0, 0.5))
    second = _side(request.second, song, part_of(tell, 0.5, 1.0))
    buses = tuple(bus for bus in first.curves.buses if bus in second.curves.buses)
    if not buses:
        raise InputError(f"{first.name} and {second.name} have no bus in common; compare two of the same song")
    one, other = first.curves.of(buses), second.curves.of(buses)
    count = min(len(one.time_s), len(other.time_s))
    both = one.sounding[:count] & other.sounding[:count]
    found = compare(buses, one.time_s[:count], one.gain_db[:count], other.gain_db[:count], both)
    return _result(first, second, found)


def _result(first: _Side, second: _Side, found: Comparison) -> CompareResult:
    longest_s = [float(side.curves.time_s[-1]) for side in (first, second)]
    apart_s = abs(longest_s[0] - longest_s[1])
    told = [f"the two differ in length by {apart_s:.1f} s; what both have was compared"] if apart_s > 1.0 else []
    return CompareResult(
        first=_told(first, second),
        second=_told(second, first),
        buses=list(found.buses),
        common_db=found.common_db,
        balance_db=found.balance_db,
        warnings=told,
    )


def _told(side: _Side, other: _Side) -> SideResult:
    theirs = {song.title for song in other.model.songs} if other.model else set()
    alone = [song.title for song in side.model.songs if song.title not in theirs] if side.model and other.model else []
    return SideResult(
        name=side.name,
        kind=side.kind,
        buses_alone=[bus for bus in side.curves.buses if bus not in other.curves.buses],
        figures=side.figures,
        songs_alone=alone,
    )


def _song(request: CompareRequest) -> Song | None:
    """Return the stems to compare models and mixdowns on, or None where both sides are runs."""
    sides = (request.first, request.second)
    if all(_is_run(side) for side in sides):
        return None
    if request.on is not None:
        return open_song_folder(request.on, request.buses)
    for side in filter(_is_run, sides):
        song = song_of(_runs(side)[0][-1])
        if song is not None:
            return song
    needy = next(side for side in sides if not _is_run(side))
    raise InputError(f"{needy}: needs stems to be compared on; give them with --on SONG_DIR")


def _side(text: str, song: Song | None, tell: Tell) -> _Side:
    if _is_run(text):
        return _run_side(text)
    assert song is not None  # noqa: S101 - `_song` saw to it
    if Path(text).suffix.lower() in EXTENSIONS:
        return _mixdown_side(text, song, tell)
    model = model_store.find(text)
    found = predicted(song, model, stage(tell, f"measuring {song.title}", 0.0, 1.0))[1].curves
    curves = Curves(found.buses, found.time_s, found.gains_db, found.active)
    return _Side(model.name, "model", curves, {"songs": float(len(model.songs))}, model)


def _mixdown_side(text: str, song: Song, tell: Tell) -> _Side:
    mixdown = inspect(Path(text))
    progress = stage(tell, f"estimating {mixdown.path.name}", 0.0, 1.0)
    found = estimated(replace(song, mixdown=mixdown), "default", None, None, progress)
    curves = Curves(found.curves.buses, found.curves.time_s, found.curves.gains_db, found.curves.active)
    figures = measure_file(song, mixdown)
    measured = {"loudness_lufs": figures.loudness_lufs, "true_peak_dbtp": figures.true_peak_dbtp, "fit": found.fit}
    return _Side(Path(text).name, "mixdown", curves, measured)


def _run_side(text: str) -> _Side:
    runs, number = _runs(text)
    path = Path(_without_number(text))
    if number is not None:
        return _Side(text, "run", run_curves.as_written(runs, number, text), _figures(runs, number))
    if is_project(str(path)):
        curves = run_curves.of_project(project_with_runs(path))
    else:
        folder = automation_folder.read(path)
        curves = run_curves.of_points(folder.runs, folder.now)
    return _Side(text, "run", curves, _figures(runs, runs[-1].number))


def _figures(runs: list[RunRecord], number: int) -> dict[str, float]:
    return next(dict(run.figures) for run in runs if run.number == number)


def _runs(text: str) -> tuple[list[RunRecord], int | None]:
    found = _NUMBER.search(text)
    path = Path(_without_number(text))
    if is_project(str(path)):
        runs = list(history.read_history(project_with_runs(path)))
    else:
        runs = list(automation_folder.read(path).runs)
    number = int(found[1]) if found else None
    if number is not None and number not in [run.number for run in runs]:
        raise InputError(f"{text}: there is no such run; there are {', '.join(str(run.number) for run in runs)}")
    return runs, number


def _without_number(text: str) -> str:
    return _NUMBER.sub("", text)


def _is_run(text: str) -> bool:
    plain = _without_number(text)
    return is_project(plain) or Path(plain).is_dir()
