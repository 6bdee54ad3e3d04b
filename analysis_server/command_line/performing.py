"""A verb's request, done by the server where one is up, else in this process: the result is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from analysis_server.command_line.terminal import Terminal
from analysis_server.home import home
from analysis_server.projects.opening import is_project
from analysis_server.telling import Tell
from core.errors import InputError, ServerError

Request = TypeVar("Request")
Result = TypeVar("Result")
_WORKS_WITHOUT = frozenset({"busy", "stopped", "unreachable", "version"})
"""Errors of the server that say nothing about the request: it is done here then."""


def perform(request: Request, here: Callable[[Request, Tell], Result], terminal: Terminal) -> Result:
    """Return what the verb found for `request`; `here` does it in this process.

    Raises
    ------
    InputError
        As the verb itself.
    ServerError
        The server ended the job, and would again.
    """
    with terminal.progress() as progress:
        if not _names_a_project(request) and (home() / "server" / "connection.json").is_file():
            try:
                result: Result | None = _by_server(request, progress)
            except ServerError as error:
                if error.code not in _WORKS_WITHOUT:
                    raise
                result = None
            if result is not None:
                return result
        return here(request, progress)


def _names_a_project(request: Any) -> bool:
    """Tell whether a project or a run is among the songs: which files it reads is known only when it is read."""
    songs = (getattr(request, "song", ""), *getattr(request, "songs", ()))
    return getattr(request, "truth", None) == "edits" or any(is_project(song) for song in songs)


def _by_server(request: Any, tell: Tell) -> Any | None:
    """Return the running server's result, or None if there is none, or it is of another version."""
    from analysis_server.client.client import Client  # noqa: PLC0415 - only where a server may be up
    from analysis_server.server.fingerprint import fingerprint  # noqa: PLC0415

    with Client(starts=False, name="command line") as client:
        if client.hello().fingerprint != fingerprint():
            return None
        return client.run(request, folder=Path.cwd(), within=_linked_folders(request), tell=tell)


def _linked_folders(request: Any) -> list[str]:
    """Return the folders that links in the song lead to: who typed the command may read them, and so may the server."""
    from analysis_server.server.inputs import inputs_of  # noqa: PLC0415
    from analysis_server.server.verb_table import name_of  # noqa: PLC0415

    try:
        files = inputs_of(name_of(request), request, Path.cwd()).files.values()
    except (InputError, OSError):  # the verb says what is wrong with it
        return []
    return sorted({str(path.resolve().parent) for path in files if path.is_symlink()})
