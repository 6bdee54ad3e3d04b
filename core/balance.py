"""Condition 3: a bus against the other buses, the features of the default preset.

Conventions: loudness is K-weighted and gated (`core.loudness`), in LUFS; every feature compares a bus with the buses
that sound at all, so the sum over them is 0, a common gain of all stems changes nothing, and a stem's own gain changes
its loudness alone: spectra and moments are taken after each stem was brought to one loudness. Features of the whole
song are constant over its frames; those of the moment are smooth over about 6 s of a bus's own sounding time, and stand
still where it is silent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core import roles
from core.activity import sounding
from core.covering import covered_db
from core.decibels import FloatArray, power_to_db
from core.frames import HOPS_PER_FRAME, STEPS_PER_HOP, sum_over_frames
from core.loudness import FLOOR_LUFS, integrated_lufs, loudness_lufs, power_of
from core.measurement import Measurement
from core.moments import moving_part

OF_SONG = ("offset", "tone", "covered", "presence")
OF_MOMENT = ("moment", "covered_moment")
NAMES = (*OF_SONG, *OF_MOMENT)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class StemLevels:
    """What condition 3 knows of a song's stems.

    Attributes
    ----------
    loudness_lufs : gated loudness, shape (n_buses,); `FLOOR_LUFS` where a stem is silent throughout.
    frame_lufs : loudness per frame, shape (n_frames, n_buses).
    active : where a stem sounds, shape (n_frames, n_buses).
    tone_db : how much more plain level (RMS while it sounds) a stem has than loudness, dB, shape (n_buses,): much of it
        for deep bass, little of it for bright stems.
    band_power : power per frame and critical band, shape (n_frames, n_buses, n_bands), or None where it is not known.
    """

    loudness_lufs: FloatArray
    frame_lufs: FloatArray
    active: Mask
    tone_db: FloatArray
    band_power: FloatArray | None = None

    @property
    def heard(self) -> Mask:
        """Which stems sound at all, shape (n_buses,)."""
        return np.logical_and(self.active.any(axis=0), self.loudness_lufs > FLOOR_LUFS)


def stem_levels(
    step_power: FloatArray, rms: FloatArray, active: Mask, band_power: npt.NDArray[np.floating] | None = None
) -> StemLevels:
    """Return the levels of stems.

    Parameters
    ----------
    step_power : K-weighted power per 50 ms, shape (n_steps, n_buses).
    rms : plain level, shape (n_frames, n_buses).
    active : where each stem sounds, shape (n_frames, n_buses).
    band_power : power per hop and band, shape (n_hops, n_buses, n_bands), or None.
    """
    frame_power = sum_over_frames(step_power.reshape(-1, STEPS_PER_HOP, step_power.shape[1]).sum(axis=1))
    weighted = frame_power / (STEPS_PER_HOP * HOPS_PER_FRAME)
    loudness = song_levels_lufs(step_power)
    plain = np.where(active, rms**2, 0.0).sum(axis=0) / np.maximum(np.count_nonzero(active, axis=0), 1)
    bands = None if band_power is None else sum_over_frames(band_power.astype(np.float64)) / HOPS_PER_FRAME
    return StemLevels(
        loudness_lufs=loudness,
        frame_lufs=loudness_lufs(weighted),
        active=active,
        tone_db=np.where(loudness > FLOOR_LUFS, power_to_db(plain) - loudness, 0.0),
        band_power=bands,
    )


def levels_of(measurement: Measurement) -> StemLevels:
    """Return the levels of a measured song's stems (a default preset's measurement)."""
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    return stem_levels(measurement.step_power, measurement.rms, sounding(measurement.rms), measurement.band_power)


def levels_without_spectra(rms: FloatArray, active: Mask) -> StemLevels:
    """Return the levels of stems of which the RMS (n_frames, n_buses) is all that is known; it stands for loudness."""
    power = rms**2
    return StemLevels(
        loudness_lufs=np.array([_gated_lufs(of_stem) for of_stem in power.T]),
        frame_lufs=loudness_lufs(power),
        active=active,
        tone_db=np.zeros(rms.shape[1]),
    )


def song_levels_lufs(step_power: FloatArray) -> FloatArray:
    """Return the stems' gated loudness, LUFS, shape (n_buses,), from their powers (n_steps, n_buses)."""
    return np.array([integrated_lufs(power) for power in step_power.T])


def frame_levels_lufs(step_power: FloatArray) -> FloatArray:
    """Return the stems' loudness per frame, LUFS, shape (n_frames, n_buses)."""
    per_hop = step_power.reshape(-1, STEPS_PER_HOP, step_power.shape[1]).sum(axis=1)
    return loudness_lufs(sum_over_frames(per_hop) / (STEPS_PER_HOP * HOPS_PER_FRAME))


def at_equal_level_db(buses: Sequence[str], levels: StemLevels) -> FloatArray:
    """Return the gains that bring every place in the mix to 0 LUFS, dB, shape (n_buses,); 0 for silent buses.

    Buses that share a place (`roles.sharing`) share its energy.
    """
    heard = levels.heard
    gains_db = np.zeros(len(buses))
    n_sharing = roles.sharing([bus for bus, sounds in zip(buses, heard, strict=True) if sounds])
    gains_db[heard] = -levels.loudness_lufs[heard] - 10.0 * np.log10(np.array(n_sharing, dtype=np.float64))
    return gains_db


def balance_features(levels: StemLevels) -> FloatArray:
    """Return condition 3 of every bus, shape (n_frames, n_buses, len(NAMES)); 0 for stems that never sound.

    `offset` is a constant 1, the others are as in docs/features.md: dB, and `presence` a share of the song's time.
    """
    heard = levels.heard
    features = np.zeros((*levels.active.shape, len(NAMES)))
    features[:, heard, 0] = 1.0
    features[:, :, 1] = against_the_others(levels.tone_db, heard)
    features[:, :, 3] = against_the_others(_presence(levels.active), heard)
    loudness = np.where(heard, levels.loudness_lufs, 0.0)
    above = levels.frame_lufs - loudness
    share = np.where(levels.active, 10.0 ** (above / 10.0), 0.0)
    features[:, :, 4] = moving_part(above, levels.active, share)
    if levels.band_power is not None:
        scale = np.array([power_of(lufs) for lufs in loudness])
        of_song, of_moment = covered_db(levels.band_power / scale[:, None], levels.active)
        features[:, :, 2] = against_the_others(of_song, heard)
        features[:, :, 5] = moving_part(of_moment, levels.active, share)
    return features


def relative_levels(levels_lufs: FloatArray) -> FloatArray:
    """Return levels against the mean of those that are not silent, LU, same shape; 0 for silent ones."""
    return against_the_others(levels_lufs, levels_lufs > FLOOR_LUFS)


def against_the_others(values: FloatArray, heard: Mask) -> FloatArray:
    """Return values (n_buses,) against their mean over the heard buses; 0 for the others."""
    if not heard.any():
        return np.zeros_like(values)
    return np.where(heard, values - values[heard].mean(), 0.0)


def _presence(active: Mask) -> FloatArray:
    """Return the share of the time anything sounds in which each bus does, shape (n_buses,)."""
    any_sounds = np.count_nonzero(active.any(axis=1))
    return np.count_nonzero(active, axis=0) / max(any_sounds, 1)


def _gated_lufs(power: FloatArray) -> float:
    """Return the level of powers per frame or hop, dB, gated as BS.1770 gates its blocks."""
    gated = power[loudness_lufs(power) > -70.0]
    if not gated.size:
        return FLOOR_LUFS
    return float(loudness_lufs(gated[gated > 0.1 * gated.mean()].mean(keepdims=True))[0])
