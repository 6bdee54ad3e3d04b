"""`faderwise serve`: run, show and stop the analysis server."""

from __future__ import annotations

import os
import re
import signal
import time
from argparse import Namespace
from contextlib import suppress
from typing import TYPE_CHECKING

from analysis_server.commands import options
from analysis_server.paths import home
from analysis_server.terminal import Terminal
from core.errors import InputError, ServerError

if TYPE_CHECKING:
    from analysis_server.server.protocol import ServerState
    from analysis_server.server.security import Connection, ServerLock

_ANSWER_S, _STOP_S, _KILL_S = 3.0, 5.0, 5.0
_HANGS = "does not answer; `faderwise serve --stop` ends it"
_PROGRESS_INTERVAL_S = 0.1
_FIELDS = ("address", "pid", "program", "uptime_s", "workers", "running_jobs", "queued_jobs")
"""What `--status --json` prints in addition to `running` and `answering`; null where it is not known."""


def add_serve(parser: options.Parser) -> None:
    """Add the options of `faderwise serve`."""
    parser.set_command(_serve, "serve", "serve --status", "serve --stop", "serve --bind 127.0.0.1:5600 --idle 0")
    text = "the loopback address to listen at (127.0.0.1)"
    parser.add_argument("--bind", default="127.0.0.1", metavar="HOST[:PORT]", help=text)
    text = "stop after this idle time (default: 30; 0: never)"
    parser.add_argument("--idle", type=options.minutes, default=30.0, metavar="MINUTES", help=text)
    parser.add_argument("--status", action="store_true", help="show whether a server is running, and its jobs")
    parser.add_argument("--stop", action="store_true", help="stop the server")


def _serve(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.status:
        _show_status(terminal)
        return
    if arguments.stop:
        _stop(terminal)
        return
    from analysis_server.server.server import Settings, serve

    host, port = address(arguments.bind)

    def show(connection: Connection) -> None:
        terminal.note(f"serving at {connection.address}; Ctrl-C or `faderwise serve --stop` ends it")

    has_served = True
    with suppress(KeyboardInterrupt):
        has_served = serve(Settings(host=host, port=port, idle_s=60.0 * arguments.idle), show, lambda: False)
    if not has_served:
        process = _process(_lock().holder())
        if _state() is None:
            raise ServerError(f"a server is running{process} that {_HANGS}", "busy")
        raise ServerError(f"a server is already running{process}", "busy", remedy="see `faderwise serve --status`")
    terminal.say("The server has stopped.")


def _show_status(terminal: Terminal) -> None:
    if not _lock().is_taken():
        terminal.say("No server is running; one is started when it is needed.")
        _give(terminal, running=False)
        return
    found = _state()
    if found is None:
        pid = _lock().holder()
        terminal.say(f"A server is running{_process(pid)} that {_HANGS}.")
        _give(terminal, running=True, pid=pid)
        return
    connection, state = found
    terminal.say(f"Faderwise {connection.program} serves at {connection.address}, process {state.pid},")
    terminal.say(
        f"for {state.uptime_s:.0f} s: workers {state.workers}, jobs running {state.running}, waiting {state.queued}."
    )
    _give(
        terminal,
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


def _stop(terminal: Terminal) -> None:
    from analysis_server.server.client import Client

    if not _lock().is_taken():
        terminal.say("No server is running.")
        _give(terminal, running=False)
        return
    pid = _lock().holder()
    with suppress(ServerError), Client(starts=False, name="serve --stop") as client:
        client.shutdown("now", deadline_s=_ANSWER_S)
    if _is_gone(_STOP_S):
        terminal.say("The server has stopped.")
    else:
        _kill(pid)
        terminal.say(f"The server did not answer; its process {pid} was ended.")
    _give(terminal, running=False)


def _give(terminal: Terminal, *, running: bool, answering: bool = False, **known: str | float | None) -> None:
    """Print the result; a server that hangs is running, but not answering."""
    terminal.give({"running": running, "answering": answering, **dict.fromkeys(_FIELDS), **known})


def _kill(pid: int | None) -> None:
    """End the process of a server that hangs; its workers end after it.

    Raises
    ------
    ServerError
        The process is not known, or cannot be ended.
    """
    if pid is None:
        raise ServerError("the server does not stop, and its process is not known", remedy="end it yourself")
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError as error:
        raise ServerError(f"process {pid} of the server cannot be ended ({error.strerror})") from error
    if not _is_gone(_KILL_S):
        raise ServerError(f"process {pid} of the server does not end", remedy="end it yourself")


def _is_gone(within_s: float) -> bool:
    """Wait until no server is running; return whether that happened in time."""
    give_up_s = time.monotonic() + within_s
    while _lock().is_taken():
        if time.monotonic() > give_up_s:
            return False
        time.sleep(0.05)
    return True


def _state() -> tuple[Connection, ServerState] | None:
    """Return where the server listens and what it does, or None if it does not answer."""
    from analysis_server.server.client import Client
    from analysis_server.server.security import read_connection

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


def _lock() -> ServerLock:
    from analysis_server.server.security import ServerLock

    return ServerLock(home())


def _process(pid: int | None) -> str:
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
