"""A configuration file as lines: lines are added, changed or removed, all other bytes stay.

Line endings, encoding and all other bytes stay unchanged. A file without a final line ending stays without one,
so that taking an added line away again gives the same bytes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import InputError
from core.files import replacing

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Lines:
    """A file's lines without their ends, and their ends (the last one may be empty)."""

    bodies: tuple[bytes, ...]
    ends: tuple[bytes, ...]

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return b"".join(body + end for body, end in zip(self.bodies, self.ends, strict=True))

    @property
    def common_end(self) -> bytes:
        """The line end most lines have; this system's in an empty file."""
        whole = [end for end in self.ends if end]
        return max(set(whole), key=whole.count) if whole else os.linesep.encode()

    def find(self, matches: Callable[[bytes], bool], start: int = 0) -> int | None:
        """Return the first line from `start` on that matches."""
        return next((index for index in range(start, len(self.bodies)) if matches(self.bodies[index])), None)

    def with_added(self, added: Sequence[bytes], index: int | None = None) -> Lines:
        """Return these lines with more in front of line `index`; at the end by default."""
        at = len(self.bodies) if index is None else index
        ends = [*self.ends[:at], *[self.common_end] * len(added), *self.ends[at:]]
        if added and 0 < at == len(self.ends) and not self.ends[-1]:
            ends[at - 1], ends[-1] = self.common_end, b""
        return Lines((*self.bodies[:at], *added, *self.bodies[at:]), tuple(ends))

    def with_changed(self, index: int, body: bytes) -> Lines:
        """Return these lines with line `index` saying something else."""
        return replace(self, bodies=(*self.bodies[:index], body, *self.bodies[index + 1 :]))

    def without(self, index: int) -> Lines:
        """Return these lines without line `index`."""
        ends = [*self.ends[:index], *self.ends[index + 1 :]]
        if ends and index == len(ends):
            ends[-1] = ends[-1] if self.ends[index] else b""
        return Lines((*self.bodies[:index], *self.bodies[index + 1 :]), tuple(ends))


def parse_lines(content: bytes) -> Lines:
    """Return the lines of a file's bytes."""
    found = [match for match in re.findall(rb"([^\n]*?)(\r?\n|\Z)", content) if any(match)]
    return Lines(tuple(body for body, _ in found), tuple(end for _, end in found))


def read_lines(path: Path) -> Lines:
    """Return the lines of a file; none where it is not there.

    Raises
    ------
    InputError
        It cannot be read, or is UTF-16, whose lines are not lines of bytes.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return parse_lines(b"")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path=path, remedy="see to its permissions") from error
    if content.startswith(_UTF16_MARKS):
        raise InputError("is UTF-16, which REAPER does not write", path=path, remedy="save it as UTF-8 and try again")
    return parse_lines(content)


def write_lines(path: Path, lines: Lines) -> None:
    """Write a file, all or nothing; a link goes on pointing to it, and its permissions stay."""
    place = path.resolve()
    mode = place.stat().st_mode & 0o7777 if place.exists() else None
    with replacing(place, keep_old=False) as temporary:
        temporary.write_bytes(lines.content)
        if mode is not None:
            temporary.chmod(mode)
