"""Where REAPER is found, and how a running REAPER is detected."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis_server.reaper_setup import find_reaper
from tests.expected_errors import raises_error


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(find_reaper.Path, "home", lambda: tmp_path)
    monkeypatch.setattr(find_reaper, "_usual_programs", lambda environ: [tmp_path / "portable" / "reaper"])
    return tmp_path


def reaper_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    (path / "reaper.ini").write_bytes(b"[REAPER]\n")
    return path


def test_the_folder_in_the_variable_is_the_only_one(home: Path) -> None:
    reaper_folder(home / ".config" / "REAPER")
    named = reaper_folder(home / "named")
    assert find_reaper.resource_folders({"REAPER_RESOURCE_PATH": str(named)}) == [named]


def test_a_folder_without_settings_in_the_variable_is_an_error(home: Path) -> None:
    with raises_error(path="nowhere", facts=("REAPER_RESOURCE_PATH",)):
        find_reaper.resource_folders({"REAPER_RESOURCE_PATH": str(home / "nowhere")})


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="where Linux has it")
def test_the_usual_and_a_portable_folder_are_found(home: Path) -> None:
    assert find_reaper.resource_folders({}) == []
    (home / ".config" / "REAPER").mkdir(parents=True)
    assert find_reaper.resource_folders({}) == []
    usual = reaper_folder(home / ".config" / "REAPER2").rename(home / ".config" / "REAPER" / "x").parent
    (usual / "reaper.ini").write_bytes(b"[REAPER]\n")
    portable = reaper_folder(home / "portable")
    assert find_reaper.resource_folders({}) == [usual]
    (portable / "reaper").write_bytes(b"\x7fELF")
    assert find_reaper.resource_folders({}) == [usual, portable]


@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        ("linux", {}, ".config/REAPER"),
        ("linux", {"XDG_CONFIG_HOME": "settings"}, "settings/REAPER"),
        ("darwin", {}, "Library/Application Support/REAPER"),
    ],
)
def test_the_usual_folder_of_each_system(
    system: str, variables: dict[str, str], expected: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_reaper.sys, "platform", system)
    folder = reaper_folder(home / expected)
    assert find_reaper.resource_folders({name: str(home / value) for name, value in variables.items()}) == [folder]


def test_a_portable_macos_reaper_has_its_settings_next_to_the_app() -> None:
    assert find_reaper._portable_folder(Path("/Users/a/My REAPER/REAPER.app/Contents/MacOS/REAPER")) == Path(
        "/Users/a/My REAPER"
    )
    assert find_reaper._portable_folder(Path("/opt/REAPER/reaper")) == Path("/opt/REAPER")


def test_a_folder_of_an_unknown_user_is_an_error(home: Path) -> None:
    with raises_error(path="REAPER", facts=("REAPER_RESOURCE_PATH",)):
        find_reaper.resource_folders({"REAPER_RESOURCE_PATH": "~nobody-of-that-name/REAPER"})


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="looks into /proc")
def test_a_process_name_that_is_not_utf_8_is_ignored(tmp_path: Path) -> None:
    for number, name in ((7, "ファイル操作".encode()[:15] + b"\xe4"), (8, b"reaper")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "comm").write_bytes(name + b"\n")
    assert list(find_reaper._from_proc(tmp_path)) == ["8"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_a_running_reaper_is_found_until_it_ends(tmp_path: Path) -> None:
    program = tmp_path / "reaper"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    before = find_reaper.running()
    process = subprocess.Popen([program, "60"])  # noqa: S603 - a list
    try:
        by_s = time.monotonic() + 120.0
        while not find_reaper.running() and time.monotonic() < by_s:  # the name appears shortly after the start
            time.sleep(0.01)
        assert f"reaper (process {process.pid})" in find_reaper.running()
        with raises_error(facts=(f"process {process.pid}",)):
            find_reaper.refuse_while_running()
    finally:
        process.kill()
        process.wait()
    assert find_reaper.running() == before


def test_the_output_of_the_systems_programs_is_parsed() -> None:
    tasks = '"System Idle Process","0","Services","0","8 K"\n"reaper.exe","4242","Console","1","90,000 K"\n'
    assert find_reaper._from_tasklist(tasks) == [("reaper.exe", "4242")]
    output = "    1 /sbin/launchd\n 4242 /Applications/My REAPER.app/Contents/MacOS/REAPER\n 9 /usr/bin/reaperd\n"
    assert find_reaper._from_ps(output) == [("/Applications/My REAPER.app/Contents/MacOS/REAPER", "4242")]


@pytest.mark.skipif(os.name == "nt", reason="runs a POSIX program")
def test_a_failing_system_program_is_an_error() -> None:
    assert find_reaper._output("echo", "a b") == "a b\n"
    with raises_error(facts=("no-such-program",)):
        find_reaper._output("no-such-program")
