"""Adjustments of a prediction in `mix`: the balance of another session, depth, riding, and kept buses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from analysis_server.paths import is_project
from analysis_server.runs import run_folder
from analysis_server.runs.run_folder import audit_target
from analysis_server.sources.folder import open_song_folder
from analysis_server.sources.project import Session, opened_session
from core import roles
from core.analysis.measure import Measurement, measure
from core.audio.song import is_stem_file
from core.decibels import FloatArray, gain_to_db
from core.errors import InputError, suggestion
from core.files import similar_path
from core.models.balance import frame_levels_lufs, gated_mean_lufs
from core.models.controls import with_balance_of, with_depth, with_kept, with_ride
from core.models.explain import Prediction
from core.models.model import Model
from core.progress import no_progress
from core.wording import decibels

DEEPEST_PERCENT = 200.0


class Adjustments(msgspec.Struct, frozen=True, kw_only=True):
    """The adjustments that a user chose.

    Attributes
    ----------
    like : a finished session, song folder or run whose relative bus loudness is used.
    depth_percent : how much of the balance to apply.
    ride_percent : by bus, how much of its short-term loudness to even out.
    keep : buses or single tracks whose faders do not change.
    """

    like: str | None = None
    depth_percent: float = 100.0
    ride_percent: dict[str, float] = {}
    keep: list[str] = []

    def check(self, model: Model) -> None:
        """Check that the adjustments can be applied to a prediction of `model`.

        Raises
        ------
        InputError
            A value is out of its range, or the model's prediction is not a balance.
        """
        if not 0.0 <= self.depth_percent <= DEEPEST_PERCENT:
            raise InputError(
                f"{self.depth_percent:g} is not valid",
                option="--depth",
                remedy=f"give 0 to {DEEPEST_PERCENT:g}",
            )
        for bus, value in self.ride_percent.items():
            if not 0.0 <= value <= 100.0:
                raise InputError(f"{bus}={value:g} is not a percentage", option="--ride", remedy="give 0 to 100")
        like = Path(self.like or "")
        if not (like.is_dir() or is_stem_file(like) or (like.is_file() and is_project(like.name))):
            problem = "is neither a project nor a folder" if like.exists() else "no such project or folder"
            remedy = f"{similar_path(like)}give a session, a song or a run"
            raise InputError(problem, path=like, option="--like", remedy=remedy)
        asked = {
            "--like": self.like is not None,
            "--depth": self.depth_percent != 100.0,
            "--ride": bool(self.ride_percent),
            "--keep": bool(self.keep),
        }
        for option, is_asked in asked.items():
            if is_asked and model.feature_set != "condition3":
                raise InputError(
                    f"{option} needs a model of the default preset", option=option, remedy="use another model"
                )


def adjust(
    prediction: Prediction,
    measurement: Measurement,
    adjustments: Adjustments,
    session: Session | None,
    *,
    path: str,
) -> tuple[Prediction, list[str], list[str]]:
    """Return the adjusted prediction, notes about what was done, and warnings.

    Parameters
    ----------
    prediction, measurement : of the song to mix.
    adjustments : what is asked.
    session : the project the song is from; without one, kept buses stay at 0 dB.
    path : the folder or project of the song.

    Raises
    ------
    InputError
        A bus is not in the song, or the other session cannot be used.
    """
    notes, warnings = [], []
    buses = prediction.curves.buses
    ride_percent = {name: value for bus, value in adjustments.ride_percent.items() for name in _stems_of(bus, buses)}
    keep = [name for bus in adjustments.keep for name in _stems_of(bus, buses)]
    levels = frame_levels_lufs(measurement)[: len(prediction.curves.gains)]
    if adjustments.like is not None:
        loudness, source = loudness_of(adjustments.like)
        loudness = {**_bus_totals(loudness), **loudness}
        prediction = with_balance_of(prediction, loudness, levels)
        missing = [bus for bus in buses if bus not in loudness and roles.bus_of(bus) not in loudness]
        is_itself = Path(adjustments.like).resolve() == Path(path).resolve()
        if source == _STEMS:
            warnings.append(_without_mixdown(adjustments.like, is_itself=is_itself))
        elif is_itself:
            notes.append(f"{adjustments.like} is the song itself: the balance is its own, from {source}")
        else:
            notes.append(f"the balance is that of {adjustments.like}, from {source}")
        if missing:
            notes.append(f"{adjustments.like} has no {', '.join(missing)}; these buses keep the model's level")
    if adjustments.depth_percent != 100.0:
        prediction = with_depth(prediction, adjustments.depth_percent, levels)
        notes.append(f"{adjustments.depth_percent:g} % of the predicted balance was applied")
    if ride_percent:
        prediction = with_ride(prediction, ride_percent, levels)
        for bus, value in ride_percent.items():
            moves = prediction.terms_db["ride"][:, prediction.curves.buses.index(bus)]
            notes.append(f"riding {bus} at {value:g} % moves it by {decibels(moves.min())} to {decibels(moves.max())}")
    if keep:
        prediction = with_kept(prediction, _kept_gains_db(keep, measurement, session), levels)
        notes.append(f"kept: {', '.join(dict.fromkeys(keep))}; the other buses were placed relative to them")
    if adjustments.like is not None:  # the bands are those of the model's balance
        prediction = replace(prediction, curves=replace(prediction.curves, deviation_db=None))
    return prediction, notes, warnings


_STEMS = "its unchanged stems"


def _without_mixdown(like: str, *, is_itself: bool) -> str:
    if is_itself:
        return (
            f"{like} is the song itself, without a mixdown: its stems already have their own balance, so no level is "
            "changed; give another song, or omit --like"
        )
    return (
        f"{like} has no mixdown, so the balance is that of its stems as they are, with all faders at 0 dB; "
        "add the mixdown (mix.wav) to its folder to use the finished balance"
    )


def _bus_totals(loudness_lufs: Mapping[str, float]) -> dict[str, float]:
    """Return the loudness of each bus that is in a session as single tracks, LUFS."""
    power: dict[str, float] = {}
    for name, level_lufs in loudness_lufs.items():
        power[roles.bus_of(name)] = power.get(roles.bus_of(name), 0.0) + 10.0 ** (level_lufs / 10.0)
    return {bus: 10.0 * float(np.log10(value)) for bus, value in power.items() if value > 0.0}


def _stems_of(name: str, buses: Sequence[str]) -> list[str]:
    """Return the stems that a name given by the user means: a bus, its single tracks, or a track without its bus."""
    wanted = name.casefold()
    of_bus = [bus for bus in buses if bus == name or roles.bus_of(bus) == wanted]
    of_track = [bus for bus in buses if bus.partition(": ")[2].casefold() == wanted]
    usual = [bus for bus in buses if roles.bus_of(bus) == roles.role_of(name)]
    return of_bus or of_track or usual or [name]


def loudness_of(target: str) -> tuple[dict[str, float], str]:
    """Return the loudness of each bus in a finished session, LUFS, and its source.

    A run is read as it is now; a project from its faders; a song folder from its mixdown, or from its stems.

    Raises
    ------
    InputError
        The session cannot be read.
    """
    if is_project(target):
        with opened_session(target, no_progress, for_writing=False) as session:
            song = replace(
                session.song, mixdown=None, stems={b: f for b, f in session.song.stems.items() if b in session.tracks}
            )
            measurement = measure(song)
            from analysis_server.training import fader_curves

            gains = fader_curves(session, measurement, as_paper=False).gains_db
            return _loudness(measurement, gains), "its faders"
    if run_folder.read_if_there(Path(target)):
        tracks = audit_target(target).tracks
        return {track.role: gated_mean_lufs(track.level_lufs + track.now_db) for track in tracks}, "its run"
    song = open_song_folder(target, {})
    if song.mixdown is None:
        measurement = measure(song)
        return _loudness(measurement, np.zeros_like(measurement.rms)), _STEMS
    from core.gains.estimate import estimate

    found = estimate(song)
    return _loudness(found.measurement, found.curves.gains_db), "; ".join(["its mixdown", *found.warnings])


def _loudness(measurement: Measurement, gains_db: FloatArray) -> dict[str, float]:
    gained = frame_levels_lufs(measurement)[: len(gains_db)] + gains_db
    return {bus: gated_mean_lufs(gained[:, i]) for i, bus in enumerate(measurement.buses)}


def _kept_gains_db(keep: list[str], measurement: Measurement, session: Session | None) -> Mapping[str, FloatArray]:
    missing = [bus for bus in keep if bus not in measurement.buses]
    if missing:
        remedy = f"{suggestion(missing[0], measurement.buses)}it has {', '.join(measurement.buses)}"
        raise InputError(f"the song has no bus {missing[0]!r}", option="--keep", remedy=remedy)
    if session is None:
        return {bus: np.zeros(measurement.n_frames) for bus in keep}
    without = [bus for bus in keep if bus not in session.tracks]
    if without:
        raise InputError(f"no track has the fader of {without[0]!r}", option="--keep", remedy="leave it out")
    from analysis_server.training import fader_curves

    gains_db = fader_curves(session, measurement, as_paper=False).gains_db
    weights = session.weights or {}
    weight_db = {bus: gain_to_db(weights.get(session.tracks[bus][0].index, 1.0)) for bus in keep}
    return {bus: gains_db[:, measurement.buses.index(bus)] - weight_db[bus] for bus in keep}
