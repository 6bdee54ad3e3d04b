r"""Parse project files into lines and nested blocks without losing a byte.

Conventions: a line is the bytes up to and including its LF. Lines are never rewritten: an edit replaces a run of
lines, and every other byte is unchanged.

A line is read as Cockos' own line parser reads it. Tokens are separated by blanks and tabs. A token that begins with
a double quote, a single quote or a back-tick ends at the next one of its kind; a quote further in is an ordinary
character, and there are no escapes. A token that begins with ``#`` or ``;`` starts a comment. A line whose quote is
never closed has no tokens, and nothing after a NUL counts. An unquoted ``<`` at the start of a line opens a block, an
unquoted ``>`` closes one, and a line that begins with ``|`` is text. Everything after the line that closes the project
is preserved and ignored.

Numbers are read as C's ``atof`` and ``strtol`` read them after commas have become points: ``0,5`` is 0.5, ``0x1`` is 1,
``-1.#IND`` is -1. A token that does not begin with a number is an error here, because REAPER's 0 would silence a track.

Sources: WDL (lineparse.h and projectcontext.cpp); RPP files of REAPER 3 to 7; ReaTeam/Doc, "State Chunk Definitions".

Examples
--------
>>> from pathlib import Path
>>> text = b"<REAPER_PROJECT 0.1\n  <TRACK {A}\n    NAME 'Lead Vox'\n    VOLPAN 0,5 0 -1\n  >\n>\n"
>>> document = parse(text, Path("song.rpp"))
>>> [track] = document.root.inner("TRACK")
>>> document.fields(track, "NAME").text(0), document.fields(track, "VOLPAN").number(0)
('Lead Vox', 0.5)
>>> document.edited([Edit(2, 3, (b"    NAME Vox\n",))]) == text.replace(b"'Lead Vox'", b"Vox")
True
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from core.files import read_whole, similar_path

_TOKEN = re.compile(rb"""[ \t]*(?:"([^"]*)"|'([^']*)'|`([^`]*)`|([^ \t"'`#;][^ \t]*))""")
_ENDS_OR_COMMENT = re.compile(rb"[ \t]*(?:$|[#;])")
_NOT_IN_CP1252 = frozenset(b"\x81\x8d\x8f\x90\x9d")
_NEEDS_QUOTES = re.compile(r"[ \t]|^[\"'`#;]|^$")
_FLOAT = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")
_INTEGER = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]*)|([1-9]\d*))")

_LARGEST, _LONGEST_DECIMAL = 2**31 - 1, 20
"""A whole number is a C int; any decimal number with more digits is out of its range."""


def words(line: bytes) -> list[str]:
    """Return the tokens of `line` without their quotes.

    >>> words(b'NAME "DRUM BUS"')
    ['NAME', 'DRUM BUS']
    """
    found, position = [], 0
    line = line.split(b"\0", 1)[0].removesuffix(b"\n").removesuffix(b"\r")
    while match := _TOKEN.match(line, position):
        found.append(as_text(next(group for group in match.groups() if group is not None)))
        position = match.end()
    return found if _ENDS_OR_COMMENT.match(line, position) else []


def quoted(text: str) -> str:
    """Return `text` as one token of a line, quoted where REAPER quotes it.

    Line breaks and NULs, which a line cannot contain, become blanks. In text with all three kinds of quotes, back-ticks
    become single quotes, as in REAPER.
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
    """A block: the line that opens it, the one that closes it, and what is directly in it.

    Attributes
    ----------
    name : the word after ``<``.
    first, last : indices of the opening and the closing line.
    lines : indices of the lines in it that are not part of an inner block.
    blocks : the inner blocks.
    """

    name: str
    first: int
    last: int
    lines: tuple[int, ...]
    blocks: tuple[Block, ...]

    def inner(self, name: str) -> Iterator[Block]:
        """Return the inner blocks called `name`."""
        return (block for block in self.blocks if block.name == name)


@dataclass(frozen=True)
class Edit:
    """Replace the lines from `first` up to but not including `stop`; where both are equal, insert before `first`."""

    first: int
    stop: int
    lines: tuple[bytes, ...]


@dataclass(frozen=True)
class Fields:
    """The words of one line after its name; `where` names the line, for errors."""

    values: tuple[str, ...]
    where: str

    def text(self, number: int, default: str = "") -> str:
        """Return a word, or `default` where the line is shorter."""
        return self.values[number] if number < len(self.values) else default

    def number(self, number: int, default: float = 0.0) -> float:
        """Return the number that a token begins with, or `default` where the line is shorter.

        Raises
        ------
        InputError
            The token does not begin with a finite number.
        """
        if number >= len(self.values):
            return default
        found = _FLOAT.match(self.values[number].replace(",", "."))
        text = found[0] if found else "nan"
        try:
            value = float.fromhex(text) if "x" in text.lower() else float(text)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            raise self._not_a_number(number)
        return value

    def whole(self, number: int, default: int = 0) -> int:
        """Return the whole number that a token begins with (hexadecimal after ``0x``, octal after ``0``).

        Raises
        ------
        InputError
            The token does not begin with a whole number.
        """
        if number >= len(self.values):
            return default
        found = _INTEGER.match(self.values[number])
        if found is None:
            raise self._not_a_number(number)
        sign, hexadecimal, octal, decimal = found.groups()
        if decimal is not None:
            value = int(decimal[:_LONGEST_DECIMAL])
        else:
            value = int(octal or "0", 8) if hexadecimal is None else int(hexadecimal, 16)
        return max(-value, -_LARGEST - 1) if sign == "-" else min(value, _LARGEST)

    def _not_a_number(self, number: int) -> InputError:
        return InputError(f"{self.values[number]!r} is not a number", path=self.where, remedy=_REMEDY)


@dataclass(frozen=True)
class Document:
    """A project file: its lines, and the block that contains them."""

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
        """Yield the lines called `name` directly in `block`; lines without tokens do not count."""
        wanted = name.encode()
        for index in block.lines:
            if self.lines[index].split(None, 1)[:1] == [wanted] and words(self.lines[index]):
                yield self.fields_at(index)

    def fields_at(self, index: int) -> Fields:
        """Return the words of a line after its first one."""
        found = words(self.lines[index])
        name = found[0] if found else "line"
        return Fields(tuple(found[1:]), f"{self.path}, line {index + 1} ({name})")

    def line_end(self, index: int) -> bytes:
        """Return the end of the line: CR LF or LF."""
        return b"\r\n" if self.lines[index].endswith(b"\r\n") else b"\n"

    def edited(self, edits: Sequence[Edit]) -> bytes:
        """Return the content with `edits` applied, which must not overlap; every other byte is unchanged."""
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
        The file does not exist, cannot be read, or is not a REAPER project.
    """
    try:
        content = read_whole(path)
    except FileNotFoundError:
        remedy = f"{similar_path(path)}give the path of a REAPER project"
        raise InputError("no such file", path=path, remedy=remedy) from None
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise InputError(problem, path=path, remedy="check its permissions") from error
    return parse(content, path)


def parse(content: bytes, path: Path) -> Document:
    """Return `content`, the content of the file at `path`, as lines and blocks.

    Raises
    ------
    InputError
        It is not a REAPER project, or a block is never closed.
    """
    if not content.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(_OPENING):
        raise InputError(
            "is not a REAPER project (it does not begin with <REAPER_PROJECT)", path=path, remedy="give an .RPP file"
        )
    *complete, rest = content.split(b"\n")
    lines = (*(line + b"\n" for line in complete), *([rest] if rest else []))
    return Document(path, lines, _nested(lines, path))


@dataclass
class _Open:
    name: str
    first: int
    lines: list[int]
    blocks: list[Block]


def _nested(lines: Sequence[bytes], path: Path) -> Block:
    stack: list[_Open] = []
    for index, line in enumerate(lines):
        bare = line.removeprefix(b"\xef\xbb\xbf").strip()
        if bare.startswith(b">"):
            opened = stack.pop()
            block = Block(opened.name, opened.first, index, tuple(opened.lines), tuple(opened.blocks))
            if not stack:
                return block
            stack[-1].blocks.append(block)
        elif bare.startswith(b"<"):
            name = (bare[1:].split(None, 1) or [b""])[0].decode("latin-1")
            stack.append(_Open(name, index, [], []))
        elif stack:
            stack[-1].lines.append(index)
    raise InputError(
        f"line {stack[-1].first + 1} opens a block that is never closed, so the file is damaged",
        path=path,
        remedy=f"{_REMEDY}, or take an older copy",
    )
