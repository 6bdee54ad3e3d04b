"""One job in a worker process: look whether it was done before, do it, put its files where they were asked for.

A verb writes into the job's own folder; only when it is done are its files copied to `out`, each one whole. So a
worker that is killed leaves nothing half-written, and what it made can be kept for the next time.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from analysis_server.server.cache import Cache, CorruptEntryError, Entry, publish, relocated, survey
from analysis_server.server.inputs import Inputs, inputs_of, result_key, song_inputs, song_key
from analysis_server.server.known_files import KnownFiles, stamp_of
from analysis_server.server.pipes import Ended, Task
from analysis_server.server.verb_table import VERBS
from analysis_server.server.writing import Writing, writing_of
from analysis_server.training.folders import LearnedSong, LearnSongs, SongSettings
from analysis_server.verbs.evaluate import TABLE, EvaluateRequest, EvaluateResult, table_text
from core.errors import Cancelled, DiskFullError, InputError, ModelError, ServerError, to_user_error
from core.files import write_text
from core.progress import ProgressCallback

OUT = "{out}"
"""Stands in a kept result for the folder or file that was asked for."""
_FULL = (errno.ENOSPC, errno.EFBIG)


def do(task: Task, cache: Cache, known: KnownFiles, progress: ProgressCallback) -> Ended:
    """Do the job and return its end; every error is one."""
    made = Path(task.staging) / "out"
    try:
        made.mkdir(parents=True, exist_ok=True)
        folder = Path(task.folder or "/") if task.audio is None else _laid_out(task)
        os.chdir(folder)
        result, cached = _result(task, cache, known, progress)
        return Ended(job=task.job, result=msgspec.msgpack.encode(result), cached=cached, title=_title(result))
    except Exception as error:  # a job ends here
        code, message = ending_of(error)
        return Ended(job=task.job, code=code, message=_as_asked(message, task, made))


def answer_from_cache(task: Task, cache: Cache, known: KnownFiles) -> Any | None:
    """Return the result of a job that was done before, its files in place, or None; nothing is read to hash it.

    This is for the server's own process: it changes no current folder.
    """
    if task.verb == "learn" or task.audio is not None:
        return None
    folder = Path(task.folder or "/")
    request = msgspec.msgpack.decode(task.request, type=VERBS[task.verb].request)
    inputs = inputs_of(task.verb, request, folder)
    inputs.require_inside(task.within)
    hashes = {label: known.if_known(path) for label, path in inputs.files.items()}
    if None in hashes.values() or not inputs.is_whole:
        return None
    key = result_key(task.verb, request, inputs, {label: str(content) for label, content in hashes.items()})
    return _found(cache, key, request, folder, known)


def inputs_of_task(task: Task) -> list[Path]:
    """Return the files a task on files that both sides see will read."""
    if task.audio is not None:
        return []
    request = msgspec.msgpack.decode(task.request, type=VERBS[task.verb].request)
    return list(inputs_of(task.verb, request, Path(task.folder or "/")).files.values())


def ending_of(error: BaseException) -> tuple[str, str]:
    """Return the error code and the message of what ended a job."""
    error = to_user_error(error)
    message = " ".join(str(error).split())
    if isinstance(error, Cancelled):
        return "cancelled", "the job was cancelled"
    if isinstance(error, MemoryError) or "cannot allocate memory" in message.lower():
        return "out_of_memory", "the work needed more memory than there is"
    if isinstance(error, OSError) and error.errno in _FULL:
        return "disk_full", f"the disk is full, or a file is too large for it: {message}"
    codes = ((DiskFullError, "disk_full"), (ModelError, "model"), (InputError, "input"))
    for kind, code in codes:
        if isinstance(error, kind):
            return code, message
    if isinstance(error, ServerError):
        return error.code, message
    return "internal", f"internal error ({type(error).__name__}: {message})"


def _result(task: Task, cache: Cache, known: KnownFiles, progress: ProgressCallback) -> tuple[Any, bool]:
    request = msgspec.msgpack.decode(task.request, type=VERBS[task.verb].request)
    inputs = inputs_of(task.verb, request, Path())
    if task.audio is None:
        inputs.require_inside(task.within)
    if task.verb == "learn":
        return msgspec.to_builtins(VERBS["learn"].run(request, progress, _kept_songs(cache, known, task))), False
    if not inputs.is_whole:
        return msgspec.to_builtins(VERBS[task.verb].run(request, progress)), False
    progress(0.0, "looking whether this was done before")
    key = _key(task.verb, request, inputs, known)
    is_uploaded = task.audio is not None
    if not is_uploaded and (found := _found(cache, key, request, Path(), known)) is not None:
        return found, True
    return _made(task, request, inputs, (key, cache, known), progress), False


def _made(
    task: Task, request: Any, inputs: Inputs, keeping: tuple[str, Cache, KnownFiles], progress: ProgressCallback
) -> Any:
    key, cache, known = keeping
    made = Path(task.staging) / "out"
    before = [stamp_of(path) for path in inputs.files.values()]
    writing = writing_of(request, Path())
    staged = writing.staged(request, made)
    result = msgspec.to_builtins(VERBS[task.verb].run(staged, progress))
    if task.audio is not None:
        return relocated(result, str(made), "")
    content = relocated(result, staged.out, OUT) if staged.out else result
    (made / TABLE).unlink(missing_ok=True)
    entry = survey(made, content, known=known)
    progress(1.0, "putting the files in place")
    publish(entry, _targets(writing, Path()), known, lambda: progress(1.0, "putting the files in place"))
    if before == [stamp_of(path) for path in inputs.files.values()]:
        with suppress(OSError, InputError):  # a result that cannot be kept is a result all the same
            cache.keep(key, entry)
    return _placed(request, content, Path())


def _placed(request: Any, content: Any, folder: Path) -> Any:
    """Return a kept result as it was asked for; a table of it names its files, and is written anew."""
    result = relocated(content, OUT, writing_of(request, folder).asked)
    if isinstance(request, EvaluateRequest) and request.out is not None:
        path, text = folder / request.out / TABLE, table_text(msgspec.convert(result, EvaluateResult))
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
    return result


def _found(cache: Cache, key: str, request: Any, folder: Path, known: KnownFiles) -> Any | None:
    entry: Entry | None = cache.find(key)
    if entry is None:
        return None
    try:
        publish(entry, _targets(writing_of(request, folder), folder), known, lambda: None)
    except CorruptEntryError:
        cache.drop(key)
        return None
    return _placed(request, entry.result, folder)


def _key(verb: str, request: Any, inputs: Inputs, known: KnownFiles) -> str:
    return result_key(verb, request, inputs, {label: known.hash_of(path) for label, path in inputs.files.items()})


def _targets(writing: Writing, folder: Path) -> Callable[[str], Path]:
    return lambda name: writing.target(folder, name)


def _as_asked(message: str, task: Task, made: Path) -> str:
    """Return a message that names what was asked for, not where it was made."""
    request = msgspec.msgpack.decode(task.request, type=VERBS[task.verb].request)
    writing = writing_of(request, Path())
    if writing.what == "nothing":
        return message
    return message.replace(writing.staged(request, made).out, writing.asked)


def _kept_songs(cache: Cache, known: KnownFiles, task: Task) -> Callable[[LearnSongs], LearnSongs]:
    """Return what makes a way to learn songs remember them."""

    def remembering(learn_songs: LearnSongs) -> LearnSongs:
        def learned(folders: Sequence[Path], settings: SongSettings, progress: ProgressCallback) -> list[LearnedSong]:
            keys = [_song_key(folder, settings, known) for folder in folders]
            found = [_kept_song(cache, key) for key in keys]
            missing = [folder for folder, song in zip(folders, found, strict=True) if song is None]
            fresh = iter(learn_songs(missing, settings, progress))
            songs = [song or next(fresh) for song in found]
            for number, (key, song) in enumerate(zip(keys, songs, strict=True)):
                if found[number] is None and key == _song_key(folders[number], settings, known):
                    _keep_song(cache, key, song, Path(task.staging) / f"song-{number}")
            return songs

        return learned

    return remembering


def _song_key(folder: Path, settings: SongSettings, known: KnownFiles) -> str:
    files = {label: path for label, path in song_inputs(folder, settings.buses).items() if path.is_file()}
    return song_key(settings, files, {label: known.hash_of(path) for label, path in files.items()})


def _kept_song(cache: Cache, key: str) -> LearnedSong | None:
    entry = cache.find(key)
    return None if entry is None else msgspec.convert(entry.result, LearnedSong)


def _keep_song(cache: Cache, key: str, song: LearnedSong, folder: Path) -> None:
    with suppress(OSError, InputError):
        folder.mkdir()
        cache.keep(key, Entry(folder, msgspec.to_builtins(song), {}))


def _laid_out(task: Task) -> Path:
    """Return a folder in which the uploaded files lie as the client wants them."""
    tree = Path(task.staging) / "audio"
    for name, upload in (task.audio or {}).items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(upload, path)
    return tree


def _title(result: Any) -> str | None:
    title = result.get("title")
    return title if isinstance(title, str) else None
