"""A stored prediction with other settings: depth, moves, offsets, limits, smoothing. No audio is needed.

Conventions: gains are in dB, shape (n_frames, n_buses). What a prediction does is its balance: each gain against the
common gain, the one fader for all buses that would make the mix as loud. All settings but the offsets leave that
loudness as it was (as energy over the stems' stored levels); the offsets come last and move their bus alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from core.audio.frames import HOP_S, LONGEST_S
from core.decibels import FloatArray
from core.errors import InputError
from core.measuring.loudness import ABSOLUTE_GATE_LUFS
from core.modelling.balance import common_db

DEEPEST_PERCENT = 200.0
LARGEST_OFFSET_DB = 24.0
LONGEST_SMOOTHING_S = 60.0
_SIGMAS_IN_SMOOTHING = 2.0


class EditSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a prediction is applied; the defaults apply it as it is.

    Attributes
    ----------
    depth_percent : how much of the balance: 0 is every bus at the common gain, 100 as predicted, 200 twice as far.
    moves_percent : how much of each bus's moves around its own level (its median while it sounds): 0 is a static mix.
    offset_db : by bus, added at the end.
    limit_db : no bus goes further than this from the common gain; None for no limit.
    smooth_s : moves shorter than this are evened out.
    range_s : the part of the song the edit is for; outside it everything stays as it stands.
    freeze : buses that stay as they stand.
    ignore_s : passages (start, end) whose moves do not count: the gain goes straight from one edge to the other.
    """

    depth_percent: float = 100.0
    moves_percent: float = 100.0
    offset_db: dict[str, float] = {}
    limit_db: float | None = None
    smooth_s: float = 0.0
    range_s: tuple[float, float] | None = None
    freeze: list[str] = []
    ignore_s: list[tuple[float, float]] = []


def applied(
    settings: EditSettings,
    predicted_db: FloatArray,
    *,
    levels_lufs: FloatArray,
    buses: tuple[str, ...],
    time_s: FloatArray,
) -> FloatArray:
    """Return the gains that `settings` make of a prediction, dB, shape (n_frames, n_buses).

    Parameters
    ----------
    settings : see there; `range_s` and `freeze` are the caller's to heed.
    predicted_db : the prediction, shape (n_frames, n_buses).
    levels_lufs : the stems' loudness per frame, same shape.
    buses : the columns' roles.
    time_s : the frames' centres, shape (n_frames,).
    """
    sounding = levels_lufs > ABSOLUTE_GATE_LUFS
    whole_db = common_db(predicted_db, levels_lufs)
    balance_db = predicted_db - whole_db
    own_db = _median_while(sounding, balance_db)
    shaped_db = own_db + (balance_db - own_db) * (settings.moves_percent / 100.0)
    shaped_db = shaped_db * (settings.depth_percent / 100.0)
    if settings.limit_db is not None:
        shaped_db = np.clip(shaped_db, -settings.limit_db, settings.limit_db)
    if settings.smooth_s > 0.0:
        frames = settings.smooth_s / HOP_S / _SIGMAS_IN_SMOOTHING
        shaped_db = gaussian_filter1d(shaped_db, frames, axis=0, mode="nearest")
    for start_s, end_s in settings.ignore_s:
        shaped_db = _straight(shaped_db, time_s, start_s, end_s)
    level_db = whole_db - common_db(shaped_db, levels_lufs)
    offsets_db = np.array([settings.offset_db.get(bus, 0.0) for bus in buses])
    return shaped_db + level_db + offsets_db


def check(settings: EditSettings, buses: tuple[str, ...], duration_s: float) -> None:
    """Raise where settings cannot be applied to these buses and this length.

    Raises
    ------
    InputError
        A value is out of its range, or a bus or a stretch is not in the song.
    """
    for name, percent in (("--depth", settings.depth_percent), ("--moves", settings.moves_percent)):
        _require(0.0 <= percent <= DEEPEST_PERCENT, f"{name} {percent:g}: give 0 to {DEEPEST_PERCENT:g} percent")
    _require(settings.limit_db is None or 0.0 <= settings.limit_db < math.inf, "--limit: give 0 dB or more")
    _require(
        0.0 <= settings.smooth_s <= LONGEST_SMOOTHING_S,
        f"--smooth {settings.smooth_s:g}: give 0 to {LONGEST_SMOOTHING_S:g} seconds",
    )
    for bus, offset_db in settings.offset_db.items():
        _require(bus in buses, f"--offset {bus}: the run has no such bus; it has {', '.join(buses)}")
        _require(abs(offset_db) <= LARGEST_OFFSET_DB, f"--offset {bus}={offset_db:g}: at most {LARGEST_OFFSET_DB:g} dB")
    for bus in settings.freeze:
        _require(bus in buses, f"--freeze {bus}: the run has no such bus; it has {', '.join(buses)}")
    spans = [*settings.ignore_s, *([settings.range_s] if settings.range_s else [])]
    for start_s, end_s in spans:
        _require(
            0.0 <= start_s < end_s < LONGEST_S and start_s < duration_s,
            f"{start_s:g}:{end_s:g}: the song lasts {duration_s:.1f} s; give a start and a later end in it",
        )


def described(settings: EditSettings) -> list[str]:
    """Return what differs from the prediction as it is, a phrase each; nothing where it is applied as it is."""
    phrases = [f"depth {settings.depth_percent:g} %"] if settings.depth_percent != 100.0 else []
    phrases += [f"moves {settings.moves_percent:g} %"] if settings.moves_percent != 100.0 else []
    phrases += [f"{bus} {offset_db:+.1f} dB" for bus, offset_db in settings.offset_db.items() if offset_db]
    phrases += [f"limit {settings.limit_db:g} dB"] if settings.limit_db is not None else []
    phrases += [f"smoothed over {settings.smooth_s:g} s"] if settings.smooth_s else []
    phrases += [f"from {settings.range_s[0]:g} to {settings.range_s[1]:g} s"] if settings.range_s else []
    phrases += [f"{bus} frozen" for bus in settings.freeze]
    phrases += [f"{start_s:g} to {end_s:g} s ignored" for start_s, end_s in settings.ignore_s]
    return phrases


def changed(settings: EditSettings, changes: Mapping[str, object]) -> EditSettings:
    """Return the settings with those of `changes` that are not None; offsets are changed bus by bus."""
    new = {name: value for name, value in changes.items() if value is not None}
    offsets = new.get("offset_db")
    if isinstance(offsets, Mapping):
        new["offset_db"] = {**settings.offset_db, **offsets}
    return msgspec.structs.replace(settings, **new)


def _require(is_right: bool, sentence: str) -> None:
    if not is_right:
        raise InputError(sentence)


def _median_while(sounding: npt.NDArray[np.bool_], values: FloatArray) -> FloatArray:
    pairs = zip(values.T, sounding.T, strict=True)
    return np.array([float(np.median(column[on] if on.any() else column)) for column, on in pairs])


def _straight(gains_db: FloatArray, time_s: FloatArray, start_s: float, end_s: float) -> FloatArray:
    inside = (time_s > start_s) & (time_s < end_s)
    outside = ~inside
    if not inside.any() or not outside.any():
        return gains_db
    return np.stack(
        [np.where(inside, np.interp(time_s, time_s[outside], column[outside]), column) for column in gains_db.T], axis=1
    )
