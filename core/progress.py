"""How long work tells how far it is, and how it is told to stop.

A progress function is called with the fraction done (0 to 1) at every block. It may raise, and the work ends
there: `core.errors.Cancelled` is what a cancel raises, `KeyboardInterrupt` what a terminal does.
"""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]


def silent(_fraction: float) -> None:
    """Take no notice."""


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """Return a progress whose 0 to 1 is `start` to `end` of `progress`."""

    def tell(fraction: float) -> None:
        progress(start + (end - start) * fraction)

    return tell
