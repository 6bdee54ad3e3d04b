"""Progress callbacks with stages."""

from __future__ import annotations

from collections.abc import Callable

from core import progress
from core.progress import Progress

Tell = Callable[[float, str], None]
"""Called with the fraction done (0 to 1) and the stage; may raise to stop the work."""


def untold(_fraction: float, _stage: str) -> None:
    """Take no notice."""


def stage(tell: Tell, name: str, start: float, end: float) -> Progress:
    """Return a progress of one stage, which takes from `start` to `end` of the whole."""
    return progress.part_of(lambda fraction: tell(fraction, name), start, end)


def part_of(tell: Tell, start: float, end: float) -> Tell:
    """Return a `Tell` whose 0 to 1 is `start` to `end` of `tell`."""
    return lambda fraction, name: stage(tell, name, start, end)(fraction)
