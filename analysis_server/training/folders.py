"""Train from song folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from analysis_server.presets import taught
from analysis_server.sources.folder import open_song_folder
from core.gains.estimate import Estimate
from core.models.model import TrainingSong
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
