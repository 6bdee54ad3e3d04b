"""docs/reference/protocol.md is correct: a client written from it alone can do everything."""

from __future__ import annotations

import contextlib
import io
import json
import re
from pathlib import Path

import msgpack
import pytest

from analysis_server.server import protocol
from analysis_server.server.protocol import VERBS, name_of
from core.errors import Cancelled, DiskFullError, FaderwiseError, InputError, ModelError, ServerError
from tests.server.conftest import ROOT, Running
from tests.server.raw_client import RawClient, job_id

PAGE = (ROOT / "docs" / "reference" / "protocol.md").read_text(encoding="utf-8")


def test_hello_chooses_the_highest_common_version(server: Running) -> None:
    with RawClient(server.folder) as client:
        answer = client.ask("hello", versions=[1, 2, 7], client="raw")
    assert (answer["type"], answer["version"], answer["pid"]) == ("welcome", 2, server.pid)
    assert answer["limits"]["message_bytes"] == 256 * 1024
    assert answer["verbs"] == list(VERBS)


def test_a_client_without_a_common_version_gets_the_error_version(server: Running) -> None:
    with RawClient(server.folder) as client:
        answer = client.ask("hello", versions=[7, 8], client="raw")
        later = client.ask("state", version=7)
    assert answer["code"] == later["code"] == "version"
    assert "7, 8" in answer["problem"]


def test_the_client_on_the_page_mixes_a_song(
    server: Running, songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FADERWISE_HOME", str(server.folder))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MySong").symlink_to(songs / "one")
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    printed, names = io.StringIO(), {}
    with contextlib.redirect_stdout(printed):
        exec(source, names)  # noqa: S102 - the page's example
    names["socket"].close()
    assert names["answer"]["type"] == "result", names["answer"]
    assert names["answer"]["result"]["title"] == "one"
    assert "'type': 'welcome'" in printed.getvalue()


def test_a_song_is_mixed(server: Running, songs: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        name = job_id()
        request_id = client.run("mix", {"song": "one", "out": str(tmp_path / "out")}, folder=songs, job=name)
        first = client.receive()
        end, progress = client.end_of(request_id)
        assert client.ask("cancel", job=name)["state"] == "finished"
        assert client.ask("state", job=name)["code"] == "unknown_job"
    assert (first["type"], first["job"], first["state"]) == ("job", name, "queued")
    assert progress
    assert end["type"] == "result"
    assert set(end["result"]["median_gain_db"]) == {"drums", "bass", "melody", "vocals"}
    assert json.loads(Path(end["result"]["files"]["automation.json"]).read_text())["title"] == "one"


def test_progress_never_decreases_and_has_an_estimate(server: Running, long_song: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        request = {"song": str(long_song), "out": str(tmp_path / "gains.npz")}
        _, progress = client.end_of(client.run("estimate", request))
    fractions = [message["fraction"] for message in progress]
    assert len(fractions) > 3
    assert fractions == sorted(fractions)
    assert 0.0 <= fractions[0] <= fractions[-1] <= 1.0
    assert all(message["stage"] for message in progress)
    assert any(message["eta_s"] is not None and message["eta_s"] >= 0.0 for message in progress)


def test_a_repeated_request_attaches_and_a_different_one_conflicts(
    server: Running, songs: Path, tmp_path: Path
) -> None:
    name, request = job_id(), {"song": "two", "out": str(tmp_path / "gains.csv")}
    with RawClient(server.folder) as client:
        first, _ = client.end_of(client.run("estimate", request, folder=songs, job=name))
        request_id = client.run("estimate", request, folder=songs, job=name)
        assert client.receive()["state"] == "finished"
        again, _ = client.end_of(request_id)
        other = client.run("estimate", {**request, "preset": "paper"}, folder=songs, job=name)
        conflict, _ = client.end_of(other)
    assert again["result"] == first["result"]
    assert again["elapsed_s"] == first["elapsed_s"]
    assert conflict["code"] == "conflict"


@pytest.mark.parametrize(
    ("content", "request_id"),
    [
        (b"", ""),
        (b"\xc1", ""),
        (b"GET / HTTP/1.1", ""),
        (msgpack.packb({"type": "nothing", "id": "5"}), "5"),
        (msgpack.packb({"type": "state", "id": "6"}), "6"),
        (msgpack.packb({"type": "state", "id": "7", "version": 2, "more": 2}), "7"),
        (msgpack.packb({"type": "cancel", "id": "8", "version": 2, "job": "../../etc/passwd"}), "8"),
        (msgpack.packb({"type": "cancel", "id": "9", "version": 2, "job": "a" * 16 + "\n"}), "9"),
        (msgpack.packb({"type": "state", "id": "10\n", "version": 2}), "10\n"),
        (b"\x91" * 100_000, ""),
    ],
)
def test_an_invalid_message_gets_the_error_malformed(server: Running, content: bytes, request_id: str) -> None:
    with RawClient(server.folder) as client:
        client.socket.send(content)
        answer = client.receive()
        assert (answer["code"], answer["id"]) == ("malformed", request_id)
        assert client.ask("state")["type"] == "server"


@pytest.mark.parametrize(
    ("verb", "request_"),
    [
        ("mix", {"song": 5}),
        ("mix", {"song": "one", "sing": True}),
        ("mix", []),
        ("estimate", {"song": "one", "out": "g.csv", "preset": "x"}),
        ("learn", {"songs": ["one"], "model": "m", "dry_run": True, "features": "x"}),
        ("dance", {}),
    ],
)
def test_an_invalid_request_of_a_verb_gets_the_error_request(
    server: Running, songs: Path, verb: str, request_: object
) -> None:
    with RawClient(server.folder) as client:
        end, _ = client.end_of(client.run(verb, request_, folder=songs))  # type: ignore[arg-type]
    assert end["code"] == "request"


def test_the_folder_must_be_absolute(server: Running) -> None:
    with RawClient(server.folder) as client:
        assert client.end_of(client.run("mix", {"song": "one"}, folder="songs"))[0]["code"] == "request"


@pytest.mark.parametrize(
    ("folder", "request_"),
    [
        ("gone", {"song": "one"}),
        (".", {"song": "one", "mixdown": "a" * 300}),
        (".", {"song": "one", "mixdown": "a\0b"}),
        (".", {"song": "a\0b"}),
        (".", {"song": "one", "out": "a\0b"}),
        (".", {"song": "one", "mixdown": "/dev/zero"}),
    ],
)
def test_an_impossible_path_is_an_input_error_and_the_worker_survives(
    server: Running, songs: Path, folder: str, request_: dict[str, str]
) -> None:
    workers = {worker.pid for worker in server.workers()}
    with RawClient(server.folder) as client:
        end, _ = client.end_of(client.run("match", request_, folder=songs / folder))
    assert (end["type"], end["code"]) == ("error", "input")
    assert {worker.pid for worker in server.workers()} == workers


@pytest.mark.parametrize(
    "error",
    [
        InputError("wrong", path="/a/b", remedy="change it", option="--bus"),
        ModelError("does not fit", path="m.json", remedy="learn again"),
        DiskFullError("cannot be written", path="/a", remedy="free some space"),
        FaderwiseError("failed", path="/a"),
        Cancelled("the job was cancelled"),
        ServerError("busy", "busy", remedy="later"),
    ],
)
def test_errors_arrive_with_their_class_and_fields(error: FaderwiseError) -> None:
    answer = protocol.error("1", protocol.failure_of(error))
    received = protocol.exception_of(msgpack_round_trip(answer))
    assert type(received) is type(error)
    names = ("problem", "path", "remedy", "option", "code")
    assert [getattr(received, name, None) for name in names] == [getattr(error, name, None) for name in names]


def msgpack_round_trip(answer: protocol.Error) -> protocol.Error:
    import msgspec

    return msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=protocol.Error)


def test_text_that_is_not_unicode_is_escaped() -> None:
    failure = protocol.failure_of(InputError("wrong", path="/songs/caf\udce9"))
    assert failure.path == "/songs/caf\\udce9"
    assert protocol.encodable({"a\udcff": ["b\udcff", 1, None]}) == {"a\\udcff": ["b\\udcff", 1, None]}


def test_every_verb_in_the_table_can_be_imported() -> None:
    for name, verb in VERBS.items():
        kind = verb.request_type()
        assert (kind.__module__, kind.__name__) == (verb.module, verb.request), name
        assert verb.result_type()
    assert name_of(VERBS["mix"].request_type()(song="x")) == "mix"


def test_the_page_describes_every_message_field_error_and_verb() -> None:
    for kind in protocol.Request.__args__ + protocol.Answer.__args__:
        config = kind.__struct_config__
        assert f"`{config.tag}" in PAGE, config.tag
        fields = [field for field in kind.__struct_fields__ if not re.search(rf"\b{field}\b", PAGE)]
        assert not fields, (config.tag, fields)
    codes = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## 7.")[1].split("## 8.")[0], re.M))
    assert codes >= set(protocol.REMEDIES)
    verbs = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## 6.")[1].split("## 7.")[0], re.M))
    assert verbs == {name for name in VERBS if not name.startswith("reaper_")}
