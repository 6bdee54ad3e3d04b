"""`faderwise serve`, and the commands with and without a server: the results are the same."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from analysis_server.cli import main
from analysis_server.commands.servers import address
from analysis_server.server.server import is_loopback
from core.errors import InputError
from tests.server.conftest import faderwise, running, wait_for


def _result_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """Run a command with `--json`, and return what it prints."""
    capsys.readouterr()
    code = main([*arguments, "--json"])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    content: dict[str, object] = json.loads(printed.out)
    return content


def test_results_are_the_same_with_and_without_a_server(
    home: Path, short_songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(short_songs)
    link = tmp_path / "linked"
    link.mkdir()
    for path in (short_songs / "one").iterdir():
        (link / path.name).symlink_to(path)
    commands = [
        ["learn", "one", "two", "--model", "mine", "--fresh"],
        ["mix", "one", "--model", "mine", "--out", str(tmp_path / "mixed")],
        ["match", str(link), "--out", str(tmp_path / "matched")],
        ["estimate", "three", "--out", str(tmp_path / "gains.csv")],
        ["evaluate", ".", "--preset", "paper", "--features", "condition2"],
    ]
    local = [_result_of(capsys, *command) for command in commands]
    model = (home / "models" / "mine.json").read_bytes()
    with running(home, n_workers=1) as server:
        served = [_result_of(capsys, *command) for command in commands]
    n_jobs = (server.folder / "logs" / "server.jsonl").read_text().count('"event": "finished"')
    assert n_jobs == len(commands), "the server ran all of them"
    assert served == local
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
        ["mix", "caf\udce9"],
    ]
    capsys.readouterr()
    local = [(main(command), capsys.readouterr().err) for command in commands]
    with running(home, n_workers=1):
        served = [(main(command), capsys.readouterr().err) for command in commands]
    assert {code for code, _ in local} == {2}
    assert served == local


def test_serve_reports_its_status_and_stops(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _result_of(capsys, "serve", "--status")["running"] is False
    with faderwise(home, "serve") as server:
        assert server.stderr is not None
        assert "serving at tcp://127.0.0.1:" in server.stderr.readline()
        state = _result_of(capsys, "serve", "--status")
        assert (state["running"], state["answering"], state["pid"]) == (True, True, server.pid)
        again = faderwise(home, "serve")
        again.communicate()
        assert again.returncode == 1
        assert _result_of(capsys, "serve", "--stop")["running"] is False
        assert server.wait(300) == 0
    assert _result_of(capsys, "serve", "--stop")["running"] is False


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot suspend a process with a signal")
def test_status_stop_and_serve_agree_about_a_server_that_hangs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(home, n_workers=1) as server:
        server.child.send_signal(signal.SIGSTOP)
        state = _result_of(capsys, "serve", "--status")
        assert (state["running"], state["answering"], state["pid"]) == (True, False, server.pid)
        assert main(["serve"]) == 1
        assert f"process {server.pid}" in capsys.readouterr().err
        assert _result_of(capsys, "serve", "--stop")["running"] is False
        assert server.child.wait(300) == -signal.SIGKILL
    assert _result_of(capsys, "serve", "--status")["running"] is False


def test_the_keyboard_stops_serve(home: Path) -> None:
    with faderwise(home, "serve") as server:
        assert server.stderr is not None
        server.stderr.readline()
        server.send_signal(signal.SIGINT)
        assert server.wait(300) == 0
        assert "interrupted" not in server.stderr.read()
    assert not (home / "server" / "connection.json").exists()


def test_an_interrupted_command_cancels_its_job(home: Path, long_song: Path) -> None:
    with running(home, n_workers=1) as server, server.client() as client:
        with faderwise(home, "mix", str(long_song), "--dry-run") as mixing:
            wait_for(lambda: client.state().running == 1)
            mixing.send_signal(signal.SIGINT)
            assert mixing.wait(300) == 130
        wait_for(lambda: client.state().running == 0)


@pytest.mark.skipif(os.name == "nt", reason="uses a POSIX signal")
def test_a_command_finishes_in_its_own_process_when_its_server_is_killed(
    home: Path, long_song: Path, tmp_path: Path
) -> None:
    with running(home, n_workers=1) as server, server.client() as client:
        out = tmp_path / "out"
        with faderwise(home, "mix", str(long_song), "--out", str(out)) as mixing:
            wait_for(lambda: client.state().running == 1)
            server.child.kill()
            _, printed = mixing.communicate()
            assert mixing.returncode == 0, printed
    assert "the analysis server was lost" in printed
    assert (out / "mix.wav").is_file()


@pytest.mark.parametrize("text", ["0.0.0.0:0", "192.168.1.2", "[::]:80", "example.org"])
def test_only_loopback_addresses_are_served(home: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--bind", text]) == 2
    assert "--bind" in capsys.readouterr().err
    assert not (home / "server" / "connection.json").exists()


def test_serve_stops_after_its_idle_time(home: Path) -> None:
    with faderwise(home, "serve", "--idle", "0.02") as server:
        assert server.wait(300) == 0


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1", "127.0.0.1", 0),
        ("localhost:5600", "127.0.0.1", 5600),
        ("::1", "::1", 0),
        ("[::1]:80", "::1", 80),
    ],
)
def test_addresses_are_parsed(text: str, host: str, port: int) -> None:
    assert address(text) == (host, port)
    assert is_loopback(host)


@pytest.mark.parametrize("text", ["", ":80", "host:port", "1.2.3.4:99999", "[::1]x", f"127.0.0.1:{'1' * 5000}"])
def test_invalid_addresses_are_refused(text: str) -> None:
    with pytest.raises(InputError) as raised:
        address(text)
    assert raised.value.option == "--bind"
