"""Run a verb's request on the server if one is running, else in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from analysis_server.paths import home
from analysis_server.terminal import Terminal
from core.progress import ProgressCallback

Request = TypeVar("Request")
Result = TypeVar("Result")


def perform(request: Request, here: Callable[[Request, ProgressCallback], Result], terminal: Terminal) -> Result:
    """Return the verb's result for `request`; `here` computes it in this process.

    Raises
    ------
    FaderwiseError
        What the verb raised.
    """
    with terminal.progress() as progress:
        if not (home() / "server" / "connection.json").is_file():
            return here(request, progress)
        from analysis_server.server import client

        result: Result = client.perform(
            request, progress, name="command line", folder=Path.cwd(), starts=False, on_fallback=terminal.warn
        )
        return result
