"""What the scripts import, imported by every Python here that REAPER might load."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis_server.reaper_setup import import_probe
from analysis_server.reaper_setup.scripts import bundled_scripts

VERSIONS = [f"3.{minor}" for minor in range(8, 15)]


@pytest.fixture(scope="module")
def folder(got_packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts with the packages beside them."""
    folder = Path(shutil.copytree(bundled_scripts(), tmp_path_factory.mktemp("REAPER") / "Faderwise"))
    shutil.copytree(got_packages / "reaper" / "packages", folder / "vendor")
    return folder


def python_of(version: str) -> str:
    """Return a Python of that version: of the system, or of pyenv."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for program in (*map(str, installed), f"python{version}"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([program, "-c", ""], check=True, capture_output=True)  # noqa: S603 - a list
            return program
    pytest.skip(f"needs Python {version}, which is not here")


@pytest.mark.parametrize("version", VERSIONS)
def test_scripts_import_under_each_python(version: str, folder: Path) -> None:
    command = [python_of(version), "-I", "-B", import_probe.__file__, str(folder)]
    done = subprocess.run(  # noqa: S603 - a list
        [*command, "reapy", "faderwise_bridge.actions"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["python"].startswith(f"{version}.")
    assert told["modules"]["reapy"] == "0.10.0"
