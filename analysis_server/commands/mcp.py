"""`faderwise mcp`: the verbs as tools of a Model Context Protocol server over standard input and output.

The tools, their schemas and their descriptions come from the verb table. A call is the verb's request, as in the
server's protocol; its result, or its error, is the object that the command prints with `--json`.
"""

from __future__ import annotations

import json
import threading
import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis_server.commands import options
from analysis_server.terminal import Terminal, finite
from core.errors import Cancelled, FaderwiseError, InputError

if TYPE_CHECKING:
    from mcp import types
    from mcp.server import Server, ServerRequestContext

    from core.progress import ProgressCallback

_PROGRESS_INTERVAL_S = 0.1
_MAX_LOSSES = 1
_MISSING = "install it with: python -m pip install 'faderwise[mcp]'"


def add_mcp(parser: options.Parser) -> None:
    """Add the options of `faderwise mcp`."""
    parser.set_command(_mcp, "mcp")


def _mcp(_arguments: Namespace, terminal: Terminal) -> None:
    try:
        import anyio
        from mcp.server.stdio import stdio_server
    except ImportError as error:
        raise FaderwiseError("the Model Context Protocol SDK (mcp) is missing", remedy=_MISSING) from error
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
    return types.Tool(
        name=name, description=schema.pop("description", None), input_schema={**schema, "$defs": components}
    )


def _call(name: str, arguments: dict[str, Any], progress: ProgressCallback, terminal: Terminal) -> types.CallToolResult:
    """Run a verb, on the analysis server where possible, and return its result or its error."""
    import msgspec
    from mcp import types

    from analysis_server.server.client import perform
    from analysis_server.server.protocol import VERBS, encodable, failure_of

    try:
        if name not in _names():
            raise InputError(f"unknown tool {name!r}", remedy=f"available: {', '.join(_names())}")
        request = _request(VERBS[name].request_type(), arguments)
        result = perform(
            request,
            progress,
            name="mcp",
            folder=Path.cwd(),
            starts=True,
            max_losses=_MAX_LOSSES,
            on_fallback=terminal.warn,
        )
        content, is_error = msgspec.to_builtins(result), False
    except Exception as error:
        content, is_error = {"error": msgspec.to_builtins(failure_of(error))}, True
    content = finite(encodable(content))
    text = types.TextContent(type="text", text=json.dumps(content, ensure_ascii=False))
    return types.CallToolResult(content=[text], structured_content=content, is_error=is_error)


def _request(kind: Any, arguments: dict[str, Any]) -> Any:
    import msgspec

    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"the arguments are not valid: {error}", remedy="see the tool's schema") from error


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
