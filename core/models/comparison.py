"""Compare two methods on the same songs: the paired difference, its interval, and tests of several differences.

A difference is tested with Student's t over the songs. Below `LEAST_SONGS` songs nothing is tested: even if all
differences have one sign, which of the two methods is better may be chance in more than one of 20 cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy

from core.decibels import FloatArray

LEAST_SONGS = 6
"""The fewest songs for which differences of one sign, two-sided 2 / 2 ** n, are less probable than 5 %."""
SIGNIFICANCE = 0.05
_LEAST_FOR_INTERVAL = 3
_NO_SPREAD = 1e-6


@dataclass(frozen=True)
class Difference:
    """A mean difference over songs.

    Attributes
    ----------
    mean, n_songs : the mean, and over how many songs.
    interval : the 95 % interval of the mean; None for fewer than 3 songs, or where all songs have the same difference.
    p_value : two-sided; None where there is no interval, or fewer than `LEAST_SONGS` songs.
    """

    mean: float
    n_songs: int
    interval: tuple[float, float] | None = None
    p_value: float | None = None

    @property
    def is_constant(self) -> bool:
        """Whether all of several songs have the same difference."""
        return self.interval is None and self.n_songs >= _LEAST_FOR_INTERVAL


def paired_difference(differences: FloatArray) -> Difference:
    """Return the mean of differences (n_songs,) with its interval and test; `differences` are not empty.

    Examples
    --------
    >>> found = paired_difference(np.array([1.0, 1.2, 0.9, 1.1, 1.0, 1.3]))
    >>> [round(bound, 2) for bound in found.interval]
    [0.93, 1.24]
    """
    n, mean = len(differences), float(differences.mean())
    if n < _LEAST_FOR_INTERVAL or np.ptp(differences) < _NO_SPREAD:
        return Difference(mean, n)
    error = float(differences.std(ddof=1) / np.sqrt(n))
    half_width = float(scipy.special.stdtrit(n - 1, 1.0 - 0.5 * SIGNIFICANCE)) * error
    p_value = 2.0 * float(scipy.special.stdtr(n - 1, -abs(mean) / error)) if n >= LEAST_SONGS else None
    return Difference(mean, n, (mean - half_width, mean + half_width), p_value)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return the p values corrected for their number.

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.

    Examples
    --------
    >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
    {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    corrected, largest = {}, 0.0
    for rank, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        corrected[name] = largest
    return corrected
