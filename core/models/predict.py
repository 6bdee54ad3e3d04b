"""Predict gain curves from a model and a song's features.

Conventions: terms are in dB and have shape (n_frames, n_buses); their sum is the balance, which lacks only a gain that
all buses share. Buses without signal have 0 in every term.

Single tracks are balanced against all other tracks of the song, each one as an instrument, so no bus is balanced as a
whole. Two or more microphones of a drum kit count as one instrument. Nothing measured is known about their levels
inside the kit: `KIT_LEVELS_DB` are rules of thumb, with a wide band.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.analysis.measure import ACTIVE_RMS, Measurement
from core.decibels import FloatArray, db_to_gain, db_to_power, power_to_db
from core.errors import ModelError
from core.gains.curves import GainCurves, exponential
from core.matching.dictionary import SEVERAL_BUSES
from core.models.balance import (
    NAMES,
    OF_SONG,
    BalanceRule,
    Mask,
    StemLevels,
    against_the_others,
    at_equal_level_db,
    balance_features,
    common_db,
    levels_of,
)
from core.models.explain import Prediction
from core.models.fit import centred_deviation_db
from core.models.model import Model
from core.roles import single_track
from core.wording import listed

MOMENT_LIMIT_DB = 3.0
"""The time-varying part of a predicted balance stays within this."""
SONG_LIMIT_DB = 24.0
"""No bus is moved further than this against the others."""
PRESENT_DEVIATION_DB = 7.0
"""Standard deviation between the stems' level in an unmixed session and in the mix, mean over the buses."""
_DB_PER_VARIANCE = np.log(10.0) / 40.0

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
overheads support them, hi-hat and room are the quietest. Microphones of one drum share its energy."""
KIT_GROWTH_DB = 2.0
"""A kit of ten tracks is this much louder in total than a kit of one; of n tracks, this times log10(n)."""
KIT_DEVIATION_DB = 6.0
"""Standard deviation of a microphone's level inside the kit, in addition to the kit's own."""


@dataclass(frozen=True, kw_only=True)
class PredictedBalance:
    """A balance.

    Attributes
    ----------
    terms : its terms, by the names of `core.models.explain.TERM_MEANINGS`.
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
    model: Model,
    buses: Sequence[str],
    levels: StemLevels,
    *,
    tracks: bool | None = None,
    track_roles: Sequence[str] = (),
) -> PredictedBalance:
    """Return the balance that `model` gives stems of these levels, its terms within their limits.

    Parameters
    ----------
    model : a model of condition 3.
    buses : the bus of each stem, such as "vocals"; single tracks may have the same one.
    levels : the stems' levels.
    tracks : whether the stems are single tracks; by default, they are where any bus is a single instrument.
    track_roles : what each track plays, such as "snare"; without them no track is a microphone of a kit.
    """
    fit = model.balance_fit
    rule = fit.prior.rule_for(buses, tracks=tracks)
    heard = levels.heard
    features = balance_features(levels)
    names = track_names(buses, track_roles)
    coefficients = fit.coefficients_of(names, rule)
    kit_db, share = kit_levels(buses, track_roles, heard)
    equal_db = at_equal_level_db(buses, levels, share)
    in_kit = share < 1.0
    tone, covered, presence = (features[0, :, i] * rule.shared[i - 1] for i in range(1, len(OF_SONG)))
    of_song = {
        "level": -against_the_others(np.where(heard, levels.loudness_lufs, 0.0), heard),
        "company": against_the_others(np.where(heard, equal_db + levels.loudness_lufs, 0.0), heard),
        "tone": tone,
        "covered": covered,
        "presence": presence,
        "role": against_the_others(rule.offsets_of(names), heard),
        "sessions": against_the_others(fit.habits_of(names), heard),
    }
    kit = against_the_others(kit_db, heard)
    moments = {name: features[:, :, i] * coefficients[:, i] for i, name in enumerate(NAMES) if i >= len(OF_SONG)}
    of_song |= _near_equal_rms(of_song, rule, features[0, :, 1], int(np.count_nonzero(heard)))
    of_song["limit"] = _excess_db([*of_song.values(), kit], SONG_LIMIT_DB)
    if in_kit.any():
        of_song["kit"] = kit_db  # without the mean, so that the other buses have no such term
    terms = {name: np.broadcast_to(value, levels.active.shape) for name, value in of_song.items()} | moments
    terms["limit"] = terms["limit"] + _excess_db(list(moments.values()), MOMENT_LIMIT_DB)
    deviation_db = np.zeros(len(heard))
    if heard.any():
        of_stems = np.hypot(fit.deviation_factor * rule.deviations_of(buses), np.where(in_kit, KIT_DEVIATION_DB, 0.0))
        deviation_db[heard] = centred_deviation_db(of_stems[heard])
    return PredictedBalance(
        terms=terms,
        deviation_db=np.hypot(deviation_db, fit.moment_deviation_db),
        output_lufs=fit.output_lufs,
        output_deviation_db=fit.output_deviation_db,
    )


def track_names(buses: Sequence[str], track_roles: Sequence[str]) -> list[str]:
    """Return the names that the habits of single tracks go by, such as "drums: snare"; the bus where no role is known.

    Parameters
    ----------
    buses : the bus of each track.
    track_roles : what each track plays, by `core.matching`; without them all tracks go by their bus.
    """
    unknown = ("unknown", "bus", SEVERAL_BUSES)
    return [
        bus if role in (bus, *unknown) else single_track(bus, role)
        for bus, role in zip(buses, track_roles or buses, strict=True)
    ]


def kit_levels(buses: Sequence[str], track_roles: Sequence[str], heard: Mask) -> tuple[FloatArray, FloatArray]:
    """Return each microphone's level against a whole kit, dB, and the share of an instrument each track counts as.

    Both have shape (n_tracks,): 0 dB and a share of 1 for tracks that are not microphones of a kit.

    Parameters
    ----------
    buses : the bus of each track.
    track_roles : what each track plays, such as "snare".
    heard : which tracks have sound, shape (n_tracks,).
    """
    levels_db, share = np.zeros(len(buses)), np.ones(len(buses))
    is_microphone = np.array([role in KIT_LEVELS_DB for role in track_roles], dtype=bool) & heard[: len(track_roles)]
    for bus in sorted(set(buses)) if is_microphone.any() else ():
        kit = [i for i, other in enumerate(buses) if other == bus and is_microphone[i]]
        if len(kit) < 2:
            continue
        kit_roles = [track_roles[i] for i in kit]
        sharing = np.array([kit_roles.count(role) for role in kit_roles], dtype=np.float64)
        relative_db = np.array([KIT_LEVELS_DB[role] for role in kit_roles]) - 10.0 * np.log10(sharing)
        total_db = float(power_to_db(float(db_to_power(relative_db).sum())))
        levels_db[kit] = relative_db - total_db + KIT_GROWTH_DB * np.log10(len(kit))
        share[kit] = 1.0 / len(kit)
    return levels_db, share


def least_squares_gains(balance: PredictedBalance, buses: Sequence[str], levels: StemLevels) -> FloatArray:
    """Return the linear gains of least expected squared error, shape (n_frames, n_buses).

    The buses' loudness combines two uncertain values: their loudness in the mixdowns the model learned from, and that
    of the stems now (`PRESENT_DEVIATION_DB`). A gain with a normal error in dB is log-normal, so its mean is higher
    than its median.

    Parameters
    ----------
    balance : the predicted balance.
    buses : the buses, in the order of the columns.
    levels : the stems' levels.
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


def _near_equal_rms(
    of_song: Mapping[str, FloatArray], rule: BalanceRule, tone_db: FloatArray, n_heard: int
) -> dict[str, FloatArray]:
    """Return the terms of the rule, (n_buses,) each, scaled so that it keeps its distance from equal RMS.

    Habits are not bounded: what an engineer's songs show may be any distance from equal levels.
    """
    names = ("tone", "covered", "presence", "role")
    terms = {**{name: of_song[name] for name in names}, "tone": of_song["tone"] + tone_db}
    departure_db = float(np.abs(sum(terms.values())).sum()) / max(n_heard, 1)
    if rule.departure_db is None or departure_db <= rule.departure_db:
        return {}
    scaled = {name: term * (rule.departure_db / departure_db) for name, term in terms.items()}
    return {**scaled, "tone": scaled["tone"] - tone_db}


def _excess_db(terms: Sequence[FloatArray], limit_db: float) -> FloatArray:
    """Return the correction that keeps the sum of `terms` within the limit."""
    total: FloatArray = np.sum(terms, axis=0)
    return np.clip(total, -limit_db, limit_db) - total


def predict_explained(model: Model, measurement: Measurement) -> Prediction:
    """Return the gains `model` gives the measured song, and what they are made of.

    The paper preset's gains are used as predicted. The default's are a balance: their common gain is chosen so
    that the stems' total K-weighted energy stays what it was (see `core.automation.render` for the exact loudness).

    Raises
    ------
    ModelError
        The model lacks one of the buses of the song.

    Examples
    --------
    >>> from pathlib import Path
    >>> from core.audio.song import open_song
    >>> song = open_song(Path("examples/caesium"))
    >>> from core.analysis.measure import measure
    >>> rule = Model(name="rule", preset="default", feature_set="condition3")
    >>> prediction = predict_explained(rule, measure(song))
    >>> bool(np.allclose(sum(prediction.terms_db.values()), prediction.curves.gains_db))
    True
    """
    if model.feature_set == "condition3":
        return _prediction_of_balance(measurement, predict_balance(model, measurement.buses, levels_of(measurement)))
    unknown = [bus for bus in measurement.buses if bus not in model.buses]
    if unknown:
        raise ModelError(
            f"model {model.name} does not know {listed(unknown)}, only {', '.join(model.buses)}",
            remedy="leave these stems out or use another model",
        )
    raw = np.stack([measurement.features[bus] @ model.coefficients(bus) for bus in measurement.buses], axis=1)
    curves = GainCurves(
        title=measurement.title,
        buses=measurement.buses,
        time_s=measurement.time_s,
        gains=exponential(raw, keep_first=False),
        gains_raw=raw,
        active=measurement.rms > ACTIVE_RMS,
    )
    return Prediction(curves, {"paper": curves.gains_db})


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
        Curves and terms of shape (n_frames, n_tracks).

    Raises
    ------
    ModelError
        The model was learned from the paper's features, which have no rule for single tracks.
    """
    if model.feature_set != "condition3":
        raise ModelError(
            f"model {model.name} has no rule for single tracks",
            option="--level tracks",
            remedy="use a model of the default preset",
        )
    balance = predict_balance(model, buses, levels_of(measurement), tracks=True, track_roles=track_roles)
    return _prediction_of_balance(measurement, balance)


def _prediction_of_balance(measurement: Measurement, balance: PredictedBalance) -> Prediction:
    levels = levels_of(measurement)
    common = np.where(
        levels.heard, -common_db(balance.balance_db, levels.frame_lufs), np.zeros_like(balance.balance_db)
    )
    terms = {**balance.terms, "common": common}
    n_heard = np.count_nonzero(levels.heard)  # a single stem has no balance, so nothing about it is uncertain
    gains = db_to_gain(np.sum(list(terms.values()), axis=0))
    curves = GainCurves(
        title=measurement.title,
        buses=measurement.buses,
        time_s=measurement.time_s,
        gains=gains,
        active=levels.active,
        deviation_db=None if n_heard < 2 else np.broadcast_to(balance.deviation_db, gains.shape).copy(),
    )
    return Prediction(curves, terms)
