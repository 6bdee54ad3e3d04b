"""Predict gain curves from a model and a song's features.

Conventions: terms are in dB and have shape (n_frames, n_buses); they add up to the balance, which is complete but for a
gain common to all buses. Buses that never sound have 0 in every term.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core import roles
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


_CONDITION = "condition3"
KIT_LEVELS_DB: Mapping[str, float] = {
    "kick": 0.0,
    "snare": 0.0,
    "toms": -3.0,
    "overheads": -4.0,
    "cymbals": -6.0,
    "claps": -6.0,
    "hihat": -8.0,
    "room": -8.0,
}
"""Loudness of a kit's microphones against the kick, dB, by role (`core.matching`): kick and snare carry the kit,
overheads support them, hi-hat and room come last."""
KIT_DEVIATION_DB = 6.0


def predict_tracks(
    model: Model, measurement: Measurement, buses: Sequence[str], track_roles: Sequence[str] = ()
) -> Prediction:
    """Return the gains that `model` gives single tracks, and what they are made of.

    Parameters
    ----------
    model : a model of condition 3.
    measurement : of the tracks, by the default preset.
    buses : the bus of each track.
    track_roles : what each track plays, such as "snare"; without them, drums are balanced like other tracks.

    Returns
    -------
    Prediction
        Curves and terms of shape (n_frames, n_tracks). Each term is the sum of what it adds inside the bus and to the
        bus; the variances of both predictions add up as well.

    Raises
    ------
    ModelError
        The model was learned from the paper's features, which have no rule for single tracks.
    """
    if model.feature_set != _CONDITION:
        raise ModelError(
            f"model {model.name} has no rule for single tracks",
            option="--level tracks",
            remedy="use a model of the default preset",
        )
    shape = measurement.rms.shape
    within_db, deviation_db = np.zeros(shape), np.zeros(shape)
    terms: dict[str, FloatArray] = {}
    order = roles.in_order(set(buses))
    members = {bus: [i for i, other in enumerate(buses) if other == bus] for bus in order}
    for bus, indices in members.items():
        if len(indices) == 1:
            continue
        levels = levels_of(_part(measurement, indices))
        balance = predict_balance(model, [bus] * len(indices), levels, tracks=True)
        kit_db, is_microphone = _kit_levels_db(
            [track_roles[i] for i in indices] if track_roles else [""] * len(indices)
        )
        kit_db = np.where(levels.heard, kit_db, 0.0)
        balance_db = balance.balance_db + kit_db
        common = np.where(levels.heard, -common_db(balance_db, levels.frame_lufs), 0.0)
        for name, values in {**balance.terms, "kit": kit_db, "common": common}.items():
            terms.setdefault(name, np.zeros(shape))[:, indices] += values
        within_db[:, indices] = balance_db + common
        deviation_db[:, indices] = np.hypot(balance.deviation_db, np.where(is_microphone, KIT_DEVIATION_DB, 0.0))
    of_buses = predict_explained(model, _summed(measurement, members, within_db))
    column = [order.index(bus) for bus in buses]
    for place, name in enumerate(of_buses.explanation.terms):
        added = of_buses.explanation.contributions_db[:, column, place]
        terms[name] = terms.get(name, np.zeros(shape)) + added
    terms = {**terms, "common": terms.pop("common")}
    bus_deviation_db = of_buses.curves.deviation_db
    if bus_deviation_db is not None:
        deviation_db = np.hypot(deviation_db, bus_deviation_db[:, column])
    gains = db_to_gain(within_db + of_buses.curves.gains_db[:, column])
    curves = GainCurves(
        title=measurement.title,
        buses=measurement.buses,
        time_s=measurement.time_s,
        gains=gains,
        gains_raw=gains,
        active=levels_of(measurement).active,
        fit=np.full(measurement.n_frames, np.nan),
        deviation_db=deviation_db,
    )
    contributions = np.stack(list(terms.values()), axis=2)
    explanation = Explanation(
        buses=curves.buses, time_s=curves.time_s, terms=tuple(terms), contributions_db=contributions
    )
    return Prediction(curves, explanation)


def _kit_levels_db(track_roles: Sequence[str]) -> tuple[FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Return how loud each track of a bus is as part of a drum kit, dB, and whether it is one, shape (n_tracks,).

    Several microphones of one drum share its energy.
    """
    is_microphone = np.array([role in KIT_LEVELS_DB for role in track_roles])
    if np.count_nonzero(is_microphone) < 2:
        return np.zeros(len(track_roles)), np.zeros(len(track_roles), dtype=bool)
    sharing = np.array([track_roles.count(role) for role in track_roles], dtype=np.float64)
    levels_db = np.array([KIT_LEVELS_DB.get(role, 0.0) for role in track_roles]) - 10.0 * np.log10(sharing)
    return np.where(is_microphone, levels_db, 0.0), is_microphone


def _part(measurement: Measurement, indices: Sequence[int]) -> Measurement:
    """Return what was measured of some of the stems."""
    columns = list(indices)
    return replace(
        measurement,
        buses=tuple(measurement.buses[i] for i in columns),
        rms=measurement.rms[:, columns],
        gram=None,
        moments=None,
        features={},
        step_power=None if measurement.step_power is None else measurement.step_power[:, columns],
        band_power=None if measurement.band_power is None else measurement.band_power[:, columns],
        onset_rms=None if measurement.onset_rms is None else measurement.onset_rms[:, columns],
    )


def _summed(measurement: Measurement, members: dict[str, list[int]], gain_db: FloatArray) -> Measurement:
    """Return what would be measured of each bus's sum with these gains (n_frames, n_tracks), averaged over the song."""
    power = db_to_gain(gain_db.mean(axis=0)) ** 2 if len(gain_db) else np.ones(gain_db.shape[1])

    def added(values: FloatArray) -> FloatArray:
        weighted = values * power.reshape(1, -1, *[1] * (values.ndim - 2))
        return np.stack([weighted[:, indices].sum(axis=1) for indices in members.values()], axis=1)

    onset_rms, bands = measurement.onset_rms, measurement.band_power
    return replace(
        measurement,
        buses=tuple(members),
        rms=np.sqrt(added(measurement.rms**2)),
        gram=None,
        moments=None,
        features={},
        step_power=None if measurement.step_power is None else added(measurement.step_power),
        band_power=None if bands is None else added(np.asarray(bands, dtype=np.float64)),
        onset_rms=None if onset_rms is None else np.sqrt(added(onset_rms**2)),
    )
