"""Adjust a prediction: depth, kept buses, the balance of another session, and riding.

Conventions: every function takes a prediction of condition 3 and returns one whose terms still add up to its gains.
Levels are the stems' loudness per frame before their faders, LUFS, shape (n_frames, n_buses), as
`core.models.balance.frame_levels_lufs` returns them. The common gain keeps the mix as loud as the plain sum, except
where kept buses fix it.

Riding makes slow moves that keep a bus's short-term loudness steady against the other buses. A frame counts as sounding
where it is within `GATE_DB` of the bus's loud frames; elsewhere a ride goes straight from the last sounding frame to
the next, so pauses, breaths and noise are never pulled up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from core.analysis.loudness import ABSOLUTE_GATE_LUFS
from core.audio.framing import HOP_S
from core.decibels import FloatArray, db_to_gain, db_to_power, power_to_db
from core.errors import InputError
from core.gains.curves import gaussian
from core.models.balance import common_db, gated_mean_lufs
from core.models.explain import Prediction
from core.roles import bus_of

_MOMENTS = ("moment", "covered_moment")
LIMIT_DB = 12.0
"""A ride at any percentage stays within this."""
GATE_DB = 25.0
_ENVELOPE_FRAMES = 7
"""Width of the running maximum that follows syllables and words, frames."""
_SMOOTH_FRAMES = 0.6 / HOP_S
_OTHERS_SMOOTH_FRAMES = 2.5 / HOP_S
_OTHERS_LIMIT_DB = 6.0


def with_depth(prediction: Prediction, percent: float, levels_lufs: FloatArray) -> Prediction:
    """Return the prediction with `percent` of its balance: 0 leaves all faders at one gain, 100 changes nothing.

    Parameters
    ----------
    prediction : the prediction of the song.
    percent : how much of the balance to apply.
    levels_lufs : the stems' loudness per frame, shape (n_frames, n_buses).
    """
    terms = {name: term * (percent / 100.0) for name, term in _terms_without_common(prediction).items()}
    scaled = _with_terms(prediction, terms, levels_lufs=levels_lufs)
    return replace(scaled, full_db=prediction.curves.gains_db)


def with_kept(prediction: Prediction, kept_db: Mapping[str, float | FloatArray], levels_lufs: FloatArray) -> Prediction:
    """Return the prediction placed around buses whose faders the user has set.

    The difference between a kept bus's gain and its predicted one measures how much too low or too high the whole
    prediction is. The other buses move by the mean of these differences, weighted by precision (1 / variance of the
    bus), so a lead vocal counts more than percussion. With one kept bus the balance is the predicted one around it.
    The term `placed` takes the place of `common`, and a kept bus has no other term than `kept`.

    Parameters
    ----------
    prediction : with deviations per bus.
    kept_db : the kept buses' gains, dB, constant or of shape (n_frames,).
    levels_lufs : the stems' loudness per frame, shape (n_frames, n_buses).

    Raises
    ------
    InputError
        A kept bus is not in the prediction.
    """
    curves = prediction.curves
    columns = _columns(prediction, kept_db, "--keep")
    if not columns:
        return prediction
    wanted_db = curves.gains_db.copy()
    for i in columns:
        wanted_db[:, i] = kept_db[curves.buses[i]]
    deviation_db = (_mean_gain_db(wanted_db, levels_lufs) - _mean_gain_db(curves.gains_db, levels_lufs))[columns]
    weights = 1.0 / _variances(prediction)[columns]
    shift_db = float(weights @ deviation_db / weights.sum())
    is_kept = np.isin(np.arange(len(curves.buses)), columns)
    terms = {name: np.where(is_kept, 0.0, term) for name, term in _terms_without_common(prediction).items()}
    terms["kept"] = np.where(is_kept, wanted_db, 0.0)
    terms["placed"] = np.where(is_kept, 0.0, prediction.terms_db["common"] + shift_db)
    uncertain_db = None if curves.deviation_db is None else np.where(is_kept, 0.0, curves.deviation_db)
    gains = db_to_gain(np.sum(list(terms.values()), axis=0))
    kept = tuple(curves.buses[i] for i in columns)
    return replace(
        prediction, curves=replace(curves, gains=gains, deviation_db=uncertain_db), terms_db=terms, kept=kept
    )


def with_balance_of(prediction: Prediction, loudness_lufs: Mapping[str, float], levels_lufs: FloatArray) -> Prediction:
    """Return the prediction with the relative loudness that another session's buses have in its mix.

    A bus that the other session has only as a whole keeps the predicted balance of its single tracks. Buses that the
    other session does not have keep the model's level against the rest, which is placed as in
    `with_kept`.

    Parameters
    ----------
    prediction : of the song to mix.
    loudness_lufs : gated loudness of the other session's buses after their faders, LUFS; only differences matter.
    levels_lufs : the stems' loudness per frame, shape (n_frames, n_buses).

    Raises
    ------
    InputError
        The sessions have fewer than two sounding buses in common.
    """
    curves = prediction.curves
    groups = _groups_in(loudness_lufs, curves.buses, np.any(curves.active, axis=0))
    if len(groups) < 2:
        raise InputError(
            "the other session has fewer than two buses of this song", option="--like", remedy="mix with a model"
        )
    gained = levels_lufs + curves.gains_db
    present = np.array([gated_mean_lufs(_summed_lufs(gained[:, columns])) for columns in groups.values()])
    wanted = np.array([loudness_lufs[bus] for bus in groups])
    weights = np.array([1.0 / _variances(prediction)[columns].mean() for columns in groups.values()])
    deviation = wanted - present
    deviation -= float(weights @ deviation / weights.sum())
    term = np.zeros_like(curves.gains)
    for columns, deviation_db in zip(groups.values(), deviation, strict=True):
        term[:, columns] = deviation_db
    return _with_terms(prediction, {**_terms_without_common(prediction), "like": term}, levels_lufs=levels_lufs)


def _groups_in(
    loudness_lufs: Mapping[str, float], buses: Iterable[str], is_active: npt.ArrayLike
) -> dict[str, list[int]]:
    """Return the columns of the sounding buses by the name that another session knows them by.

    Single tracks go by their own names if the session has all of their bus, otherwise by the bus's name.
    """
    known = {name for name, level in loudness_lufs.items() if np.isfinite(level)}
    heard = [(i, bus) for i, (bus, active) in enumerate(zip(buses, np.asarray(is_active, bool), strict=True)) if active]
    in_part = {bus_of(bus) for _, bus in heard if bus not in known}
    groups: dict[str, list[int]] = {}
    for i, bus in heard:
        groups.setdefault(bus_of(bus) if bus_of(bus) in in_part else bus, []).append(i)
    return {name: columns for name, columns in groups.items() if name in known}


def _summed_lufs(levels_lufs: FloatArray) -> FloatArray:
    """Return the level of the sum of columns, shape (n_frames,), as of uncorrelated signals."""
    if levels_lufs.shape[1] == 1:
        return levels_lufs[:, 0]
    return 10.0 * np.log10(np.maximum((10.0 ** (levels_lufs / 10.0)).sum(axis=1), 1e-20))


def with_ride(prediction: Prediction, percent: Mapping[str, float], levels_lufs: FloatArray) -> Prediction:
    """Return the prediction with moves that keep the named buses steady against the others (`ride_db`).

    Parameters
    ----------
    prediction : of the song.
    percent : by bus, 0 to 100.
    levels_lufs : the stems' loudness per frame, shape (n_frames, n_buses).

    Raises
    ------
    InputError
        A bus is not in the prediction, or a percentage is not between 0 and 100.
    """
    columns = _columns(prediction, percent, "--ride")
    for bus, value in percent.items():
        if not 0.0 <= value <= 100.0:
            raise InputError(f"{bus}={value:g} is not a percentage", option="--ride", remedy="give 0 to 100")
    terms = _terms_without_common(prediction)
    static_db = _mean_gain_db(prediction.curves.gains_db, levels_lufs)
    ride = np.zeros_like(prediction.curves.gains)
    for i in columns:
        share = percent[prediction.curves.buses[i]] / 100.0
        ride[:, i] = ride_db(levels_lufs + static_db, i, 100.0 * share)
        for name in _MOMENTS:
            if name in terms:
                moments = terms[name].copy()
                moments[:, i] *= 1.0 - share
                terms[name] = moments
    return _with_terms(prediction, {**terms, "ride": ride}, levels_lufs=levels_lufs)


def _columns(prediction: Prediction, buses: Iterable[str], option: str) -> list[int]:
    missing = [bus for bus in buses if bus not in prediction.curves.buses]
    if missing:
        raise InputError(
            f"the song has no bus {missing[0]!r}", option=option, remedy=f"it has {', '.join(prediction.curves.buses)}"
        )
    return [prediction.curves.buses.index(bus) for bus in buses]


def _terms_without_common(prediction: Prediction) -> dict[str, FloatArray]:
    """Return the terms of a prediction of condition 3 by name, without the last one, `common`."""
    return {name: term for name, term in prediction.terms_db.items() if name != "common"}


def _with_terms(
    prediction: Prediction,
    terms: Mapping[str, FloatArray],
    *,
    levels_lufs: FloatArray,
) -> Prediction:
    """Return the prediction made of `terms` and a common gain such that the plain sum's loudness is kept."""
    balance_db = np.sum(list(terms.values()), axis=0)
    heard = prediction.curves.active.any(axis=0)
    common = np.where(heard, -common_db(balance_db, levels_lufs), np.zeros_like(balance_db))
    gains = db_to_gain(balance_db + common)
    return replace(prediction, curves=replace(prediction.curves, gains=gains), terms_db={**terms, "common": common})


def _variances(prediction: Prediction) -> FloatArray:
    """Return each bus's variance, dB squared, shape (n_buses,); equal ones where unknown."""
    deviation = prediction.curves.deviation_db
    if deviation is None:
        return np.ones(len(prediction.curves.buses))
    return np.maximum(deviation[0] ** 2, 0.01)


def _mean_gain_db(gains_db: FloatArray, levels_lufs: FloatArray) -> FloatArray:
    """Return the change in each bus's energy that moving gains make, dB, shape (n_buses,)."""
    columns = zip(gains_db.T, levels_lufs.T, strict=True)
    return np.array([common_db(gains[:, None], levels[:, None]) for gains, levels in columns])


def ride_db(levels_lufs: FloatArray, bus: int, percent: float) -> FloatArray:
    """Return the gain that rides one bus, dB, shape (n_frames,); the energy of the bus is unchanged.

    At 100 percent the bus keeps its median level against the others: where it steps up by 6 dB it gets 6 dB less. At
    0 percent the gain is 0.

    Parameters
    ----------
    levels_lufs : loudness per frame of all stems, with their static gains if these matter to what the others sum to,
        shape (n_frames, n_buses).
    bus : column of the bus to ride.
    percent : 0 to 100.

    Returns
    -------
    numpy.ndarray
        Within `LIMIT_DB`.

    Examples
    --------
    >>> steps = np.where(np.arange(120) < 60, -20.0, -26.0)[:, None]
    >>> gain_db = ride_db(steps, 0, 100.0)
    >>> round(float(gain_db[100] - gain_db[20]), 1)
    6.0
    """
    own = levels_lufs[:, bus]
    sounding = own > ABSOLUTE_GATE_LUFS
    if percent <= 0.0 or not sounding.any():
        return np.zeros(len(own))
    sounding &= own > np.percentile(own[sounding], 90.0) - GATE_DB
    levels = np.pad(np.where(sounding, own, -np.inf), _ENVELOPE_FRAMES // 2, mode="edge")
    envelope = sliding_window_view(levels, _ENVELOPE_FRAMES).max(axis=1)
    deviation_db = _centred(envelope, sounding)
    deviation_db -= _deviation_of_others_db(levels_lufs, bus, sounding)
    gain_db = np.clip(-percent / 100.0 * deviation_db, -LIMIT_DB, LIMIT_DB)
    known = np.flatnonzero(sounding)
    gain_db = np.interp(np.arange(len(own)), known, gain_db[known])
    gain_db = gaussian(gain_db, _SMOOTH_FRAMES)
    power = np.where(sounding, db_to_power(own), 0.0)
    energy_db = power_to_db(float((power * db_to_power(gain_db)).sum() / power.sum()))
    return np.clip(gain_db - energy_db, -LIMIT_DB, LIMIT_DB)


def _deviation_of_others_db(levels_lufs: FloatArray, bus: int, sounding: npt.NDArray[np.bool_]) -> FloatArray:
    """Return how far the sum of the other buses is from its own median, dB, shape (n_frames,); 0 without others."""
    others = np.delete(levels_lufs, bus, axis=1)
    power = np.where(others > ABSOLUTE_GATE_LUFS, db_to_power(others), 0.0).sum(axis=1)
    heard = (power > 0.0) & sounding
    if not heard.any():
        return np.zeros(len(levels_lufs))
    level = power_to_db(power)
    heard &= level > np.percentile(level[heard], 90.0) - GATE_DB
    known = np.flatnonzero(heard)
    level = np.interp(np.arange(len(level)), known, level[known])
    smooth = gaussian(level, _OTHERS_SMOOTH_FRAMES)
    return np.clip(_centred(smooth, sounding), -_OTHERS_LIMIT_DB, _OTHERS_LIMIT_DB)


def _centred(values: FloatArray, where: npt.NDArray[np.bool_]) -> FloatArray:
    """Return values (n_frames,) less their median over the frames `where`; 0 elsewhere."""
    return np.where(where, values - np.median(values[where]), 0.0)
