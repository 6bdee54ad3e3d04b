"""From a model and a song's features to gain curves."""

from __future__ import annotations

import numpy as np

from core import balance
from core.activity import sounding
from core.curves import GainCurves
from core.decibels import FloatArray, db_to_gain
from core.errors import ModelError
from core.measurement import ACTIVE_RMS, Measurement
from core.model import Model
from core.smoothing import exponential

MOMENT_LIMIT_DB = 3.0
"""The time-varying part of a predicted balance stays within this."""
SONG_LIMIT_DB = 24.0
"""No bus is moved further than this against the others."""


def predict(model: Model, measurement: Measurement) -> GainCurves:
    """Return the gains `model` gives the measured song.

    The paper preset's gains stand as predicted. The default's are a balance: their common gain is chosen so
    that the stems' total K-weighted energy stays what it was (see `core.mixing` for the exact loudness).

    Raises
    ------
    ModelError
        The model does not know one of the song's buses.
    """
    if model.feature_set == "condition3":
        return _predict_balance(model, measurement)
    _require_buses(model, measurement)
    raw = np.stack([measurement.features[bus] @ model.coefficients(bus) for bus in measurement.buses], axis=1)
    return _curves(measurement, exponential(raw, keep_first=False), raw, measurement.rms > ACTIVE_RMS)


def contributions_db(model: Model, measurement: Measurement) -> FloatArray:
    """Return what each feature adds to each gain in dB, shape (n_frames, n_buses, n_features).

    Their sum, bounded and with the common gain added, is the predicted balance.
    """
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    inputs = balance.balance_features(measurement.step_power, sounding(measurement.rms))
    coefficients = np.stack([model.coefficients(bus) for bus in measurement.buses])
    return inputs * coefficients


def _predict_balance(model: Model, measurement: Measurement) -> GainCurves:
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    active = sounding(measurement.rms)
    parts = contributions_db(model, measurement)
    song_db = np.clip(parts[0, :, :2].sum(axis=1), -SONG_LIMIT_DB, SONG_LIMIT_DB)
    heard = active.any(axis=0)
    song_db = np.where(heard, song_db, 0.0)
    moment_db = np.clip(parts[:, :, 2], -MOMENT_LIMIT_DB, MOMENT_LIMIT_DB)
    balance_db = song_db + moment_db
    gains_db = balance_db + _common_gain_db(balance_db, measurement.step_power)
    gains = db_to_gain(np.where(heard, gains_db, 0.0))
    return _curves(measurement, gains, gains, active)


def _common_gain_db(balance_db: FloatArray, step_power: FloatArray) -> float:
    """Return the gain that leaves the total K-weighted energy of the stems what it was."""
    levels = balance.frame_levels_lufs(step_power)
    power = 10.0 ** (levels / 10.0)
    moved = (power * db_to_gain(balance_db) ** 2).sum()
    return float(10.0 * np.log10(max(power.sum(), 1e-30) / max(float(moved), 1e-30)))


def _require_buses(model: Model, measurement: Measurement) -> None:
    unknown = [bus for bus in measurement.buses if bus not in model.buses]
    if unknown:
        raise ModelError(
            f"model {model.name} does not know {' and '.join(unknown)}, only {', '.join(model.buses)}; "
            "leave these stems out or use another model"
        )


def _curves(
    measurement: Measurement,
    gains: FloatArray,
    raw: FloatArray,
    active: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> GainCurves:
    return GainCurves(
        title=measurement.title,
        buses=measurement.buses,
        time_s=measurement.time_s,
        gains=gains,
        gains_raw=raw,
        active=active,
        fit=np.full(measurement.n_frames, np.nan),
    )
