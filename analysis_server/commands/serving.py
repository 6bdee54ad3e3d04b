"""Run, query and stop the server."""

from __future__ import annotations

import argparse
import os
import re
import signal
import time
from contextlib import suppress

import msgspec

from analysis_server.paths import home
from analysis_server.server.client import Client
from analysis_server.server.connection import Connection, ServerLock, read_connection
from analysis_server.server.protocol import ServerState
from analysis_server.server.server import serve
from analysis_server.server.settings import Settings
from analysis_server.terminal import Terminal
from core.errors import InputError, ServerError

_ANSWER_S, _STOP_S, _KILL_S = 3.0, 5.0, 5.0
_HANGS = "does not answer; `faderwise serve --stop` ends it"


class ServerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The result of `serve --status` and `serve --stop`; a server that hangs is running, but not answering."""

    running: bool
    answering: bool = False
    address: str | None = None
    pid: int | None = None
    program: str | None = None
    uptime_s: float | None = None
    workers: int | None = None
    running_jobs: int | None = None
    queued_jobs: int | None = None


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise serve`."""
    if arguments.status:
        _show_status(terminal)
    elif arguments.stop:
        _stop(terminal)
    else:
        _serve(arguments, terminal)


def _serve(arguments: argparse.Namespace, terminal: Terminal) -> None:
    host, port = address(arguments.bind)
    settings = Settings(host=host, port=port, idle_s=60.0 * arguments.idle)

    def show(connection: Connection) -> None:
        terminal.note(f"serving at {connection.address}; Ctrl-C or `faderwise serve --stop` ends it")

    if not serve(settings, show, lambda: False):
        if _state() is None:
            raise ServerError(f"a server is running{_process()} that {_HANGS}", "busy")
        raise ServerError(f"a server is already running{_process()}", "busy", remedy="see `faderwise serve --status`")
    terminal.say("The server has stopped.")


def _show_status(terminal: Terminal) -> None:
    if not ServerLock(home()).is_taken():
        terminal.say("No server is running; one is started when it is needed.")
        terminal.give(ServerStatus(running=False))
        return
    found = _state()
    if found is None:
        terminal.say(f"A server is running{_process()} that {_HANGS}.")
        terminal.give(ServerStatus(running=True, pid=ServerLock(home()).holder()))
        return
    connection, state = found
    terminal.say(f"Faderwise {connection.program} serves at {connection.address}, process {state.pid},")
    terminal.say(
        f"for {state.uptime_s:.0f} s: workers {state.workers}, jobs running {state.running}, waiting {state.queued}."
    )
    terminal.give(
        ServerStatus(
            running=True,
            answering=True,
            address=connection.address,
            pid=state.pid,
            program=connection.program,
            uptime_s=state.uptime_s,
            workers=state.workers,
            running_jobs=state.running,
            queued_jobs=state.queued,
        )
    )


def _stop(terminal: Terminal) -> None:
    if not ServerLock(home()).is_taken():
        terminal.say("No server is running.")
        terminal.give(ServerStatus(running=False))
        return
    pid = ServerLock(home()).holder()
    with suppress(ServerError), Client(starts=False, name="serve --stop") as client:
        client.shutdown("now", deadline_s=_ANSWER_S)
    if _is_gone(_STOP_S):
        terminal.say("The server has stopped.")
    else:
        _kill(pid)
        terminal.say(f"The server did not answer; its process {pid} was ended.")
    terminal.give(ServerStatus(running=False))


def _kill(pid: int | None) -> None:
    """End the process of a server that hangs; its workers end when it is gone.

    Raises
    ------
    ServerError
        The process is not known, or cannot be ended.
    """
    if pid is None:
        raise ServerError("the server does not stop, and its process is not known", remedy="end it by hand")
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError as error:
        raise ServerError(f"process {pid} of the server cannot be ended ({error.strerror})") from error
    if not _is_gone(_KILL_S):
        raise ServerError(f"process {pid} of the server does not end", remedy="end it by hand")


def _is_gone(within_s: float) -> bool:
    """Wait until no server is running; return whether that happened in time."""
    give_up_s = time.monotonic() + within_s
    while ServerLock(home()).is_taken():
        if time.monotonic() > give_up_s:
            return False
        time.sleep(0.05)
    return True


def _state() -> tuple[Connection, ServerState] | None:
    """Return where the server listens and what it does, or None if it does not answer."""
    connection = read_connection(home())
    if connection is None:
        return None
    try:
        with Client(starts=False, name="serve --status") as client:
            return connection, client.state(deadline_s=_ANSWER_S)
    except ServerError as error:
        if error.code in ("timeout", "unreachable"):
            return None
        raise


def _process() -> str:
    pid = ServerLock(home()).holder()
    return "" if pid is None else f" (process {pid})"


def address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT``; port 0 is a free one.

    Raises
    ------
    InputError
        The port is not a number up to 65535, or the host is missing.
    """
    host, bracket, rest = text.removeprefix("[").partition("]") if text.startswith("[") else ("", "", text)
    if bracket:
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not host or not re.fullmatch(r"\d{0,5}", port) or int(port or "0") > 65535:
        raise InputError(
            f"expected HOST or HOST:PORT, got {text!r}", option="--bind", remedy="for example 127.0.0.1:5600"
        )
    return ("127.0.0.1" if host == "localhost" else host), int(port or "0")
