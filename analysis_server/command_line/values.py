"""The values of options: text into what it means, or a sentence on what would be right."""

from __future__ import annotations

import argparse
import re

_LOUDEST_LUFS, _QUIETEST_LUFS = 0.0, -70.0


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


def lufs(text: str) -> float:
    """Return a loudness in LUFS."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not _QUIETEST_LUFS <= value <= _LOUDEST_LUFS:
        raise argparse.ArgumentTypeError(f"{text!r} is no loudness between -70 and 0 LUFS, such as -14")
    return value


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(?:(\d+):)?(\d+(?:\.\d+)?)", text.strip())
    if found is None:
        raise ValueError(text)
    return 60.0 * int(found[1] or 0) + float(found[2])
