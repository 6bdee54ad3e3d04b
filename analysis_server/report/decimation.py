"""Fewer vertices for long curves, without losing a peak or a dip."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from analysis_server.report.content import FloatArray

IndexArray = npt.NDArray[np.intp]
VERTEX_LIMIT = 1500


def extreme_indices(values: FloatArray, limit: int = VERTEX_LIMIT) -> IndexArray:
    """Choose the frames that draw a curve: every bucket's lowest and highest, and both ends.

    Parameters
    ----------
    values : the curve, shape (n_frames,); non-finite frames are chosen only where a bucket has no other.
    limit : the most frames to keep, at least 4.

    Returns
    -------
    Ascending frame indices, shape (at most `limit`,).
    """
    n_frames = values.size
    if n_frames <= limit:
        return np.arange(n_frames)
    width = -(-n_frames // ((limit - 2) // 2))
    starts = np.arange(0, n_frames, width)
    lowest = starts + _bucketed(values, width, np.inf).argmin(axis=1)
    highest = starts + _bucketed(values, width, -np.inf).argmax(axis=1)
    return np.unique(np.concatenate(([0, n_frames - 1], lowest, highest)))


def _bucketed(values: FloatArray, width: int, fill: float) -> FloatArray:
    """Return `values` as rows of `width` frames, with `fill` for what is missing."""
    padding = -values.size % width
    finite = np.where(np.isfinite(values), values, fill)
    padded: FloatArray = np.pad(finite, (0, padding), constant_values=fill)
    return padded.reshape(-1, width)


def bucket_edges(n_frames: int, limit: int) -> IndexArray:
    """Return the first frame of each of at most `limit` equal buckets, for `ufunc.reduceat`."""
    width = max(1, -(-n_frames // limit))
    return np.arange(0, n_frames, width)


def even_indices(n_frames: int, limit: int) -> IndexArray:
    """Choose at most `limit` evenly spread frames, both ends included."""
    if n_frames <= limit:
        return np.arange(n_frames)
    spread: IndexArray = np.linspace(0, n_frames - 1, limit).round().astype(np.intp)
    return spread


def runs_of(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the stretches where `mask` holds, as half-open frame ranges ``(first, past)``."""
    steps = np.diff(np.concatenate(([False], mask, [False])).astype(np.int8))
    firsts, pasts = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return list(zip(firsts.tolist(), pasts.tolist(), strict=True))
