"""Output and exit codes of the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from tests.analysis_server.outcomes import RATE, ROOT, Faderwise, names

VERBS = (
    "demo",
    "buses",
    "mix",
    "match",
    "learn",
    "audit",
    "edit",
    "revert",
    "compare",
    "estimate",
    "features",
    "evaluate",
    "models",
    "runs",
)
Start = Callable[..., "subprocess.Popen[str]"]

posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX system's signals")


# Help


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(faderwise: Faderwise, verb: str) -> None:
    ran = faderwise(verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"faderwise {verb}" in ran.out.split("examples:")[1]
    assert "--json" in ran.out


@pytest.mark.parametrize("action", ["list", "show", "remove", "export", "import"])
def test_every_action_on_models_has_help(faderwise: Faderwise, action: str) -> None:
    ran = faderwise("models", action, "--help")
    assert (ran.code, ran.err) == (0, "")


def test_the_commands_own_help_names_every_verb_and_the_exit_codes(faderwise: Faderwise) -> None:
    ran = faderwise("--help")
    assert ran.code == 0
    assert all(f"\n    {verb} " in ran.out for verb in VERBS)
    assert "0 done, 1 failed, 2 bad usage or bad input, 130 interrupted" in ran.out


def test_the_version_is_the_packages(faderwise: Faderwise) -> None:
    from core import __version__

    assert faderwise("--version").out == f"Faderwise {__version__}\n"
    for words in (["--version", "--json"], ["--json", "--version"]):
        assert json.loads(faderwise(*words).out) == {"version": __version__}


# How it ends


def _wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300.0
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_mix_leaves_only_the_earlier_files(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mix.wav").write_bytes(b"an earlier mix")
    process = start("mix", ROOT / "examples" / "caesium", "--out", out)
    _wait_for(lambda: any(out.glob(".faderwise-*")), process)
    process.send_signal(number)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert printed.startswith("Buses of caesium ")
    assert errors == "faderwise: interrupted; no partial files were left\n"
    assert names(out) == {"mix.wav"}
    assert (out / "mix.wav").read_bytes() == b"an earlier mix"


def test_an_interrupt_while_measuring_leaves_no_folder(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis_server.verbs import mix

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mix, "render_mix", interrupted)
    ran = faderwise("mix", tiny_song, "--out", tmp_path / "out")
    assert (ran.code, ran.err) == (130, "faderwise: interrupted; no partial files were left\n")
    assert ran.out.startswith("Buses of tiny song ")
    assert not (tmp_path / "out").exists()


@posix
def test_a_closed_output_pipe_is_not_an_error(start: Start) -> None:
    process = start("models", "list")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (0, "")


def test_a_separate_process_prints_results_and_messages_separately(
    start: Start, tiny_song: Path, tmp_path: Path
) -> None:
    samples = soundfile.read(tiny_song / "bass.wav")[0]
    soundfile.write(tiny_song / "bass.wav", samples[:RATE], RATE)
    process = start("mix", tiny_song, "--out", tmp_path / "out", "--json")
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0
    assert json.loads(printed)["title"] == "tiny song"
    assert errors == "faderwise: warning: bass.wav is 0.5 s shorter than the longest stem: padded with silence\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_what_a_name_hides_reaches_no_terminal_and_breaks_no_line(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    (tiny_song / "x\n\x1b[2J\u202e.wav").write_bytes(b"")
    soundfile.write(tiny_song / "vocals.wav", soundfile.read(tiny_song / "bass.wav")[0], RATE)
    ran = faderwise("mix", tiny_song, "--out", tmp_path / "out\x1b[2J")
    assert ran.code == 0
    assert r"x\n\x1b[2J\u202e.wav was left out" in "\n".join(ran.err_lines)
    assert "\x1b" not in ran.out + ran.err
    assert all(line.startswith("faderwise: warning: ") for line in ran.err_lines)


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_name_that_the_output_cannot_encode_is_escaped(
    start: Start, tiny_song: Path, tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    process = start(
        "mix", tiny_song.rename(tiny_song.with_name("歌")), "--out", tmp_path / "out", *words, encoding="cp1252"
    )
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert r"\u6b4c" in printed
    assert not words or json.loads(printed)["title"] == "歌"


def test_a_separate_process_exits_with_2_on_bad_input(start: Start) -> None:
    process = start("mix", "no such song")
    printed, errors = process.communicate(timeout=300)
    assert (process.returncode, printed) == (2, "")
    assert errors.count("\n") == 1
    assert "Traceback" not in errors


def test_an_unexpected_error_is_one_line_and_exit_code_1(
    faderwise: Faderwise, tiny_song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis_server.verbs import mix

    def break_down(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(mix, "run", break_down)
    ran = faderwise("mix", tiny_song)
    assert ran.code == 1
    assert ran.out.startswith("Buses of tiny song ")
    assert ran.err == "faderwise: internal error (RuntimeError: two lines); set FADERWISE_DEBUG=1 and report it\n"


def test_an_unexpected_error_has_a_traceback_on_request(
    faderwise: Faderwise, tiny_song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis_server.verbs import mix

    def break_down(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(mix, "run", break_down)
    monkeypatch.setenv("FADERWISE_DEBUG", "1")
    assert "Traceback" in faderwise("mix", tiny_song).err


def test_running_out_of_memory_is_reported(
    faderwise: Faderwise, tiny_song: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analysis_server.verbs import mix

    def run_out(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(mix, "run", run_out)
    ran = faderwise("mix", tiny_song, "--json")
    assert ran.code == 1
    assert json.loads(ran.out)["error"]["code"] == "out_of_memory"


@pytest.mark.parametrize(
    ("word", "remedy"), [("--dpth", "did you mean --depth? "), ("--stem", "did you mean --stems? "), ("--zz", "")]
)
def test_the_nearest_option_is_suggested(faderwise: Faderwise, word: str, remedy: str) -> None:
    ran = faderwise("mix", "Song", word, "--json")
    error = json.loads(ran.out)["error"]
    assert (error["option"], error["remedy"]) == (word, f"{remedy}see faderwise mix --help")
