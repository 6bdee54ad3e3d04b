"""Turn a song's features and true gains into training statistics, and read training matrices.

Training matrices are songs whose features and gains were computed elsewhere, in the layout of the authors' public rock
matrices: `features_<bus>` (n_frames, 3: centroid, RMS, slope), `gains` (n_frames, n_buses), `buses`, `songs` and
`song_starts` (n_songs + 1).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.analysis.measure import Measurement
from core.audio.framing import HOP_S
from core.audio.song import Song
from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.errors import InputError
from core.files import content_hash
from core.gains.curves import GainCurves, exponential
from core.models.balance import StemLevels, at_equal_level_db, balance_features, levels_of, levels_without_spectra
from core.models.evaluate import EvaluationSong
from core.models.fit import fold, triangle_of
from core.models.model import Source, TrainingSong
from core.models.predict import kit_levels, track_names

_N_FEATURES, _RMS_COLUMN = 3, 1
_UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)

Arrays = dict[str, npt.NDArray[np.generic]]


def load_matrices(path: Path) -> list[EvaluationSong]:
    """Return the songs in `path`.

    Raises
    ------
    InputError
        The file is missing, is not an NPZ, lacks an array, or its arrays have inconsistent shapes.
    """
    arrays = _arrays(path)
    if problem := _problem_of(arrays):
        raise InputError(problem, path=path, remedy="see docs/reference/method.md for the matrices' layout")
    buses = tuple(str(bus) for bus in arrays["buses"])
    starts = arrays["song_starts"].tolist()
    return [
        _song(str(title), buses, arrays, slice(start, end))
        for title, start, end in zip(arrays["songs"], starts[:-1], starts[1:], strict=True)
    ]


def _arrays(path: Path) -> Arrays:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found: Arrays = {name: arrays[name] for name in arrays.files}
    except (*_UNREADABLE, AttributeError, TypeError) as error:  # the last two: a single array, no archive of arrays
        raise InputError(f"is not a readable NPZ file ({error})", path=path, remedy="give training matrices") from error
    needed = ["buses", "songs", "song_starts", "gains"]
    missing = [name for name in needed if name not in found]
    missing += [f"features_{bus}" for bus in np.ravel(found.get("buses", [])) if f"features_{bus}" not in found]
    if missing:
        raise InputError(f"lacks {', '.join(missing)}", path=path, remedy="see docs/reference/method.md for the layout")
    return found


def _problem_of(arrays: Arrays) -> str | None:
    for name in ("buses", "songs"):
        if arrays[name].ndim != 1 or not arrays[name].size or len(set(arrays[name].tolist())) < arrays[name].size:
            return f"{name} should be a list of names, each one once"
    n_frames, n_buses = len(np.atleast_1d(arrays["gains"])), arrays["buses"].size
    shapes = {"gains": (n_frames, n_buses)} | {f"features_{bus}": (n_frames, _N_FEATURES) for bus in arrays["buses"]}
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            return f"{name} has shape {arrays[name].shape}, but the other arrays require {shape}"
        if arrays[name].dtype.kind not in "fiu" or not np.isfinite(arrays[name]).all():
            return f"{name} contains values that are not numbers"
    starts = arrays["song_starts"]
    if starts.shape != (arrays["songs"].size + 1,) or starts.dtype.kind not in "iu":
        return f"song_starts should be {arrays['songs'].size + 1} whole numbers: where each song begins, and the end"
    if int(starts[0]) < 0 or int(starts[-1]) > n_frames or (np.diff(starts.astype(np.int64)) <= 0).any():
        return f"song_starts should rise from 0 to at most {n_frames}, the count of frames"
    return None


def _song(title: str, buses: tuple[str, ...], arrays: Arrays, rows: slice) -> EvaluationSong:
    features = {bus: np.asarray(arrays[f"features_{bus}"][rows], dtype=np.float64) for bus in buses}
    return EvaluationSong(
        title=title,
        buses=buses,
        features=features,
        gains=np.asarray(arrays["gains"][rows], dtype=np.float64),
        rms=np.stack([features[bus][:, _RMS_COLUMN] for bus in buses], axis=1),
    )


LEAST_SHARE = 0.3
"""Frames in which the original's moving average has reached less than this share of a gain are not used."""


def matrices_song(song: EvaluationSong, path: Path, feature_set: str = "condition1") -> TrainingSong:
    """Return the training statistics of a song of the training matrices in `path` (`load_matrices`).

    For condition 3 only levels are used, because matrices contain no spectra, and the fade-in that the original's
    moving average gives the gains wherever a stem begins is divided out.

    Parameters
    ----------
    song : the song, as read from the matrices.
    path : the file of the matrices.
    feature_set : the features that the model uses.

    Raises
    ------
    InputError
        Condition 3 is asked for, and fewer than two buses sound.
    """
    if feature_set == "condition3":
        levels = levels_without_spectra(song.rms, song.active)
        share = exponential(song.active.astype(np.float64), keep_first=True)
        weights = np.where(song.active & (share > LEAST_SHARE), share, 0.0)
        gains = song.gains / np.maximum(share, LEAST_SHARE)
        triangles = balance_triangles(song.title, song.buses, levels, gains, weights)
    else:
        triangles = {bus: fold(song.features[bus], song.gains[:, i]) for i, bus in enumerate(song.buses)}
    return TrainingSong(
        title=song.title,
        source="matrices",
        hashes={"matrices": content_hash(path)},
        duration_s=len(song.gains) * HOP_S,
        n_frames=len(song.gains),
        domain="magnitude",
        fit=1.0,
        triangles={bus: rows.tolist() for bus, rows in triangles.items()},
    )


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
    """Return the training statistics of `song`.

    Parameters
    ----------
    song, measurement, curves : the song, its features, and its true gains.
    feature_set : the model's features.
    domain, fit : how the gains were estimated and how well they explain the mixdown.
    source : the origin of the gains.
    weight : how many songs this one counts for.
    """
    if feature_set == "condition3":
        triangles = measured_triangles(measurement, curves)
    else:
        triangles = {
            bus: fold(measurement.features[bus], curves.gains[:, i]) for i, bus in enumerate(measurement.buses)
        }
    files = {**song.stems, **({"mixdown": song.mixdown} if song.mixdown else {})}
    return TrainingSong(
        title=song.title,
        source=source,
        hashes={role: content_hash(*(part.path for part in file.parts or (file,))) for role, file in files.items()},
        duration_s=song.duration_s,
        n_frames=measurement.n_frames,
        domain=domain,
        fit=fit,
        triangles={bus: triangle.tolist() for bus, triangle in triangles.items()},
        weight=weight,
    )


def measured_triangles(measurement: Measurement, curves: GainCurves) -> dict[str, FloatArray]:
    """Return the triangle (7, 7) of each bus with signal, for condition 3; frames are weighted by their fit.

    Raises
    ------
    InputError
        Fewer than two buses have signal, so no balance can be learned.
    """
    levels = levels_of(measurement)
    return balance_triangles(measurement.title, measurement.buses, levels, curves.gains, _weights(curves, levels))


def track_triangles(
    measurement: Measurement, curves: GainCurves, buses: Sequence[str], track_roles: Sequence[str]
) -> dict[str, FloatArray]:
    """Return the triangle (7, 7) of each role of a single track; tracks of one role weigh 1 together.

    The levels of a kit's microphones are relative to `predict.KIT_LEVELS_DB`.

    Parameters
    ----------
    measurement, curves : of the single tracks.
    buses, track_roles : the bus of each track, and what it plays.

    Raises
    ------
    InputError
        Fewer than two tracks have signal.
    """
    levels = levels_of(measurement)
    kit_db, share = kit_levels(buses, track_roles, levels.heard)
    of_tracks = balance_triangles(
        measurement.title,
        measurement.buses,
        levels,
        curves.gains * db_to_gain(-kit_db),
        _weights(curves, levels),
        equal_db=at_equal_level_db(buses, levels, share),
    )
    of_roles: dict[str, list[FloatArray]] = {}
    for track, name in zip(measurement.buses, track_names(buses, track_roles), strict=True):
        if track in of_tracks:
            of_roles.setdefault(name, []).append(of_tracks[track])
    return {name: triangle_of(np.vstack(found) / np.sqrt(len(found))) for name, found in of_roles.items()}


def _weights(curves: GainCurves, levels: StemLevels) -> FloatArray:
    """Return the frames' weights, shape (n_frames, n_buses): their fit where a bus sounds."""
    fit = np.ones(len(curves.gains)) if curves.fit is None else curves.fit
    quality = np.where(np.isnan(fit), 0.0, np.clip(fit, 0.0, 1.0))
    return np.where(levels.active, quality[:, None], 0.0)


def balance_triangles(
    title: str,
    buses: Sequence[str],
    levels: StemLevels,
    gains: FloatArray,
    weights: FloatArray,
    *,
    equal_db: FloatArray | None = None,
) -> dict[str, FloatArray]:
    """Return the triangle of [condition 3, output level in LUFS] of each bus with signal (`core.models.fit`).

    Parameters
    ----------
    title, buses : the song's.
    levels : its stems' levels.
    gains, weights : true gains and the frames' weights, shape (n_frames, n_buses). A bus's weights are scaled to a sum
        of 1, because the frames of a song are not independent.
    equal_db : the gains that bring every bus to the same level, dB, shape (n_buses,); `at_equal_level_db` by default.

    Raises
    ------
    InputError
        Fewer than two buses have signal, so no balance can be learned.
    """
    heard = np.flatnonzero(levels.heard & (weights.sum(axis=0) > 0.0)).tolist()
    if len(heard) < 2:
        raise InputError("a balance needs two stems that sound", path=title, remedy="add the other buses")
    inputs = balance_features(levels)
    if equal_db is None:
        equal_db = at_equal_level_db(buses, levels)
    triangles = {}
    for i in heard:
        weight = weights[:, i] / weights[:, i].sum()
        output_lufs = _around_energy_mean_db(gains[:, i], weight) - equal_db[i]
        triangles[buses[i]] = fold(inputs[:, i], output_lufs, weight)
    return triangles


def _around_energy_mean_db(gain: FloatArray, weight: FloatArray) -> FloatArray:
    """Return a gain's moves in dB around its energy mean, which determines the loudness of the bus.

    A muted bus counts as a very quiet one.
    """
    gain_db = np.maximum(gain_to_db(gain), LOWEST_DB)
    energy_mean_db = max(float(gain_to_db(np.sqrt(weight @ gain**2))), LOWEST_DB)
    return gain_db - weight @ gain_db + energy_mean_db
