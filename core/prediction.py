"""From a model and a song's features to gain curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from core import balance
from core.activity import sounding
from core.curves import GainCurves
from core.decibels import FloatArray, db_to_gain
from core.errors import ModelError
from core.explanation import Explanation, Prediction
from core.measurement import ACTIVE_RMS, Measurement
from core.model import Model
from core.smoothing import exponential

MOMENT_LIMIT_DB = 3.0
"""The time-varying part of a predicted balance stays within this."""
SONG_LIMIT_DB = 24.0
"""No bus is moved further than this against the others."""
DEVIATION_DB = 2.6
"""How far a balance of equal levels is from an engineer's: the mean error of 2.1 dB on the authors' rock songs
(`faderwise evaluate` on their matrices, "equal level"), as a standard deviation."""


def predict(model: Model, measurement: Measurement) -> GainCurves:
    """Return the gains `model` gives the measured song: the curves of `predict_explained`."""
    return predict_explained(model, measurement).curves


def predict_explained(model: Model, measurement: Measurement) -> Prediction:
    """Return the gains `model` gives the measured song, and what they are made of.

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
    curves = _curves(measurement, exponential(raw, keep_first=False), raw, measurement.rms > ACTIVE_RMS)
    return Prediction(curves, _explanation(curves, {"paper": curves.gains_db}))


def contributions_db(model: Model, measurement: Measurement) -> FloatArray:
    """Return what each feature adds to each gain in dB, shape (n_frames, n_buses, n_features)."""
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    inputs = balance.balance_features(measurement.step_power, sounding(measurement.rms))
    coefficients = np.stack([model.coefficients(bus) for bus in measurement.buses])
    return inputs * coefficients


def _predict_balance(model: Model, measurement: Measurement) -> Prediction:
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    active = sounding(measurement.rms)
    heard: npt.NDArray[np.bool_] = np.any(active, axis=0)
    parts = np.where(heard[:, None], contributions_db(model, measurement), 0.0)
    terms = {"level": parts[:, :, 1], "role": parts[:, :, 0], "moment": parts[:, :, 2]}
    song_db = terms["level"] + terms["role"]
    terms["limit"] = _bounded(song_db, SONG_LIMIT_DB) - song_db
    terms["limit"] += _bounded(terms["moment"], MOMENT_LIMIT_DB) - terms["moment"]
    balance_db = _sum_of(terms)
    terms["common"] = np.where(heard, _common_gain_db(balance_db, measurement.step_power), np.zeros_like(balance_db))
    gains = db_to_gain(_sum_of(terms))
    curves = replace(_curves(measurement, gains, gains, active), deviation_db=np.full(gains.shape, DEVIATION_DB))
    return Prediction(curves, _explanation(curves, terms))


def _bounded(value_db: FloatArray, limit_db: float) -> FloatArray:
    return np.clip(value_db, -limit_db, limit_db)


def _sum_of(terms: Mapping[str, FloatArray]) -> FloatArray:
    return np.sum(list(terms.values()), axis=0)


def _explanation(curves: GainCurves, terms: Mapping[str, FloatArray]) -> Explanation:
    return Explanation(
        buses=curves.buses,
        time_s=curves.time_s,
        terms=tuple(terms),
        contributions_db=np.stack(list(terms.values()), axis=2),
    )


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
