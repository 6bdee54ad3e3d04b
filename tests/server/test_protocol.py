"""docs/reference/protocol.md holds: a client written from it alone can do everything."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
from pathlib import Path

import msgpack
import pytest
import soundfile

from analysis_server.server import messages
from tests.server.conftest import ROOT, Running, wait_for
from tests.server.raw_client import RawClient, job_id

PAGE = (ROOT / "docs" / "reference" / "protocol.md").read_text(encoding="utf-8")


def test_hello_agrees_on_the_highest_common_version(server: Running) -> None:
    with RawClient(server.folder) as client:
        answer = client.ask("hello", versions=[1, 7], client="raw")
    assert (answer["type"], answer["version"], answer["pid"]) == ("welcome", 1, server.pid)
    assert answer["limits"]["chunk_bytes"] == 128 * 1024


def test_versions_that_do_not_meet_are_told_clearly(server: Running) -> None:
    with RawClient(server.folder) as client:
        answer = client.ask("hello", versions=[7, 8], client="raw")
        later = client.ask("heartbeat", version=7)
    assert answer["code"] == later["code"] == "version"
    assert "7, 8" in answer["message"]
    assert "version 1" in answer["message"]


def test_a_song_is_predicted(server: Running, songs: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        name = job_id()
        request = {"song": "one", "out": str(tmp_path / "out")}
        request_id = client.tell("predict", job=name, folder=str(songs), request=request)
        accepted = client.hear()
        end, told = client.end_of(request_id)
        assert client.ask("received", job=name)["type"] == "done"
        assert client.ask("job", job=name)["code"] == "unknown_job"
    assert (accepted["type"], accepted["job"], accepted["state"]) == ("accepted", name, "queued")
    assert told
    assert end["type"] == "result"
    assert end["result"]["title"] == "one"
    assert set(end["result"]["median_gain_db"]) == {"drums", "bass", "melody", "vocals"}
    assert json.loads(Path(end["result"]["files"]["automation.json"]).read_text())["title"] == "one"


def test_progress_never_falls_and_has_an_eta(server: Running, long_song: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        request = {"song": str(long_song), "out": str(tmp_path / "gains.npz")}
        _, told = client.end_of(client.tell("estimate", job=job_id(), folder="/", request=request))
    fractions = [message["fraction"] for message in told]
    assert len(fractions) > 3
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0.0
    assert fractions[-1] <= 1.0
    assert all(message["stage"] for message in told)
    assert any(message["eta_s"] is not None and message["eta_s"] >= 0.0 for message in told)


def test_the_same_job_sent_again_is_not_done_again_and_another_one_conflicts(
    server: Running, songs: Path, tmp_path: Path
) -> None:
    name, request = job_id(), {"song": "two", "out": str(tmp_path / "gains.csv")}
    with RawClient(server.folder) as client:
        first, _ = client.end_of(client.tell("estimate", job=name, folder=str(songs), request=request))
        request_id = client.tell("estimate", job=name, folder=str(songs), request=request)
        assert client.hear()["state"] == "finished"
        again, _ = client.end_of(request_id)
        other = client.ask("estimate", job=name, folder=str(songs), request={**request, "preset": "paper"})
    assert again["result"] == first["result"]
    assert again["elapsed_s"] == first["elapsed_s"]
    assert other["code"] == "conflict"


def test_audio_in_chunks(server: Running, songs: Path) -> None:
    with RawClient(server.folder) as client:
        audio = {f"My Song/{path.name}": _sent(client, path.read_bytes()) for path in (songs / "one").iterdir()}
        name = job_id()
        request_id = client.tell("predict", job=name, request={"song": "My Song"}, audio=audio)
        end, _ = client.end_of(request_id)
        assert end["type"] == "result", end
        wave = _fetched(client, name, end["result"]["files"]["mix.wav"])
        assert client.ask("fetch", job=name, file="../audio/My Song/bass.wav", offset=0)["code"] == "upload"
        client.ask("received", job=name)
        assert client.ask("fetch", job=name, file="mix.wav", offset=0)["code"] == "unknown_job"
    assert soundfile.info(io.BytesIO(wave)).duration == pytest.approx(3.0)
    wait_for(lambda: not _files_below(server.folder / "server" / "spool"), 5.0)


def _files_below(folder: Path) -> list[str]:
    """Return the files' names; unlike `rglob`, a walk does not mind that folders go meanwhile."""
    return [name for _, _, names in os.walk(folder) for name in names if name.endswith(".wav")]


def _sent(client: RawClient, content: bytes) -> str:
    name, offset = job_id(), 0
    announced = {"upload": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert client.ask("upload", **announced)["offset"] == 0
    while offset < len(content):
        offset = client.ask("chunk", upload=name, offset=offset, data=content[offset : offset + 131072])["offset"]
    return name


def _fetched(client: RawClient, name: str, file: str) -> bytes:
    content, size = b"", 1
    while len(content) < size:
        piece = client.ask("fetch", job=name, file=file, offset=len(content))
        content, size = content + piece["data"], piece["size"]
    return content


def test_an_upload_goes_on_where_the_server_says(server: Running) -> None:
    content, name = secrets.token_bytes(200_000), job_id()
    digest = hashlib.sha256(content).hexdigest()
    with RawClient(server.folder) as client:
        client.ask("upload", upload=name, size=len(content), sha256=digest)
        assert client.ask("chunk", upload=name, offset=0, data=content[:100_000])["offset"] == 100_000
        assert client.ask("chunk", upload=name, offset=5, data=content[5:10])["offset"] == 100_000
        assert client.ask("upload", upload=name, size=len(content), sha256=digest)["offset"] == 100_000
        assert client.ask("chunk", upload=name, offset=100_000, data=content[100_000:])["offset"] == 200_000


@pytest.mark.parametrize("path", ["../out.wav", "/etc/out.wav", "a\\b.wav", "C:evil.wav", ""])
def test_uploaded_audio_stays_in_its_tree(server: Running, path: str) -> None:
    with RawClient(server.folder) as client:
        upload = _sent(client, b"content")
        answer = client.ask("predict", job=job_id(), request={"song": "x"}, audio={path: upload})
    assert answer["code"] in ("upload", "malformed")


def test_uploads_are_bounded_and_checked(server: Running) -> None:
    with RawClient(server.folder) as client:
        huge = client.ask("upload", upload=job_id(), size=5 << 30, sha256="0" * 64)
        name = job_id()
        client.ask("upload", upload=name, size=3, sha256="0" * 64)
        damaged = client.ask("chunk", upload=name, offset=0, data=b"abc")
        gone = client.ask("chunk", upload=name, offset=0, data=b"abc")
    assert [huge["code"], damaged["code"], gone["code"]] == ["upload"] * 3


@pytest.mark.parametrize(
    ("content", "request_id"),
    [
        (b"", ""),
        (b"\xc1", ""),
        (b"GET / HTTP/1.1", ""),
        (msgpack.packb({"type": "nothing", "id": "5"}), "5"),
        (msgpack.packb({"type": "heartbeat", "id": "6"}), "6"),
        (msgpack.packb({"type": "heartbeat", "id": "7", "version": 1, "more": 2}), "7"),
        (msgpack.packb({"type": "cancel", "id": "8", "version": 1, "job": "../../etc/passwd"}), "8"),
        (b"\x91" * 100_000, ""),
    ],
)
def test_what_is_no_request_is_told_so(server: Running, content: bytes, request_id: str) -> None:
    with RawClient(server.folder) as client:
        client.socket.send(content)
        answer = client.hear()
        assert (answer["code"], answer["id"]) == ("malformed", request_id)
        assert client.ask("heartbeat")["type"] == "alive"


def test_a_request_that_is_not_its_verbs_is_told_so(server: Running, songs: Path) -> None:
    whole, learned = {"song": "one", "out": "g.csv"}, {"songs": ["one"], "model": "m", "dry_run": True}
    with RawClient(server.folder) as client:
        wrong = client.ask("predict", job=job_id(), folder=str(songs), request={"song": 5})
        unknown = client.ask("predict", job=job_id(), folder=str(songs), request={"song": "one", "sing": True})
        nowhere = client.ask("predict", job=job_id(), request={"song": "one"})
        relative = client.ask("predict", job=job_id(), folder="songs", request={"song": "one"})
        preset = client.ask("estimate", job=job_id(), folder=str(songs), request={**whole, "preset": "x"})
        features = client.ask("learn", job=job_id(), folder=str(songs), request={**learned, "features": "x"})
    answers = (wrong, unknown, nowhere, relative, preset, features)
    assert [answer["code"] for answer in answers] == ["request"] * 6
    assert "song" in wrong["message"]


@pytest.mark.parametrize(
    ("folder", "mixdown", "named"),
    [("gone", "mix.wav", "gone"), (".", "a" * 300, "name too long"), (".", "a\0b", "a NUL")],
)
def test_a_place_that_is_none_is_the_users_to_put_right(
    server: Running, songs: Path, folder: str, mixdown: str, named: str
) -> None:
    with RawClient(server.folder) as client:
        request = {"song": "one", "mixdown": mixdown}
        end, _ = client.end_of(client.tell("match", job=job_id(), folder=str(songs / folder), request=request))
    assert (end["type"], end["code"]) == ("error", "input")
    assert named in end["message"]


def test_models_are_listed_shown_exported_imported_and_removed(server: Running, songs: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        request = {"songs": ["one", "two"], "model": "ours"}
        end, _ = client.end_of(client.tell("learn", job=job_id(), folder=str(songs), request=request))
        assert end["result"]["songs"] == ["one", "two"]
        names = [model["name"] for model in client.ask("models", action="list")["models"]]
        shown = client.ask("models", action="show", name="ours")["models"][0]
        client.ask("models", action="export", name="ours", file=str(tmp_path / "ours.json"))
        client.ask("models", action="import", file=str(tmp_path / "ours.json"), name="theirs")
        client.ask("models", action="remove", name="theirs", song="one")
        theirs = client.ask("models", action="show", name="theirs")["models"][0]
        client.ask("models", action="remove", name="theirs")
        missing = client.ask("models", action="show", name="theirs")
    assert {"ours", "equal-level"} <= set(names)
    assert shown["coefficients"] == end["result"]["coefficients"]
    assert theirs["songs"] == ["two"]
    assert missing["code"] == "model"


def test_the_page_names_every_message_field_and_error() -> None:
    for kind in messages.Request.__args__ + messages.Answer.__args__:
        config = kind.__struct_config__
        assert f"`{config.tag}" in PAGE, config.tag
        fields = [field for field in kind.__struct_fields__ if not re.search(rf"\b{field}\b", PAGE)]
        assert not fields, (config.tag, fields)
    described = set(re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]* \|$", PAGE.split("## 9.")[1].split("## 10.")[0], re.M))
    assert described == set(messages.REMEDIES)
