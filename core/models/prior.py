"""Prior of the balance model.

Every number here is a choice, made for the reasons that docs/reference/method.md gives: equal levels are hard to
beat, so the
prior is a small departure from them. Strengths count songs: an offset of strength 4 has moved half way after four
songs that agree.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from core.decibels import FloatArray
from core.models.balance import NAMES

SUPPORTING_DB = -4.0
VOCALS_DB = 0.75
DEPARTURE_DB = 0.4
"""So far a balance departs from equal plain levels, mean over the buses, where songs do not agree on more: no song is
balanced worse by more than that."""

OF_EVERYONE, OF_ONE_ENGINEER = 64.0, 4.0
"""The strength of an offset where songs of many engineers teach what is common to them, and where one engineer's own
songs teach a habit: songs scatter by 2.6 dB, habits may differ by about 1.3 dB from each other, and what is common to
all is known better than that."""

ROLE_OFFSETS_DB: Mapping[str, float] = {
    "vocals": VOCALS_DB,
    "percussion": SUPPORTING_DB,
    "backing vocals": SUPPORTING_DB,
    "fx": SUPPORTING_DB,
}
"""How loud a bus is against the others, dB; 0 for every role that is not listed, the fall-back for unknown names."""


class BalancePrior(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A belief.

    Attributes
    ----------
    name : where it comes from: a shipped model's name, or "" for what is written down here.
    offsets : dB by role; 0 for others.
    shared : the coefficients of the shared features, by name (`balance.NAMES` without the constant).
    offset_strength : how many songs an offset's prior counts for.
    song_deviation_db, moment_deviation_db : how far songs are from their prediction, and moments from their song.
    output_lufs, output_deviation_db : how loud a bus is in the mixdowns it comes from; None where unknown.
    departure_db : how far a balance may be from equal plain levels, mean over the buses; None for any distance.
    """

    name: str = ""
    offsets: Mapping[str, float] = msgspec.field(default_factory=lambda: dict(ROLE_OFFSETS_DB))
    shared: Mapping[str, float] = msgspec.field(
        default_factory=lambda: {
            "tone": -0.5,
            "covered": 0.0,
            "presence": 0.0,
            "moment": -0.1,
            "covered_moment": 0.0,
        }
    )
    offset_strength: float = OF_EVERYONE
    song_deviation_db: float = 2.6
    moment_deviation_db: float = 1.5
    output_lufs: float | None = None
    output_deviation_db: float = 0.0
    departure_db: float | None = None

    def offset_of(self, bus: str) -> float:
        """Return the offset of `bus`, dB."""
        return self.offsets.get(bus, 0.0)

    def is_sound(self) -> bool:
        """Tell whether all its numbers are such as a model can use."""
        deviations = (self.song_deviation_db, self.moment_deviation_db, self.output_deviation_db)
        numbers = [
            *self.offsets.values(),
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
    def strengths(self) -> FloatArray:
        """How much evidence the shared coefficients' prior counts for, in their features' units squared, same shape."""
        return np.array([400.0, 300.0, 12.0, 100.0, 100.0]) * (self.offset_strength / 8.0)

    @property
    def deviation_strength(self) -> float:
        """How many buses' residuals the deviations' prior counts for."""
        return 12.0


WRITTEN = BalancePrior(departure_db=DEPARTURE_DB)
"""What is believed where no model says otherwise."""

TRACK_OFFSETS_DB: Mapping[str, float] = {"vocals": 2.0, "drums": 0.5, "percussion": -1.0, "fx": -2.0}
"""How loud a single track is against the others, dB, by its bus; 0 for other buses.

Shrunk from the levels of tracks in finished mixes (docs/reference/method.md); effect sizes are chosen in nested
cross-validation
over producers."""

TRACKS = BalancePrior(offsets=dict(TRACK_OFFSETS_DB), shared={"tone": 0.0, "moment": -0.1}, departure_db=None)
"""The rule for single tracks: equal loudness plus the role's offset. Unlike sums of buses, single tracks gain nothing
from a level half way between loudness and RMS."""
