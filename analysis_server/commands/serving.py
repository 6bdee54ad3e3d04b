"""Run, query and stop the server."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

import msgspec

from analysis_server.paths import home
from analysis_server.server.client import Client
from analysis_server.server.connection import Connection, ServerLock, read_connection
from analysis_server.server.router import is_loopback, serve
from analysis_server.server.settings import Settings
from analysis_server.terminal import Terminal
from core.errors import InputError, ServerError

_STOP_S = 15.0
_EXPOSED = (
    "listening at {host}: every machine that reaches this one can try to connect. Only clients whose keys lie in "
    "{keys} get in, and those can read and write files as you can."
)


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """What `serve --status` tells."""

    running: bool
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
        _tell_state(terminal)
    elif arguments.stop:
        _stop(terminal)
    else:
        _serve(arguments, terminal)


def _serve(arguments: argparse.Namespace, terminal: Terminal) -> None:
    host, port = address(arguments.bind)
    if not is_loopback(host):
        if not arguments.expose:
            raise InputError(
                f"--bind {host}: is not this machine alone", remedy="add --expose if other machines are to connect"
            )
        terminal.warn(_EXPOSED.format(host=host, keys=home() / "keys" / "authorized"))
    settings = Settings(host=host, port=port, idle_s=60.0 * arguments.idle)

    def tell(connection: Connection) -> None:
        terminal.note(f"serving at {connection.address}; Ctrl-C or `faderwise serve --stop` ends it")

    if not serve(settings, tell, lambda: False):
        raise ServerError("a server is up already; see `faderwise serve --status`", "busy")
    terminal.say("The server has stopped.")


def _tell_state(terminal: Terminal) -> None:
    connection = read_connection(home()) if ServerLock(home()).is_taken() else None
    if connection is None:
        terminal.say("No server is up; one is started when it is needed.")
        terminal.give(ServerState(running=False))
        return
    with Client(starts=False, name="serve --status") as client:
        alive = client.heartbeat()
    terminal.say(f"Faderwise {connection.program} serves at {connection.address}, process {alive.pid},")
    terminal.say(f"for {alive.uptime_s:.0f} s: {alive.workers} workers, {alive.running} jobs run, {alive.queued} wait.")
    terminal.give(
        ServerState(
            running=True,
            address=connection.address,
            pid=alive.pid,
            program=connection.program,
            uptime_s=alive.uptime_s,
            workers=alive.workers,
            running_jobs=alive.running,
            queued_jobs=alive.queued,
        )
    )


def _stop(terminal: Terminal) -> None:
    lock = ServerLock(home())
    if lock.is_taken():
        with Client(starts=False, name="serve --stop") as client:
            client.shutdown("now")
        _wait_for_end(home(), lock)
        terminal.say("The server has stopped.")
    else:
        terminal.say("No server is up.")
    terminal.give(ServerState(running=False))


def _wait_for_end(folder: Path, lock: ServerLock) -> None:
    give_up_s = time.monotonic() + _STOP_S
    while lock.is_taken():
        if time.monotonic() > give_up_s:
            connection = read_connection(folder)
            pid = "" if connection is None else f" {connection.pid}"
            raise ServerError(f"the server does not stop; end its process{pid}")
        time.sleep(0.05)


def address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT``; port 0 is a free one.

    Raises
    ------
    InputError
        The port is no number up to 65535, or there is no host.
    """
    host, bracket, rest = text.removeprefix("[").partition("]") if text.startswith("[") else ("", "", text)
    if bracket:
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not host or not re.fullmatch(r"\d{0,5}", port) or int(port or "0") > 65535:
        raise InputError(f"--bind {text}: is no HOST or HOST:PORT, such as 127.0.0.1:5600")
    return ("127.0.0.1" if host == "localhost" else host), int(port or "0")
