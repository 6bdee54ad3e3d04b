"""`faderwise mcp`, through the client of the Model Context Protocol SDK."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import jsonschema
import pytest

from analysis_server.cli import main, parser
from analysis_server.commands.mcp import tools_of
from analysis_server.server.protocol import VERBS
from tests.server.conftest import Running, environment

mcp = pytest.importorskip("mcp", reason="NOT TESTED: the extra mcp is missing; pip install -e '.[test]'")
_RUN = "import sys; from analysis_server.cli import main; sys.exit(main())"


@asynccontextmanager
async def connected(home: Path, folder: Path) -> AsyncIterator[mcp.Client]:
    """Start `faderwise mcp` in `folder`, which uses the server of the data folder `home`."""
    command = mcp.StdioServerParameters(
        command=sys.executable, args=["-c", _RUN, "mcp"], env=environment(home), cwd=folder
    )
    async with mcp.Client(command) as client:
        yield client


def in_client(home: Path, folder: Path, act: Callable[[mcp.Client], Awaitable[object]]) -> object:
    async def run() -> object:
        async with connected(home, folder) as client:
            return await act(client)

    return anyio.run(run)


def printed_by(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    capsys.readouterr()
    main([*words, "--json"])
    printed: dict[str, object] = json.loads(capsys.readouterr().out)
    return printed


def test_every_verb_is_a_tool_with_described_fields(server: Running, tmp_path: Path) -> None:
    async def act(client: mcp.Client) -> list[mcp.types.Tool]:
        return (await client.list_tools()).tools

    tools = in_client(server.folder, tmp_path, act)
    assert isinstance(tools, list)
    names = [name for name in VERBS if not name.startswith("reaper_")]
    assert [tool.name for tool in tools] == ["buses", *names, "models", "runs"]
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        assert tool.input_schema["type"] == "object"
        assert tool.description
        properties = tool.input_schema["properties"]
        assert "rendered" not in properties
        texts = [tool.description, *(field["description"] for field in properties.values())]
        assert all(texts)
        assert not [text for text in texts if "--" in text or "core." in text]
        assert not re.search("delete|remove", tool.description), "no tool deletes"


def test_lists_are_tools_too(server: Running, short_songs: Path, tmp_path: Path) -> None:
    async def act(client: mcp.Client) -> list[mcp.types.CallToolResult]:
        calls = [("buses", {"song": "one"}), ("models", {}), ("models", {"model": "default"}), ("runs", {})]
        return [await client.call_tool(*call) for call in calls]

    answers = in_client(server.folder, short_songs, act)
    assert isinstance(answers, list)
    buses, every_model, model, runs = (answer.structured_content for answer in answers)
    assert {row["bus"] for row in buses["files"]} >= {"drums", "vocals"}
    assert [one["name"] for one in model["models"]] == ["default"]
    assert {"default", "equal-level"} <= {one["name"] for one in every_model["models"]}
    assert runs["runs"] == []


def test_a_call_returns_what_the_command_prints_and_reports_progress(
    server: Running,
    short_songs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fractions: list[float] = []

    async def report(fraction: float, total: float | None, message: str | None) -> None:
        fractions.append(fraction)
        assert total == 1.0
        assert message

    async def act(client: mcp.Client) -> mcp.types.CallToolResult:
        arguments = {"song": "one", "out": str(tmp_path / "gains.csv")}
        return await client.call_tool("estimate", arguments, progress_callback=report)

    answer = in_client(server.folder, short_songs, act)
    assert isinstance(answer, mcp.types.CallToolResult)
    assert not answer.is_error
    monkeypatch.setenv("FADERWISE_HOME", str(server.folder))
    monkeypatch.chdir(short_songs)
    assert answer.structured_content == printed_by(capsys, "estimate", "one", "--out", str(tmp_path / "gains.csv"))
    assert json.loads(answer.content[0].text) == answer.structured_content
    assert (tmp_path / "gains.csv").is_file()
    assert fractions == sorted(set(fractions))
    assert fractions


def test_errors_have_the_fields_that_the_command_prints(
    server: Running, short_songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, dict[str, object]]] = [
        ("mix", {"song": "nowhere"}),
        ("mix", {"song": "one", "model": "unknown"}),
        ("revert", {"target": "one"}),
        ("mix", {"song": 5}),
        ("mix", {"song": "one", "rendered": None}),
        ("mix", {}),
        ("dance", {}),
    ]

    async def act(client: mcp.Client) -> list[mcp.types.CallToolResult]:
        return [await client.call_tool(*call) for call in calls]

    answers = in_client(server.folder, short_songs, act)
    assert isinstance(answers, list)
    assert all(answer.is_error for answer in answers)
    contents = [answer.structured_content for answer in answers]
    monkeypatch.setenv("FADERWISE_HOME", str(server.folder))
    monkeypatch.chdir(short_songs)
    words = [("mix", "nowhere"), ("mix", "one", "--model", "unknown"), ("revert", "one")]
    assert contents[:3] == [printed_by(capsys, *command) for command in words]
    assert [content["error"]["code"] for content in contents] == ["input", "model", "input", *4 * ["request"]]
    assert all(content["error"]["remedy"] for content in contents)


def test_errors_name_fields_instead_of_options(server: Running, short_songs: Path) -> None:
    calls: list[tuple[str, dict[str, object]]] = [
        ("mix", {"song": "one", "depth_percent": 900}),
        ("edit", {"target": "one"}),
        ("compare", {"first": "default", "second": "equal-level"}),
        ("mix", {"song": "one", "existing": "combine"}),
    ]

    async def act(client: mcp.Client) -> list[mcp.types.CallToolResult]:
        return [await client.call_tool(*call) for call in calls]

    answers = in_client(server.folder, short_songs, act)
    assert isinstance(answers, list)
    depth, setting, stems, existing = (answer.structured_content["error"] for answer in answers)
    assert depth["option"] == "depth_percent"
    assert "depth_percent, offset_db or from_prediction" in setting["remedy"]
    assert "on " in stems["remedy"]
    assert existing["option"] == "existing"
    assert "--" not in json.dumps([depth, setting, stems, existing])


@pytest.mark.parametrize(
    ("song", "expected"), [("a.RPP", 'add tracks {"drums": ["3"]}'), ("songs", 'add buses {"drums": ["3"]}')]
)
def test_a_bus_option_in_a_remedy_becomes_its_field(song: str, expected: str) -> None:
    tool = tools_of(parser())["mix"]
    assert tool.with_fields("add --bus drums=3", {"song": song}) == expected
    assert tool.with_fields("add --bus 'drums=3'", {"song": song}) == expected


def test_a_cancelled_call_ends_its_job(server: Running, long_song: Path, tmp_path: Path) -> None:
    async def act(client: mcp.Client) -> None:
        has_started = anyio.Event()

        async def report(_fraction: float, _total: float | None, _message: str | None) -> None:
            has_started.set()

        async def call() -> None:
            await client.call_tool("mix", {"song": str(long_song), "dry_run": True}, progress_callback=report)

        with server.client() as watch:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(call)
                await has_started.wait()
                assert watch.state().running == 1
                tasks.cancel_scope.cancel()
            with anyio.fail_after(60.0):
                while watch.state().running:
                    await anyio.sleep(0.05)
        assert (await client.list_tools()).tools, "the connection is still usable"

    in_client(server.folder, tmp_path, act)


def test_without_the_sdk_the_error_names_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.stdio", None)
    assert main(["mcp"]) == 1
    assert "faderwise[mcp]" in capsys.readouterr().err
