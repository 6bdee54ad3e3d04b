"""Format numbers for the report: true minus signs, fixed decimals, and a word where a number is missing."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping

from core import roles

MINUS = "\N{MINUS SIGN}"
LEAST_MOVE_DB = 0.5
MOVES_SHOWN = 4
MISSING = "\N{EM DASH}"
SILENT = "silent"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNWRITABLE = {"Cc", "Cs"}  # controls and lone surrogates


def printable(text: str) -> str:
    """Return `text` with control characters and lone surrogates replaced by U+FFFD."""
    if text.isprintable():
        return text
    return "".join(REPLACEMENT if unicodedata.category(letter) in _UNWRITABLE else letter for letter in text)


def decimal_text(value: float, decimals: int = 1, *, signed: bool = False) -> str:
    """Return a finite number with a true minus sign; `signed` also writes the plus."""
    rounded = round(value, decimals) + 0.0
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded):.{decimals}f}"


def gain_text(gain_db: float) -> str:
    """Return a gain such as ``+1.2 dB``; `-inf` is a closed fader."""
    if math.isfinite(gain_db):
        return f"{decimal_text(gain_db, signed=True)} dB"
    return f"{MINUS}∞ dB" if gain_db < 0 else MISSING


def level_text(level_lufs: float) -> str:
    """Return a level in LUFS with one decimal; `-inf` is silence."""
    if math.isfinite(level_lufs):
        return f"{decimal_text(level_lufs)} LUFS"
    return SILENT if level_lufs < 0 else MISSING


def change_text(before_lufs: float, after_lufs: float) -> str:
    """Return a change of loudness in LU, or a dash when either side is missing."""
    if math.isfinite(before_lufs) and math.isfinite(after_lufs):
        return f"{decimal_text(after_lufs - before_lufs, signed=True)} LU"
    return MISSING


def clock_text(time_s: float, decimals: int = 0) -> str:
    """Return a time as ``m:ss`` with `decimals` of a second; minutes run on past the hour."""
    if not math.isfinite(time_s):
        return MISSING
    ticks = round(max(time_s, 0.0) * 10**decimals)
    minutes, rest = divmod(ticks, 60 * 10**decimals)
    width = 3 + decimals if decimals else 2
    return f"{minutes}:{rest / 10**decimals:0{width}.{decimals}f}"


def frequency_text(frequency_hz: float) -> str:
    """Return a frequency in hertz, such as ``50`` or ``2k``."""
    return f"{frequency_hz / 1000:g}k" if frequency_hz >= 1000 else f"{frequency_hz:g}"


def plural(count: int, noun: str) -> str:
    """Return a count and its noun, such as ``1 point`` or ``2 points``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def headline(median_gain_db: Mapping[str, float], half_width_db: float = math.nan, *, prefix: str = "") -> str:
    """Return a result in one sentence: the largest gains, and how certain they are.

    Parameters
    ----------
    median_gain_db : the median gain of each bus, dB.
    half_width_db : half the width of the 80 % band, dB; NaN leaves the confidence out.
    prefix : put before the sentence, such as ``"Recovered"``.

    Examples
    --------
    >>> headline({"drums": -5.4, "bass": 0.1, "melody": 8.1}, 3.7)
    'Melody up 8.1 dB, drums down 5.4 dB; confidence low (±3.7 dB).'
    """
    moved = sorted(
        (item for item in median_gain_db.items() if math.isfinite(item[1]) and abs(item[1]) >= LEAST_MOVE_DB),
        key=lambda item: -abs(item[1]),
    )
    moves = [f"{bus} {'up' if gain_db > 0 else 'down'} {abs(gain_db):.1f} dB" for bus, gain_db in moved[:MOVES_SHOWN]]
    if len(moved) > MOVES_SHOWN:
        rest = len(moved) - MOVES_SHOWN
        of_tracks = any(bus != roles.bus_of(bus) for bus in median_gain_db)
        one, several = ("track", "tracks") if of_tracks else ("bus", "buses")
        moves.append(f"{rest} more {one if rest == 1 else several}")
    sentence = ", ".join(moves) or f"no bus moves by {LEAST_MOVE_DB:g} dB or more"
    if prefix:
        sentence = f"{prefix}: {sentence}"
    if math.isfinite(half_width_db):
        level = "high" if half_width_db <= 1.0 else "medium" if half_width_db <= 2.5 else "low"
        sentence += f"; confidence {level} (±{half_width_db:.1f} dB)"
    return f"{sentence[0].upper()}{sentence[1:]}."


def full_sentence(text: str) -> str:
    """Return a warning with a capital letter and a full stop; a first word that is a path or file name is unchanged.

    Examples
    --------
    >>> full_sentence("the mix clips"), full_sentence("mix.wav is old")
    ('The mix clips.', 'mix.wav is old.')
    """
    first = text.split(maxsplit=1)[0] if text.strip() else ""
    if not set(first.rstrip(",:;.")) & set("./\\_"):
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
