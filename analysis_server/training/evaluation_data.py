"""Measure songs with known gains for an evaluation.

A study can be packed into bytes and back without losing a digit, so that other machines can make it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from analysis_server.training.folders import SongSettings, in_turn, taught_by
from core.analysis.measure import Measurement
from core.decibels import FloatArray
from core.models.evaluate import EvaluationSong
from core.models.model import TrainingSong
from core.progress import ProgressCallback, no_progress


@dataclass(frozen=True, kw_only=True)
class Study:
    """A song whose gains are known: `gains` (n_frames, n_buses), the measurement, and what a model keeps of it."""

    gains: FloatArray
    measurement: Measurement
    training: TrainingSong
    warnings: list[str]

    @property
    def title(self) -> str:
        """The song's name."""
        return self.measurement.title

    def evaluation_song(self) -> EvaluationSong:
        """Return the song as predictors see it."""
        measured = self.measurement
        return EvaluationSong(
            title=measured.title,
            buses=measured.buses,
            features=measured.features,
            gains=self.gains,
            rms=measured.rms,
        )


StudySongs = Callable[[Sequence[Path], SongSettings, ProgressCallback], list[Study]]
"""A way to study song folders: in this process, or on other machines."""


def study_song(folder: Path, settings: SongSettings, progress: ProgressCallback = no_progress) -> Study:
    """Return the study of the song in `folder`.

    Raises
    ------
    InputError
        The song cannot be read or has no mixdown.
    """
    found, training, warnings = taught_by(folder, settings, "Estimating", progress)
    return Study(
        gains=found.curves.gains,
        measurement=replace(found.measurement, gram=None, moments=None),
        training=training,
        warnings=warnings,
    )


def study_one_by_one(folders: Sequence[Path], settings: SongSettings, progress: ProgressCallback) -> list[Study]:
    """Study each song in turn, in this process."""
    return in_turn(lambda folder, part: study_song(folder, settings, part), folders, progress)


def packed(study: Study) -> bytes:
    """Return a study as MessagePack."""
    return msgspec.msgpack.encode(study, enc_hook=_packed_array)


def unpacked(content: bytes) -> Study:
    """Return the study that `packed` made these bytes of."""
    return msgspec.msgpack.decode(content, type=Study, dec_hook=_unpacked_array)


def _packed_array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        plain = np.ascontiguousarray(value)
        return [plain.dtype.str, list(value.shape), plain.tobytes()]
    raise NotImplementedError(f"{type(value)} is not sent")


def _unpacked_array(kind: type, value: Any) -> Any:
    dtype, shape, content = value
    return np.frombuffer(content, dtype=np.dtype(dtype)).reshape(shape).copy()
