"""Explain a predicted gain as a sum of named terms.

Conventions: terms are in dB and have shape (n_frames, n_buses); for every frame and bus they add up to the curve's
gain. The balance of condition 3 is linear in its inputs, so its terms are exact, not an approximation: bounds are a
separate term (`limit`), and so are the top of an envelope (`top`) and what all buses share (`common`). The paper's
gains are linear in amplitude, where products of features and coefficients do not add up in dB: they are one term,
`paper`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.decibels import FloatArray
from core.gains.curves import GainCurves


@dataclass(frozen=True)
class TermMeaning:
    """The description of a term: a short `label`, and reasons for a contribution that `raises` or `lowers` a gain."""

    label: str
    raises: str
    lowers: str

    def sentence(self, bus: str, contribution_db: float) -> str:
        """Return what the term does to a bus, such as ``"vocals 0.8 dB up: your fader is kept"``."""
        direction = "up" if contribution_db >= 0.0 else "down"
        return f"{bus} {abs(contribution_db):.1f} dB {direction}: {self.reason(contribution_db)}"

    def reason(self, contribution_db: float) -> str:
        """Return the reason for a contribution, such as ``"your fader is kept"``."""
        return self.raises if contribution_db >= 0.0 else self.lowers


def _both(label: str, reason: str) -> TermMeaning:
    return TermMeaning(label, reason, reason)


TERM_MEANINGS: Mapping[str, TermMeaning] = {
    "level": TermMeaning("its own level", "it is quieter than the others", "it is louder than the others"),
    "role": TermMeaning(
        "its place in the mix",
        "its kind is usually louder than the others",
        "its kind is usually quieter than the others",
    ),
    "company": TermMeaning(
        "buses of its kind",
        "few or no others are of its kind; several of one kind are each set lower",
        "several of its kind play, such as guitars, keys and strings, so each is set lower",
    ),
    "tone": TermMeaning(
        "its tone",
        "little of its level is deep bass, which loudness barely counts",
        "much of its level is deep bass, which loudness barely counts",
    ),
    "covered": _both("what covers it", "how much the other buses mask its spectrum"),
    "presence": _both("how much it plays", "how much of the song it plays in"),
    "sessions": TermMeaning(
        "the learned songs",
        "it is set louder than usual in the songs that the model has learned",
        "it is set quieter than usual in the songs that the model has learned",
    ),
    "covered_moment": _both("what covers it here", "how much the other buses mask it here"),
    "moment": _both("the moment", "how much louder or quieter it is here than usual, relative to the others"),
    "kit": _both(
        "the drum kit",
        "the microphones of a drum kit share its level: kick and snare are the highest, hi-hat and room the lowest",
    ),
    "like": _both("the other session", "as in the session given with --like"),
    "kept": _both("your fader", "your fader is kept"),
    "placed": _both("the kept buses", "placed relative to the buses that are kept"),
    "ride": _both("riding", "--ride evens out its loudness"),
    "limit": _both("bounds", "limited to 24 dB against the others, and to 3 dB over time"),
    "top": _both("the envelope's top", "lowered, so that a curve fits the range of its envelope"),
    "common": _both("the whole mix", "as all buses, for the loudness and the true peak of the mix"),
    "own": _both("your moves", "the moves of your own envelope stay on top (--existing combine)"),
    "edited": _both("your changes", "changed since by faderwise edit or by hand"),
    "paper": _both("as the paper predicts", "the paper's regression predicts it"),
}
"""Every term, in the order they are shown: those of predictions, `own` for moves that stay on top, and `edited`, which
an audit adds."""
OF_MODEL = ("level", "role", "company", "tone", "covered", "presence", "sessions", "covered_moment", "moment", "kit")
"""The terms that a model predicts; the others are what the user asked for, bounds, or common to all buses."""
SMALLER = _both("smaller reasons", "smaller reasons together")
"""The sum of small terms of a model, as a page shows it."""


@dataclass(frozen=True)
class Prediction:
    """Predicted curves, and the terms that their gains are made of.

    Attributes
    ----------
    curves : the gains.
    terms_db : what each term adds to the gains, dB, shape (n_frames, n_buses), by its name in `TERM_MEANINGS`. The last
        term is what the gains share: `common`, with kept buses `placed`, or all that is known (`paper`).
    kept : the buses whose faders are kept.
    full_db : the gains with the whole balance, dB, shape (n_frames, n_buses), where a part of it is applied.
    """

    curves: GainCurves
    terms_db: Mapping[str, FloatArray]
    kept: tuple[str, ...] = ()
    full_db: FloatArray | None = None

    def lowered(self, lowered_db: Sequence[float]) -> Prediction:
        """Return the prediction with each bus lowered by so many dB to fit its envelope, as the term `top`."""
        top_db = -np.asarray(lowered_db, dtype=np.float64)
        terms = dict(self.terms_db)
        last, shared_db = terms.popitem()
        terms |= {"top": np.broadcast_to(top_db, shared_db.shape), last: shared_db}
        return replace(self, curves=self.curves.with_gain_db(top_db), terms_db=terms)

    def with_gain_db(self, gain_db: float) -> Prediction:
        """Return the prediction with `gain_db` added to every gain, as more of the last term."""
        last = list(self.terms_db)[-1]
        terms = {**self.terms_db, last: self.terms_db[last] + gain_db}
        return replace(self, curves=self.curves.with_gain_db(gain_db), terms_db=terms)
