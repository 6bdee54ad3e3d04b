"""Songs' titles as the beginnings of file names, on every system."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_LONGEST_BYTES = 120
"""Leaves room for what follows the title in 255 bytes: the figure's name and the time an old file is set aside by."""


def file_names(titles: Sequence[str]) -> list[str]:
    """Return a name for each title: no separators or signs that some system refuses, no two alike in any case."""
    names: list[str] = []
    taken: set[str] = set()
    for title in titles:
        name = _plain(title)
        number = 2
        while name.casefold() in taken:
            name = f"{_plain(title)}-{number}"
            number += 1
        taken.add(name.casefold())
        names.append(name)
    return names


def _plain(title: str) -> str:
    allowed = re.sub(r"[^\w .,+&()'-]+", "_", unicodedata.normalize("NFC", title))
    short = allowed.encode()[:_LONGEST_BYTES].decode(errors="ignore")
    return short.strip(" .") or "song"
