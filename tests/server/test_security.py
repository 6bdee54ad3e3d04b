"""Key files are private and checked before use; clients without an authorized key get nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import zmq

from analysis_server.paths import private_folder
from analysis_server.server.security import authorized_keys, client_keys, connection_path, read_connection, server_keys
from core.errors import ServerError
from tests.server.conftest import Running, running, wait_for
from tests.server.raw_client import RawClient
from tests.server.strangers import MAX_ANSWER_BYTES, STRANGERS, answer_to, connection_of, is_answered

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has access lists instead of modes")
NOT_KEYS = ["", "x" * 39, "~" * 40, "é" * 40, '"' * 40, "\0" * 40, "#" * 40]


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@posix
@pytest.mark.usefixtures("open_umask")
def test_everything_is_private_with_any_umask(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home, n_workers=1) as server:
        files = [path for path in home.rglob("*") if path.is_file() and path.name != "lock"]
        folders = [home, *(path for path in home.rglob("*") if path.is_dir())]
        assert {path.name for path in files} >= {"client.json", "server.json", "connection.json", "server.jsonl"}
        assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
        assert {path.stat().st_mode & 0o077 for path in files} == {0}
        server.client().close()
    assert {path.stat().st_mode & 0o077 for path in [*home.glob("keys/*.json"), home / "logs" / "server.jsonl"]} == {0}


@posix
def test_an_open_data_folder_is_made_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    client_keys(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@posix
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("name", ["keys", "keys/client.json", "keys/server.json", "server/connection.json"])
def test_files_of_another_user_are_not_used(tmp_path: Path, name: str) -> None:
    with running(tmp_path, n_workers=1):
        pass
    connection_path(tmp_path).write_text("{}")
    os.chown(tmp_path / name, 12345, -1)
    reader: Callable[[Path], object] = read_connection if name.startswith("server/") else authorized_keys
    reader = server_keys if name.endswith("server.json") else reader
    with pytest.raises(ServerError) as raised:
        reader(tmp_path)
    assert raised.value.code == "insecure"
    assert raised.value.path == str(tmp_path / name)
    assert raised.value.remedy


@posix
@pytest.mark.parametrize("mode", [0o644, 0o620])
def test_a_key_that_others_can_read_or_change_is_not_used(tmp_path: Path, mode: int) -> None:
    first = client_keys(tmp_path)
    path = tmp_path / "keys" / "client.json"
    path.chmod(mode)
    with pytest.raises(ServerError) as raised:
        client_keys(tmp_path)
    assert (raised.value.code, raised.value.path) == ("insecure", str(path))
    path.unlink()
    assert client_keys(tmp_path) != first


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def _link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@posix
@pytest.mark.parametrize("make", [_fifo, _folder, _dangling_link, _link_to_device])
def test_only_regular_files_are_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    own = client_keys(tmp_path)
    make(private_folder(tmp_path, "keys", "authorized") / "odd.json")
    problems: list[ServerError] = []
    assert authorized_keys(tmp_path, problems.append) == {own.public}
    assert [problem.path for problem in problems] == [str(tmp_path / "keys" / "authorized" / "odd.json")]
    (tmp_path / "keys" / "client.json").unlink()
    make(tmp_path / "keys" / "client.json")
    with pytest.raises(ServerError):
        client_keys(tmp_path)


@pytest.mark.parametrize("name", ["public", "secret"])
@pytest.mark.parametrize("text", NOT_KEYS)
def test_a_file_without_valid_keys_names_the_remedy(tmp_path: Path, name: str, text: str) -> None:
    server_keys(tmp_path)
    path = tmp_path / "keys" / "server.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), name: text}), "utf-8")
    with pytest.raises(ServerError) as raised:
        server_keys(tmp_path)
    assert (raised.value.code, raised.value.path) == ("insecure", str(path))
    assert raised.value.remedy
    path.unlink()
    assert server_keys(tmp_path) == server_keys(tmp_path)


def test_a_secret_that_belongs_to_another_key_is_invalid(tmp_path: Path) -> None:
    keys = client_keys(tmp_path)
    path = tmp_path / "keys" / "client.json"
    path.write_text(json.dumps({"public": keys.public, "secret": zmq.curve_keypair()[1].decode()}))
    with pytest.raises(ServerError):
        client_keys(tmp_path)


def test_only_valid_authorized_keys_are_listed(tmp_path: Path) -> None:
    further = zmq.curve_keypair()[0].decode()
    folder = private_folder(tmp_path, "keys", "authorized")
    for number, text in enumerate([further, *NOT_KEYS]):
        (folder / f"{number}.json").write_text(json.dumps({"public": text}), "utf-8")
    assert authorized_keys(tmp_path) == {client_keys(tmp_path).public, further}


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b"[" * 100_000])
def test_a_damaged_connection_file_is_unreachable(tmp_path: Path, content: bytes) -> None:
    path = private_folder(tmp_path, "server") / "connection.json"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ServerError) as raised:
        read_connection(tmp_path)
    assert (raised.value.code, raised.value.path) == ("unreachable", str(path))


def test_an_authorized_client_connects_and_is_disconnected_when_its_key_is_deleted(tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server:
        keys = zmq.curve_keypair()
        listed = private_folder(server.folder, "keys", "authorized") / "studio.json"
        listed.write_text(json.dumps({"public": keys[0].decode()}))
        with RawClient(server.folder, keys) as studio, RawClient(server.folder) as own:
            assert studio.ask("state")["type"] == "server"
            assert own.ask("state")["type"] == "server"
            assert _n_connections(server) == 2
            listed.unlink()
            wait_for(lambda: _n_connections(server) < 2, 30.0)
            studio.send("state")
            assert studio.receives_nothing(1.5)
            wait_for(lambda: _is_served(own), 30.0)
        assert not is_answered(connection_of(server.folder), keys, _server_key(server), 1.0)


def _n_connections(server: Running) -> int:
    connections = psutil.Process(server.pid).net_connections("tcp")
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in connections)


def _is_served(client: RawClient) -> bool:
    client.send("state")
    return not client.receives_nothing(1.0)


def _server_key(server: Running) -> bytes:
    return connection_of(server.folder).public_key.encode()


@pytest.mark.parametrize("kind", STRANGERS)
def test_an_unauthorized_client_gets_no_message(server: Running, kind: str) -> None:
    answer = answer_to(STRANGERS[kind](), connection_of(server.folder), 5.0)
    assert len(answer) <= MAX_ANSWER_BYTES
    assert b"type" not in answer


def test_a_wrong_key_gets_no_message(server: Running) -> None:
    connection, keys = connection_of(server.folder), zmq.curve_keypair()
    own = client_keys(server.folder)
    other_server, _ = zmq.curve_keypair()
    assert is_answered(connection, (own.public.encode(), own.secret.encode()), _server_key(server), 30.0)
    assert not is_answered(connection, None, b"", 1.0)
    assert not is_answered(connection, keys, _server_key(server), 1.0)
    assert not is_answered(connection, (own.public.encode(), own.secret.encode()), other_server, 1.0)


def test_too_long_a_message_closes_only_its_connection(server: Running) -> None:
    with RawClient(server.folder) as good, RawClient(server.folder) as bad:
        assert bad.ask("state")["type"] == "server"
        bad.socket.send(b"x" * 262_111)
        assert bad.receive()["code"] == "malformed"
        bad.socket.send(b"x" * 262_112)
        assert bad.receives_nothing(0.5)
        assert good.ask("state")["type"] == "server"
