"""What the scripts import, imported by every Python here that REAPER might load."""

from __future__ import annotations

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


@pytest.mark.parametrize("version", VERSIONS)
def test_scripts_import_under_each_python(version: str, folder: Path) -> None:
    command = [f"python{version}", "-I", "-B", import_probe.__file__, str(folder), "reapy", "faderwise_bridge.actions"]
    try:
        subprocess.run([command[0], "-c", ""], check=True, capture_output=True)  # noqa: S603 - a list
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"needs Python {version}, which is not here")
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a list
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["python"].startswith(f"{version}.")
    assert told["modules"]["reapy"] == "0.10.0"
