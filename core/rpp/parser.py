"""Parse project files into lines and nested blocks without losing a byte.

Conventions: words stand between blanks. A word that begins with a double quote, a single quote or a back-tick
ends at the next one of its kind; a quote further in is an ordinary character. There are no escapes.

Conventions: a line is the bytes up to and with its LF. `<NAME ...` opens a block, `>` alone closes it; a line
that begins with `|` is text and neither. Lines are never written anew: an edit replaces a run of lines, and every
other byte stays what it was.

Source: RPP files of REAPER 3 to 7, and their description in ReaTeam/Doc, "State Chunk Definitions".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.files import read_whole

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


_OPENING = b"<REAPER_PROJECT"
_REMEDY = "open the project in REAPER and save it again"


@dataclass(frozen=True)
class Block:
    """A block: the line that opens it, the one that closes it, and what stands directly in it.

    Attributes
    ----------
    name : the word after ``<``.
    first, last : indices of the opening and the closing line.
    lines : indices of the lines in it that belong to no inner block.
    blocks : the inner blocks.
    """

    name: str
    first: int
    last: int
    lines: tuple[int, ...]
    blocks: tuple[Block, ...]

    def inner(self, name: str) -> Iterator[Block]:
        """Give the inner blocks called `name`."""
        return (block for block in self.blocks if block.name == name)


@dataclass(frozen=True)
class Edit:
    """Lines `first` up to, not with, `stop` become `lines`; where both are the same, `lines` are put in before."""

    first: int
    stop: int
    lines: tuple[bytes, ...]


@dataclass(frozen=True)
class Fields:
    """The words of one line after its name; `where` says which line, for errors."""

    values: tuple[str, ...]
    where: str

    def text(self, number: int, default: str = "") -> str:
        """Return a word, or `default` where the line is shorter."""
        return self.values[number] if number < len(self.values) else default

    def number(self, number: int, default: float = 0.0) -> float:
        """Return a number, or `default` where the line is shorter.

        Raises
        ------
        InputError
            Something else stands there.
        """
        if number >= len(self.values):
            return default
        try:
            value = float(self.values[number])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{self.values[number]!r} is no number", path=self.where, remedy=f"{_REMEDY}")
        return value

    def whole(self, number: int, default: int = 0) -> int:
        """Return a whole number, or `default` where the line is shorter."""
        return int(self.number(number, default))


@dataclass(frozen=True)
class Document:
    """A project file: its lines, and the block that holds them all."""

    path: Path
    lines: tuple[bytes, ...]
    root: Block

    def to_bytes(self) -> bytes:
        """Return the file's content."""
        return b"".join(self.lines)

    def fields(self, block: Block, name: str) -> Fields | None:
        """Return the first line called `name` directly in `block`, or None."""
        return next(self.all_fields(block, name), None)

    def all_fields(self, block: Block, name: str) -> Iterator[Fields]:
        """Give the lines called `name` directly in `block`."""
        wanted = name.encode()
        return (self.fields_at(index) for index in block.lines if self.lines[index].split(None, 1)[:1] == [wanted])

    def fields_at(self, index: int) -> Fields:
        """Return the words of a line after its first one."""
        found = words(self.lines[index])
        name = found[0] if found else "line"
        return Fields(tuple(found[1:]), f"{self.path}, line {index + 1} ({name})")

    def line_end(self, index: int) -> bytes:
        """Return how the line ends: CR LF or LF."""
        return b"\r\n" if self.lines[index].endswith(b"\r\n") else b"\n"

    def edited(self, edits: Sequence[Edit]) -> bytes:
        """Return the content with `edits` made, which must not overlap; every other byte is what it was."""
        parts: list[bytes] = []
        position = 0
        for edit in sorted(edits, key=lambda edit: (edit.first, edit.stop)):
            if edit.first < position:
                raise ValueError("edits overlap")
            parts += self.lines[position : edit.first]
            parts += edit.lines
            position = edit.stop
        return b"".join([*parts, *self.lines[position:]])


def read_document(path: Path) -> Document:
    """Return the project file at `path`.

    Raises
    ------
    InputError
        There is no such file, it cannot be read, or it is no REAPER project.
    """
    try:
        content = read_whole(path)
    except FileNotFoundError:
        raise InputError("no such file", path=path, remedy="give the path of a REAPER project") from None
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror or error})", path=path, remedy="check its permissions"
        ) from error
    return parse(content, path)


def parse(content: bytes, path: Path) -> Document:
    """Return `content`, which is the file at `path`, as lines and blocks.

    Raises
    ------
    InputError
        It is no REAPER project, or its blocks do not close.
    """
    if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_OPENING):
        raise InputError(
            "is no REAPER project (it does not begin with <REAPER_PROJECT)", path=path, remedy="give an .RPP file"
        )
    lines = tuple(line for line in _split(content) if line)
    return Document(path, lines, _nested(lines, path))


@dataclass
class _Open:
    name: str
    first: int
    lines: list[int]
    blocks: list[Block]

    def closed(self, last: int) -> Block:
        return Block(self.name, self.first, last, tuple(self.lines), tuple(self.blocks))


def _split(content: bytes) -> list[bytes]:
    *complete, rest = content.split(b"\n")
    return [line + b"\n" for line in complete] + [rest]


def _nested(lines: Sequence[bytes], path: Path) -> Block:
    stack: list[_Open] = []
    root: Block | None = None
    for index, line in enumerate(lines):
        bare = line.removeprefix(b"\xef\xbb\xbf").strip()
        if root is not None:
            if bare:
                raise _broken(path, index, "stands after the project's end")
        elif bare == b">":
            block = stack.pop().closed(index)
            if stack:
                stack[-1].blocks.append(block)
            else:
                root = block
        elif bare.startswith(b"<"):
            stack.append(_Open(_block_name(bare), index, [], []))
        elif stack:
            stack[-1].lines.append(index)
    if root is None:
        raise _broken(path, stack[-1].first, "opens a block that is never closed")
    return root


def _block_name(bare: bytes) -> str:
    return bare[1:].split(None, 1)[0].decode("latin-1") if bare[1:].split() else ""


def _broken(path: Path, index: int, what: str) -> InputError:
    return InputError(
        f"line {index + 1} {what}, so the file is damaged", path=path, remedy=f"{_REMEDY} or take an older copy"
    )
