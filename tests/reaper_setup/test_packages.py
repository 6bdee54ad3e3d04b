"""The packages that scripts import inside REAPER: got by a real pip, checked by their hashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from analysis_server.reaper_setup import packages
from core.errors import FaderwiseError, InputError


def test_reapy_is_got_without_what_it_does_not_need_inside_reaper(got_packages: Path) -> None:
    folder = packages.kept(got_packages)
    assert folder is not None
    found = {path.name for path in folder.iterdir()}
    assert found >= {"reapy", "typing_extensions.py"}
    assert "psutil" not in found
    assert [path for path in folder.rglob("*") if path.suffix in (".so", ".pyd", ".dylib")] == []


def test_what_is_there_is_not_got_again(got_packages: Path) -> None:
    assert packages.get(got_packages, Path("/no/such/python")) == packages.kept(got_packages)


def test_another_hash_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, got_packages: Path
) -> None:
    other = tmp_path / "packages.txt"
    other.write_text(f"typing-extensions==4.13.2 --hash=sha256:{'0' * 64}\n", "utf-8")
    monkeypatch.setattr(packages, "REQUIREMENTS", other)
    assert packages.kept(got_packages) is None
    with pytest.raises(FaderwiseError, match=r"typing-extensions 4\.13\.2 could not be got by pip"):
        packages.get(tmp_path / "data", Path(sys.executable))
    assert list((tmp_path / "data").rglob("*.py")) == []


def test_a_python_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FaderwiseError, match="does not start"):
        packages.get(tmp_path, tmp_path / "no python")
    assert packages.kept(tmp_path) is None


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_install", lambda folder, python: folder.mkdir(parents=True))
    (tmp_path / "reaper").touch()
    with pytest.raises(InputError, match="cannot be written"):
        packages.get(tmp_path, Path("python"))


def test_other_requirements_replace_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def install(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        folder = Path(command[-1])
        folder.mkdir(parents=True)
        (folder / f"module{len(commands)}.py").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packages.subprocess, "run", install)
    packages.get(tmp_path, Path("python"))
    other = tmp_path / "other.txt"
    other.write_text("reapy==1\n", "utf-8")
    monkeypatch.setattr(packages, "REQUIREMENTS", other)
    folder = packages.get(tmp_path, Path("python"))
    assert sorted(path.name for path in folder.iterdir()) == ["module2.py", "requirements.txt"]
    assert {"--require-hashes", "--no-deps", "--no-compile", "--target"} <= set(commands[0])
