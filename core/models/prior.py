"""The balance rule before any song is learned: offsets per role, weights of features, and how much songs vary.

Two rules, both equal levels with small corrections (the evidence is in docs/reference/method.md and the figures in
docs/reference/accuracy.md):

- for the four buses of a mix (drums, bass, melody, vocals): a level half way between K-weighted loudness and RMS;
- for single tracks, and for buses that are a single instrument (guitars, keys, ...): full loudness and an offset per
  role.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from core.decibels import FloatArray
from core.models.balance import NAMES
from core.roles import PAPER_BUSES

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


def _default_shared() -> dict[str, float]:
    return {"tone": -0.5, "covered": 0.0, "presence": 0.0, "moment": -0.1, "covered_moment": 0.0}


class BalancePrior(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model's prediction before it has learned a song.

    Attributes
    ----------
    name : the shipped model it comes from, or "" for the constants of this module.
    offsets : dB by bus; 0 for others.
    track_offsets : the same for single tracks and buses that are a single instrument.
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
    shared: Mapping[str, float] = msgspec.field(default_factory=_default_shared)
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

    def offsets_of(self, buses: Sequence[str]) -> FloatArray:
        """Return the offsets of `buses`, dB, shape (n_buses,)."""
        return np.array([self.offsets.get(bus, 0.0) for bus in buses])

    def deviations_of(self, buses: Sequence[str]) -> FloatArray:
        """Return the deviations of `buses`, dB, shape (n_buses,)."""
        return np.array([self.deviations_db.get(bus, self.deviations_db[""]) for bus in buses])


WRITTEN = BalancePrior(departure_db=DEPARTURE_DB)
"""The prior of a model that has none."""
