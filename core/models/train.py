"""Turn a song's features and true gains into training statistics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.analysis.measure import Measurement
from core.audio.framing import HOP_S
from core.audio.song import Song
from core.decibels import LOWEST_DB, FloatArray, gain_to_db
from core.errors import InputError
from core.files import content_hash
from core.gains.curves import GainCurves, exponential
from core.models import r_factor
from core.models.balance import StemLevels, at_equal_level_db, balance_features, levels_of, levels_without_spectra
from core.models.evaluate import EvaluationSong
from core.models.model import Source, TrainingSong

LEAST_SHARE = 0.3
"""Frames in which the original's moving average lets through less than this of a gain say nothing of it."""


def matrices_song(song: EvaluationSong, path: Path, feature_set: str = "condition1") -> TrainingSong:
    """Return what a model keeps of a song of training matrices in `path` (`core.models.matrices`).

    Of condition 3 they give the levels; what they do not hold (spectra) teaches nothing.

    Raises
    ------
    InputError
        Condition 3 is asked for, and fewer than two buses sound.
    """
    return TrainingSong(
        title=song.title,
        source="matrices",
        hashes={"matrices": content_hash(path)},
        duration_s=len(song.gains) * HOP_S,
        n_frames=len(song.gains),
        domain="magnitude",
        fit=1.0,
        triangles={bus: rows.tolist() for bus, rows in matrices_triangles(song, feature_set).items()},
    )


def matrices_triangles(song: EvaluationSong, feature_set: str) -> dict[str, FloatArray]:
    """Return each bus's triangle, shape (p + 1, p + 1), of a song of training matrices.

    Their gains fade in wherever a stem begins to sound, as the original's moving average makes them: for condition 3
    that is divided out.
    """
    if feature_set == "condition3":
        levels = levels_without_spectra(song.rms, song.active)
        share = exponential(song.active.astype(np.float64), keep_first=True)
        weights = np.where(song.active & (share > LEAST_SHARE), share, 0.0)
        return balance_triangles(song.title, song.buses, levels, song.gains / np.maximum(share, LEAST_SHARE), weights)
    return {bus: r_factor.fold(song.features[bus], song.gains[:, i]) for i, bus in enumerate(song.buses)}


def training_song(
    song: Song,
    measurement: Measurement,
    curves: GainCurves,
    *,
    feature_set: str,
    domain: str,
    fit: float,
    source: Source = "mixdown",
    weight: float = 1.0,
) -> TrainingSong:
    """Return what a model keeps of `song`.

    Parameters
    ----------
    song, measurement, curves : the song, its features, and its true gains.
    feature_set : what the model is made of.
    domain, fit : how the gains were estimated and how well they explain the mixdown.
    source : where the gains come from.
    weight : how many songs this one counts for.
    """
    if feature_set == "condition3":
        triangles = measured_triangles(measurement, curves)
    else:
        triangles = {
            bus: r_factor.fold(measurement.features[bus], curves.gains[:, i]) for i, bus in enumerate(measurement.buses)
        }
    files = {**song.stems, **({"mixdown": song.mixdown} if song.mixdown else {})}
    return TrainingSong(
        title=song.title,
        source=source,
        hashes={role: content_hash(file.path) for role, file in files.items()},
        duration_s=song.duration_s,
        n_frames=measurement.n_frames,
        domain=domain,
        fit=fit,
        triangles={bus: triangle.tolist() for bus, triangle in triangles.items()},
        weight=weight,
    )


def measured_triangles(measurement: Measurement, curves: GainCurves) -> dict[str, FloatArray]:
    """Return each sounding bus's triangle (7, 7) for condition 3; a frame weighs as much as the gains explain of it.

    Raises
    ------
    InputError
        Fewer than two buses have signal, so no balance can be learned.
    """
    levels = levels_of(measurement)
    quality = np.where(np.isnan(curves.fit), 0.0, np.clip(curves.fit, 0.0, 1.0))
    weights = np.where(levels.active, quality[:, None], 0.0)
    return balance_triangles(measurement.title, measurement.buses, levels, curves.gains, weights)


def balance_triangles(
    title: str, buses: Sequence[str], levels: StemLevels, gains: FloatArray, weights: FloatArray
) -> dict[str, FloatArray]:
    """Return each sounding bus's triangle of [condition 3, output level in LUFS] (`core.models.fit`).

    Parameters
    ----------
    title, buses : the song's.
    levels : its stems' levels.
    gains, weights : true gains and what each frame counts for, shape (n_frames, n_buses). A bus's weights are brought
        to a sum of 1, because the frames of a song are not independent.

    Raises
    ------
    InputError
        Fewer than two buses have signal, so no balance can be learned.
    """
    heard = np.flatnonzero(levels.heard & (weights.sum(axis=0) > 0.0)).tolist()
    if len(heard) < 2:
        raise InputError("a balance needs two stems that sound", path=title, remedy="add the other buses")
    inputs = balance_features(levels)
    equal_db = at_equal_level_db(buses, levels)
    triangles = {}
    for i in heard:
        weight = weights[:, i] / weights[:, i].sum()
        output_lufs = _around_energy_mean_db(gains[:, i], weight) - equal_db[i]
        triangles[buses[i]] = r_factor.fold(inputs[:, i], output_lufs, weight)
    return triangles


def _around_energy_mean_db(gain: FloatArray, weight: FloatArray) -> FloatArray:
    """Return a gain's moves in dB around its energy mean, which is what makes a bus as loud as it is.

    A muted bus says no more than a very quiet one.
    """
    gain_db = np.maximum(gain_to_db(gain), LOWEST_DB)
    energy_mean_db = max(float(gain_to_db(np.sqrt(weight @ gain**2))), LOWEST_DB)
    return gain_db - weight @ gain_db + energy_mean_db
