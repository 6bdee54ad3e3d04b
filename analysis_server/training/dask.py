"""Map songs to the workers of a dask cluster.

A worker is sent a folder's path and settings, and sends back bytes: a song's triangles (a few KiB) for `learn`, its
features and gains (a few KiB a second) for `evaluate`. No audio travels, so every worker must see the songs under
the same paths. Whoever can reach a dask scheduler can run code on it and on its clients; docs/guides/mixing.md
explains how to protect one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from analysis_server.training.songs import (
    LearnedSong,
    LearnSongs,
    SongSettings,
    learned_folder,
    packed,
    unpacked,
)
from core.errors import FaderwiseError, InputError
from core.progress import ProgressCallback

_ANSWER_S = 10.0
_TOLD_EVERY_S = 0.05


def learning_on(address: str) -> LearnSongs:
    """Return a way to learn songs on the cluster whose scheduler listens at `address`."""

    def learn_songs(folders: Sequence[Path], settings: SongSettings, progress: ProgressCallback) -> list[LearnedSong]:
        return [unpacked(answer) for answer in _mapped(address, folders, settings, progress)]

    return learn_songs


def _learned(folder: str, settings: bytes) -> bytes:
    return packed(learned_folder(Path(folder), msgspec.msgpack.decode(settings, type=SongSettings)))


def _mapped(address: str, folders: Sequence[Path], settings: SongSettings, progress: ProgressCallback) -> list[bytes]:
    """Return what was learned from each folder, in order; stops if `progress` raises."""
    client = _connected(address)
    try:
        arguments = msgspec.msgpack.encode(settings)
        futures = [client.submit(_learned, str(folder.resolve()), arguments, pure=False) for folder in folders]
        try:
            _wait(futures, progress)
            return [_answer(future, folder) for future, folder in zip(futures, folders, strict=True)]
        finally:
            client.cancel(futures)
    finally:
        client.close()


def _connected(address: str) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise InputError("dask is not installed", option="--dask", remedy="install faderwise[dask]") from error
    try:
        return Client(address, timeout=_ANSWER_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError(
            f"no dask scheduler answers there ({error})",
            option=f"--dask {address}",
            remedy="start one, or omit the option",
        ) from error


def _wait(futures: Sequence[Any], progress: ProgressCallback) -> None:
    while pending := [future for future in futures if not future.done()]:
        progress(1.0 - len(pending) / len(futures), "Waiting for the cluster")
        time.sleep(_TOLD_EVERY_S)


def _answer(future: Any, folder: Path) -> bytes:
    try:
        answer: bytes = future.result()
    except FaderwiseError:
        raise
    except Exception as error:  # the end of a worker, or any error of a task
        raise FaderwiseError(f"{folder}: the cluster could not do it ({type(error).__name__}: {error})") from error
    return answer
