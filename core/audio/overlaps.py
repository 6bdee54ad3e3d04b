"""Find audio files that are already the sum of other files, so that nothing is mixed twice.

A folder with a bus's own file and the tracks it was made of ("Drums", "Kick", "Snare") contains the same sound twice.
Names cannot settle it: "Drums" may also be a loop next to a recorded kit. What decides is how much of a file's energy
the other files explain by least squares, in excerpts of the song.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.audio.io import AudioFile, read_excerpt
from core.decibels import FloatArray

_N_EXCERPTS = 6
_EXCERPT_S = 2.0
_LEAST_GAIN = 0.1
"""A file that is in the sum with less than this gain (-20 dB) is not a part of it."""
_RIDGE = 1e-9


def explained_shares(files: Sequence[AudioFile]) -> tuple[FloatArray, FloatArray]:
    """Return how much of each file the others explain, and with which gains.

    Parameters
    ----------
    files : files that begin together, of any sample rates, lengths and channel counts.

    Returns
    -------
    shares : the explained share of each file's energy, 0 to 1, shape (n_files,).
    gains : row j has the gains of the other files in file j, linear, shape (n_files, n_files).

    Raises
    ------
    InputError
        A file is damaged.
    """
    gram = _gram(files)
    n_files = len(files)
    shares, gains = np.zeros(n_files), np.zeros((n_files, n_files))
    for j in range(n_files):
        others = np.array([i for i in range(n_files) if i != j and gram[i, i] > 0.0], dtype=np.int64)
        if gram[j, j] <= 0.0 or not len(others):
            continue
        power = gram[np.ix_(others, others)]
        level = np.sqrt(np.diag(power))
        relative = power / np.outer(level, level) + _RIDGE * np.eye(len(others))
        projected = gram[others, j] / level
        solved = np.linalg.solve(relative, projected)
        shares[j] = float(np.clip(solved @ projected / gram[j, j], 0.0, 1.0))
        gains[j, others] = solved / level
    return shares, gains


def parts_in(gains: FloatArray) -> list[int]:
    """Return the indices of the files that are in a sum with `gains` (n_files,)."""
    return [int(i) for i in np.flatnonzero(np.abs(gains) >= _LEAST_GAIN)]


def _gram(files: Sequence[AudioFile]) -> FloatArray:
    """Return the products of the files' samples in a few excerpts, channels added up, shape (n_files, n_files)."""
    rate = max(file.sample_rate for file in files)
    length = min(file.n_samples_at(rate) for file in files)
    excerpt = min(round(_EXCERPT_S * rate), length)
    gram = np.zeros((len(files), len(files)))
    for start in np.unique(np.linspace(0, length - excerpt, _N_EXCERPTS).astype(np.int64)).tolist():
        samples = np.stack(
            [
                read_excerpt(file, sample_rate=rate, n_channels=2, start=start, n_samples=excerpt).mean(axis=0)
                for file in files
            ]
        ).astype(np.float64)
        gram += samples @ samples.T
    return gram
