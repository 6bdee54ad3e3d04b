"""The relay between a REAPER action and the server, over a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis_server.reaper import relay, run_job
from core.errors import DiskFullError
from tests.reaper.studio import server_pid, small_session

HEAVY = ("numpy", "scipy", "soundfile", "jinja2", "analysis_server.verbs", "analysis_server.reaper.run_job", "core.rpp")


def write_job(folder: Path, **fields: Any) -> None:
    job = {"version": 1, "action": "A", "verb": "mix", "phase": "plan", "title": "Song", **fields}
    (folder / "job.json").write_text(json.dumps(job))


def answer_in(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text(encoding="utf-8")))


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job folder with a plan of the small session asked for."""
    folder = tmp_path / "job"
    folder.mkdir()
    write_job(folder, project=str(small_session(tmp_path / "session")))
    return folder


def run_relay(folder: Path, home: Path, code: str, lines: str = "") -> str:
    """Run the relay in a separate process, with lines on its standard input; return its output."""
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", f"import sys\nfrom pathlib import Path\n{code}", str(folder)],
        env={**os.environ, "FADERWISE_HOME": str(home)},
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert done.stderr == ""
    return done.stdout


def test_the_relay_loads_neither_numpy_nor_verbs(job: Path, shared_home: Path) -> None:
    code = "from analysis_server.reaper.relay import main\nmain(Path(sys.argv[1]))\nprint(*sys.modules)"
    loaded = run_relay(job, shared_home, code).split()
    assert len(answer_in(job)["plan"]["fields"]) == 4
    assert server_pid(shared_home) is not None
    assert [name for name in loaded if name.startswith(HEAVY)] == []


def test_each_line_runs_the_phase_in_the_job_file(job: Path, shared_home: Path) -> None:
    code = "from analysis_server.reaper import relay\nn = 0\nanswer = relay.answer\n"
    code += "def counted(*arguments):\n    global n\n    n += 1\n    answer(*arguments)\n"
    code += "relay.answer = counted\nrelay.main(Path(sys.argv[1]))\nprint(n)"
    assert run_relay(job, shared_home, code, "again\nagain\n").split() == ["3"]


def test_an_error_has_its_fields(job: Path, shared_home: Path) -> None:
    project = json.loads((job / "job.json").read_text())["project"]
    write_job(job, project=project, verb="revert", phase="do", run=1)
    run_relay(job, shared_home, "from analysis_server.reaper.relay import main\nmain(Path(sys.argv[1]))")
    error = answer_in(job)["error"]
    assert error["code"] == "input"
    assert error["path"] == project
    assert error["problem"]


def test_without_a_server_the_work_is_done_here(job: Path) -> None:
    relay.answer(job, client=None)
    assert len(answer_in(job)["plan"]["fields"]) == 4


def test_an_error_after_the_answer_is_reported_next_to_it(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(request: run_job.ReaperRequest, _progress: object) -> None:
        (Path(request.folder) / "result.json").write_text('{"do": {}}')
        raise DiskFullError("the disk is full", path="/runs/1", remedy="free some space")

    monkeypatch.setattr(run_job, "run", no_room)
    relay.answer(job, client=None)
    assert answer_in(job) == {"do": {}}
    error = json.loads((job / "report_error.json").read_text())["error"]
    assert (error["code"], error["path"], error["remedy"]) == ("disk_full", "/runs/1", "free some space")
