"""Two sets of gain curves on the same stems: how far apart their balances and their moves are.

Conventions: gains in dB, shape (n_frames, n_buses) on the frames both have. A common gain is no difference of
balance: the mean over the buses of the differences of their levels (medians while they sound) is taken out first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.decibels import FloatArray


@dataclass(frozen=True)
class ComparedBus:
    """One bus: its levels in both, their difference, and how far the moves are apart.

    `difference_db` is what is left of ``second - first`` after the common gain; `moves_db` the standard deviation of
    the difference over time; `largest_db` the largest difference beyond the common gain, at `largest_at_s`.
    """

    bus: str
    first_db: float
    second_db: float
    difference_db: float
    moves_db: float
    largest_db: float
    largest_at_s: float


@dataclass(frozen=True)
class Comparison:
    """The buses, the common gain between the two, and the mean distance of the balances, dB."""

    buses: tuple[ComparedBus, ...]
    common_db: float
    balance_db: float


def compare(
    buses: Sequence[str],
    time_s: FloatArray,
    first_db: FloatArray,
    second_db: FloatArray,
    sounding: npt.NDArray[np.bool_],
) -> Comparison:
    """Compare two sets of curves.

    Parameters
    ----------
    buses : the columns.
    time_s : the frames' centres, shape (n_frames,).
    first_db, second_db : gains, shape (n_frames, n_buses).
    sounding : where each bus sounds, same shape; a bus that never does counts in all frames.
    """
    heard = np.where(sounding.any(axis=0), sounding, True)
    apart = second_db - first_db
    levels = np.array([_levels_db(gain_db, heard) for gain_db in (first_db, second_db)])
    common_db = float((levels[1] - levels[0]).mean())
    compared = []
    for i, bus in enumerate(buses):
        beyond = np.where(heard[:, i], apart[:, i] - common_db, 0.0)
        worst = int(np.argmax(np.abs(beyond)))
        compared.append(
            ComparedBus(
                bus=bus,
                first_db=float(levels[0, i]),
                second_db=float(levels[1, i]),
                difference_db=float(levels[1, i] - levels[0, i] - common_db),
                moves_db=float(np.std(apart[heard[:, i], i])),
                largest_db=float(beyond[worst]),
                largest_at_s=float(time_s[worst]),
            )
        )
    balance_db = float(np.mean([abs(one.difference_db) for one in compared]))
    return Comparison(tuple(compared), common_db, balance_db)


def _levels_db(gain_db: FloatArray, heard: npt.NDArray[np.bool_]) -> list[float]:
    return [float(np.median(column[on])) for column, on in zip(gain_db.T, heard.T, strict=True)]
