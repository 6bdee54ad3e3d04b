"""`faderwise serve` and `mcp`: the analysis server, and the commands as tools of the Model Context Protocol.

The tools of `mcp`, their schemas and their descriptions come from the server's verbs. A call is the verb's request, as
in the server's protocol; its result, or its error, is the object that the command prints with `--json`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from argparse import Namespace
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis_server.commands import options
from analysis_server.paths import home
from analysis_server.terminal import Terminal, finite
from core.errors import Cancelled, FaderwiseError, InputError, ServerError

if TYPE_CHECKING:
    from mcp import types
    from mcp.server import Server, ServerRequestContext

    from analysis_server.server.protocol import ServerState
    from analysis_server.server.security import Connection, ServerLock
    from core.progress import ProgressCallback

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

    if not serve(Settings(host=host, port=port, idle_s=60.0 * arguments.idle), show, lambda: False):
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


# mcp


def add_mcp(parser: options.Parser) -> None:
    """Add the options of `faderwise mcp`."""
    parser.set_command(_mcp, "mcp")


def _mcp(_arguments: Namespace, terminal: Terminal) -> None:
    try:
        import anyio
        from mcp.server.stdio import stdio_server
    except ImportError as error:
        remedy = f"install it with: {sys.executable} -m pip install 'faderwise[mcp]'"
        raise FaderwiseError("the Model Context Protocol SDK (mcp) is missing", remedy=remedy) from error
    server = _server(terminal)

    async def serve() -> None:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    anyio.run(serve)


def _server(terminal: Terminal) -> Server[Any]:
    """Return the server: it lists the verbs, and calls them in threads, so that it remains responsive."""
    import anyio
    from mcp import types
    from mcp.server import Server

    from core import __version__

    async def list_tools(_context: ServerRequestContext[Any], _parameters: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_tool(name) for name in _names()])

    async def call_tool(
        context: ServerRequestContext[Any], parameters: types.CallToolRequestParams
    ) -> types.CallToolResult:
        is_cancelled = threading.Event()

        def report(fraction: float, stage: str) -> None:
            anyio.from_thread.run(context.session.report_progress, fraction, 1.0, stage)

        def call() -> types.CallToolResult:
            progress = _progress(report, is_cancelled)
            return _call(parameters.name, parameters.arguments or {}, progress, terminal)

        try:
            return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
        finally:
            is_cancelled.set()

    return Server("faderwise", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)


def _names() -> list[str]:
    from analysis_server.server.protocol import VERBS

    return [name for name in VERBS if not name.startswith("reaper_")]


def _tool(name: str) -> types.Tool:
    import msgspec
    from mcp import types

    from analysis_server.server.protocol import VERBS

    request = VERBS[name].request_type()
    _, components = msgspec.json.schema_components([request], ref_template="#/$defs/{name}")
    schema = components.pop(request.__name__)
    description = re.split(r"\n\s*\w+\n\s*-{3,}", schema.pop("description", ""))[0].strip()  # without its sections
    return types.Tool(name=name, description=description or None, input_schema={**schema, "$defs": components})


def _call(name: str, arguments: dict[str, Any], progress: ProgressCallback, terminal: Terminal) -> types.CallToolResult:
    """Run a verb, on the analysis server where possible, and return its result or its error."""
    import msgspec
    from mcp import types

    from analysis_server.server.client import perform
    from analysis_server.server.protocol import VERBS, encodable, failure_of

    try:
        if name not in _names():
            raise InputError(f"unknown tool {name!r}", remedy=f"available: {', '.join(_names())}")
        try:
            request = msgspec.convert(arguments, VERBS[name].request_type())
        except msgspec.ValidationError as error:
            raise InputError(f"the arguments are not valid: {error}", remedy="see the tool's schema") from error
        result = perform(
            request,
            progress,
            name="mcp",
            folder=Path.cwd(),
            starts=True,
            max_losses=1,
            on_fallback=terminal.warn,
        )
        content, is_error = msgspec.to_builtins(result), False
    except Exception as error:
        content, is_error = {"error": msgspec.to_builtins(failure_of(error))}, True
    content = finite(encodable(content))
    text = types.TextContent(type="text", text=json.dumps(content, ensure_ascii=False))
    return types.CallToolResult(content=[text], structured_content=content, is_error=is_error)


def _progress(report: Any, is_cancelled: threading.Event) -> ProgressCallback:
    """Return a progress callback that reports increasing fractions at intervals and stops a cancelled call."""
    next_s, last = 0.0, 0.0

    def progress(fraction: float, stage: str = "", /) -> None:
        nonlocal next_s, last
        if is_cancelled.is_set():
            raise Cancelled("the call was cancelled")
        now = time.monotonic()
        if now >= next_s and fraction > last:
            next_s, last = now + _PROGRESS_INTERVAL_S, fraction
            try:
                report(fraction, stage)
            except BaseException as error:  # the call was cancelled, or the client has exited
                raise Cancelled("the call was cancelled") from error

    return progress
