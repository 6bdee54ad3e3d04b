"""QR factors as sufficient statistics of a linear regression.

For features Y (n, p) and targets a (n,) the factor R of the QR decomposition of [Y a] has p + 1 rows and contains
all that least squares ever needs: ||Y b - a||^2 = ||R [b; -1]||^2 for every b. Triangles of songs stack, so a
song is added or taken out without the others' audio, and leave-one-song-out over N songs is N solves. Unlike
sums of squares (normal equations) a triangle keeps its digits when features differ by 1e11 in scale, as
Zafrin & Chudwick's do (slopes near 1e-4, spreads near 1e7).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from core.decibels import FloatArray


def fold(features: FloatArray, target: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Return the triangle of `features` (n, p) and `target` (n,), shape (p + 1, p + 1).

    `weights` (n,) multiply each frame's squared error.
    """
    rows = np.column_stack([features, target])
    if weights is not None:
        rows = rows * np.sqrt(weights)[:, None]
    size = rows.shape[1]
    padded = rows if len(rows) >= size else np.vstack([rows, np.zeros((size - len(rows), size))])
    return np.asarray(np.linalg.qr(padded, mode="r"), dtype=np.float64)


def non_negative(triangles: Sequence[FloatArray]) -> FloatArray:
    """Return argmin over b >= 0 of ||Y b - a||^2 over all songs, shape (p,).

    Columns are brought to the same length first: the solution is the same, and the digits stay.
    """
    stacked = np.vstack(triangles)
    matrix, target = stacked[:, :-1], stacked[:, -1]
    length = np.linalg.norm(matrix, axis=0)
    length[length == 0.0] = 1.0
    solution: FloatArray = scipy.optimize.nnls(matrix / length, target)[0] / length
    return solution
