"""From a song's features and its true gains to what a model keeps of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core import balance, triangular
from core.activity import sounding
from core.curves import GainCurves
from core.decibels import FloatArray, gain_to_db
from core.errors import InputError
from core.evaluation import EvaluationSong
from core.files import content_hash
from core.frames import HOP_S
from core.measurement import Measurement
from core.model import TrainingSong
from core.song import Song

LOWEST_DB = -60.0
"""Gains under this count as this when balance is learned: a muted bus says no more than a very quiet one."""


def matrices_song(song: EvaluationSong, path: Path) -> TrainingSong:
    """Return what a model keeps of a song of training matrices in `path` (`core.matrices`)."""
    return TrainingSong(
        title=song.title,
        source="matrices",
        hashes={"matrices": content_hash(path)},
        duration_s=len(song.gains) * HOP_S,
        n_frames=len(song.gains),
        domain="magnitude",
        fit=1.0,
        triangles={
            bus: triangular.fold(song.features[bus], song.gains[:, i]).tolist() for i, bus in enumerate(song.buses)
        },
    )


def training_song(
    song: Song, measurement: Measurement, curves: GainCurves, *, feature_set: str, domain: str, fit: float
) -> TrainingSong:
    """Return what a model keeps of `song`.

    Parameters
    ----------
    song, measurement, curves : the song, its features, and its true gains.
    feature_set : what the model is made of.
    domain, fit : how the gains were estimated and how well they explain the mixdown.
    """
    if feature_set == "condition3":
        triangles = balance_triangles(measurement, curves)
    else:
        triangles = {
            bus: triangular.fold(measurement.features[bus], curves.gains[:, i])
            for i, bus in enumerate(measurement.buses)
        }
    files = {**song.stems, **({"mixdown": song.mixdown} if song.mixdown else {})}
    return TrainingSong(
        title=song.title,
        source="mixdown",
        hashes={role: content_hash(file.path) for role, file in files.items()},
        duration_s=song.duration_s,
        n_frames=measurement.n_frames,
        domain=domain,
        fit=fit,
        triangles={bus: triangle.tolist() for bus, triangle in triangles.items()},
    )


def balance_triangles(measurement: Measurement, curves: GainCurves) -> dict[str, FloatArray]:
    """Return each sounding bus's triangle (4, 4) for condition 3: dB against the buses' mean gain, one weight a song.

    Frames weigh as much as the gains explain of the mixdown there; a song's weights sum to 1, since its frames
    tell one story, not hundreds.

    Raises
    ------
    InputError
        Fewer than two buses sound, so there is no balance to learn.
    """
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    active = sounding(measurement.rms)
    heard = active.any(axis=0)
    if heard.sum() < 2:
        raise InputError(f"{measurement.title}: a balance needs two stems that sound; add the other buses")
    inputs = balance.balance_features(measurement.step_power, active)
    gains_db = np.maximum(gain_to_db(curves.gains), LOWEST_DB)
    target = gains_db - energy_mean_db(curves.gains, active)[heard].mean()
    quality = np.where(np.isnan(curves.fit), 0.0, np.clip(curves.fit, 0.0, 1.0))
    triangles = {}
    for i in np.nonzero(heard)[0]:
        weight = np.where(active[:, i], quality, 0.0)
        weight = weight / max(float(weight.sum()), 1e-9)
        triangles[measurement.buses[i]] = triangular.fold(inputs[:, i], target[:, i], weight)
    return triangles


def energy_mean_db(gains: FloatArray, active: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> FloatArray:
    """Return each bus's energy-mean gain over its active frames, dB, shape (n_buses,); floored."""
    count = np.maximum(active.sum(axis=0), 1)
    mean_square = np.where(active, gains**2, 0.0).sum(axis=0) / count
    return np.maximum(gain_to_db(np.sqrt(mean_square)), LOWEST_DB)
