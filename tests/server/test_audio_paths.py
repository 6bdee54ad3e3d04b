"""Audio by path: there, readable, and inside what the client named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.server.conftest import Running
from tests.server.raw_client import Message, RawClient, job_id


def _end(server: Running, kind: str, request: dict[str, object], **fields: object) -> Message:
    with RawClient(server.folder) as client:
        end, _ = client.end_of(client.tell(kind, job=job_id(), folder="/", request=request, **fields))
    return end


def test_a_song_that_is_not_there_is_named(server: Running, tmp_path: Path) -> None:
    end = _end(server, "match", {"song": str(tmp_path / "nowhere")})
    assert end["code"] == "input"
    assert "nowhere" in end["message"]


def test_a_file_that_is_no_audio_is_named(server: Running, songs: Path, tmp_path: Path) -> None:
    shutil.copytree(songs / "one", tmp_path / "one")
    (tmp_path / "one" / "bass.wav").write_bytes(b"no audio")
    end = _end(server, "match", {"song": str(tmp_path / "one")})
    assert end["code"] == "input"
    assert "bass.wav" in end["message"]


def test_links_out_of_the_named_folders_are_not_followed(server: Running, songs: Path, tmp_path: Path) -> None:
    shutil.copytree(songs / "one", tmp_path / "one")
    (tmp_path / "one" / "bass.wav").unlink()
    try:
        (tmp_path / "one" / "bass.wav").symlink_to(songs / "one" / "bass.wav")
    except OSError:
        pytest.skip("this system lets this user make no links")
    request: dict[str, object] = {"song": str(tmp_path / "one"), "out": str(tmp_path / "gains.csv")}
    refused = _end(server, "estimate", request)
    allowed = _end(server, "estimate", request, within=[str(songs / "one")])
    refused_again = _end(server, "estimate", request)
    assert refused["code"] == refused_again["code"] == "outside"
    assert str(songs / "one") in refused["message"]
    assert allowed["type"] == "result"


def test_a_file_named_by_the_client_may_lie_anywhere(server: Running, songs: Path, tmp_path: Path) -> None:
    shutil.copytree(songs / "one", tmp_path / "one")
    shutil.move(tmp_path / "one" / "bass.wav", tmp_path / "low.wav")
    request: dict[str, object] = {
        "song": str(tmp_path / "one"),
        "out": str(tmp_path / "gains.csv"),
        "buses": {"bass": "../low.wav"},
    }
    assert "bass" in _end(server, "estimate", request)["result"]["median_gain_db"]


@pytest.mark.skipif(os.name == "nt", reason="a folder's rights are access lists there")
def test_an_out_folder_that_cannot_be_written_to_is_named(server: Running, songs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    end = _end(server, "predict", {"song": str(songs / "one"), "out": str(tmp_path / "file" / "out")})
    assert end["code"] == "input"
    assert str(tmp_path / "file") in end["message"]
