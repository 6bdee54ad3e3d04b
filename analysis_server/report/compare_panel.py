"""What a comparison shows in a bus's panel, and how it is read."""

from __future__ import annotations

from analysis_server.report.content import BusComparison
from analysis_server.report.wording import gain_text

CELLS = (("At", "time"), ("A", "gain"), ("B", "second"), ("Level", "level"))
COMPARE_READING = """<dt>A and B</dt>
<dd>Dashed: the gain A gives the bus. In full: the gain B gives it. How much louder B is as a whole is no difference of
balance: that much, the same for every bus, was taken out of B's curves and numbers, and is told above.</dd>
"""


def levels(compared: BusComparison) -> str:
    """Return the bus's levels in A and B, and how far B's is from A's."""
    figures = (
        ("A", gain_text(compared.first_db)),
        ("B", gain_text(compared.second_db)),
        ("B \N{MINUS SIGN} A", gain_text(compared.second_db - compared.first_db)),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    return f'<dl class="loudness" aria-label="Gain, the median while it sounds">{cells}</dl>'
