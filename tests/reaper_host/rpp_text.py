"""A project as a mutable tree of blocks and raw lines; unchanged parts are saved byte for byte.

Conventions: `<NAME ...` opens a block and a lone `>` closes it; a line that begins with `|` is text. A line keeps its
own line end; a new one takes its block's line end and two blanks more than its block. [c: RPP:*]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

_BLANKS = b" \t\r\n"
_QUOTES = b"\"'`"


@dataclass(eq=False)
class Block:
    """A block: its opening line, what is in it, its closing line."""

    head: bytes
    children: list[bytes | Block] = field(default_factory=list)
    tail: bytes = b""
    _printed: dict[tuple[str, int, float], str] = field(default_factory=dict)
    _made: dict[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The word after ``<``."""
        return (words(self.head) or [""])[0].removeprefix("<")

    @property
    def line_end(self) -> bytes:
        """CR LF or LF."""
        return b"\r\n" if self.head.endswith(b"\r\n") else b"\n"

    @property
    def indent(self) -> bytes:
        """The blanks before the block's own lines."""
        return self.head[: len(self.head) - len(self.head.lstrip(b" \t"))] + b"  "

    def blocks(self, name: str | None = None) -> list[Block]:
        """Return the blocks directly in this one, all or those of a name."""
        return [child for child in self.children if isinstance(child, Block) and name in (None, child.name)]

    def find(self, name: str) -> int | None:
        """Return where the first line called `name` is among the children."""
        wanted = name.encode()
        for place, child in enumerate(self.children):
            if isinstance(child, bytes) and child.split(None, 1)[:1] == [wanted]:
                return place
        return None

    def line(self, name: str) -> list[str] | None:
        """Return the words after the name of the first line called `name`."""
        place = self.find(name)
        return None if place is None else words(self.children[place])[1:]  # type: ignore[arg-type]

    def lines(self, name: str) -> Iterator[list[str]]:
        """Give the words after the name of every line called `name`."""
        wanted = name.encode()
        for child in self.children:
            if isinstance(child, bytes) and child.split(None, 1)[:1] == [wanted]:
                yield words(child)[1:]

    def word(self, name: str, place: int, default: str) -> str:
        """Return one word of a line, or `default` if the line or word does not exist."""
        found = self.line(name) or []
        return found[place] if place < len(found) else default

    def number(self, name: str, place: int, default: float) -> float:
        """Return one number of a line."""
        return float(self.word(name, place, str(default)))

    def set_word(self, name: str, place: int, value: str, defaults: str = "") -> None:
        """Change one word of a line and nothing else in it; a missing line or word is made from `defaults`."""
        at = self.find(name)
        if at is None:
            self.children.insert(self._after_lines(), self.new_line(f"{name} {defaults}".rstrip()))
            at = self.find(name)
        assert at is not None
        line = self.children[at]
        assert isinstance(line, bytes)
        missing = place + 2 - len(spans(line))
        if missing > 0:
            more = (defaults.split() + ["0"] * (place + 1))[len(spans(line)) - 1 : place + 1]
            line = line.rstrip(b"\r\n") + b" " + " ".join(more).encode() + self.line_end
        start, stop = spans(line)[place + 1]
        self.children[at] = line[:start] + value.encode() + line[stop:]

    def set_number(self, name: str, place: int, value: float, defaults: str) -> None:
        """Change one number of a line; restoring it restores the text, and a line that was added for it is removed."""
        place_of_line = self.find(name)
        if place_of_line is None:
            if value == float((defaults.split() + ["0"] * (place + 1))[place]):
                return
            self._made[name] = self.new_line(f"{name} {defaults}".rstrip())
        else:
            old = self.word(name, place, "")
            if old and float(old) == value:
                return
            if old:
                self._printed[name, place, float(old)] = old
        self.set_word(name, place, self._printed.get((name, place, value), decimal(value, 14)), defaults)
        at = self.find(name)
        if at is not None and self.children[at] == self._made.get(name):
            del self.children[at]

    def new_line(self, text: str) -> bytes:
        """Return `text` as a line of this block."""
        return self.indent + text.encode() + self.line_end

    def to_bytes(self) -> bytes:
        """Return the block as it is in the file."""
        parts = [child if isinstance(child, bytes) else child.to_bytes() for child in self.children]
        return b"".join([self.head, *parts, self.tail])

    def _after_lines(self) -> int:
        inner = (place for place, child in enumerate(self.children) if isinstance(child, Block))
        return next(inner, len(self.children))


@dataclass(eq=False)
class Text:
    """A whole file: the project's block, and the text before and after it."""

    before: bytes
    root: Block
    after: bytes

    def to_bytes(self) -> bytes:
        """Return the file."""
        return self.before + self.root.to_bytes() + self.after


def parse(content: bytes) -> Text:
    """Return a file as blocks; ValueError if it has none or they do not close."""
    stack: list[Block] = []
    before, lines = b"", content.splitlines(keepends=True)
    if b"\r" in content.replace(b"\r\n", b""):
        lines = [line + b"\n" for line in content.split(b"\n")[:-1]] + [content.split(b"\n")[-1]]
    for number, line in enumerate(lines):
        bare = line.strip().removeprefix(b"\xef\xbb\xbf")
        if bare.startswith(b"<"):
            stack.append(Block(line))
        elif not stack:
            before += line
        elif bare == b">":
            block = stack.pop()
            block.tail = line
            if not stack:
                return Text(before, block, b"".join(lines[number + 1 :]))
            stack[-1].children.append(block)
        else:
            stack[-1].children.append(line)
    raise ValueError("no block, or one that is not closed")


def parse_chunk(text: str, indent: bytes, line_end: bytes) -> Block:
    """Return a state chunk (LF, any indent) as a block of a file; ValueError if it is invalid."""
    depth, lines = 0, []
    for line in text.replace("\r\n", "\n").split("\n"):
        bare = line.strip() if not line.lstrip().startswith("|") else line.lstrip()
        if not bare:
            continue
        depth -= bare == ">"
        lines.append(indent + b"  " * depth + bare.encode() + line_end)
        depth += bare.startswith("<")
    return parse(b"".join(lines)).root


def chunk(block: Block) -> str:
    """Return a block as a state chunk: LF, no indent. [b: HDR; indent from memory]"""
    lines = block.to_bytes().splitlines()
    return "".join(as_text(line).lstrip(" \t") + "\n" for line in lines)


def spans(line: bytes) -> list[tuple[int, int]]:
    """Return where each word of a line begins and ends, quotes included."""
    found, at, end = [], 0, len(line.rstrip(b"\r\n"))
    while at < end:
        if line[at] in _BLANKS:
            at += 1
            continue
        start = at
        if line[at] in _QUOTES:
            stop = line.find(line[at : at + 1], at + 1, end)
            at = end if stop < 0 else stop + 1
        else:
            while at < end and line[at] not in _BLANKS:
                at += 1
        found.append((start, at))
    return found


def words(line: bytes) -> list[str]:
    """Return the words of a line without their quotes."""
    return [as_text(_unquoted(line[start:stop])) for start, stop in spans(line)]


def _unquoted(word: bytes) -> bytes:
    if word[:1] and word[0] in _QUOTES:
        return word[1:-1] if len(word) > 1 and word[-1] == word[0] else word[1:]
    return word


def quote(text: str) -> str:
    """Return a text as REAPER writes it: quoted only where needed. [c: RPP:06, RPP:05]"""
    text = text.replace("\r", " ").replace("\n", " ")
    if text and not any(blank in text for blank in " \t") and text[0] not in "\"'`":
        return text
    for mark in "\"'`":
        if mark not in text:
            return f"{mark}{text}{mark}"
    return "`" + text.replace("`", "'") + "`"


def as_text(raw: bytes) -> str:
    """Return UTF-8 text, or Latin text of an old project."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def decimal(value: float, places: int = 8) -> str:
    """Return a number as REAPER prints it: up to 8 decimals, no trailing zeros. [c: RPP:01]"""
    text = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def set_extension(owner: Block, key: str, value: str) -> None:
    """Store a `P_EXT` value in the `EXT` block of a track or an envelope; an empty one removes it."""
    block = next(iter(owner.blocks("EXT")), None)
    if block is None:
        if not value:
            return
        block = parse_chunk("<EXT\n>", owner.indent, owner.line_end)
        owner.children.append(block)
    place = block.find(key)
    if place is not None:
        del block.children[place]
    if value:
        block.children.append(block.new_line(f"{quote(key)} {quote(value)}"))
    if not block.children:
        owner.children.remove(block)
