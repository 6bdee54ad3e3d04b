"""What an evaluation found: the songs, the scores and the predicted gains, as tables and figures take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.audio.song import Song
from core.decibels import FloatArray
from core.measuring.measurement import Measurement
from core.modelling.balance import StemLevels, levels_of
from core.modelling.evaluation import EvaluationSong, Scores
from core.modelling.model import TrainingSong


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Songs whose gains are known, and what else predictors and figures need of them, by title."""

    songs: list[EvaluationSong]
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    training: Mapping[str, TrainingSong] = field(default_factory=dict)
    audio: Mapping[str, Song] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    def levels(self) -> dict[str, StemLevels]:
        """Return the stems' levels of every song that was measured, by title."""
        return {title: levels_of(measured) for title, measured in self.measurements.items()}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Everything the tables and figures show: the tested dataset, its scores and the predicted gains."""

    tested: Dataset
    scores: Scores
    predicted: Mapping[str, FloatArray]
