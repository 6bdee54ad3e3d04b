"""The completion scripts: what a real shell offers after a key press."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
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


def bash_completes(script: Path, typed: str) -> set[str]:
    return offered(script.read_text("utf-8"), typed.split(" "))


def zsh_completes(script: Path, typed: str) -> set[str]:
    """Return the command line that zsh makes of what is typed when the tab key is pressed."""
    import pty

    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "TERM": "dumb"})  # noqa: S606, S607
    setup = (
        f"PS1=; autoload -U compinit; compinit -D -u; source {script}; compdef _shtab_faderwise faderwise;"
        "show() { print -r -- \"<<$BUFFER>>\"; BUFFER=; }; zle -N show; bindkey '^X' show; print rea''dy\n"
    )
    os.write(terminal, setup.encode())
    _read_until(terminal, "ready")
    os.write(terminal, f"{typed}\t\x18".encode())
    answer = _read_until(terminal, ">>")
    os.close(terminal)
    os.waitpid(process, 0)
    return {line.split()[-1] for line in re.findall(r"<<(.*?)>>", answer)}


def _read_until(terminal: int, mark: str) -> str:
    text = ""
    while mark not in text:
        ready, _, _ = select.select([terminal], [], [], 60.0)
        assert ready, f"zsh printed only {text!r}"
        text += os.read(terminal, 1 << 16).decode(errors="replace")
    return text


def fish_completes(script: Path, typed: str) -> set[str]:
    fish = shutil.which("fish") or "fish"
    done = subprocess.run(  # noqa: S603 - a list
        [fish, "-c", f"source {script}; complete -C '{typed}'"], capture_output=True, text=True, check=True
    )
    return {line.split("\t")[0] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_completes_models_buses_and_files(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    completes = {"bash": bash_completes, "zsh": zsh_completes, "fish": fish_completes}[shell]
    file = tmp_path / "completion"
    file.write_text(script(shell, capsys), "utf-8")
    command = tmp_path / "bin" / "faderwise"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n[ $3 = models ] && printf 'default\\nmymodel\\n' || printf 'drums\\nbass\\n'\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Some Song").mkdir()
    assert completes(file, "faderwise mix --model my") == {"mymodel"}
    assert completes(file, "faderwise models show my") == {"mymodel"}
    assert completes(file, "faderwise compare my") == {"mymodel"}
    assert completes(file, "faderwise mix --bus dr") == {"drums="}
    assert completes(file, "faderwise edit --freeze ba") == {"bass"}
    assert any(name.startswith("completio") for name in completes(file, "faderwise mix com"))


def test_the_names_to_complete_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "--names", "models"]) == 0
    assert "default" in capsys.readouterr().out.splitlines()
    assert main(["completion", "--names", "buses"]) == 0
    assert "backing vocals" in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("words", [["completion"], ["completion", "tcsh"]])
def test_without_a_shell_the_error_lists_the_shells(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    text = f"{error['problem']} {error['remedy']}"
    assert "bash, zsh, fish" in text
    assert "models" not in text


def help_lines(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the lines that the help gives for a shell."""
    with pytest.raises(SystemExit):
        main(["completion", "--help"])
    section = re.search(rf"^{shell}:\n((?:  .*\n)+)", capsys.readouterr().out, re.MULTILINE)
    assert section
    return section[1]


def bash_offers(typed: str) -> str:
    words = f"COMP_WORDS=({typed}); COMP_CWORD=1; _shtab_faderwise; echo ${{COMPREPLY[@]}}"
    asked = ["bash", "-i", "-c", f"complete -p faderwise >&2 || exit 1; {words}"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout  # noqa: S603


def zsh_offers(_typed: str) -> str:
    asked = ["zsh", "-i", "-c", "whence -v $_comps[faderwise]"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)  # noqa: S603
    assert "autoload shell function" in done.stdout
    return (Path.home() / ".zfunc" / "_faderwise").read_text("utf-8")


def fish_offers(typed: str) -> str:
    return subprocess.run(["fish", "-c", f"complete -C '{typed}'"], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_lines_of_the_help_work_in_an_empty_home(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    lines = help_lines(shell, capsys)
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    command = tmp_path / "bin" / "faderwise"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from analysis_server.cli import main; main()" "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    subprocess.run([shell, "-c", f"set -e\n{lines}" if shell != "fish" else lines], check=True)  # noqa: S603
    offers = {"bash": bash_offers, "zsh": zsh_offers, "fish": fish_offers}[shell]
    assert "doctor" in offers("faderwise do")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_reads_its_script(shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "completion"
    file.write_text(script(shell, capsys), "utf-8")
    assert "doctor" in file.read_text("utf-8")
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    subprocess.run([program, "-n", str(file)], check=True)  # noqa: S603 - a list
