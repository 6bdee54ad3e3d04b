"""Clipping: runs of samples at full scale, which no converter gives by chance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

CLIPPED_RUN = 3
"""From this many samples in a row on they count as clipped."""

Mask = npt.NDArray[np.bool_]


class ClippingCounter:
    """Counts the samples in runs of three or more at full scale, also in runs that cross a block's edge."""

    def __init__(self, n_channels: int) -> None:
        self.count = 0
        self._n_channels = n_channels
        self.end_runs()

    def end_runs(self) -> None:
        """Take note that a block has no sample at full scale."""
        self._last = self._counted = np.zeros((2, self._n_channels), bool)

    def count_in(self, at_limit: Mask) -> None:
        """Count in a block, given which of its samples are at full scale, shape (n_samples, n_channels)."""
        at_limit = np.concatenate([self._last, at_limit])
        run = at_limit[2:] & at_limit[1:-1] & at_limit[:-2]
        in_run = np.zeros_like(at_limit)
        in_run[:2] = self._counted
        for offset in range(CLIPPED_RUN):
            in_run[offset : offset + len(run)] |= run
        self.count += int(np.count_nonzero(in_run)) - int(np.count_nonzero(self._counted))
        self._last, self._counted = at_limit[-2:], in_run[-2:]
