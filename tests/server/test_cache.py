"""What was done before is not done again, and what is kept is what was done."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from analysis_server.server.cache import Cache, Entry, survey
from analysis_server.server.known_files import KnownFiles, let_settle, stamp_of
from analysis_server.verbs import match as match_verb
from analysis_server.verbs.match import MatchRequest
from tests.server.conftest import Running, running
from tests.server.raw_client import Message, RawClient, job_id


def _asked(client: RawClient, kind: str, request: dict[str, Any]) -> tuple[Message, float]:
    """Return the job's end and how long it took."""
    started_s = time.monotonic()
    end, _ = client.end_of(client.tell(kind, job=job_id(), folder="/", request=request))
    assert end["type"] == "result", end
    return end, time.monotonic() - started_s


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("kind", ["predict", "match", "estimate", "learn", "evaluate"])
def test_the_same_request_again_answers_in_under_50_ms(server: Running, songs: Path, tmp_path: Path, kind: str) -> None:
    requests = {
        "predict": {"song": str(songs / "one"), "out": str(tmp_path / "out")},
        "match": {"song": str(songs / "one"), "out": str(tmp_path / "out")},
        "estimate": {"song": str(songs / "one"), "out": str(tmp_path / "gains.npz")},
        "learn": {"songs": [str(songs)], "model": "cached"},
        "evaluate": {"dataset": str(songs)},
    }
    with RawClient(server.folder) as client:
        first, _ = _asked(client, kind, requests[kind])
        again = [_asked(client, kind, requests[kind]) for _ in range(5)]
    assert all(end["result"] == first["result"] for end, _ in again)
    assert sorted(took_s for _, took_s in again)[2] < 0.05


def test_another_folder_gets_the_same_files_from_what_was_kept(server: Running, songs: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        first, _ = _asked(client, "predict", {"song": str(songs / "two"), "out": str(tmp_path / "a")})
        again, _ = _asked(client, "predict", {"song": str(songs / "two"), "out": str(tmp_path / "b")})
    assert (first["cached"], again["cached"]) == (False, True)
    assert _contents(tmp_path / "a") == _contents(tmp_path / "b")
    assert again["result"]["files"]["mix.wav"] == str(tmp_path / "b" / "mix.wav")


def test_another_name_and_another_format_are_what_was_asked_for(server: Running, songs: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        for name in ("first.csv", "second.csv", "first.npz", "third.csv"):
            request = {"song": str(songs / "three"), "out": str(tmp_path / name), "preset": "paper"}
            end, _ = _asked(client, "estimate", request)
            assert end["result"]["out"] == str(tmp_path / name)
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "third.csv").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.csv", "first.npz", "second.csv", "third.csv"]
    with np.load(tmp_path / "first.npz") as arrays:
        assert "gains" in arrays


def test_a_request_that_writes_nothing_is_another_one(server: Running, songs: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        plain, _ = _asked(client, "evaluate", {"dataset": str(songs)})
        drawn, _ = _asked(client, "evaluate", {"dataset": str(songs), "out": str(tmp_path)})
        again, _ = _asked(client, "evaluate", {"dataset": str(songs), "out": str(tmp_path)})
    assert plain["result"]["files"] == []
    assert drawn["result"]["files"] == again["result"]["files"]
    assert {str(path) for path in tmp_path.iterdir()} == set(drawn["result"]["files"])


def test_files_that_were_changed_or_deleted_since_are_put_back(server: Running, songs: Path, tmp_path: Path) -> None:
    request = {"song": str(songs / "two"), "out": str(tmp_path / "a"), "target_lufs": -21.0}
    with RawClient(server.folder) as client:
        _asked(client, "predict", request)
        made = _contents(tmp_path / "a")
        (tmp_path / "a" / "mix.wav").unlink()
        (tmp_path / "a" / "automation.csv").write_text("mine")
        end, _ = _asked(client, "predict", request)
    assert end["cached"]
    now = _contents(tmp_path / "a")
    assert {name: now[name] for name in made} == made
    assert b"mine" in [content for name, content in now.items() if name not in made], "it is set aside, not lost"


def test_the_same_audio_under_another_path_is_known_and_changed_audio_is_not(
    server: Running, songs: Path, tmp_path: Path
) -> None:
    shutil.copytree(songs / "three", tmp_path / "three")
    request = {"song": str(tmp_path / "three"), "out": str(tmp_path / "gains.csv")}
    with RawClient(server.folder) as client:
        _asked(client, "estimate", {"song": str(songs / "three"), "out": str(tmp_path / "a.csv")})
        copied, _ = _asked(client, "estimate", request)
        samples, rate = soundfile.read(tmp_path / "three" / "drums.wav", dtype="int16")
        times = (tmp_path / "three" / "drums.wav").stat()
        soundfile.write(tmp_path / "three" / "drums.wav", samples // 2, rate)
        os.utime(tmp_path / "three" / "drums.wav", ns=(times.st_atime_ns, times.st_mtime_ns))
        changed, _ = _asked(client, "estimate", request)
    assert copied["cached"]
    assert not changed["cached"]
    ratio = changed["result"]["median_gain_db"]["drums"] - copied["result"]["median_gain_db"]["drums"]
    assert ratio == pytest.approx(6.0, abs=1.0)


@pytest.mark.parametrize("damaged", ["entry.msgpack", "gains.csv"])
@pytest.mark.parametrize("how", ["cut", "flipped", "emptied", "deleted"])
def test_a_damaged_entry_is_seen_and_the_work_done_again(
    server: Running, songs: Path, tmp_path: Path, damaged: str, how: str
) -> None:
    request = {"song": str(songs / "two"), "out": str(tmp_path / "gains.csv")}
    with RawClient(server.folder) as client:
        first, _ = _asked(client, "estimate", request)
        good = (tmp_path / "gains.csv").read_bytes()
        for path in (server.folder / "cache" / "entries").glob(f"*/{damaged}"):
            _damage(path, how)
        (tmp_path / "gains.csv").unlink()
        again, _ = _asked(client, "estimate", request)
    assert not again["cached"]
    assert again["result"] == first["result"]
    assert (tmp_path / "gains.csv").read_bytes() == good


def _damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[len(content) // 2] ^= 1
    if how == "deleted":
        path.unlink()
    else:
        path.write_bytes({"cut": content[: len(content) // 2], "emptied": b"", "flipped": bytes(content)}[how])


def test_it_survives_the_servers_end(songs: Path, tmp_path: Path) -> None:
    request = {"song": str(songs / "one"), "out": str(tmp_path / "gains.csv")}
    with running(tmp_path / "home") as server, RawClient(server.folder) as client:
        _asked(client, "estimate", request)
        client.ask("shutdown", when="now")
        server.child.wait(5)
    with running(tmp_path / "home") as server, RawClient(server.folder) as client:
        again = [_asked(client, "estimate", request) for _ in range(3)]
    assert all(end["cached"] for end, _ in again)
    assert min(took_s for _, took_s in again) < 0.05


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 5000)
    for number in range(4):
        _keep(cache, tmp_path / f"made-{number}", f"{number}" * 64, 1000)
        time.sleep(0.01)
    assert cache.find("0" * 64) is not None
    _keep(cache, tmp_path / "made-4", "4" * 64, 1000)
    cache.evict()
    kept = [number for number in range(5) if cache.find(f"{number}" * 64) is not None]
    assert 0 in kept
    assert 4 in kept
    assert 1 not in kept
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 5000


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 1000)
    _keep(cache, tmp_path / "made", "a" * 64, 5000)
    assert cache.find("a" * 64) is None


def _keep(cache: Cache, folder: Path, key: str, size: int) -> Entry:
    folder.mkdir()
    (folder / "file").write_bytes(os.urandom(size))
    entry = survey(folder, {"title": "song"}, known=KnownFiles())
    cache.keep(key, entry)
    return entry


def test_the_servers_cache_stays_in_its_bounds(songs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", cache_bytes=6_000_000) as server, RawClient(server.folder) as client:
        for number in range(8):
            request = {"song": str(songs / "one"), "out": str(tmp_path / "out"), "target_lufs": -20.0 - number}
            _asked(client, "predict", request)
        time.sleep(3.0)
        kept = sum(path.stat().st_size for path in (server.folder / "cache").rglob("*") if path.is_file())
    assert 0 < kept <= 6_000_000


def test_a_hash_is_known_as_long_as_the_file_is_untouched(tmp_path: Path) -> None:
    file, known = tmp_path / "file", KnownFiles()
    file.write_bytes(b"one")
    let_settle()
    first = known.hash_of(file)
    assert known.if_known(file) == first
    stamp = stamp_of(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(stamp.mtime_ns, stamp.mtime_ns))
    assert known.if_known(file) is None
    assert known.hash_of(file) != first
    known.save(tmp_path / "known")
    (tmp_path / "damaged").write_bytes(b"\xc1")
    for saved, count in (("known", 1), ("damaged", 0), ("missing", 0)):
        other = KnownFiles()
        other.load(tmp_path / saved)
        assert len(other.among([file])) <= count


def test_the_same_files_come_out_as_in_this_process(server: Running, songs: Path, tmp_path: Path) -> None:
    with RawClient(server.folder) as client:
        _asked(client, "match", {"song": str(songs / "three"), "out": str(tmp_path / "there")})
    match_verb.run(MatchRequest(song=str(songs / "three"), out=str(tmp_path / "here")))
    for name in ("automation.json", "automation.csv", "mix.wav"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
    with np.load(tmp_path / "here" / "curves.npz") as here, np.load(tmp_path / "there" / "curves.npz") as there:
        assert all(np.array_equal(here[name], there[name], equal_nan=here[name].dtype.kind == "f") for name in here)
