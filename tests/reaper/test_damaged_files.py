"""Files that the bridge and the application leave for each other, damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from analysis_server.doctor import examine_place
from analysis_server.reaper.__main__ import main
from analysis_server.reaper.job_file import JobFile, read_job
from analysis_server.reaper.run_job import do
from analysis_server.verbs import mix
from core.errors import InputError
from core.progress import no_progress
from core.rpp.buses import find_buses
from core.rpp.project import read_project
from tests.reaper.studio import ROOT, small_session

SOUND = {"action": "Auto-mix buses", "title": "Song", "phase": "do", "before": {}}


def inside(folder: Path, code: str) -> list[str]:
    """Run code with the bridge's modules that need no REAPER; return the lines it prints."""
    scripts = folder / "scripts"
    if not scripts.is_dir():
        shutil.copytree(ROOT / "reaper_scripts", scripts)
    head = f"import sys; sys.path.insert(0, {str(scripts)!r}); from pathlib import Path; from faderwise_bridge import "
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", head + code], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("content", [b'{"version": 1, "action": "\xff"}', b"[" * 100_000, b'{"version": 1}'])
def test_a_job_that_is_none_is_refused_whatever_its_bytes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "job.json").write_bytes(content)
    with pytest.raises(InputError, match="is no job of this version"):
        read_job(tmp_path)


def test_of_the_jobs_that_were_left_the_damaged_ones_are_removed(tmp_path: Path) -> None:
    damage = [{"phase": True}, {"phase": ["do"]}, {"phase": "../x"}, {"before": 0.5}, {"title": None}]
    left = [json.dumps({**SOUND, **changed}).encode() for changed in ({}, *damage)]
    for number, content in enumerate([*left, b"[" * 100_000, b"\xff"]):
        (tmp_path / "jobs" / str(number)).mkdir(parents=True)
        (tmp_path / "jobs" / str(number) / "job.json").write_bytes(content)
    told = inside(tmp_path, f"job; print(*(one.folder.name for one in job.left_jobs(Path({str(tmp_path)!r}))))")
    assert told == ["0"]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["0"]


def test_a_job_that_there_is_no_room_to_cancel_stops_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(SOUND), "utf-8")
    code = f"job; one = job.job_in(Path({str(tmp_path)!r}))\n"
    code += "def full(_path): raise OSError(28, 'No space left on device')\n"
    code += "job.Path.touch = full\none.cancel(); print(sorted(path.name for path in one.folder.iterdir()))"
    assert inside(tmp_path, code) == ["['scripts']"]


@pytest.mark.parametrize(
    "place",
    ['{"python": "' + "a" * 5000 + '"}', '{"home": "a\\u0000"}', '{"home": "~nobody-of-that-name"}', "[" * 100_000],
)
def test_a_place_that_is_none_says_how_to_install(tmp_path: Path, place: str) -> None:
    shutil.copytree(ROOT / "reaper_scripts", tmp_path / "scripts")
    file = tmp_path / "scripts" / "faderwise_application.json"
    file.write_text(place, encoding="utf-8")
    code = "application, trouble\ntry:\n    application.find()\nexcept trouble.Trouble as told:\n    print(told)"
    environment = "import os; os.environ['FADERWISE_HOME'] = '/none'\n"
    (line,) = inside(tmp_path, code.replace("\n", f"\n{environment}", 1))
    assert "not installed" in line
    assert "install.py" in line
    assert examine_place(file).remedy


def asked(tmp_path: Path, **changed: Any) -> JobFile:
    project = small_session(tmp_path / "session")
    return JobFile(
        **{
            "version": 1,
            "action": "Auto-mix buses",
            "verb": "mix",
            "phase": "do",
            "title": "Song",
            "project": str(project),
            "span_s": (0.0, 1.0),
            **changed,
        }
    )


def test_a_loudness_that_is_none_is_told_with_where_it_is_set(tmp_path: Path) -> None:
    job = asked(tmp_path, settings={"target_lufs": "-14 LUFS"})
    with pytest.raises(InputError, match="the loudness '-14 LUFS' is no number; correct it in Settings"):
        do(job, tmp_path, no_progress)


@pytest.mark.parametrize("loudness", ["nan", "inf", "-1e308"])
def test_a_loudness_that_no_mix_has_is_refused(tmp_path: Path, loudness: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "analysis_server.reaper.run_job.perform", lambda request, progress, **_: mix.run(request, progress)
    )
    with pytest.raises(InputError, match="is no loudness between -70 and 0 LUFS"):
        do(asked(tmp_path, settings={"target_lufs": loudness}), tmp_path, no_progress)


def test_the_longest_title_leaves_room_for_a_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "home"))
    requests = []

    def kept(request: mix.MixRequest, _tell: object, **_options: object) -> None:
        requests.append(request)
        raise InputError("enough")

    monkeypatch.setattr("analysis_server.reaper.run_job.perform", kept)
    with pytest.raises(InputError, match="enough"):
        do(asked(tmp_path, title="名" * 80), tmp_path, no_progress)
    Path(str(requests[0].out)).mkdir(parents=True)


def test_a_path_that_no_file_can_have_is_answered_with_a_sentence(tmp_path: Path) -> None:
    job = asked(tmp_path, phase="plan", project="a\0b")
    (tmp_path / "job.json").write_bytes(msgspec.json.encode(job))
    assert main(tmp_path) == 1
    error = json.loads((tmp_path / "result.json").read_bytes())["error"]
    assert error["code"] == "input"
    assert error["message"].startswith("A path holds a NUL")


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on files' sizes stands in for a full disk")
def test_an_answer_that_the_disk_has_no_room_for_is_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}", "utf-8")
    code = "import resource, signal, sys; from pathlib import Path; from analysis_server.reaper.__main__ import main; "
    code += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); "
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", f"{code}sys.exit(main(Path({str(tmp_path)!r})))"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("its answer cannot be written: ")


def test_a_bus_without_a_track_is_refused(tmp_path: Path) -> None:
    project = read_project(small_session(tmp_path / "session"))
    with pytest.raises(InputError, match="no track was chosen for the bass"):
        find_buses(project, {"drums": ["1"], "bass": []})
