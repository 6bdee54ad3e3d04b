"""From a model and a song's features to gain curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from core.curves import GainCurves
from core.decibels import FloatArray, db_to_gain
from core.errors import ModelError
from core.measuring.measurement import ACTIVE_RMS, Measurement
from core.modelling.balance import common_db, levels_of
from core.modelling.balance_prediction import predict_balance
from core.modelling.explanation import Explanation, Prediction
from core.modelling.model import Model
from core.smoothing import exponential


def predict(model: Model, measurement: Measurement) -> GainCurves:
    """Return the gains `model` gives the measured song: the curves of `predict_explained`."""
    return predict_explained(model, measurement).curves


def predict_explained(model: Model, measurement: Measurement) -> Prediction:
    """Return the gains `model` gives the measured song, and what they are made of.

    The paper preset's gains stand as predicted. The default's are a balance: their common gain is chosen so
    that the stems' total K-weighted energy stays what it was (see `core.automating.rendering` for the exact loudness).

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


def _predict_balance(model: Model, measurement: Measurement) -> Prediction:
    levels = levels_of(measurement)
    balance = predict_balance(model, measurement.buses, levels)
    common = np.where(
        levels.heard, -common_db(balance.balance_db, levels.frame_lufs), np.zeros_like(balance.balance_db)
    )
    terms = {**balance.terms, "common": common}
    gains = db_to_gain(np.sum(list(terms.values()), axis=0))
    curves = _curves(measurement, gains, gains, levels.active)
    curves = replace(curves, deviation_db=np.broadcast_to(balance.deviation_db, gains.shape).copy())
    return Prediction(curves, _explanation(curves, terms))


def _explanation(curves: GainCurves, terms: Mapping[str, FloatArray]) -> Explanation:
    return Explanation(
        buses=curves.buses,
        time_s=curves.time_s,
        terms=tuple(terms),
        contributions_db=np.stack(list(terms.values()), axis=2),
    )


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
