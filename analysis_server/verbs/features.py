"""`faderwise features`: what the regression sees of each stem."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from analysis_server.song_folder import open_song_folder
from analysis_server.telling import Tell, stage, untold
from core.audio.song import Song
from core.curves import save_table
from core.decibels import FloatArray
from core.errors import InputError
from core.measuring.default_measurement import measure
from core.measuring.measurement import Measurement
from core.measuring.paper_measurement import measure_as_paper
from core.modelling import balance
from core.modelling.model import FEATURE_NAMES
from core.progress import Progress

Preset = Literal["default", "paper"]
FeatureSet = Literal["condition1", "condition2", "condition3"]
DEFAULT_SET: Mapping[str, FeatureSet] = {"paper": "condition1", "default": "condition3"}


class FeaturesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Measure the features of the stems of `song` and write them to `out` (.csv or .npz)."""

    song: str
    out: str
    preset: Preset = "default"
    features: FeatureSet | None = None
    buses: dict[str, str] = {}


class FeaturesResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    title: str
    out: str
    preset: str
    features: str
    feature_names: list[str]
    buses: list[str]
    n_frames: int
    warnings: list[str]


def run(request: FeaturesRequest, tell: Tell = untold) -> FeaturesResult:
    """Measure and write.

    Raises
    ------
    InputError
        The song cannot be read, or `out` has a name that says no format.
    """
    out = Path(request.out)
    if out.suffix.lower() not in (".csv", ".npz"):
        raise InputError(f"{out}: the name must end in .csv or .npz")
    song = open_song_folder(request.song, request.buses)
    chosen = feature_set_of(request.preset, request.features)
    progress = stage(tell, f"measuring {song.title}", 0.0, 1.0)
    measurement = measured(song, request.preset, chosen, progress)
    names = [name for name in FEATURE_NAMES[chosen] if name != "offset"]
    features = features_by_bus(measurement, chosen)
    columns = {f"{bus}_{name}": values[:, i] for bus, values in features.items() for i, name in enumerate(names)}
    arrays = {f"features_{bus}": values for bus, values in features.items()}
    save_table(
        out,
        measurement.time_s,
        columns,
        {**arrays, "feature_names": np.array(names), "buses": np.array(song.buses)},
    )
    return FeaturesResult(
        title=song.title,
        out=str(out),
        preset=request.preset,
        features=chosen,
        feature_names=names,
        buses=list(song.buses),
        n_frames=measurement.n_frames,
        warnings=list(measurement.notes),
    )


def feature_set_of(preset: str, asked: str | None) -> str:
    """Return the feature set a preset uses, or the one that was asked for.

    Raises
    ------
    InputError
        The paper preset was asked for a set it does not have.
    """
    chosen = asked or DEFAULT_SET[preset]
    if preset == "paper" and chosen == "condition3":
        raise InputError("--features condition3: the paper has conditions 1 and 2 only; use --preset default")
    return chosen


def features_by_bus(measurement: Measurement, feature_set: str) -> dict[str, FloatArray]:
    """Return each bus's features, shape (n_frames, n_features); condition 3 without its constant."""
    if feature_set != "condition3":
        return measurement.features
    inputs = balance.balance_features(balance.levels_of(measurement))
    return {bus: inputs[:, i, 1:] for i, bus in enumerate(measurement.buses)}


def measured(song: Song, preset: str, feature_set: str, progress: Progress) -> Measurement:
    """Return the measurement of the stems of `song` in either preset; its mixdown is not read."""
    if preset == "paper":
        return measure_as_paper(song, feature_set=feature_set, with_mixdown=False, progress=progress)
    return measure(song, feature_set=feature_set, progress=progress)
