"""The values of options: text into what it means, or a sentence on what would be right."""

from __future__ import annotations

import argparse
import math
import re

from core.automating.rendering import LOUDEST_LUFS, QUIETEST_LUFS


def bus(text: str) -> tuple[str, str]:
    """Return role and file of ``ROLE=FILE``."""
    role, equals, file = text.partition("=")
    if not (role.strip() and equals and file.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is no ROLE=FILE, such as vocals=lead.wav")
    return role.strip(), file.strip()


def range_s(text: str) -> tuple[float, float]:
    """Return start and end in seconds of ``12.5:60`` or ``0:45-2:10``."""
    start, dash, end = text.partition("-")
    if not dash:
        start, _, end = text.partition(":")
    try:
        return _seconds(start), _seconds(end)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no range, such as 12.5:60 or 0:45-2:10") from None


def minutes(text: str) -> float:
    """Return a time in minutes, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of minutes, such as 30; 0 is never")
    return value


def days(text: str) -> float:
    """Return a time in days, 0 or more."""
    value = _number(text, f"{text!r} is no number of days, such as 30")
    if value < 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days, such as 30; 0 is now")
    return value


def lufs(text: str) -> float:
    """Return a loudness in LUFS."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not QUIETEST_LUFS <= value <= LOUDEST_LUFS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no loudness between {QUIETEST_LUFS:g} and {LOUDEST_LUFS:g} LUFS, such as -14"
        )
    return value


def percent(text: str) -> float:
    """Return a number of percent, with or without the sign."""
    return _number(text.removesuffix("%").strip(), f"{text!r} is no number of percent, such as 50")


def decibels(text: str) -> float:
    """Return a number of decibels, with or without the unit."""
    plain = re.sub(r"\s*dB$", "", text.strip(), flags=re.IGNORECASE)
    return _number(plain, f"{text!r} is no number of decibels, such as 3")


def seconds(text: str) -> float:
    """Return a number of seconds, with or without the unit."""
    return _number(re.sub(r"\s*s$", "", text.strip()), f"{text!r} is no number of seconds, such as 4")


def offset(text: str) -> tuple[str, float]:
    """Return bus and decibels of ``ROLE=DB``."""
    role, equals, amount = text.partition("=")
    if not (role.strip() and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is no ROLE=DB, such as vocals=1.5")
    return role.strip(), decibels(amount)


def stretch(start_s: float | None, end_s: float | None) -> str:
    """Return a stretch in words; None is where it goes on to the song's own start or end."""
    if start_s is None and end_s is None:
        return "throughout"
    if start_s is None:
        return f"up to {end_s:.1f} s"
    return f"from {start_s:.1f} s on" if end_s is None else f"from {start_s:.1f} to {end_s:.1f} s"


def _number(text: str, complaint: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(complaint)
    return value


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(?:(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if found is None:
        raise ValueError(text)
    return 60.0 * float(found[1] or 0) + float(found[2])
