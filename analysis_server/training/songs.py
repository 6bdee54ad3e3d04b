"""Learn from song folders and training matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from analysis_server.presets import learn_song
from analysis_server.sources.folder import open_song_folder, with_paper_buses
from analysis_server.sources.project import Assigned, assignment_of
from core.analysis.measure import Measurement
from core.audio.song import Song
from core.decibels import FloatArray
from core.errors import InputError
from core.models.evaluate import EvaluationSong
from core.models.model import TrainingSong
from core.models.train import load_matrices, matrices_song
from core.progress import ProgressCallback, no_progress, part_of

Named = TypeVar("Named")
OfSong = TypeVar("OfSong")


class SongSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a song is learned from.

    Attributes
    ----------
    preset, feature_set : what is measured.
    buses : files that play a role, by role.
    paper_buses : whether all buses are merged into the paper's four.
    with_measurement : whether the measurement and the gains are returned as well, as `evaluate` needs them.
    """

    preset: str
    feature_set: str
    buses: dict[str, str | list[str]] = {}
    paper_buses: bool = False
    with_measurement: bool = False

    def open(self, folder: Path) -> Song:
        """Return the song in `folder`.

        Raises
        ------
        InputError
            The song cannot be read.
        """
        song = open_song_folder(str(folder), self.buses)
        return with_paper_buses(song) if self.paper_buses else song


class LearnedSong(msgspec.Struct, frozen=True, kw_only=True):
    """The training data of a song, the bus of each file or track, and notes for the user.

    The measurement and the gains (n_frames, n_buses) are there if `SongSettings.with_measurement` asked for them.
    """

    song: TrainingSong
    warnings: list[str] = []
    assignment: list[Assigned] = []
    measurement: Measurement | None = None
    gains: FloatArray | None = None

    def evaluation_song(self) -> EvaluationSong:
        """Return the song as predictors see it."""
        measured, gains = self.measurement, self.gains
        assert measured is not None and gains is not None  # noqa: S101 - evaluate asks for them
        return EvaluationSong(
            title=measured.title,
            buses=measured.buses,
            features=measured.features,
            gains=gains,
            rms=measured.rms,
        )


LearnSongs = Callable[[Sequence[Path], SongSettings, ProgressCallback], list[LearnedSong]]
"""A way to learn from song folders: in this process, or on other machines."""


def learned_folder(folder: Path, settings: SongSettings, progress: ProgressCallback = no_progress) -> LearnedSong:
    """Return what a model keeps of the song in `folder`.

    Raises
    ------
    InputError
        The song cannot be read or has no mixdown.
    """
    song = settings.open(folder)
    doing = "Estimating" if settings.with_measurement else "Learning"
    progress = part_of(progress, 0.0, 1.0, f"{doing} {song.title}")
    found, kept = learn_song(song, settings.preset, settings.feature_set, progress)
    return LearnedSong(
        song=kept,
        warnings=[f"{song.title}: {warning}" for warning in found.warnings],
        assignment=assignment_of(song, None),
        measurement=replace(found.measurement, gram=None, moments=None) if settings.with_measurement else None,
        gains=found.curves.gains if settings.with_measurement else None,
    )


def one_by_one(folders: Sequence[Path], settings: SongSettings, progress: ProgressCallback) -> list[LearnedSong]:
    """Learn from each song in turn, in this process."""
    return in_turn(lambda folder, part: learned_folder(folder, settings, part), folders, progress)


def in_turn(
    of_song: Callable[[Named, ProgressCallback], OfSong], songs: Sequence[Named], progress: ProgressCallback
) -> list[OfSong]:
    """Return the result of `of_song` for each of `songs`, each with its share of the progress."""
    share = 1.0 / max(len(songs), 1)
    return [of_song(song, part_of(progress, number * share, (number + 1) * share)) for number, song in enumerate(songs)]


def packed(song: LearnedSong) -> bytes:
    """Return a learned song as MessagePack, without loss, for another machine."""
    return msgspec.msgpack.encode(song, enc_hook=_packed_array)


def unpacked(content: bytes) -> LearnedSong:
    """Return the song that `packed` made these bytes of."""
    return msgspec.msgpack.decode(content, type=LearnedSong, dec_hook=_unpacked_array)


def _packed_array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        plain = np.ascontiguousarray(value)
        return [plain.dtype.str, list(plain.shape), plain.tobytes()]
    raise NotImplementedError(f"{type(value)} is not sent")


def _unpacked_array(kind: type, value: Any) -> Any:
    dtype, shape, content = value
    return np.frombuffer(content, dtype=np.dtype(dtype)).reshape(shape).copy()


_HELD = (("paper", "condition1"), ("default", "condition3"))
"""The presets' feature sets that matrices hold: the paper's condition 1, and the levels of condition 3."""


def is_matrices(path: str) -> bool:
    """Return whether `path` names training matrices rather than a folder of songs."""
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
