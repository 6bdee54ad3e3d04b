"""`faderwise mcp`: the commands as tools of the Model Context Protocol.

A tool's arguments are the fields of its command's request, of a verb as in the server's protocol, with the descriptions
of the command line's help. Its result, or its error, is the object that the command prints with `--json`; errors name
fields instead of options.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis_server import models
from analysis_server.commands import options
from analysis_server.paths import is_project
from analysis_server.terminal import Terminal, presented
from core.errors import Cancelled, FaderwiseError, ServerError

if TYPE_CHECKING:
    from mcp import types
    from mcp.server import Server, ServerRequestContext

    from core.progress import ProgressCallback

_PROGRESS_INTERVAL_S = 0.1
_INTERNAL = ("rendered",)
"""Fields that only REAPER's actions use."""
_DESCRIPTIONS = {
    "buses": 'of a song folder: the files of each bus, such as {"vocals": ["lead.wav"]}; "none" leaves files out',
    "tracks": 'of a project: the tracks of each bus, by name or number, such as {"vocals": ["12"]}; as in buses',
    "only": "of a project: the tracks to work on, by name, number or range such as 5-9; no others are changed",
    "range_s": "only this part: its start and end in seconds",
    "ignore_s": "passages, each a start and an end in seconds, in which the prediction is ignored",
}
"""Descriptions of fields whose option has another form."""
_EXACT = ("learn", "estimate", "features", "evaluate", "models")
"""Tools whose numbers are not rounded, as those of `analysis_server.commands.learning`."""
_LISTS = {
    "models": ("model", "List the stored models with what they have learned, or show one."),
    "runs": ("out_dir", "List the runs whose reports, mixes and sounds are stored."),
}
"""Tools that list what is stored: their optional field, and what they do of their command."""


def add_mcp(parser: options.Parser) -> None:
    """Add the options of `faderwise mcp`."""
    parser.set_command(_mcp, "mcp")


def _mcp(arguments: Namespace, terminal: Terminal) -> None:
    try:
        import anyio
        from mcp.server.stdio import stdio_server
    except ImportError as error:
        remedy = f"install it with: {sys.executable} -m pip install 'faderwise[mcp]'"
        raise FaderwiseError("the Model Context Protocol SDK (mcp) is missing", remedy=remedy) from error
    server = _server(tools_of(arguments.parser_of_all()), terminal)

    async def serve() -> None:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    anyio.run(serve)


def _server(tools: Mapping[str, Tool], terminal: Terminal) -> Server[Any]:
    """Return the server: it lists the verbs, and calls them in threads, so that it remains responsive."""
    import anyio
    from mcp import types
    from mcp.server import Server

    from core import __version__

    async def list_tools(_context: ServerRequestContext[Any], _parameters: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[tool.listed for tool in tools.values()])

    async def call_tool(
        context: ServerRequestContext[Any], parameters: types.CallToolRequestParams
    ) -> types.CallToolResult:
        is_cancelled = threading.Event()

        def report(fraction: float, stage: str) -> None:
            anyio.from_thread.run(context.session.report_progress, fraction, 1.0, stage)

        def call() -> types.CallToolResult:
            progress = _progress(report, is_cancelled)
            return _call(tools, parameters.name, parameters.arguments or {}, progress, terminal)

        try:
            return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
        finally:
            is_cancelled.set()

    return Server("faderwise", version=__version__, on_list_tools=list_tools, on_call_tool=call_tool)


def tools_of(parser: argparse.ArgumentParser) -> dict[str, Tool]:
    """Return the commands of the program's parser that are tools."""
    from analysis_server.server.protocol import VERBS

    names = ["buses", *(name for name in VERBS if not name.startswith("reaper_")), "models", "runs"]
    return {name: Tool(name, _choices(parser)[name]) for name in names}


def _choices(parser: argparse.ArgumentParser) -> Mapping[str, options.Parser]:
    found = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return found[0] if found else {}


@dataclass(frozen=True)
class Tool:
    """A command as a tool."""

    name: str
    parser: options.Parser

    @cached_property
    def request_type(self) -> type[Any]:
        """The struct of the arguments."""
        import msgspec

        from analysis_server.server.protocol import VERBS
        from analysis_server.verbs.buses import BusesRequest

        if self.name in _LISTS:
            fields = [(_LISTS[self.name][0], str | None, None)]
            return msgspec.defstruct(self.name, fields, frozen=True, kw_only=True, forbid_unknown_fields=True)
        return BusesRequest if self.name == "buses" else VERBS[self.name].request_type()

    @cached_property
    def _actions(self) -> list[argparse.Action]:
        return [action for one in (self.parser, *_choices(self.parser).values()) for action in one._actions]

    @cached_property
    def listed(self) -> types.Tool:
        """The tool as clients see it."""
        import msgspec
        from mcp import types

        request = self.request_type
        _, components = msgspec.json.schema_components([request], ref_template="#/$defs/{name}")
        schema = components.pop(request.__name__)
        schema.pop("description", None)
        properties = {name: field for name, field in schema["properties"].items() if name not in _INTERNAL}
        for name, field in properties.items():
            field["description"] = self._description(name)
        used = json.dumps(properties)
        schema |= {"properties": properties, "$defs": {name: one for name, one in components.items() if name in used}}
        description = _LISTS[self.name][1] if self.name in _LISTS else self.parser.description
        return types.Tool(name=self.name, description=description, input_schema=schema)

    def _description(self, field: str) -> str:
        if field in _DESCRIPTIONS:
            return _DESCRIPTIONS[field]
        action = next(action for action in self._actions if action.dest == field and action.help)
        text = (action.help or "").replace("%%", "%").removesuffix(" (may be repeated)")
        text = f"false: {text}" if action.const is False else text
        return self.with_fields(f"by bus: {text}" if field in ("offset_db", "ride_percent") else text)

    def with_fields(self, text: str, arguments: Mapping[str, Any] | None = None) -> str:
        """Return a message in which the options are replaced by the fields of the request, named as in `arguments`."""
        songs = [song for song in (arguments or {}).values() if isinstance(song, str) and is_project(song)]
        bus = "tracks" if songs and "tracks" in self.request_type.__struct_fields__ else "buses"
        fields = {option: action.dest for action in self._actions for option in action.option_strings}
        fields["--bus"] = bus

        def chosen(found: re.Match[str]) -> str:
            role, _, name = (found[1] or found[2]).partition("=")
            return f"{bus} {json.dumps({role: [name]}, ensure_ascii=False)}"

        text = re.sub(r"(?:see )?`?faderwise [a-z]+ --help`?", "see the tool's schema", text)
        text = re.sub(r"--bus (?:'([^']+=[^']+)'|([^\s,;']+=[^\s,;]+))", chosen, text)
        return re.sub(r"--[a-z][a-z-]*", lambda found: fields.get(found[0], found[0]), text)

    def result(self, arguments: Mapping[str, Any], progress: ProgressCallback, terminal: Terminal) -> Any:
        """Run the command, a verb on the analysis server where possible, and return its result."""
        import msgspec

        from analysis_server.commands import history, learning
        from analysis_server.server.client import perform
        from analysis_server.verbs import buses

        try:
            if internal := next((name for name in _INTERNAL if name in arguments), None):
                raise msgspec.ValidationError(f"Object contains unknown field `{internal}`")
            request = msgspec.convert(arguments, self.request_type)
        except msgspec.ValidationError as error:
            problem = f"the arguments are not valid: {error}"
            raise ServerError(problem, "request", remedy="see the tool's schema") from error
        if self.name == "buses":
            return buses.run(request)
        if self.name == "models":
            return learning.stored_models([request.model] if request.model else models.names())
        if self.name == "runs":
            return history.stored_runs(request.out_dir)
        return perform(
            request,
            progress,
            name="mcp",
            folder=Path.cwd(),
            starts=True,
            max_losses=1,
            on_fallback=terminal.warn,
        )


def _call(
    tools: Mapping[str, Tool],
    name: str,
    arguments: dict[str, Any],
    progress: ProgressCallback,
    terminal: Terminal,
) -> types.CallToolResult:
    """Return the result or the error of a call."""
    import msgspec
    from mcp import types

    from analysis_server.server.protocol import encodable, failure_of

    tool = tools.get(name)
    try:
        if tool is None:
            raise ServerError(f"unknown tool {name!r}", "request", remedy=f"available: {', '.join(tools)}")
        content, is_error = msgspec.to_builtins(tool.result(arguments, progress, terminal)), False
    except Exception as error:
        fields = msgspec.to_builtins(failure_of(error))
        if tool is not None:
            texts = {key: fields[key] for key in ("problem", "remedy", "option") if fields[key]}
            fields |= {key: tool.with_fields(text, arguments) for key, text in texts.items()}
        content, is_error = {"error": fields}, True
    content = presented(encodable(content), exact=name in _EXACT)
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
