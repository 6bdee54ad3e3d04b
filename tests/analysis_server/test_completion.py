"""The completion scripts: what a real shell offers after a key press."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis_server.cli import COMMANDS, main


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def offered(script: str, words: list[str]) -> set[str]:
    """Return what bash offers for the last of `words`."""
    typed = " ".join(f"'{word}'" for word in words)
    asked = f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _shtab_faderwise; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(  # noqa: S603 - a list
        [shutil.which("bash") or "bash", "--norc", "-c", f"{script}\n{asked}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {line.strip() for line in done.stdout.splitlines()}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_verbs_their_actions_and_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    text = script("bash", capsys)
    assert COMMANDS.keys() <= offered(text, ["faderwise", ""])
    assert offered(text, ["faderwise", "doc"]) == {"doctor"}
    assert {"install", "uninstall"} <= offered(text, ["faderwise", "reaper", ""])
    assert "--target-lufs" in offered(text, ["faderwise", "mix", "--t"])
    assert offered(text, ["faderwise", "completion", "z"]) == {"zsh"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_the_names_of_models_and_buses(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = script("bash", capsys)
    command = tmp_path / "bin" / "faderwise"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n[ $2 = models ] && printf 'default\\nmy model\\n' || printf 'drums\\nbass\\n'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    assert "my model" in offered(text, ["faderwise", "mix", "--model", "my"])
    assert "drums=" in offered(text, ["faderwise", "mix", "--bus", "dr"])


def test_the_names_to_complete_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "default" in script("models", capsys).splitlines()
    assert "backing vocals" in script("buses", capsys).splitlines()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_reads_its_script(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "completion"
    file.write_text(script(shell, capsys), "utf-8")
    assert "doctor" in file.read_text("utf-8")
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    subprocess.run([program, "-n", str(file)], check=True)  # noqa: S603 - a list
