"""Predict gain curves from a model and a song's features.

Conventions: terms are in dB and have shape (n_frames, n_buses); they add up to the balance, which is complete but for a
gain common to all buses. Buses that never sound have 0 in every term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.analysis.measure import ACTIVE_RMS, Measurement
from core.decibels import FloatArray, db_to_gain
from core.errors import ModelError
from core.gains.curves import GainCurves, exponential
from core.models.balance import (
    NAMES,
    OF_SONG,
    StemLevels,
    against_the_others,
    at_equal_level_db,
    balance_features,
    common_db,
    levels_of,
)
from core.models.explain import Explanation, Prediction
from core.models.fit import BalanceFit, centred_deviation_db
from core.models.model import Model
from core.models.prior import BalanceRule

MOMENT_LIMIT_DB = 3.0
"""The time-varying part of a predicted balance stays within this."""
SONG_LIMIT_DB = 24.0
"""No bus is moved further than this against the others."""
PRESENT_DEVIATION_DB = 7.0
"""How far the stems of a session that is yet to be mixed are from the level they will have, mean over the buses."""
_DB_PER_VARIANCE = np.log(10.0) / 40.0


@dataclass(frozen=True, kw_only=True)
class PredictedBalance:
    """A balance.

    Attributes
    ----------
    terms : what it is made of, by the names of `core.models.explain.TERM_MEANINGS`.
    deviation_db : standard deviation of a bus's gain around its prediction, the common gain left aside, (n_buses,).
    output_lufs, output_deviation_db : how loud a bus of the model's songs is in their mixdowns; None without songs.
    """

    terms: dict[str, FloatArray]
    deviation_db: FloatArray
    output_lufs: float | None
    output_deviation_db: float

    @property
    def balance_db(self) -> FloatArray:
        """The balance, dB, shape (n_frames, n_buses)."""
        return np.sum(list(self.terms.values()), axis=0)


def predict_balance(
    model: Model, buses: Sequence[str], levels: StemLevels, *, tracks: bool | None = None
) -> PredictedBalance:
    """Return the balance that `model` gives stems of these levels, its terms within their limits.

    Parameters
    ----------
    model : a model of condition 3.
    buses : the bus of each stem, such as "vocals"; single tracks may have the same one.
    levels : the stems' levels.
    tracks : whether the stems are single tracks; by default, they are where any bus is a single instrument.
    """
    fit = model.balance_fit
    rule = fit.prior.rule_for(buses, tracks=tracks)
    features = balance_features(levels)
    coefficients = fit.coefficients_of(buses, rule)
    terms = {
        **_song_terms(fit, rule, buses, levels, features),
        **{name: features[:, :, i] * coefficients[:, i] for i, name in enumerate(NAMES) if i >= len(OF_SONG)},
    }
    moments = [terms["moment"], terms["covered_moment"]]
    of_song = [term for name, term in terms.items() if name not in ("moment", "covered_moment")]
    of_song.append(_departure_excess_db(terms, rule, levels, features))
    terms["limit"] = of_song[-1] + _excess_db(of_song, SONG_LIMIT_DB) + _excess_db(moments, MOMENT_LIMIT_DB)
    heard = levels.heard
    deviation_db = np.zeros(len(heard))
    if heard.any():
        deviation_db[heard] = centred_deviation_db(fit.deviation_factor * rule.deviations_of(buses)[heard])
    return PredictedBalance(
        terms=terms,
        deviation_db=np.hypot(deviation_db, fit.moment_deviation_db),
        output_lufs=fit.output_lufs,
        output_deviation_db=fit.output_deviation_db,
    )


def least_squares_gains(balance: PredictedBalance, buses: Sequence[str], levels: StemLevels) -> FloatArray:
    """Return the linear gains of least expected squared error, shape (n_frames, n_buses).

    How loud the buses come out joins two things that are both unsure: how loud they are in the mixdowns the model
    learned from, and how loud the stems are now (`PRESENT_DEVIATION_DB`). Where a gain is known in dB but for a
    deviation, its mean is higher than what lies in the middle: a log-normal's.
    """
    heard = levels.heard
    middle_db, unsure = _common_level(balance, -at_equal_level_db(buses, levels)[heard])
    variance = balance.deviation_db**2 + unsure
    return np.where(heard, db_to_gain(balance.balance_db + middle_db + _DB_PER_VARIANCE * variance), 1.0)


def _common_level(balance: PredictedBalance, present_lufs: FloatArray) -> tuple[float, float]:
    """Return the common gain of buses that are at `present_lufs`, dB, and its variance."""
    if balance.output_lufs is None or not present_lufs.size:
        return 0.0, 0.0
    learned = balance.output_deviation_db**2
    share = learned / (learned + PRESENT_DEVIATION_DB**2)
    return (1.0 - share) * (balance.output_lufs - float(present_lufs.mean())), learned * (1.0 - share)


def _song_terms(
    fit: BalanceFit, rule: BalanceRule, buses: Sequence[str], levels: StemLevels, features: FloatArray
) -> dict[str, FloatArray]:
    """Return the terms of the whole song: what the rule gives for each feature, and what the songs changed."""
    heard = levels.heard
    loudness = np.where(heard, levels.loudness_lufs, 0.0)
    tone, covered, presence = (features[0, :, i] * rule.shared[i - 1] for i in range(1, len(OF_SONG)))
    of_bus = {
        "level": -against_the_others(loudness, heard),
        "company": against_the_others(at_equal_level_db(buses, levels) + loudness, heard),
        "tone": tone,
        "covered": covered,
        "presence": presence,
        "role": against_the_others(rule.offsets_of(buses), heard),
        "sessions": against_the_others(fit.habits_of(buses), heard),
    }
    return {name: np.broadcast_to(value, levels.active.shape) for name, value in of_bus.items()}


def _departure_excess_db(
    terms: dict[str, FloatArray], rule: BalanceRule, levels: StemLevels, features: FloatArray
) -> FloatArray:
    """Return what has to be added for the rule to be no further from equal RMS than it may.

    Habits are not bounded: what an engineer's songs show may be any distance from equal levels.
    """
    limit_db = rule.departure_db
    if limit_db is None:
        return np.zeros(levels.active.shape)
    departure = terms["tone"] + features[:, :, 1] + sum(terms[name] for name in ("covered", "presence", "role"))
    distance = np.abs(departure).sum(axis=1, keepdims=True) / max(np.count_nonzero(levels.heard), 1)
    kept = np.divide(limit_db, distance, out=np.ones_like(distance), where=distance > limit_db)
    excess: FloatArray = (kept - 1.0) * departure
    return excess


def _excess_db(terms: Sequence[FloatArray], limit_db: float) -> FloatArray:
    """Return what has to be added to the sum of `terms` to keep it within the limit."""
    total: FloatArray = np.sum(terms, axis=0)
    return np.clip(total, -limit_db, limit_db) - total


def predict(model: Model, measurement: Measurement) -> GainCurves:
    """Return the gains `model` gives the measured song: the curves of `predict_explained`."""
    return predict_explained(model, measurement).curves


def predict_explained(model: Model, measurement: Measurement) -> Prediction:
    """Return the gains `model` gives the measured song, and what they are made of.

    The paper preset's gains are used as predicted. The default's are a balance: their common gain is chosen so
    that the stems' total K-weighted energy stays what it was (see `core.automation.render` for the exact loudness).

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
            f"model {model.name} does not know {' and '.join(unknown)}, only {', '.join(model.buses)}",
            remedy="leave these stems out or use another model",
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
