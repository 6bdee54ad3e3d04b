"""How files and messages are damaged: each function takes valid content and a source of chance.

The same chance gives the same damage, so that a number is all it takes to see a failure again.
"""

from __future__ import annotations

import copy
import json
import re
import struct
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

EXTREME_NUMBERS = (
    *("nan", "-nan", "inf", "-inf", "1e308", "-1e308", "1e400", "1e-320", "-0", "-1", "0", "1", "2", "0.5"),
    *("2147483648", "-2147483649", "18446744073709551616", "1" + "0" * 400, "0x10", "1_000", "1e5", "1e9", "٣"),
)
EXTREME_WORDS = (
    "",
    '"',
    "'",
    "`",
    "a" * 5_000,
    "../../x",
    "\\\\server\\share",
    "C:\\x",
    "/",
    "NUL",
    "名前",
    "é\u0301",
    "\u202e",
)
EXTREME_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1 << 31, -(1 << 63), (1 << 64) - 1, 0.0, -1.5, 1e308, -1e308, 5e-324),
    *(float("nan"), float("inf"), "", "a" * 5_000, "\0", "../../x", "名前", [], {}, [[]], {"": None}),
)
_LYING_SIZES = (0, 1, 2, 3, 7, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFF00, 0xFFFFFFFF)
_NESTED = 3_000
_LINES_THAT_COUNT = frozenset(
    b"POSITION LENGTH VOLPAN PT SOFFS PLAYRATE FADEIN FADEOUT ISBUS AUXRECV TEMPO SAMPLERATE AUTOMODE MUTESOLO "
    b"STARTPOS TAKEVOLPAN CHANMODE ACT GLOBAL_AUTO".split()
)
_OPENINGS = (b">", b"<TRACK", b"<ITEM", b"<SOURCE WAVE", b"<", b"<VOLENV2")
Mutation = Callable[[bytearray, Random], None]


def damaged_bytes(content: bytes, chance: Random) -> bytes:
    """Return any `content` with one to five places damaged."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 5)):
        chance.choice(_BYTE_MUTATIONS)(changed, chance)
    return bytes(changed)


def lying_header(content: bytes, chance: Random) -> bytes:
    """Return `content` with one to three numbers near its start replaced by ones that cannot be true."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        number = chance.choice(_LYING_SIZES) if chance.random() < 0.7 else chance.getrandbits(32)
        packed = struct.pack(chance.choice("<>") + "I", number)
        packed = packed if chance.random() < 0.7 else packed[chance.choice((0, 2)) :][:2]
        at = chance.randrange(min(len(changed), 128))
        changed[at : at + len(packed)] = packed
    return bytes(changed)


def damaged_project(content: bytes, chance: Random) -> bytes:
    """Return a project file with one to six of its lines, words or blocks damaged."""
    lines = content.split(b"\n")
    for _ in range(chance.randint(1, 6)):
        chance.choice(_LINE_MUTATIONS)(lines, chance)
    return b"\n".join(lines)


def damaged_table(content: bytes, chance: Random) -> bytes:
    """Return a CSV file with one to four of its fields, lines or bytes damaged."""
    lines = content.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        chance.choice(_TABLE_MUTATIONS)(lines, chance)
    return b"\n".join(lines)


def damaged_value(value: Any, chance: Random) -> Any:
    """Return a JSON or MessagePack value with one part replaced, dropped, doubled, renamed or nested."""
    places = list(_places(value))
    if not places or chance.random() < 0.02:
        return _extreme(EXTREME_VALUES, chance)
    holder, key = chance.choice(places)
    chance.choice(_VALUE_MUTATIONS)(holder, key, chance)
    return value


def damaged_json(content: bytes, chance: Random) -> bytes:
    """Return a JSON file that is damaged in its text or in its values."""
    if chance.random() < 0.3:
        return damaged_bytes(content, chance)
    if chance.random() < 0.03:
        return b"[" * 100_000
    value = json.loads(content)
    for _ in range(chance.randint(1, 4)):
        value = damaged_value(value, chance)
    text = json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return _with_long_number(text, chance) if chance.random() < 0.05 else text


def _with_long_number(text: bytes, chance: Random) -> bytes:
    """Return a text in which one number has 30, 400 or 5,000 digits: more than a float, or Python itself, takes."""
    numbers = list(re.finditer(rb"\d+", text))
    if not numbers:
        return text
    one = chance.choice(numbers)
    return text[: one.start()] + b"1" + b"0" * chance.choice((30, 400, 5_000)) + text[one.end() :]


def _flip(content: bytearray, chance: Random) -> None:
    if content:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _overwrite(content: bytearray, chance: Random) -> None:
    at = chance.randrange(len(content) + 1)
    content[at : at + chance.randint(1, 64)] = bytes([chance.choice((0, 255, 128, 127))]) * chance.randint(1, 64)


def _truncate(content: bytearray, chance: Random) -> None:
    del content[chance.randrange(len(content) + 1) :]


def _insert(content: bytearray, chance: Random) -> None:
    at = chance.randrange(len(content) + 1)
    content[at:at] = chance.randbytes(chance.choice((1, 4, 100, 5_000)))


def _drop(content: bytearray, chance: Random) -> None:
    at = chance.randrange(len(content) + 1)
    del content[at : at + chance.choice((1, 4, 100, 5_000))]


def _double(content: bytearray, chance: Random) -> None:
    at = chance.randrange(len(content) + 1)
    content[at:at] = content[at : at + chance.choice((4, 100, 5_000))]


_BYTE_MUTATIONS: tuple[Mutation, ...] = (_flip, _flip, _overwrite, _truncate, _insert, _drop, _double)


def _change_part(lines: list[bytes], chance: Random, *, mark: bytes) -> None:
    at = chance.randrange(len(lines))
    parts = lines[at].split(mark)
    new = chance.choice(EXTREME_NUMBERS if chance.random() < 0.8 else EXTREME_WORDS)
    parts[chance.randrange(len(parts))] = new.encode()
    lines[at] = mark.join(parts)


_change_word, _change_field = partial(_change_part, mark=b" "), partial(_change_part, mark=b",")


def _change_number(lines: list[bytes], chance: Random) -> None:
    """Change a number of a line that counts: those of plug-ins' data are passed over."""
    found = [i for i, line in enumerate(lines) if _LINES_THAT_COUNT.intersection(line.split(None, 1)[:1])]
    if found:
        at = chance.choice(found)
        words = lines[at].split()
        place = chance.randrange(1, max(len(words), 2))
        words[place : place + 1] = [chance.choice(EXTREME_NUMBERS).encode()]
        lines[at] = b" ".join(words)


def _drop_lines(lines: list[bytes], chance: Random) -> None:
    at = chance.randrange(len(lines))
    del lines[at : at + chance.choice((1, 1, 3, 50))]
    lines.extend([] if lines else [b""])


def _double_lines(lines: list[bytes], chance: Random) -> None:
    at = chance.randrange(len(lines))
    lines[at:at] = lines[at : at + chance.choice((1, 3, 50))]


def _swap_lines(lines: list[bytes], chance: Random) -> None:
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]


def _unbalance(lines: list[bytes], chance: Random) -> None:
    lines.insert(chance.randrange(len(lines)), chance.choice(_OPENINGS))


def _nest(lines: list[bytes], chance: Random) -> None:
    name = chance.choice((b"<TRACK", b"<ITEM", b"<SOURCE SECTION", b"<X"))
    at = chance.randrange(len(lines))
    lines[at:at] = [name] * _NESTED + [b">"] * _NESTED


def _fold(lines: list[bytes], chance: Random) -> None:
    """Put hundreds of tracks in before a track, each a folder in the one before."""
    tracks = [i for i, line in enumerate(lines) if line.lstrip().startswith(b"<TRACK")]
    if tracks:
        at = chance.choice(tracks)
        lines[at:at] = [b'<TRACK {A}\nNAME "drums"\nISBUS 1 1\n>'] * chance.choice((20, 600))


def _lengthen(lines: list[bytes], chance: Random) -> None:
    at = chance.randrange(len(lines))
    lines[at] += b" " + chance.choice((b"x" * 300_000, b"0 " * 100_000, b'"' * 100_000))


def _end_lines_otherwise(lines: list[bytes], chance: Random) -> None:
    end = chance.choice((b"\r", b"\0", b"\x85", b"\xff\xfe"))
    for at in range(chance.randrange(len(lines)), len(lines)):
        lines[at] += end


def _damage_line(lines: list[bytes], chance: Random) -> None:
    at = chance.randrange(len(lines))
    lines[at] = damaged_bytes(lines[at], chance)


_LINE_MUTATIONS: tuple[Callable[[list[bytes], Random], None], ...] = (
    *(_change_number, _change_number, _change_number, _change_word, _change_word, _damage_line, _damage_line),
    *(_drop_lines, _double_lines, _swap_lines, _unbalance, _nest, _fold, _lengthen, _end_lines_otherwise),
)

_TABLE_MUTATIONS = (
    *(_change_field, _change_field, _change_field, _damage_line, _drop_lines, _double_lines, _swap_lines),
    *(_lengthen, _end_lines_otherwise),
)


def _places(value: Any) -> Any:
    """Give every place in a value: what holds it, and its key or number there."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _replace(holder: Any, key: Any, chance: Random) -> None:
    holder[key] = _extreme(EXTREME_VALUES, chance)


def _replace_alike(holder: Any, key: Any, chance: Random) -> None:
    """Insert an extreme value of the same type, which a reader that checks only types accepts."""
    kind = (int, float) if isinstance(holder[key], (int, float)) else type(holder[key])
    holder[key] = _extreme([value for value in EXTREME_VALUES if isinstance(value, kind)], chance)


def _extreme(values: Sequence[Any], chance: Random) -> Any:
    """Return a copy of one of the values, whose content may be damaged as well."""
    return copy.deepcopy(chance.choice(values))


def _remove(holder: Any, key: Any, _: Random) -> None:
    del holder[key]


def _rename(holder: Any, key: Any, chance: Random) -> None:
    if isinstance(holder, dict):
        holder[chance.choice(("", "x", "名前", "a" * 300, str(key).upper()))] = holder.pop(key)
    else:
        holder.insert(chance.randrange(len(holder) + 1), holder[key])


def _wrap(holder: Any, key: Any, chance: Random) -> None:
    for _ in range(chance.choice((1, 2, 60))):
        holder[key] = [holder[key]] if chance.random() < 0.5 else {"a": holder[key]}


def _multiply(holder: Any, key: Any, chance: Random) -> None:
    value = holder[key]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        holder[key] = value * chance.choice((-1, 1e9, 1e-9, 1.5))
    elif isinstance(value, (list, str)):
        holder[key] = value * chance.choice((0, 2, 50))


_VALUE_MUTATIONS: tuple[Callable[[Any, Any, Random], None], ...] = (
    _replace,
    _replace,
    _remove,
    _rename,
    _wrap,
    _multiply,
)
