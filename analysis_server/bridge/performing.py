"""A verb's request, done by the analysis server, which is started if need be; without one, in this process."""

from __future__ import annotations

from typing import Any

from analysis_server.client.client import Client
from analysis_server.home import home
from analysis_server.server.fingerprint import fingerprint
from analysis_server.server.verb_table import VERBS, name_of
from analysis_server.telling import Tell
from core.errors import ServerError

_WORKS_WITHOUT = frozenset({"busy", "stopped", "unreachable", "version", "timeout"})
"""Errors of the server that say nothing about the request: it is done here then."""
MOST_LOSSES = 2


def perform(request: Any, tell: Tell) -> Any:
    """Return the verb's result for `request`, whose paths are absolute.

    A server that is lost is started again, once; if it is lost again the work is done here.

    Raises
    ------
    InputError, ModelError
        As the verb itself.
    ServerError
        The server ended the job, and would again.
    """
    try:
        with Client(name="REAPER", most_losses=MOST_LOSSES) as client:
            if client.hello().fingerprint == fingerprint():
                return client.run(request, folder=home(), tell=tell)
    except ServerError as error:
        if error.code not in _WORKS_WITHOUT:
            raise
    return VERBS[name_of(request)].run(request, tell)
