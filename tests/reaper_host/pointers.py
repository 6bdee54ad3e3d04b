"""The addresses of the host's objects, as a script sees them: ``(MediaTrack*)0x0000000008000040``."""

from __future__ import annotations

import re
from typing import Any

_POINTER = re.compile(r"^\((\w+\*|HWND)\)0x([0-9A-F]+)$")
_FIRST, _STEP = 0x0000_0000_0800_0040, 0x140
VALIDATED = ("ReaProject*", "MediaTrack*", "MediaItem*", "MediaItem_Take*", "TrackEnvelope*", "PCM_source*")
"""The types that `ValidatePtr` accepts. [a: HDR]"""


def pointer_string(kind: str, address: int) -> str:
    """Return an address as REAPER's Python gives it: 16 upper-case hex digits; NULL is a true value. [a: PY]"""
    return f"({kind})0x{address:016X}"


def parsed(value: object) -> tuple[str, int] | None:
    """Return the type and address in a pointer string, or None where it is something else. [a: PY]"""
    match = _POINTER.match(str(value))
    return (match[1], int(match[2][:8], 16) << 32 | int(match[2][8:], 16)) if match else None


class PointerTable:
    """The object at each address; an address is never used twice."""

    def __init__(self) -> None:
        self._objects: dict[int, tuple[str, Any]] = {}
        self._addresses: dict[int, int] = {}
        self._next = _FIRST

    def address_of(self, kind: str, thing: Any) -> int:
        """Return the address of an object, giving it one if need be; None is 0."""
        if thing is None:
            return 0
        if id(thing) not in self._addresses:
            self._addresses[id(thing)] = self._next
            self._objects[self._next] = (kind, thing)
            self._next += _STEP
        return self._addresses[id(thing)]

    def forget(self, thing: Any) -> None:
        """Free an object: its address is stale from now on."""
        address = self._addresses.pop(id(thing), 0)
        self._objects.pop(address, None)

    def lookup(self, address: int) -> tuple[str, Any] | None:
        """Return the type and the living object at an address."""
        return self._objects.get(address)
