"""`faderwise features`: what the regression sees of each stem."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from analysis_server.presets import FeatureSet, Preset, feature_set_of, measure_song
from analysis_server.sources.folder import open_song_folder
from core.analysis.measure import Measurement
from core.decibels import FloatArray
from core.gains.curves import require_table_name, save_table
from core.models import balance
from core.models.model import FEATURE_NAMES
from core.progress import ProgressCallback, no_progress, part_of


class FeaturesRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Measure the features of the stems of `song` and write them to `out` (.csv or .npz)."""

    song: str
    out: str
    preset: Preset = "default"
    features: FeatureSet | None = None
    buses: dict[str, str | list[str]] = {}


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


def run(request: FeaturesRequest, progress: ProgressCallback = no_progress) -> FeaturesResult:
    """Measure and write.

    Raises
    ------
    InputError
        The song cannot be read, or `out` has a name without a known suffix.
    """
    out = Path(request.out)
    require_table_name(out)
    song = open_song_folder(request.song, request.buses)
    chosen = feature_set_of(request.preset, request.features)
    progress = part_of(progress, 0.0, 1.0, f"Measuring {song.title}")
    measurement = measure_song(song, request.preset, chosen, progress)
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


def features_by_bus(measurement: Measurement, feature_set: str) -> dict[str, FloatArray]:
    """Return each bus's features, shape (n_frames, n_features); condition 3 without its constant."""
    if feature_set != "condition3":
        return measurement.features
    inputs = balance.balance_features(balance.levels_of(measurement))
    return {bus: inputs[:, i, 1:] for i, bus in enumerate(measurement.buses)}
