"""`faderwise learn`: a model from finished mixes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from analysis_server import model_store
from analysis_server.opening import open_chosen
from analysis_server.outcome import MADE_BY
from analysis_server.telling import Tell, stage, untold
from analysis_server.verbs.estimate import estimated
from analysis_server.verbs.features import feature_set_of
from core.errors import InputError, ModelError
from core.learning import matrices_song, training_song
from core.matrices import load_matrices
from core.model import Model, TrainingSong
from core.song import find_song_folders, holds_stems


class LearnRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Learn from `songs` (SONG_DIRs, DATASET_DIRs, or matrices in an NPZ) and keep the result as `model`.

    Where the model exists already, the songs are added to it; with `fresh` it is learned anew.
    """

    songs: list[str]
    model: str
    preset: str = "default"
    features: str | None = None
    buses: dict[str, str] = {}
    fresh: bool = False
    dry_run: bool = False


class LearnResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned: the model's file, its songs, and its coefficients by bus and feature."""

    model: str
    file: str
    preset: str
    features: str
    learned: list[str]
    songs: list[str]
    coefficients: dict[str, dict[str, float]]
    warnings: list[str]


def run(request: LearnRequest, tell: Tell = untold) -> LearnResult:
    """Learn and write.

    Raises
    ------
    InputError
        A song cannot be read or has no mixdown, or the model exists and is made of other features.
    """
    feature_set = feature_set_of(request.preset, request.features)
    model = _starting_model(request, feature_set)
    songs, warnings = _training_songs(request, feature_set, tell)
    for song in songs:
        model = model.with_song(song)
    file = model_store.path_of(request.model)
    if not request.dry_run:
        model.save(file)
    return LearnResult(
        model=model.name,
        file=str(file),
        preset=model.preset,
        features=model.feature_set,
        learned=[song.title for song in songs],
        songs=[song.title for song in model.songs],
        coefficients=model.named_coefficients(),
        warnings=warnings,
    )


def song_folders(paths: Sequence[str]) -> list[Path]:
    """Return every song folder among `paths`, those inside datasets too.

    Raises
    ------
    InputError
        A path is neither a song's folder nor a folder of songs.
    """
    folders: list[Path] = []
    for path in map(Path, paths):
        folders += [path] if path.is_dir() and holds_stems(path) else find_song_folders(path)
    return folders


def _starting_model(request: LearnRequest, feature_set: str) -> Model:
    file = model_store.path_of(request.model)
    if request.fresh or not file.is_file():
        return Model(name=file.stem, preset=request.preset, feature_set=feature_set, made_by=MADE_BY)
    model = model_store.find(request.model)
    if (model.preset, model.feature_set) != (request.preset, feature_set):
        raise ModelError(
            f"{file}: is made of preset {model.preset}, {model.feature_set}; learn under another name, or with --fresh"
        )
    return model


def _training_songs(request: LearnRequest, feature_set: str, tell: Tell) -> tuple[list[TrainingSong], list[str]]:
    matrices = [path for path in request.songs if path.lower().endswith(".npz")]
    folders = song_folders([path for path in request.songs if path not in matrices])
    songs = [song for path in matrices for song in _from_matrices(Path(path), request.preset, feature_set)]
    warnings: list[str] = []
    for number, folder in enumerate(folders):
        song = open_chosen(str(folder), request.buses)
        share = 1.0 / len(folders)
        progress = stage(tell, f"learning {song.title}", number * share, (number + 1) * share)
        found = estimated(song, request.preset, None, feature_set, progress)
        songs.append(
            training_song(
                song,
                found.measurement,
                found.curves,
                feature_set=feature_set,
                domain=found.domain,
                fit=found.fit,
            )
        )
        warnings += [f"{song.title}: {warning}" for warning in found.warnings]
    _require_unique_titles(songs)
    return songs, warnings


def _from_matrices(path: Path, preset: str, feature_set: str) -> list[TrainingSong]:
    if (preset, feature_set) != ("paper", "condition1"):
        raise InputError(f"{path}: matrices hold the paper's condition 1; use --preset paper --features condition1")
    return [matrices_song(song, path) for song in load_matrices(path)]


def _require_unique_titles(songs: Sequence[TrainingSong]) -> None:
    titles = [song.title for song in songs]
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        raise InputError(f"two songs are called {twice[0]!r}; a model knows songs by their folders' names, rename one")
