"""The log records events, not audio, paths or results, and is rotated."""

from __future__ import annotations

import json
from pathlib import Path

from analysis_server.server.jobs import Log
from tests.server.conftest import running
from tests.server.raw_client import RawClient

FIELDS = {"time", "event", "pid", "address", "program", "job", "verb", "elapsed_s", "code"}


def test_the_log_records_jobs_without_their_content(songs: Path, tmp_path: Path) -> None:
    with running(tmp_path / "home", n_workers=1) as server, RawClient(server.folder) as client:
        client.end_of(client.run("match", {"song": str(songs / "one"), "out": str(tmp_path / "out")}))
        client.end_of(client.run("match", {"song": str(tmp_path / "nowhere")}))
        client.ask("shutdown", when="now")
        server.child.wait(300)
    text = (tmp_path / "home" / "logs" / "server.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines] == ["started", "queued", "finished", "queued", "failed", "stopped"]
    assert set().union(*lines) <= FIELDS
    assert lines[2]["elapsed_s"] > 0.0
    assert str(songs) not in text


def test_the_log_is_rotated(tmp_path: Path) -> None:
    log = Log(tmp_path)
    for number in range(12_000):
        log.write("queued", job="x" * 400, number=number)
    log.close()
    sizes = [path.stat().st_size for path in tmp_path.glob("logs/server.jsonl*")]
    assert len(sizes) == 4
    assert max(sizes) <= 1 << 20
