"""`faderwise features` and `faderwise estimate`: tables of each stem's features, and of the gains in a mixdown."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from analysis_server.paths import by_name
from analysis_server.presets import FeatureSet, Preset, estimate_song, feature_set_of, measure_song
from analysis_server.sources.folder import open_song_folder
from core.analysis.measure import Domain
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
    files: dict[str, str]
    preset: str
    features: str
    feature_names: list[str]
    buses: list[str]
    n_frames: int
    warnings: list[str]
    notes: list[str]


def features(request: FeaturesRequest, progress: ProgressCallback = no_progress) -> FeaturesResult:
    """Measure the features and write them.

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
    found = measurement.features
    if chosen == "condition3":
        inputs = balance.balance_features(balance.levels_of(measurement))[:, :, 1:]  # without its constant
        found = {bus: inputs[:, i] for i, bus in enumerate(measurement.buses)}
    columns = {f"{bus}_{name}": values[:, i] for bus, values in found.items() for i, name in enumerate(names)}
    arrays = {f"features_{bus}": values for bus, values in found.items()}
    save_table(
        out,
        measurement.time_s,
        columns,
        {**arrays, "feature_names": np.array(names), "buses": np.array(song.buses)},
    )
    return FeaturesResult(
        title=song.title,
        files=by_name([out]),
        preset=request.preset,
        features=chosen,
        feature_names=names,
        buses=list(song.buses),
        n_frames=measurement.n_frames,
        warnings=list(measurement.warnings),
        notes=song.notes(),
    )


class EstimateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Estimate the gains of `song` (a SONG_DIR) and write them to `out` (.csv or .npz)."""

    song: str
    out: str
    preset: Preset = "default"
    domain: Domain | None = None
    buses: dict[str, str | list[str]] = {}
    mixdown: str | None = None


class EstimateResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; `median_gain_db` per bus over its active frames."""

    title: str
    files: dict[str, str]
    preset: str
    domain: str
    reason: str
    lag_samples: int
    fit: float
    n_frames: int
    median_gain_db: dict[str, float]
    warnings: list[str]
    notes: list[str]


def estimate(request: EstimateRequest, progress: ProgressCallback = no_progress) -> EstimateResult:
    """Estimate the gains and write them.

    Raises
    ------
    InputError
        The song cannot be read, has no mixdown, or `out` has a name without a known suffix.
    """
    out = Path(request.out)
    require_table_name(out)
    song = open_song_folder(request.song, request.buses, request.mixdown)
    progress = part_of(progress, 0.0, 1.0, f"Estimating {song.title}")
    found = estimate_song(song, request.preset, request.domain, None, progress)
    found.curves.save(out)
    return EstimateResult(
        title=song.title,
        files=by_name([out]),
        preset=request.preset,
        domain=found.domain,
        reason=found.reason,
        lag_samples=found.lag_samples,
        fit=found.fit,
        n_frames=len(found.curves.time_s),
        median_gain_db=found.curves.median_gain_db(),
        warnings=list(found.warnings),
        notes=song.notes(),
    )
