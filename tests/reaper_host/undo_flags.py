"""Which parts of a project changed, as the flags of `Undo_EndBlock2` name them. [b: HDRP UNDO_STATE_*]"""

from __future__ import annotations

from collections import defaultdict

from tests.reaper_host.envelope_state import NAMES
from tests.reaper_host.rpp_text import Block, parse

TRACKS, PLUG_INS, ITEMS, MISC, ENVELOPES = 1, 2, 4, 8, 32
_WORDS = {TRACKS: "tracks", PLUG_INS: "plug-ins", ITEMS: "items", MISC: "the project", ENVELOPES: "envelopes"}


def left_out(before: bytes, after: bytes, flags: int) -> list[str]:
    """Return what changed and is not in `flags`, so that undo would not bring it back."""
    if before == after or flags == -1:
        return []
    old, new = _parts(before), _parts(after)
    return [word for flag, word in _WORDS.items() if not flags & flag and old[flag] != new[flag]]


def _parts(content: bytes) -> dict[int, bytes]:
    parts: dict[int, bytes] = defaultdict(bytes)
    for child in parse(content).root.children:
        if isinstance(child, Block) and child.name == "TRACK":
            parts[TRACKS] += child.head
            for inner in child.children:
                parts[_kind(inner)] += inner if isinstance(inner, bytes) else inner.to_bytes()
        else:
            parts[MISC] += child if isinstance(child, bytes) else child.to_bytes()
    return parts


def _kind(child: bytes | Block) -> int:
    if isinstance(child, bytes):
        return TRACKS
    if child.name in NAMES:
        return ENVELOPES
    return {"FXCHAIN": PLUG_INS, "ITEM": ITEMS, "EXT": MISC}.get(child.name, TRACKS)
