"""Where the modules `api_*` say which REAPER functions they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Implementation:
    """The implementation of a function; if NULL is not accepted, a NULL or stale pointer silently gives 0. [a: N782]"""

    call: Callable[..., Any]
    takes_null: bool


class Out:
    """A result with the new values of the arguments that are given back, in order; None leaves one as it was."""

    def __init__(self, result: Any = None, *values: Any) -> None:
        self.result, self.values = result, values


IMPLEMENTED: dict[str, Implementation] = {}
Function = Callable[..., Any]


def reascript(*names: str, takes_null: bool = False) -> Callable[[Function], Function]:
    """Register a function as the implementation of the REAPER functions `names`; it gets the host and the arguments."""

    def register(function: Function) -> Function:
        for name in names:
            IMPLEMENTED[name] = Implementation(function, takes_null)
        return function

    return register
