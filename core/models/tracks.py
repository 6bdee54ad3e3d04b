"""Predict the gains of single tracks: first the balance inside each bus, then that of the buses.

Conventions: a track's gain is the product of both. Inside a bus its tracks are balanced against each other as single
tracks, and the bus stays as loud as it was; the sum of the tracks with these gains is then balanced against the other
buses. Tracks are taken as uncorrelated, so that powers add up.

Nothing measured is known about the microphones of a drum kit: `KIT_LEVELS_DB` are rules of thumb, with a wide band.

Source: Zafrin & Chudwick (2015), section 4, which proposes to apply the method to the tracks of each bus in turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from core import roles
from core.analysis.measure import Measurement
from core.decibels import FloatArray, db_to_gain
from core.errors import ModelError
from core.gains.curves import GainCurves
from core.models.balance import common_db, levels_of
from core.models.explain import Explanation, Prediction
from core.models.model import Model
from core.models.predict import predict_balance, predict_explained

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
