"""Small projects with one difficulty each, and what REAPER's reader does to a saved project."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "rpp"
"""The projects."""
_BUFFER_CHARACTERS = 4094


def cut_long_lines(content: bytes) -> bytes:
    """Return a project as REAPER has it after reading it; surplus text of a line becomes a separate line."""
    lines = []
    for line in content.split(b"\n"):
        end = b"\r" if line.endswith(b"\r") else b""
        text = line.removesuffix(b"\r")
        rest = text.lstrip()
        indent = text[: len(text) - len(rest)]
        while len(rest) > _BUFFER_CHARACTERS:
            lines.append(indent + rest[:_BUFFER_CHARACTERS] + end)
            rest = rest[_BUFFER_CHARACTERS:]
        lines.append(indent + rest + end)
    return b"\n".join(lines)
