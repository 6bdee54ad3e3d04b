"""The sdist and the wheel: complete, and usable without the checkout."""

from __future__ import annotations

import email
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from core import __version__

ROOT = Path(__file__).resolve().parents[1]
BUILD = "import sys, hatchling.build as hooks; print(getattr(hooks, sys.argv[1])(sys.argv[2]))"


def built(kind: str, source: Path, out: Path) -> Path:
    """Build a distribution as pip does, without the network, and return it."""
    pytest.importorskip("hatchling", reason="needs hatchling, which `python3 install.py test` installs")
    command = [sys.executable, "-c", BUILD, f"build_{kind}", str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)  # noqa: S603 - a list
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from what the sdist holds."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return built("wheel", folder / f"faderwise-{__version__}", folder)


def test_the_sdist_contains_every_file_of_the_repository(sdist: Path) -> None:
    git = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    if git.returncode:
        pytest.skip("needs the repository: this checkout has none")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    tracked = {name for name in git.stdout.split("\0") if name and (ROOT / name).exists()}
    assert tracked - held == set()


def test_the_wheel_contains_the_two_packages_the_scripts_and_the_song(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    for layer, place in (
        ("core", "core"),
        ("analysis_server", "analysis_server"),
        ("reaper_scripts", "analysis_server/reaper_scripts"),
        ("examples/caesium", "analysis_server/examples/caesium"),
    ):
        files = [path.relative_to(ROOT / layer).as_posix() for path in (ROOT / layer).rglob("*") if path.is_file()]
        expected = {f"{place}/{name}" for name in files if "__pycache__" not in name}
        assert expected - held == set()
    assert "analysis_server/examples/caesium-session.RPP" in held
    assert {name.split("/")[0] for name in held} == {"core", "analysis_server", f"faderwise-{__version__}.dist-info"}


def test_the_version_is_defined_in_one_place(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f"faderwise-{__version__}.dist-info/METADATA"))
    assert metadata["Version"] == __version__
    assert f"\n## {__version__}\n" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f'version = "{__version__}"' not in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_wheel_contains_the_licence(wheel: Path) -> None:
    folder = f"faderwise-{__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
        text = archive.read(f"{folder}/licenses/LICENSE")
    assert metadata["License-Expression"] == "MIT"
    assert text == (ROOT / "LICENSE").read_bytes()


def test_the_installed_wheel_finds_its_scripts_and_its_song(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")  # noqa: S202 - made by the test
    code = (
        "from analysis_server.paths import bundled_song; from analysis_server.reaper_setup import scripts;"
        "print(bundled_song()); print(scripts.bundled_scripts());"
        "print(len(scripts.actions_in(scripts.bundled_scripts())))"
    )
    variables = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONDONTWRITEBYTECODE": "1"}
    lines = subprocess.run(  # noqa: S603 - a list
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, env=variables
    ).stdout.splitlines()
    assert [Path(line).is_relative_to(tmp_path / "site") for line in lines[:2]] == [True, True]
    assert lines[2] == str(len(list((ROOT / "reaper_scripts").glob("*.py"))))
