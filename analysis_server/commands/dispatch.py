"""Run a verb's request on the server if one is up, else in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from analysis_server.paths import home, is_project
from analysis_server.sources.session import SongRequest
from analysis_server.terminal import Terminal
from analysis_server.verbs.learn import LearnRequest
from core.errors import InputError
from core.progress import ProgressCallback

Request = TypeVar("Request")
Result = TypeVar("Result")


def perform(request: Request, here: Callable[[Request, ProgressCallback], Result], terminal: Terminal) -> Result:
    """Return what the verb found for `request`; `here` does it in this process.

    Raises
    ------
    InputError
        As the verb itself.
    ServerError
        The server ended the job, and would again.
    """
    with terminal.progress() as progress:
        if _names_a_project(request) or not (home() / "server" / "connection.json").is_file():
            return here(request, progress)
        from analysis_server.server import client

        within = _linked_folders(request)
        result: Result = client.perform(
            request, progress, name="command line", folder=Path.cwd(), starts=False, within=within
        )
        return result


def _names_a_project(request: object) -> bool:
    """Tell whether a project or a run is among the songs: which files it reads is known only when it is read."""
    if isinstance(request, LearnRequest):
        return request.truth == "edits" or any(map(is_project, request.songs))
    return isinstance(request, SongRequest) and is_project(request.song)


def _linked_folders(request: Any) -> list[str]:
    """Return the folders that links in the song lead to: who typed the command may read them, and so may the server."""
    from analysis_server.server.inputs import inputs_of
    from analysis_server.server.verb_table import name_of

    try:
        files = inputs_of(name_of(request), request, Path.cwd()).files.values()
    except (InputError, OSError):  # the verb says what is wrong with it
        return []
    return sorted({str(path.resolve().parent) for path in files if path.is_symlink()})
