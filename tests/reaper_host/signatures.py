"""The 711 functions of REAPER's own `reaper_python` module: their arguments and results.

`signatures.txt` has a line a function: name, result, and the kind of each argument. Kinds are `int`, `double`, `byte`
(a C bool), `text` (`const char*`), `buffer` (`char*`, always given back), a pointer type, `list`; `&` marks the other
arguments that are given back, `:sized` a buffer whose size is the next argument. [a: PY, REAPER 7.43]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("signatures.txt")


@dataclass(frozen=True)
class Argument:
    """One argument: its kind, whether the call gives it back changed, whether the next argument is its size."""

    kind: str
    is_out: bool
    is_sized: bool

    @property
    def is_pointer(self) -> bool:
        """Whether it is given as a pointer string."""
        return self.kind.endswith("*") or self.kind == "HWND"


@dataclass(frozen=True)
class Signature:
    """One function; `result` is `void`, `byte`, `int`, `double`, `text` or a pointer type."""

    name: str
    result: str
    arguments: tuple[Argument, ...]

    @property
    def returns_tuple(self) -> bool:
        """Whether the arguments come back too. [a: PY]"""
        return any(argument.is_out or argument.kind == "list" for argument in self.arguments)

    @property
    def returns_pointer(self) -> bool:
        """Whether the result is a pointer string."""
        return self.result.endswith("*") or self.result == "HWND"


@cache
def signatures() -> dict[str, Signature]:
    """Return every function by its name without ``RPR_``."""
    found = (_signature(line.split()) for line in _FILE.read_text(encoding="ascii").splitlines())
    return {signature.name: signature for signature in found}


def _signature(words: list[str]) -> Signature:
    name, result, *kinds = words
    return Signature(name, result, tuple(_argument(kind) for kind in kinds))


def _argument(kind: str) -> Argument:
    bare = kind.removesuffix("&").removesuffix(":sized")
    return Argument(bare, kind.endswith("&") or bare == "buffer", kind.endswith(":sized"))
