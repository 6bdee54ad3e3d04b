"""A verb's request, done by the analysis server where one can; else in this process: the result is the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis_server.client.client import Client
from analysis_server.server.fingerprint import fingerprint
from analysis_server.server.verb_table import VERBS, name_of
from analysis_server.telling import Tell
from core.errors import ServerError

_WORKS_WITHOUT = frozenset({"busy", "stopped", "unreachable", "version", "timeout"})
"""Errors of the server that say nothing about the request: it is done here then."""


def perform(
    request: Any,
    tell: Tell,
    *,
    name: str,
    folder: Path,
    starts: bool,
    within: Sequence[str] = (),
    most_losses: int | None = None,
) -> Any:
    """Return the verb's result for `request`.

    Parameters
    ----------
    request : a verb's request.
    tell : is told how far it is; if it raises, the work is cancelled.
    name : who asks, for the server's log.
    folder : relative paths start from it.
    starts : whether to start a server where none is up.
    within : further folders that audio may lie in.
    most_losses : how often a server may be lost before the work is done here; any number of times by default.

    Raises
    ------
    InputError, ModelError, Cancelled
        As the verb itself.
    ServerError
        The server ended the job, and would again.
    """
    try:
        with Client(starts=starts, name=name, most_losses=most_losses) as client:
            if client.hello().fingerprint == fingerprint():
                return client.run(request, folder=folder, within=within, tell=tell)
    except ServerError as error:
        if error.code not in _WORKS_WITHOUT:
            raise
    return VERBS[name_of(request)].run(request, tell)
