"""Key files: made for their user alone, and refused where they hold no keys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zmq

from analysis_server.server.connection import connection_path, read_connection
from analysis_server.server.keys import authorized_keys, client_keys, server_keys
from core.errors import ServerError

NO_KEYS = ["", "x" * 39, "~" * 40, "é" * 40, '"' * 40, "\0" * 40, "#" * 40]


@pytest.mark.parametrize("name", ["public", "secret"])
@pytest.mark.parametrize("text", NO_KEYS)
def test_a_file_that_holds_no_keys_says_how_to_get_new_ones(tmp_path: Path, name: str, text: str) -> None:
    server_keys(tmp_path)
    path = tmp_path / "keys" / "server.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), name: text}), "utf-8")
    with pytest.raises(ServerError, match=r"server\.json: holds no CURVE key of 40 characters; delete it"):
        server_keys(tmp_path)
    path.unlink()
    assert server_keys(tmp_path) == server_keys(tmp_path)


def test_a_secret_that_belongs_to_another_key_is_none(tmp_path: Path) -> None:
    client_keys(tmp_path)
    path = tmp_path / "keys" / "client.json"
    path.write_text(json.dumps({"public": client_keys(tmp_path).public, "secret": zmq.curve_keypair()[1].decode()}))
    with pytest.raises(ServerError, match="holds no CURVE key"):
        client_keys(tmp_path)


def test_of_further_clients_those_with_a_key_are_listed(tmp_path: Path) -> None:
    further = zmq.curve_keypair()[0].decode()
    (tmp_path / "keys" / "authorized").mkdir(parents=True)
    for number, text in enumerate([further, *NO_KEYS]):
        (tmp_path / "keys" / "authorized" / f"{number}.json").write_text(json.dumps({"public": text}), "utf-8")
    assert authorized_keys(tmp_path) == {client_keys(tmp_path).public, further}


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b"[" * 100_000])
def test_a_damaged_connection_file_stands_for_a_server_that_cannot_be_reached(tmp_path: Path, content: bytes) -> None:
    connection_path(tmp_path).parent.mkdir(parents=True)
    connection_path(tmp_path).write_bytes(content)
    with pytest.raises(ServerError, match=r"connection\.json: is no connection file") as told:
        read_connection(tmp_path)
    assert told.value.code == "unreachable"
