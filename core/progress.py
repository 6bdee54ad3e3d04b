"""Progress callbacks and cancellation.

Long work calls its progress callback at every block with the fraction done (0 to 1) and the name of the current stage.
A callback may raise to stop the work: `core.errors.Cancelled` for a cancelled job, `KeyboardInterrupt` at a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class ProgressCallback(Protocol):
    """Called with the fraction done and the stage; an empty stage takes the name that `part_of` or `stages` gave."""

    def __call__(self, fraction: float, stage: str = "", /) -> None:
        """Take note of the progress, or raise to stop the work."""
        ...


def no_progress(_fraction: float, _stage: str = "", /) -> None:
    """Ignore updates."""


def part_of(progress: ProgressCallback, start: float, end: float, stage: str = "") -> ProgressCallback:
    """Return a callback for the part of the work between two fractions.

    Parameters
    ----------
    progress : the callback of the whole work.
    start, end : the fractions of the whole at which the part begins and ends.
    stage : the name of the part, used where its own work gives none.
    """

    def update(fraction: float, inner_stage: str = "", /) -> None:
        progress(start + (end - start) * fraction, inner_stage or stage)

    return update


def stages(progress: ProgressCallback, weights: Mapping[str, float]) -> list[ProgressCallback]:
    """Return a callback for each of several consecutive stages that together make up the whole work.

    Parameters
    ----------
    progress : the callback of the whole work.
    weights : the time that each stage takes, by name, in any unit; only their ratios matter.

    Examples
    --------
    >>> def show(fraction, stage):
    ...     print(f"{fraction:.2f} {stage}")
    >>> reading, writing = stages(show, {"Reading": 3.0, "Writing": 1.0})
    >>> reading(0.5)
    0.38 Reading
    >>> writing(0.0)
    0.75 Writing
    """
    total = sum(weights.values())
    callbacks = []
    start = 0.0
    for stage, weight in weights.items():
        end = start + weight / total
        callbacks.append(part_of(progress, start, end, stage))
        start = end
    return callbacks
