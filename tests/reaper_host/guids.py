"""GUIDs as objects that have an address."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class Guid:
    """A GUID; `text` is ``{XXXXXXXX-...}``."""

    text: str
