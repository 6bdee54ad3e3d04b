"""Explain a predicted gain as a sum of named terms.

Conventions: terms are in dB and have shape (n_frames, n_buses); for every frame and bus they add up to the curve's
gain. The balance of condition 3 is linear in its inputs, so its terms are exact, not an approximation: bounds are a
separate term (`limit`), and so is what all buses share (`common`). The paper's gains are linear in amplitude, where
products of features and coefficients do not add up in dB: they are one term, `paper`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.decibels import FloatArray
from core.gains.curves import GainCurves


@dataclass(frozen=True)
class TermMeaning:
    """The description of a term: a short `label`, and sentences for a contribution that `raises` and one that `lowers`.

    In the sentences ``{bus}`` is replaced by the bus and ``{amount}`` by the contribution's size, such as "1.5 dB".
    """

    label: str
    raises: str
    lowers: str

    def sentence(self, bus: str, contribution_db: float) -> str:
        """Return what the term does to a bus, such as ``"vocals 0.8 dB up: your fader is kept"``."""
        words = self.raises if contribution_db >= 0.0 else self.lowers
        return words.format(bus=bus, amount=f"{abs(contribution_db):.1f} dB")


def _of_bus(label: str, raises: str, lowers: str | None = None) -> TermMeaning:
    return TermMeaning(label, f"{{bus}} {{amount}} up: {raises}", f"{{bus}} {{amount}} down: {lowers or raises}")


TERM_MEANINGS: Mapping[str, TermMeaning] = {
    "level": _of_bus("its own level", "the stem is quieter than the others", "the stem is louder than the others"),
    "role": _of_bus(
        "its place in the mix",
        "a bus of this kind is usually louder than the others",
        "a bus of this kind is usually quieter than the others",
    ),
    "company": _of_bus(
        "buses of its kind",
        "fewer buses have the same function than for the others",
        "it shares its function with other buses of its kind",
    ),
    "tone": _of_bus(
        "its tone",
        "little of its level is deep bass, which loudness barely counts",
        "much of its level is deep bass, which loudness barely counts",
    ),
    "covered": _of_bus("what covers it", "how much the other buses mask its spectrum"),
    "presence": _of_bus("how much it plays", "how much of the song it plays in"),
    "sessions": _of_bus(
        "the learned songs",
        "it is set louder in the songs that the model has learned",
        "it is set quieter in the songs that the model has learned",
    ),
    "covered_moment": _of_bus("what covers it here", "how much the other buses mask it here"),
    "moment": _of_bus(
        "the moment",
        "it is quieter here than usual, relative to the others",
        "it is louder here than usual, relative to the others",
    ),
    "kit": _of_bus("the drum kit", "its function in the drum kit"),
    "like": _of_bus("the other session", "as in the session given with --like"),
    "kept": _of_bus("your fader", "your fader is kept"),
    "ride": _of_bus("riding", "--ride evens out its loudness"),
    "limit": _of_bus("bounds", "the gain reached a limit of the model"),
    "common": TermMeaning(
        "the whole mix",
        "all buses {amount} up: the mix keeps its loudness",
        "all buses {amount} down: the mix keeps its loudness",
    ),
    "paper": TermMeaning(
        "as the paper predicts",
        "{bus} {amount} up, as the paper's regression predicts",
        "{bus} {amount} down, as the paper's regression predicts",
    ),
}
"""Every term a prediction may have, in the order they are shown."""


@dataclass(frozen=True)
class Prediction:
    """Predicted curves, and the terms that their gains are made of.

    Attributes
    ----------
    curves : the gains.
    terms_db : what each term adds to the gains, dB, shape (n_frames, n_buses), by its name in `TERM_MEANINGS`. The last
        term is what the gains share: `common`, or all that is known (`paper`).
    """

    curves: GainCurves
    terms_db: Mapping[str, FloatArray]

    def with_gain_db(self, gain_db: float) -> Prediction:
        """Return the prediction with `gain_db` added to every gain, as more of the last term."""
        last = list(self.terms_db)[-1]
        return Prediction(self.curves.with_gain_db(gain_db), {**self.terms_db, last: self.terms_db[last] + gain_db})
