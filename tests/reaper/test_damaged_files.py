"""Damaged files between the bridge and the application."""

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
from analysis_server.reaper import relay, run_job
from analysis_server.reaper.job_file import JobFile, read_job
from analysis_server.verbs import mix
from core.errors import InputError
from core.rpp.buses import find_buses
from core.rpp.project import read_project
from tests.expected_errors import raises_error
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
def test_a_damaged_job_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "job.json").write_bytes(content)
    with raises_error(path="job.json"):
        read_job(tmp_path)


def test_damaged_jobs_are_removed(tmp_path: Path) -> None:
    damage = [{"phase": True}, {"phase": ["do"]}, {"phase": "../x"}, {"before": 0.5}, {"title": None}]
    left = [json.dumps({**SOUND, **changed}).encode() for changed in ({}, *damage)]
    for number, content in enumerate([*left, b"[" * 100_000, b"\xff"]):
        (tmp_path / "jobs" / str(number)).mkdir(parents=True)
        (tmp_path / "jobs" / str(number) / "job.json").write_bytes(content)
    result = inside(
        tmp_path, f"application; print(*(one.folder.name for one in application.left_jobs(Path({str(tmp_path)!r}))))"
    )
    assert result == ["0"]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["0"]


def test_a_job_can_be_cancelled_on_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps(SOUND), "utf-8")
    code = f"application; one = application.job_in(Path({str(tmp_path)!r}))\n"
    code += "def full(_path): raise OSError(28, 'No space left on device')\n"
    code += "application.Path.touch = full\none.cancel(); print(sorted(path.name for path in one.folder.iterdir()))"
    assert inside(tmp_path, code) == ["['scripts']"]


@pytest.mark.parametrize(
    "place",
    ['{"python": "' + "a" * 5000 + '"}', '{"home": "a\\u0000"}', '{"home": "~nobody-of-that-name"}', "[" * 100_000],
)
def test_an_invalid_place_of_the_application_is_reported_with_the_remedy(tmp_path: Path, place: str) -> None:
    shutil.copytree(ROOT / "reaper_scripts", tmp_path / "scripts")
    file = tmp_path / "scripts" / "faderwise_application.json"
    file.write_text(place, encoding="utf-8")
    code = "application, BridgeError\ntry:\n    application.find()\nexcept BridgeError as error:\n    print(error)"
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


def run(job: JobFile, folder: Path) -> None:
    (folder / "job.json").write_bytes(msgspec.json.encode(job))
    run_job.run(run_job.ReaperRequest(folder=str(folder)))


def test_an_invalid_loudness_is_reported_with_its_field_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        run(asked(tmp_path, settings={"target_lufs": "-14 LUFS"}), tmp_path)
    assert (caught.value.option, caught.value.remedy) == ("Loudness", "correct it in Settings")


@pytest.mark.parametrize("loudness", ["nan", "inf", "-1e308"])
def test_an_impossible_loudness_is_refused(tmp_path: Path, loudness: str) -> None:
    with raises_error(option=f"--target-lufs {float(loudness):g}", facts=("-70", "0 LUFS")):
        run(asked(tmp_path, settings={"target_lufs": loudness}), tmp_path)


def test_the_longest_title_gives_a_valid_name_of_a_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "home"))
    requests = []

    def kept(request: mix.MixRequest, _progress: object, **_options: object) -> None:
        requests.append(request)
        raise InputError("enough")

    monkeypatch.setattr(mix, "run", kept)
    with pytest.raises(InputError, match="enough"):
        run(asked(tmp_path, title="名" * 80), tmp_path)
    Path(str(requests[0].out)).mkdir(parents=True)


def test_an_impossible_path_is_answered_with_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_bytes(msgspec.json.encode(asked(tmp_path, phase="plan", project="a\0b")))
    relay.answer(tmp_path, client=None)
    assert json.loads((tmp_path / "result.json").read_bytes())["error"]["code"] == "input"


@pytest.mark.skipif(sys.platform == "win32", reason="a file size limit simulates a full disk")
def test_an_answer_that_cannot_be_written_is_logged(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{}", "utf-8")
    code = "import resource, signal; from pathlib import Path; from analysis_server.reaper.relay import answer; "
    code += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10)); "
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", f"{code}answer(Path({str(tmp_path)!r}), None)"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stderr.splitlines()[-1].startswith("the answer cannot be written: ")


def test_a_bus_without_a_track_is_refused(tmp_path: Path) -> None:
    project = read_project(small_session(tmp_path / "session"))
    with raises_error(path="Song.RPP", facts=("bass",)):
        find_buses(project, {"drums": ["1"], "bass": []})
