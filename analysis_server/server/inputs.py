"""Which files a request reads, whether it may, and the key under which its result is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from analysis_server import models
from analysis_server.paths import is_project
from analysis_server.server.fingerprint import fingerprint
from analysis_server.server.writing import writing_of
from analysis_server.training.folders import song_folders
from analysis_server.verbs.estimate import EstimateRequest
from analysis_server.verbs.match import MatchRequest
from core.audio.io import EXTENSIONS
from core.errors import ServerError

_WHERE = {"song", "songs", "out", "mixdown", "buses", "dask"}
"""Fields of a request that say where, not what: they are in the key by content."""


@dataclass(frozen=True)
class Inputs:
    """What a request reads.

    Attributes
    ----------
    files : the files by a label that says what each one is for.
    named : the folders and files that the client named.
    is_whole : whether `files` is everything; of a REAPER project it is not, its media lie anywhere.
    """

    files: Mapping[str, Path]
    named: Sequence[Path]
    is_whole: bool = True

    def require_inside(self, within: Sequence[str]) -> None:
        """Raise a `ServerError` if a file, links followed, lies outside what the client named."""
        roots = [path.resolve() for path in (*self.named, *map(Path, within))]
        for path in self.files.values():
            real = path.resolve()
            if not any(real.is_relative_to(root) for root in roots):
                raise ServerError(f"{path}: leads to {real}, outside the folders that were named", code="outside")


def inputs_of(verb: str, request: Any, folder: Path) -> Inputs:
    """Return what `request` reads; relative paths start from `folder`. A named file that is not there is left out.

    Raises
    ------
    InputError, OSError
        A folder cannot be listed.
    """
    if verb in ("predict", "match", "estimate") and is_project(request.song):
        return Inputs({}, [], is_whole=False)
    if verb in ("predict", "match", "estimate"):
        named = _named_of_song(request, folder)
        audio = dict(_song_files("song", folder / request.song))
        chosen = {f"named {label} {path.name}": path for label, path in named.items() if path.is_file()}
        model = {"model": _model_file(request.model, folder)} if verb == "predict" else {}
        everything = {label: path for label, path in {**audio, **chosen, **model}.items() if path.is_file()}
        return Inputs(everything, [folder / request.song, *named.values(), *model.values()])
    if verb == "learn":
        songs = [folder / song for song in request.songs if not is_project(song)]
        return _of_datasets(songs, {role: folder / file for role, file in request.buses.items()})
    sets = [request.dataset, *([request.test_on] if request.test_on else [])]
    return _of_datasets([folder / path for path in sets], {})


def result_key(verb: str, request: Any, inputs: Inputs, hashes: Mapping[str, str]) -> str:
    """Return the key of a result: the same for the same content, settings and program."""
    settings = {name: value for name, value in msgspec.to_builtins(request).items() if name not in _WHERE}
    settings["buses"] = sorted(getattr(request, "buses", {}))
    settings["writes"] = writing_of(request, Path()).kind
    content = sorted((label, hashes[label]) for label in inputs.files)
    return hashlib.sha256(msgspec.msgpack.encode(["result", fingerprint(), verb, settings, content])).hexdigest()


def song_inputs(folder: Path, buses: Mapping[str, str]) -> dict[str, Path]:
    """Return the files of one song to learn from, by label."""
    found = dict(_song_files("song", folder))
    for role, name in buses.items():
        path = folder / name if (folder / name).is_file() else Path(name)
        found[f"named bus {role} {path.name}"] = path
    return found


def song_key(settings: Any, files: Mapping[str, Path], hashes: Mapping[str, str]) -> str:
    """Return the key under which what was learned from one song is kept."""
    content = sorted((label, hashes[label]) for label in files)
    parts = ["song", fingerprint(), settings.preset, settings.feature_set, sorted(settings.buses), content]
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()


def _named_of_song(request: Any, folder: Path) -> dict[str, Path]:
    song = folder / request.song
    named = {f"bus {role}": name for role, name in request.buses.items()}
    if isinstance(request, (MatchRequest, EstimateRequest)) and request.mixdown:
        named["mixdown"] = request.mixdown
    return {label: song / name if (song / name).is_file() else folder / name for label, name in named.items()}


def _song_files(label: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Give every audio file in a song's folder, the ones that will be left out too: the result tells of them."""
    title = folder.resolve().name
    if folder.is_dir():
        for path in folder.iterdir():
            if path.suffix.lower() in EXTENSIONS and not path.name.startswith("."):
                yield f"{label} {title}/{path.name}", path


def _of_datasets(paths: Sequence[Path], buses: Mapping[str, Path]) -> Inputs:
    files: dict[str, Path] = {}
    for number, path in enumerate(paths):
        if path.suffix.lower() == ".npz":
            files[f"matrices {number} {path.name}"] = path
            continue
        for folder in song_folders([str(path)]):
            files |= dict(_song_files(f"dataset {number}", folder))
    return Inputs({label: path for label, path in files.items() if path.is_file()}, [*paths, *buses.values()])


def _model_file(name: str, folder: Path) -> Path:
    path = models.file_of(name)
    return path if path.is_absolute() else folder / path
