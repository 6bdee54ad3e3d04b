"""`faderwise serve`, and the verbs with and without a server: what comes out is the same."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from analysis_server.cli import main
from analysis_server.commands.serving import address
from analysis_server.server.router import is_loopback
from core.errors import InputError
from tests.server.conftest import faderwise, running, wait_for


def _told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """Run a command with `--json`, and return what it prints."""
    capsys.readouterr()
    code = main([*arguments, "--json"])
    told = capsys.readouterr()
    assert code == 0, told.err
    content: dict[str, object] = json.loads(told.out)
    return content


def test_results_are_the_same_with_and_without_a_server(
    home: Path, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(songs)
    link = tmp_path / "linked"
    link.mkdir()
    for path in (songs / "one").iterdir():
        (link / path.name).symlink_to(path)
    commands = [
        ["learn", "one", "two", "three", "--model", "mine", "--fresh"],
        ["mix", "one", "--model", "mine", "--out", str(tmp_path / "mixed")],
        ["mix", "two", "--dry-run"],
        ["match", str(link), "--out", str(tmp_path / "matched")],
        ["estimate", "three", "--out", str(tmp_path / "gains.csv")],
        ["evaluate", "."],
        ["evaluate", ".", "--preset", "paper", "--features", "condition2"],
        ["evaluate", ".", "--out", str(tmp_path / "tables")],
    ]
    alone = [_told(capsys, *command) for command in commands]
    table = (tmp_path / "tables" / "evaluate.json").read_bytes()
    model = (home / "models" / "mine.json").read_bytes()
    with running(home) as server:
        served = [_told(capsys, *command) for command in commands]
        jobs = (server.folder / "logs" / "server.jsonl").read_text().count('"event": "asked"')
    assert jobs == len(commands), "the server did them all"
    assert served == alone
    assert (tmp_path / "tables" / "evaluate.json").read_bytes() == table
    assert (home / "models" / "mine.json").read_bytes() == model


def test_errors_are_the_same_with_and_without_a_server(
    home: Path, songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(songs)
    commands = [
        ["mix", "nowhere"],
        ["mix", "one", "--model", "unknown"],
        ["match", "one", "--mixdown", "no.wav"],
        ["estimate", "one", "--out", "gains.txt"],
        ["learn", "one", "nowhere", "--model", "x"],
        ["evaluate", "one"],
    ]
    capsys.readouterr()
    alone = [(main(command), capsys.readouterr().err) for command in commands]
    with running(home):
        served = [(main(command), capsys.readouterr().err) for command in commands]
    assert {code for code, _ in alone} == {2}
    assert served == alone


def test_serve_tells_its_state_and_stops(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _told(capsys, "serve", "--status")["running"] is False
    with faderwise(home, "serve") as server:
        assert server.stderr is not None
        assert "serving at tcp://127.0.0.1:" in server.stderr.readline()
        state = _told(capsys, "serve", "--status")
        assert (state["running"], state["pid"]) == (True, server.pid)
        again = faderwise(home, "serve")
        told = again.communicate()[1]
        assert again.returncode == 1
        assert "up already" in told
        assert _told(capsys, "serve", "--stop")["running"] is False
        assert server.wait(10) == 0
    assert _told(capsys, "serve", "--stop")["running"] is False


def test_the_keyboard_stops_serve(home: Path) -> None:
    with faderwise(home, "serve") as server:
        assert server.stderr is not None
        server.stderr.readline()
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 130
    assert not (home / "server" / "connection.json").exists()


def test_an_interrupted_command_cancels_its_job(home: Path, long_song: Path) -> None:
    with running(home) as server, server.client() as client:
        server.wait_until_warm()
        with faderwise(home, "mix", str(long_song), "--dry-run") as mixing:
            wait_for(lambda: client.heartbeat().running == 1, 10.0)
            mixing.send_signal(signal.SIGINT)
            assert mixing.wait(10) == 130
        wait_for(lambda: client.heartbeat().running == 0, 2.0)


def test_an_address_others_can_reach_needs_a_second_word(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--bind", f"127.0.0.1:{'1' * 5000}"]) == 2
    assert "is no HOST or HOST:PORT" in capsys.readouterr().err
    assert main(["serve", "--bind", "0.0.0.0:0"]) == 2
    assert "--expose" in capsys.readouterr().err
    with faderwise(home, "serve", "--bind", "0.0.0.0", "--expose") as server:  # noqa: S104 - for a moment
        assert server.stderr is not None
        warned, up = server.stderr.readline(), server.stderr.readline()
        server.send_signal(signal.SIGINT)
    assert "every machine that reaches this one" in warned
    assert "serving at tcp://0.0.0.0:" in up


def test_serve_stops_when_idle_for_as_long_as_it_was_told(home: Path) -> None:
    with faderwise(home, "serve", "--idle", "0.02") as server:
        assert server.stderr is not None
        server.stderr.readline()
        started_s = time.monotonic()
        assert server.wait(10) == 0
    assert time.monotonic() - started_s > 0.8


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 0),
        ("localhost:5600", "127.0.0.1", 5600),
        ("::1", "::1", 0),
        ("[::1]:80", "::1", 80),
    ],
)
def test_addresses_are_read(text: str, host: str, port: int) -> None:
    assert address(text) == (host, port)
    assert is_loopback(host)


@pytest.mark.parametrize("text", ["", ":80", "host:port", "1.2.3.4:99999", "[::1]x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="HOST"):
        address(text)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example.org", "*"])  # noqa: S104 - none is bound
def test_what_others_can_reach_is_no_loopback(host: str) -> None:
    assert not is_loopback(host)
