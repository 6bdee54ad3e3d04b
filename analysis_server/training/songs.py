"""Train from song folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from analysis_server.presets import taught
from analysis_server.sources.folder import open_song_folder
from core.analysis.measure import Measurement
from core.decibels import FloatArray
from core.errors import InputError
from core.gains.estimate import Estimate
from core.models.evaluate import EvaluationSong
from core.models.model import TrainingSong
from core.models.train import load_matrices, matrices_song
from core.progress import ProgressCallback, no_progress, part_of

Named = TypeVar("Named")
OfSong = TypeVar("OfSong")


class SongSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a song is learned from: the preset, the feature set, and files that play a role, by role."""

    preset: str
    feature_set: str
    buses: dict[str, str | list[str]] = {}


class LearnedSong(msgspec.Struct, frozen=True, kw_only=True):
    """What a model keeps of a song, and what the user should know of it."""

    song: TrainingSong
    warnings: list[str] = []


LearnSongs = Callable[[Sequence[Path], SongSettings, ProgressCallback], list[LearnedSong]]
"""A way to learn from song folders: in this process, on other machines, or from what was learned before."""


def learned_folder(folder: Path, settings: SongSettings, progress: ProgressCallback = no_progress) -> LearnedSong:
    """Return what a model keeps of the song in `folder`.

    Raises
    ------
    InputError
        The song cannot be read or has no mixdown.
    """
    _, kept, warnings = taught_by(folder, settings, "Learning", progress)
    return LearnedSong(song=kept, warnings=warnings)


def taught_by(
    folder: Path, settings: SongSettings, doing: str, progress: ProgressCallback
) -> tuple[Estimate, TrainingSong, list[str]]:
    """Return the gains of the song in `folder`, what a model keeps of it, and what the user should know of it.

    Raises
    ------
    InputError
        The song cannot be read or has no mixdown.
    """
    song = open_song_folder(str(folder), settings.buses)
    progress = part_of(progress, 0.0, 1.0, f"{doing} {song.title}")
    found, kept = taught(song, settings.preset, settings.feature_set, progress)
    return found, kept, [f"{song.title}: {warning}" for warning in found.warnings]


def one_by_one(folders: Sequence[Path], settings: SongSettings, progress: ProgressCallback) -> list[LearnedSong]:
    """Learn from each song in turn, in this process."""
    return in_turn(lambda folder, part: learned_folder(folder, settings, part), folders, progress)


def in_turn(
    of_song: Callable[[Named, ProgressCallback], OfSong], songs: Sequence[Named], progress: ProgressCallback
) -> list[OfSong]:
    """Return the result of `of_song` for each of `songs`, each with its share of the progress."""
    share = 1.0 / max(len(songs), 1)
    return [of_song(song, part_of(progress, number * share, (number + 1) * share)) for number, song in enumerate(songs)]


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
