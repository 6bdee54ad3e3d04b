"""The words of a project file's line, and how REAPER quotes them.

Conventions: words stand between blanks. A word that begins with a double quote, a single quote or a back-tick
ends at the next one of its kind; a quote further in is an ordinary character. There are no escapes.
"""

from __future__ import annotations

import re

_WORD = re.compile(rb"""[ \t\r\n]*(?:"([^"]*)"?|'([^']*)'?|`([^`]*)`?|([^ \t\r\n]+))""")
_NOT_IN_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_NEEDS_QUOTES = re.compile(r"[ \t]|^[\"'`]|^$")


def words(line: bytes) -> list[str]:
    """Return the words of `line`, quotes taken off. ``words(b'NAME "DRUM BUS"')`` is ``["NAME", "DRUM BUS"]``."""
    found, position, line = [], 0, line.rstrip(b"\r\n")
    while match := _WORD.match(line, position):
        found.append(as_text(next((group for group in match.groups() if group is not None), b"")))
        position = match.end()
    return found


def quoted(text: str) -> str:
    """Return `text` as one word of a line, quoted where REAPER would; with all three quotes in it, a back-tick is lost.

    Line breaks and NUL cannot stand in a line and become blanks.
    """
    text = re.sub(r"[\r\n\0]", " ", text)
    if not _NEEDS_QUOTES.search(text):
        return text
    for quote in "\"'`":
        if quote not in text:
            return f"{quote}{text}{quote}"
    return "`" + text.replace("`", "'") + "`"


def as_text(raw: bytes) -> str:
    """Return text that is UTF-8, or else in the Windows code page of old projects."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252") if not _NOT_IN_CP1252.intersection(raw) else raw.decode("latin-1")
