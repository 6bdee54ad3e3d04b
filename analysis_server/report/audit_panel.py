"""What an audit adds to a bus's panel: the read-out's further cells, and why the gain is what it is."""

from __future__ import annotations

import numpy as np

from analysis_server.report.content import BusAudit, BusContent, Term
from analysis_server.report.wording import decimal_text, escape

CELLS = (("At", "time"), ("Predicted", "gain"), ("Written", "written"), ("Now", "now"), ("Level", "level"))
AUDIT_READING = """<dt>Predicted, written, now</dt>
<dd>Dashed: the gain the run predicted, with its 80&nbsp;% band. In colour: what Faderwise wrote last, with the
settings of an edit and your points that it kept. In ink, where it differs: what stands there now. Squares are points
that you made or moved.</dd>
<dt>Why</dt>
<dd>What the predicted gain at the moment pointed at is made of. The parts add up to it.</dd>
<dt>Difference</dt>
<dd>The later mix minus the earlier one after both were made equally loud: only what the faders moved.</dd>
"""


def why(number: int, bus: BusContent) -> str:
    """Return the explanation of a bus: on average, until the script shows the moment pointed at."""
    audit = bus.audit
    if audit is None or not audit.terms:
        return ""
    means = _means(bus, audit)
    lines = "".join(_line(term, bus.role, float(mean)) for term, mean in zip(audit.terms, means, strict=True))
    title = f"why-{number}-title"
    return (
        f'<div class="why" data-why="{number}" role="group" aria-labelledby="{title}">'
        f'<h4 id="{title}">Why, <span data-shows="why-when">on average</span></h4><ul>{lines}</ul></div>'
    )


def told(term: Term, role: str, value_db: float) -> str:
    """Return what a term does, in words."""
    words = term.raises if value_db >= 0.0 else term.lowers
    return words.replace("{bus}", role).replace("{amount}", f"{abs(value_db):.1f} dB")


def _means(bus: BusContent, audit: BusAudit) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    chosen = audit.terms_db[bus.active] if bus.active.any() else audit.terms_db
    return chosen.mean(axis=0) if len(chosen) else np.zeros(len(audit.terms))


def _line(term: Term, role: str, value_db: float) -> str:
    """Return one term: its contribution, and the sentence on it."""
    amount = f'<span class="amount">{decimal_text(value_db, signed=True)} dB</span>'
    return f'<li>{amount} <span class="reason">{escape(told(term, role, value_db))}</span></li>'
