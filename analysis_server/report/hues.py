"""Which hue a bus is drawn in: always the same for the same role, as far as there are hues."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

HUE_COUNT = 16
"""The style sheet defines the classes ``hue-0`` to ``hue-15``."""
_KEPT = {"drums": 1, "bass": 10, "melody": 6, "vocals": 14}


def hues_of(roles: Sequence[str]) -> list[int]:
    """Return a hue number for each role.

    The four stems of a separated song keep theirs; any other role starts from a number drawn from its name
    and moves on to the next hue that is free on this page.
    """
    taken = set(_KEPT.values())
    return [_hue_of(role.strip().casefold(), taken) for role in roles]


def _hue_of(role: str, taken: set[int]) -> int:
    """Return the hue of one role and add it to those `taken`."""
    if role in _KEPT:
        return _KEPT[role]
    start = zlib.crc32(role.encode("utf-8", "replace"))
    wheel = [(start + 5 * step) % HUE_COUNT for step in range(HUE_COUNT)]
    hue = next((hue for hue in wheel if hue not in taken), wheel[0])
    taken.add(hue)
    return hue
