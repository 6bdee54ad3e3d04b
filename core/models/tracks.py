"""Predict the balance of single tracks (`--level tracks`).

Conventions: a measurement's columns are tracks here, each with a role and a bus from `core.matching`. Tracks that are
microphones of one drum kit are balanced with each other first and then placed as one instrument; every other track is
an instrument. Instruments follow the rule for tracks (`core.models.prior`): equal loudness, an offset per role, and a
little less for each of several in one place.

The recursion of Zafrin & Chudwick (2015, section 4) sums every bus first. Placing sums of many instruments at the level
of single ones is worse than equal loudness of the tracks on producers with many tracks (docs/reference/accuracy.md), so
only the kit is summed.

Nothing measured is known about microphones inside a drum kit: `KIT_LEVELS_DB` are rules of thumb, with a wide band.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.analysis.loudness import ABSOLUTE_GATE_LUFS, FLOOR_LUFS
from core.analysis.measure import Measurement
from core.decibels import FloatArray, db_to_gain, db_to_power, power_to_db
from core.gains.curves import GainCurves
from core.models.balance import StemLevels, common_db, gated_mean_lufs, levels_of
from core.models.explain import Explanation, Prediction
from core.models.model import Model
from core.models.predict import predict_balance

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
"""Loudness of a kit's microphones against the kick, dB, by role: kick and snare carry the kit, overheads support them,
hi-hat and room are added last."""
KIT_DEVIATION_DB = 6.0
_SUPPORTING_ROLES: Mapping[str, str] = {"vocal double": "backing vocals", "vocal fx": "backing vocals"}
"""Roles whose bus is another one's lead."""


@dataclass(frozen=True)
class TrackRole:
    """What a track plays: a role such as "snare" and its bus, as `core.matching.matcher.match_name` finds them."""

    role: str
    bus: str


def predict_tracks(model: Model, measurement: Measurement, tracks: Sequence[TrackRole]) -> Prediction:
    """Return the gains that `model` gives single tracks, and what they are made of.

    Parameters
    ----------
    model : a model of condition 3.
    measurement : the tracks' measurement; its buses are the tracks' names.
    tracks : the role and bus of each of the measurement's columns.

    Returns
    -------
    Prediction
        With the tracks' names as buses; the gains leave the mix as loud as the plain sum.
    """
    levels = levels_of(measurement)
    heard = levels.heard
    in_kit = np.array([track.bus == "drums" and track.role in KIT_LEVELS_DB for track in tracks]) & heard
    if np.count_nonzero(in_kit) < 2:
        in_kit[:] = False
    kit_db = np.zeros(len(tracks))
    kit_db[in_kit] = _kit_gains_db([track.role for track in tracks], levels, in_kit)
    alone = np.flatnonzero(~in_kit).astype(np.int64)
    entries = [*alone.tolist(), *([-1] if in_kit.any() else [])]
    entry_of_track = np.array([entries.index(i if not in_kit[i] else -1) for i in range(len(tracks))], dtype=np.int64)
    names = [_place_of(tracks[i]) for i in alone.tolist()] + (["drums"] if in_kit.any() else [])
    balance = predict_balance(model, names, _entry_levels(levels, alone, in_kit, kit_db), tracks=True)
    terms = {name: np.where(heard, term[:, entry_of_track], 0.0) for name, term in balance.terms.items()}
    terms["kit"] = np.broadcast_to(kit_db, terms["level"].shape)
    balance_db = np.sum(list(terms.values()), axis=0)
    terms["common"] = np.where(heard, -common_db(balance_db, levels.frame_lufs), np.zeros_like(balance_db))
    gains = db_to_gain(balance_db + terms["common"])
    deviation_db = np.hypot(balance.deviation_db[entry_of_track], np.where(in_kit, KIT_DEVIATION_DB, 0.0))
    curves = GainCurves(
        title=measurement.title,
        buses=measurement.buses,
        time_s=measurement.time_s,
        gains=gains,
        gains_raw=gains,
        active=levels.active,
        fit=np.full(measurement.n_frames, np.nan),
        deviation_db=np.broadcast_to(deviation_db, gains.shape).copy(),
    )
    return Prediction(
        curves,
        Explanation(
            buses=curves.buses,
            time_s=curves.time_s,
            terms=tuple(terms),
            contributions_db=np.stack(list(terms.values()), axis=2),
        ),
    )


def _place_of(track: TrackRole) -> str:
    return _SUPPORTING_ROLES.get(track.role, track.bus)


def _kit_gains_db(
    roles: Sequence[str], levels: StemLevels, in_kit: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
) -> FloatArray:
    """Return the gains inside the kit, dB, shape (n_in_kit,); the sum of the kit keeps its loudness.

    Several microphones of one drum share its energy.
    """
    kit = np.flatnonzero(in_kit)
    of_kit = [roles[i] for i in kit.tolist()]
    sharing = np.array([of_kit.count(role) for role in of_kit], dtype=np.float64)
    target = np.array([KIT_LEVELS_DB[role] for role in of_kit]) - 10.0 * np.log10(sharing)
    gains_db = target - levels.loudness_lufs[kit]
    before, after = (power_to_db(db_to_power(lufs).sum()) for lufs in (levels.loudness_lufs[kit], target))
    return np.asarray(gains_db + (before - after))


def _entry_levels(
    levels: StemLevels,
    alone: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    in_kit: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    kit_db: FloatArray,
) -> StemLevels:
    """Return the levels of the instruments: the tracks outside the kit, then the balanced kit's sum."""
    chosen = StemLevels(
        loudness_lufs=levels.loudness_lufs[alone],
        tone_db=np.zeros(len(alone)),
        covered_db=np.zeros(len(alone)),
        presence=levels.presence[alone],
        frame_lufs=levels.frame_lufs[:, alone],
        active=levels.active[:, alone],
    )
    if not in_kit.any():
        return chosen
    gained = levels.frame_lufs[:, in_kit] + kit_db[in_kit]
    power = np.where(levels.frame_lufs[:, in_kit] > ABSOLUTE_GATE_LUFS, db_to_power(gained), 0.0).sum(axis=1)
    kit_lufs = np.where(power > 0.0, power_to_db(power), FLOOR_LUFS)
    active = levels.active[:, in_kit].any(axis=1)
    return replace(
        chosen,
        loudness_lufs=np.append(chosen.loudness_lufs, gated_mean_lufs(kit_lufs)),
        tone_db=np.append(chosen.tone_db, 0.0),
        covered_db=np.append(chosen.covered_db, 0.0),
        presence=np.append(chosen.presence, levels.presence[in_kit].max()),
        frame_lufs=np.column_stack([chosen.frame_lufs, kit_lufs]),
        active=np.column_stack([chosen.active, active]),
    )
