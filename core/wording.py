"""Numbers, lists and capitals in sentences, for terminals and pages.

Pages replace the minus by a true minus sign (`analysis_server.report.content`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def decimal(value: float, decimals: int = 1, *, signed: bool = False) -> str:
    """Return a finite number with fixed decimals; zero has no sign.

    Parameters
    ----------
    value : the number.
    decimals : how many decimals it has.
    signed : whether to write the plus of a positive number.

    Examples
    --------
    >>> decimal(-0.04), decimal(1.25, 2, signed=True), decimal(0.01, signed=True)
    ('0.0', '+1.25', '0.0')
    """
    rounded = round(value, decimals) + 0.0
    return f"{rounded:{'+' if signed and rounded else ''}.{decimals}f}"


def shown_difference(first: float, second: float, decimals: int) -> float:
    """Return `second - first` of two values as they are shown, so that the three agree.

    Parameters
    ----------
    first, second : the exact values.
    decimals : the decimals that they are shown with.

    Examples
    --------
    >>> decimal(0.944, 2), decimal(2.966, 2), decimal(shown_difference(0.944, 2.966, 2), 2)
    ('0.94', '2.97', '2.03')
    """
    return round(round(second, decimals) - round(first, decimals), decimals)


def decibels(value_db: float, decimals: int = 1) -> str:
    """Return a gain with its sign and unit, such as ``+1.2 dB``."""
    return f"{decimal(value_db, decimals, signed=True)} dB"


def loudness_change(before_lufs: float, after_lufs: float) -> str:
    """Return the loudness before and after a change of gain; minus infinity is silence.

    Examples
    --------
    >>> loudness_change(-20.0, -23.04), loudness_change(-20.0, -math.inf)
    ('-20.0 → -23.0 LUFS', '-20.0 LUFS → silent')
    """
    if before_lufs == -math.inf:
        return "silent"
    if after_lufs == -math.inf:
        return f"{decimal(before_lufs)} LUFS → silent"
    return f"{decimal(before_lufs)} → {decimal(after_lufs)} LUFS"


def listed(names: Sequence[str], joint: str = "and") -> str:
    """Return names as a list in a sentence, with `joint` before the last one.

    Examples
    --------
    >>> listed(["drums"]), listed(["drums", "bass"]), listed(["drums", "bass", "melody"])
    ('drums', 'drums and bass', 'drums, bass and melody')
    """
    return f" {joint} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def first_few(names: Sequence[str], most: int) -> str:
    """Return the first `most` names, and how many more there are.

    Examples
    --------
    >>> first_few(["drums", "bass", "melody"], 3), first_few(["drums", "bass", "melody"], 1)
    ('drums, bass, melody', 'drums and 2 more')
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless it is 1."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def capitalised(text: str) -> str:
    """Return the text with a capital letter at its start; the rest is unchanged."""
    return text[:1].upper() + text[1:]
