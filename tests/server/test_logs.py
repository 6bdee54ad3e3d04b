"""The log: JSON lines, rotated, and nothing of the audio but names and durations."""

from __future__ import annotations

import json
from pathlib import Path

from analysis_server.server.logs import Log
from tests.server.conftest import running
from tests.server.raw_client import RawClient, job_id

KNOWN = {"time", "event", "pid", "address", "program", "job", "verb", "song", "cached", "elapsed_s", "code", "reason"}


def test_a_job_leaves_its_name_and_how_long_it_took(songs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home") as server, RawClient(server.folder) as client:
        request = {"song": str(songs / "one"), "out": str(tmp_path / "out")}
        end, _ = client.end_of(client.tell("match", job=job_id(), folder="/", request=request))
        client.end_of(client.tell("match", job=job_id(), folder="/", request={"song": str(tmp_path)}))
        client.ask("shutdown", when="now")
        server.child.wait(5)
    text = (tmp_path / "home" / "logs" / "server.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == ["started", "asked", "done", "asked", "failed", "stopped"]
    assert set().union(*lines) <= KNOWN
    assert lines[1]["song"] == "one"
    assert lines[2]["elapsed_s"] > 0.0
    assert str(songs) not in text
    assert str(end["result"]["fit"]) not in text


def test_the_log_is_rotated(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for number in range(12_000):
        log.write("asked", job="x" * 400, number=number)
    log.close()
    sizes = [path.stat().st_size for path in tmp_path.glob("server.jsonl*")]
    assert len(sizes) == 4
    assert max(sizes) <= 1 << 20
