"""Train from training matrices."""

from __future__ import annotations

from pathlib import Path

from core.errors import InputError
from core.models.evaluate import EvaluationSong
from core.models.matrices import load_matrices
from core.models.model import TrainingSong
from core.models.train import matrices_song

_HELD = (("paper", "condition1"), ("default", "condition3"))
"""The presets' feature sets that matrices hold: the paper's condition 1, and the levels of condition 3."""


def is_matrices(path: str) -> bool:
    """Tell whether `path` names training matrices rather than a folder of songs."""
    return path.lower().endswith(".npz")


def matrices_songs(path: str, preset: str, feature_set: str) -> list[tuple[EvaluationSong, TrainingSong]]:
    """Return each song of the matrices in `path`: as predictors see it, and what a model keeps of it.

    Raises
    ------
    InputError
        They cannot be read, or do not hold the features that are asked for.
    """
    if (preset, feature_set) not in _HELD:
        raise InputError(
            "matrices hold the paper's condition 1, and the levels of condition 3",
            path=path,
            remedy="use --preset paper --features condition1, or --preset default",
        )
    return [(song, matrices_song(song, Path(path), feature_set)) for song in load_matrices(Path(path))]
