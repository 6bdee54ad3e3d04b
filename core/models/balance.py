"""Condition 3: features of a bus relative to the other buses of the song, and the rule before any song is learned.

Conventions: values have shape (n_frames, n_buses). Loudness is K-weighted and gated (`core.analysis.loudness`), in
LUFS. Every feature compares a bus with the buses that have signal, so the sum over them is 0, a common gain of all
stems changes nothing, and a stem's own gain changes only its loudness: spectra and moments are taken after each stem
was brought to the same loudness. Features of the whole song are constant over its frames. Those of the moment are
smoothed over about 6 s of the frames in which a bus has signal, as if these frames were adjacent, and hold their last
value where it is silent (before the first sound: the first value).

A bus is covered by as many dB as the mix is above it in its own bands, weighted by the bus's own power in each band:
0 dB where it has its bands to itself, 6 dB for four equal buses. Powers per critical band are those of stems at one
loudness, K-weighted so that low bands count as loudness counts them.

There are two rules (`BalancePrior.rule_for`), both equal levels with small corrections: for the four buses of a mix
(drums, bass, melody, vocals), a level half way between K-weighted loudness and RMS; for single tracks, and for buses
that are a single instrument (guitars, keys, ...), full loudness and an offset per role. The evidence is in
docs/reference/method.md and the figures in docs/reference/accuracy.md.

Source of `covered`: the masker-to-signal ratio per critical band (Ronan, Gunes, Reiss 2018, Automatic Minimisation of
Masking in Multitrack Audio using Subgroups); critical bands: Zwicker 1961.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core import roles
from core.analysis.loudness import ABSOLUTE_GATE_LUFS, FLOOR_LUFS, integrated_lufs, k_weights, loudness_lufs, power_of
from core.analysis.spectra import BAND_EDGES_HZ
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP, Framing, sum_over_frames
from core.decibels import FloatArray, db_to_gain, db_to_power, power_to_db
from core.gains.curves import gaussian

if TYPE_CHECKING:
    from core.analysis.measure import Measurement


from collections.abc import Mapping

import msgspec

from core.roles import PAPER_BUSES

OF_SONG = ("offset", "tone", "covered", "presence")
OF_MOMENT = ("moment", "covered_moment")
NAMES = (*OF_SONG, *OF_MOMENT)

SHARING_DB = 2.0
"""How many dB lower each of ten buses is that share a place in the mix; n of them 2 log10(n)."""
MOST_COVERED_DB = 30.0
_RATE = 48_000
_FRAMES_AT_ONCE = 500
LARGEST_DB = 12.0
"""Values beyond this count as this before they are smoothed."""
_SMOOTH_FRAMES = 12.0
"""Standard deviation of the Gaussian: 3 s."""

VOCALS_DB = 0.75
"""Offset of the vocal bus."""
TRACK_OFFSETS_DB: Mapping[str, float] = {"vocals": 2.0, "drums": 0.5, "percussion": -1.0, "fx": -2.0}
"""Offset of a track against the other tracks, dB, by its bus; 0 for other buses. Shrunk from the levels of tracks in
finished mixes; chosen in nested cross-validation over producers (`benchmarks/nested.py`)."""

BUS_DEVIATION_DB: Mapping[str, float] = {
    "guitars": 1.5,
    "vocals": 2.0,
    "keys": 2.6,
    "bass": 3.6,
    "drums": 4.2,
    "fx": 4.3,
    "synths": 4.5,
    "backing vocals": 4.9,
    "melody": 4.9,
}
TRACK_DEVIATION_DB: Mapping[str, float] = {
    "vocals": 2.0,
    "bass": 2.6,
    "melody": 2.7,
    "guitars": 3.0,
    "keys": 4.2,
    "backing vocals": 4.3,
    "drums": 4.6,
    "winds": 5.4,
    "strings": 5.6,
    "brass": 5.6,
    "synths": 6.3,
    "fx": 8.5,
    "percussion": 9.7,
}
"""How far songs differ from the rule, dB, by bus, in addition to `moment_deviation_db`. `benchmarks/nested.py` chooses
these numbers in cross-validation over producers. `DEVIATION_DB` for a bus that is not listed; brass is as strings."""
DEVIATION_DB = 4.4

DEPARTURE_DB = 0.4
"""How far the rule for buses may be from equal RMS, mean over the buses, so that no song is balanced much worse."""

OF_EVERYONE, OF_ONE_ENGINEER = 64.0, 4.0
"""Strength of an offset, in songs: where songs of many engineers show what all have in common, and where one engineer's
songs show a habit. Below `_FIXED_STRENGTH` the strength is estimated from the songs (`core.models.habits`)."""
_FIXED_STRENGTH = 16.0
_REFERENCE_DEVIATION_DB = 3.4
"""`song_deviation_db` with which the deviations per bus apply unchanged."""
_SHARED = {"tone": -0.5, "covered": 0.0, "presence": 0.0, "moment": -0.1, "covered_moment": 0.0}
"""Coefficients of the features that all buses have in common."""

Mask = npt.NDArray[np.bool_]


def moving_part(values: FloatArray, active: Mask, share: FloatArray) -> FloatArray:
    """Return how far each bus is from its own mean for the moment, against the buses that sound with it.

    Parameters
    ----------
    values : dB, shape (n_frames, n_buses).
    active : where each bus sounds, same shape.
    share : each bus's energy in the frame, 0 where it is silent, same shape. The deviations' mean weighted by it is
        0, so that gains in proportion to them do not change the loudness of the mix.
    """
    count = np.maximum(active.sum(axis=0), 1)
    own = np.where(active, values - np.where(active, values, 0.0).sum(axis=0) / count, 0.0)
    own = np.clip(own, -LARGEST_DB, LARGEST_DB)
    total = share.sum(axis=1, keepdims=True)
    common = np.divide((share * own).sum(axis=1, keepdims=True), total, out=np.zeros_like(total), where=total > 0.0)
    deviation = own - common
    return np.stack([_smooth(*bus) for bus in zip(deviation.T, active.T, strict=True)], axis=1)


def _smooth(values: FloatArray, active: Mask) -> FloatArray:
    sounding = np.flatnonzero(active)
    if not sounding.size:
        return np.zeros_like(values)
    smooth = gaussian(values[sounding], _SMOOTH_FRAMES)
    smooth = smooth - smooth.mean()
    last = np.searchsorted(sounding, np.arange(len(values)), side="right") - 1
    held: FloatArray = smooth[np.maximum(last, 0)]
    return held


@dataclass(frozen=True, kw_only=True)
class StemLevels:
    """The measurements that condition 3 uses.

    Attributes
    ----------
    loudness_lufs : gated loudness, shape (n_buses,); `FLOOR_LUFS` where a stem is silent throughout.
    tone_db : how much more plain level (RMS, gated as loudness is) a stem has than loudness, dB, shape (n_buses,): much
        of it for deep bass, little of it for bright stems.
    covered_db : how much the other stems cover it (`covered_db`), dB, shape (n_buses,); 0 where it is
        not known.
    presence : the share of the time anything sounds in which it does, shape (n_buses,).
    frame_lufs : loudness per frame, shape (n_frames, n_buses).
    active : where a stem sounds, shape (n_frames, n_buses).
    frame_covered_db : how much it is covered per frame, dB, shape (n_frames, n_buses); None where it is not known.
    """

    loudness_lufs: FloatArray
    tone_db: FloatArray
    covered_db: FloatArray
    presence: FloatArray
    frame_lufs: FloatArray
    active: Mask
    frame_covered_db: FloatArray | None = None

    @property
    def heard(self) -> Mask:
        """Which stems sound at all, shape (n_buses,)."""
        return np.logical_and(self.active.any(axis=0), self.loudness_lufs > FLOOR_LUFS)


def levels_of(measurement: Measurement) -> StemLevels:
    """Return the levels of a measured song's stems (a default preset's measurement).

    Values of the whole song use frames that are counted from the first sound.
    """
    step_power, bands = _step_power(measurement), measurement.band_power
    rms = measurement.rms if measurement.onset_rms is None else measurement.onset_rms
    from core.analysis.measure import sounding  # noqa: PLC0415 - it loads the audio libraries

    sounds, active = sounding(rms), sounding(measurement.rms)
    loudness = song_levels_lufs(step_power)
    while_sounding = (power[on] for power, on in zip(rms.T**2, sounds.T, strict=True))
    plain = np.array([_gated(power).mean() if power.size else 0.0 for power in while_sounding])
    heard = loudness > FLOOR_LUFS
    covered, frame_covered = np.zeros(len(loudness)), None
    if bands is not None:
        at_one_loudness = bands / np.array([power_of(lufs) for lufs in np.where(heard, loudness, 0.0)])[:, None]
        covered = covered_throughout_db(sum_over_frames(at_one_loudness), sounds)
        frame_covered = covered_db(sum_over_frames(_on_the_songs_hops(at_one_loudness, measurement)), active)
    return StemLevels(
        loudness_lufs=loudness,
        tone_db=np.where(heard, power_to_db(plain) - loudness, 0.0),
        covered_db=covered,
        presence=_presence(sounds),
        frame_lufs=frame_levels_lufs(measurement),
        active=active,
        frame_covered_db=frame_covered,
    )


def levels_without_spectra(rms: FloatArray, active: Mask) -> StemLevels:
    """Return the levels of stems from their RMS (n_frames, n_buses), used as loudness."""
    power = rms**2
    return StemLevels(
        loudness_lufs=np.array([gated_mean_lufs(of_stem) for of_stem in loudness_lufs(power).T]),
        tone_db=np.zeros(rms.shape[1]),
        covered_db=np.zeros(rms.shape[1]),
        presence=_presence(active),
        frame_lufs=loudness_lufs(power),
        active=active,
    )


def song_levels_lufs(step_power: FloatArray) -> FloatArray:
    """Return the stems' gated loudness, LUFS, shape (n_buses,), from their powers (n_steps, n_buses)."""
    return np.array([integrated_lufs(power) for power in step_power.T])


def frame_levels_lufs(measurement: Measurement) -> FloatArray:
    """Return the stems' loudness per frame of the song, LUFS, shape (n_frames, n_buses)."""
    step_power = _step_power(measurement)
    per_hop = step_power.reshape(-1, STEPS_PER_HOP, step_power.shape[1]).mean(axis=1)
    return loudness_lufs(sum_over_frames(_on_the_songs_hops(per_hop, measurement)) / HOPS_PER_FRAME)


def _step_power(measurement: Measurement) -> FloatArray:
    assert measurement.step_power is not None  # noqa: S101 - the default preset's measurement has it
    return measurement.step_power


def _on_the_songs_hops(per_hop: FloatArray, measurement: Measurement) -> FloatArray:
    """Return powers per hop counted from the onset as those of the song's own hops, shape (n_hops, ...)."""
    hop_samples = Framing(measurement.sample_rate).hop_samples
    late, part = divmod(measurement.onset_samples, hop_samples)
    n_hops = measurement.n_frames + HOPS_PER_FRAME - 1
    powers = np.zeros((n_hops, *per_hop.shape[1:]))
    for lead, share in ((late, 1.0 - part / hop_samples), (late + 1, part / hop_samples)):
        kept = per_hop[: max(n_hops - lead, 0)]
        if share > 0.0:
            powers[lead : lead + len(kept)] += share * kept
    return powers


def at_equal_level_db(buses: Sequence[str], levels: StemLevels, share: FloatArray | None = None) -> FloatArray:
    """Return the gains that bring every bus to 0 LUFS, dB, shape (n_buses,); 0 for silent buses.

    Buses that share a place in the mix (`roles.place_of`) are lower by `SHARING_DB` times log10 of their number.

    Parameters
    ----------
    buses, levels : the stems' buses and levels.
    share : how many instruments each stem counts as, shape (n_buses,); 1 by default.
    """
    heard = levels.heard
    places = [roles.place_of(bus) for bus in buses]
    instruments = heard.astype(np.float64) if share is None else np.where(heard, share, 0.0)
    n_sharing = np.array([sum(instruments[j] for j, other in enumerate(places) if other == place) for place in places])
    gains_db = -levels.loudness_lufs - SHARING_DB * np.log10(np.where(heard, n_sharing, 1.0))
    return np.where(heard, gains_db, 0.0)


def balance_features(levels: StemLevels) -> FloatArray:
    """Return condition 3 of every bus, shape (n_frames, n_buses, len(NAMES)); 0 for stems that never sound.

    `offset` is a constant 1, the others are as in docs/reference/method.md: dB, and `presence` a share of the
    song's time.
    """
    heard = levels.heard
    features = np.zeros((*levels.active.shape, len(NAMES)))
    features[:, heard, 0] = 1.0
    features[:, :, 1] = against_the_others(levels.tone_db, heard)
    features[:, :, 2] = against_the_others(levels.covered_db, heard)
    features[:, :, 3] = against_the_others(levels.presence, heard)
    above = levels.frame_lufs - np.where(heard, levels.loudness_lufs, 0.0)
    share = np.where(levels.active, db_to_power(above), 0.0)
    features[:, :, 4] = moving_part(above, levels.active, share)
    if levels.frame_covered_db is not None:
        features[:, :, 5] = moving_part(levels.frame_covered_db, levels.active, share)
    return features


def common_db(gains_db: FloatArray, levels_lufs: FloatArray) -> float:
    """Return the gain of one fader for all buses that makes the mix as loud as these gains do, dB.

    Parameters
    ----------
    gains_db, levels_lufs : the gains, and the stems' loudness per frame, both of shape (n_frames, n_buses).
    """
    power = np.where(levels_lufs > ABSOLUTE_GATE_LUFS, db_to_power(levels_lufs), 0.0)
    total = float(power.sum())
    if total <= 0.0:
        return 0.0
    return float(power_to_db(float((power * db_to_gain(gains_db) ** 2).sum()) / total))


def covered_db(band_power: FloatArray, active: Mask) -> FloatArray:
    """Return how covered each bus is in each frame, dB, shape (n_frames, n_buses).

    Parameters
    ----------
    band_power : power per frame and band, shape (n_frames, n_buses, n_bands).
    active : where each bus sounds, shape (n_frames, n_buses).
    """
    covered = np.empty(active.shape)
    for part in _stretches(len(active)):
        covered[part] = _covered(_weighted(band_power[part], active[part]))
    return covered


def covered_throughout_db(band_power: FloatArray, active: Mask) -> FloatArray:
    """Return how covered each bus is in the whole song, dB, shape (n_buses,); parameters as in `covered_db`."""
    count = np.maximum(active.sum(axis=0), 1)
    total = np.zeros(band_power.shape[1:])
    for part in _stretches(len(active)):
        total += _weighted(band_power[part], active[part]).sum(axis=0)
    return _covered(total / count[:, None])


def _stretches(n_frames: int) -> list[slice]:
    """Return slices of a few frames each, so that an hour takes no more memory than a minute."""
    return [slice(start, start + _FRAMES_AT_ONCE) for start in range(0, n_frames, _FRAMES_AT_ONCE)]


def _weighted(band_power: FloatArray, active: Mask) -> FloatArray:
    return np.where(active[:, :, None], band_power * _weights(), 0.0)


def _covered(power: FloatArray) -> FloatArray:
    """Return the covering of powers (..., n_buses, n_bands), shape (..., n_buses); 0 where a bus has no power."""
    mix = power.sum(axis=-2, keepdims=True)
    own = power.sum(axis=-1)
    most = float(db_to_power(MOST_COVERED_DB))
    ratio = np.minimum(np.divide(mix, power, out=np.full_like(power, most), where=power > 0.0), most)
    above_db = (power * power_to_db(ratio)).sum(axis=-1)
    return np.divide(above_db, own, out=np.zeros_like(own), where=own > 0.0)


@lru_cache
def _weights() -> FloatArray:
    edges = np.array([*BAND_EDGES_HZ[1:], 15_500.0])
    return k_weights(_RATE, np.sqrt(np.maximum(np.array(BAND_EDGES_HZ), 40.0) * edges))


def against_the_others(values: FloatArray, heard: Mask) -> FloatArray:
    """Return values (n_buses,) against their mean over the heard buses; 0 for the others."""
    if not heard.any():
        return np.zeros_like(values)
    return np.where(heard, values - values[heard].mean(), 0.0)


def _presence(active: Mask) -> FloatArray:
    """Return the share of the time anything sounds in which each bus does, shape (n_buses,)."""
    any_sounds = np.count_nonzero(active.any(axis=1))
    return np.count_nonzero(active, axis=0) / max(any_sounds, 1)


def _gated(power: FloatArray) -> FloatArray:
    """Return the powers that are at most 10 dB under their mean."""
    return power[power > 0.1 * power.mean()]


def gated_mean_lufs(levels_lufs: FloatArray) -> float:
    """Return the mean of loudness per frame (n_frames,), LUFS, gated as BS.1770 gates its blocks."""
    power = db_to_power(levels_lufs[levels_lufs > ABSOLUTE_GATE_LUFS])
    return float(power_to_db(_gated(power).mean())) if power.size else FLOOR_LUFS


class BalancePrior(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's prediction before it has learned a song.

    Attributes
    ----------
    name : the shipped model it comes from, or "" for `WRITTEN`.
    offsets : dB by bus; 0 for others.
    track_offsets : the same for single tracks and buses that are a single instrument; those of a track's own role, such
        as "drums: snare", are added to its bus's.
    shared : the coefficients of the shared features, by name (`balance.NAMES` without the constant).
    offset_strength : `OF_EVERYONE` or `OF_ONE_ENGINEER`.
    song_deviation_db, moment_deviation_db : how far songs differ from their prediction (over all buses), and moments
        from their song.
    output_lufs, output_deviation_db : how loud a bus is in the mixdowns it comes from; None where unknown.
    departure_db : how far a balance may be from equal RMS before habits, mean over the buses; None for any distance.
    """

    name: str = ""
    offsets: Mapping[str, float] = msgspec.field(default_factory=lambda: {"vocals": VOCALS_DB})
    track_offsets: Mapping[str, float] = msgspec.field(default_factory=lambda: dict(TRACK_OFFSETS_DB))
    shared: Mapping[str, float] = msgspec.field(default_factory=lambda: dict(_SHARED))
    offset_strength: float = OF_EVERYONE
    song_deviation_db: float = _REFERENCE_DEVIATION_DB
    moment_deviation_db: float = 1.5
    output_lufs: float | None = None
    output_deviation_db: float = 0.0
    departure_db: float | None = None

    def rule_for(self, buses: Sequence[str], *, tracks: bool | None = None) -> BalanceRule:
        """Return the rule for a song's buses or single tracks.

        Parameters
        ----------
        buses : the bus that each entry is or belongs to.
        tracks : whether the entries are single tracks; by default, they are where any bus is a single instrument.
        """
        shared = self.coefficients.copy()
        if not (set(buses) - set(PAPER_BUSES) if tracks is None else tracks):
            return BalanceRule(self.offsets, shared, self.departure_db, self._deviations(BUS_DEVIATION_DB))
        of_bus = TRACK_DEVIATION_DB if tracks else {**TRACK_DEVIATION_DB, **BUS_DEVIATION_DB}
        shared[NAMES.index("tone") - 1] = 0.0
        return BalanceRule(self.track_offsets, shared, None, self._deviations(of_bus))

    def _deviations(self, of_bus: Mapping[str, float]) -> Mapping[str, float]:
        factor = self.song_deviation_db / _REFERENCE_DEVIATION_DB
        return {"": factor * DEVIATION_DB, **{bus: factor * deviation for bus, deviation in of_bus.items()}}

    def is_valid(self) -> bool:
        """Return whether all its numbers are finite and in range."""
        deviations = (self.song_deviation_db, self.moment_deviation_db, self.output_deviation_db)
        numbers = [
            *self.offsets.values(),
            *self.track_offsets.values(),
            *self.shared.values(),
            *deviations,
            self.output_lufs or 0.0,
            self.departure_db or 0.0,
            self.offset_strength,
        ]
        return bool(
            self.offset_strength > 0.0
            and (self.departure_db is None or self.departure_db >= 0.0)
            and np.isfinite(numbers).all()
            and min(deviations) >= 0.0
            and np.abs(numbers).max() < 1000.0
        )

    @property
    def coefficients(self) -> FloatArray:
        """The shared coefficients, shape (n_features - 1,)."""
        return np.array([self.shared.get(name, 0.0) for name in NAMES[1:]])

    @property
    def learns_one_engineer(self) -> bool:
        """Whether the model's songs are one engineer's, so that their habits are estimated."""
        return self.offset_strength < _FIXED_STRENGTH

    @property
    def moment_strength(self) -> float:
        """How much evidence the prior of the moments' coefficients counts for, dB squared."""
        return 100.0 * self.offset_strength / 8.0

    @property
    def deviation_strength(self) -> float:
        """How many buses' residuals the deviations' prior counts for."""
        return 12.0


class BalanceRule(msgspec.Struct, frozen=True):
    """The rule for one song's buses.

    Attributes
    ----------
    offsets : dB by bus; 0 for others.
    shared : coefficients of the features after the constant, shape (n_features - 1,).
    departure_db : as in `BalancePrior`.
    deviations_db : how far songs differ from the rule, dB by bus; "" for others.
    """

    offsets: Mapping[str, float]
    shared: FloatArray
    departure_db: float | None
    deviations_db: Mapping[str, float]

    def offsets_of(self, names: Sequence[str]) -> FloatArray:
        """Return the offsets of buses, or of single tracks such as "drums: snare" with their bus's, dB, (n_names,)."""
        return np.array([sum(self.offsets.get(part, 0.0) for part in {roles.bus_of(name), name}) for name in names])

    def deviations_of(self, buses: Sequence[str]) -> FloatArray:
        """Return the deviations of `buses`, dB, shape (n_buses,)."""
        return np.array([self.deviations_db.get(bus, self.deviations_db[""]) for bus in buses])


WRITTEN = BalancePrior(departure_db=DEPARTURE_DB)
"""The prior of a model that has none."""
