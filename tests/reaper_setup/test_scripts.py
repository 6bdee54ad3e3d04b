"""The scripts, the packages that they import, and the actions that they define."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib import image

from analysis_server.doctor import IMPORT_PROBE
from analysis_server.reaper_setup import scripts
from analysis_server.reaper_setup.scripts import actions_in, bundled_scripts, files_in, read_action
from core import __version__
from core.errors import FaderwiseError
from tests.expected_errors import raises_error


def test_every_action_has_its_name_and_the_application_version() -> None:
    actions = actions_in(bundled_scripts())
    assert {action.description for action in actions} == {
        "Faderwise: Auto-mix buses",
        "Faderwise: Learn mix model from this session",
        "Faderwise: Match buses to a mixdown",
        "Faderwise: Audit bus automation",
        "Faderwise: Edit bus automation",
        "Faderwise: Revert bus automation",
        "Faderwise: Settings",
        "Faderwise: Check this REAPER",
        "Faderwise: Auto-mix again",
        "Faderwise: Auto-mix selected tracks",
        "Faderwise: Compare with and without bus automation",
    }
    assert {action.version for action in actions} == {__version__}


def test_every_script_next_to_the_bridge_is_an_action() -> None:
    files = {name.rpartition("/")[2] for name in files_in(bundled_scripts(), "Faderwise") if name.count("/") == 1}
    assert files == {action.file for action in actions_in(bundled_scripts())}


def test_commands_are_valid_ids_for_reaper() -> None:
    for action in actions_in(bundled_scripts()):
        assert re.fullmatch(r"FADERWISE_[A-Z_]+", action.command)


def test_reapy_is_downloaded_without_packages_not_needed_inside_reaper(downloaded: Path) -> None:
    folder = scripts.downloaded_packages(downloaded)
    assert folder is not None
    found = {path.name for path in folder.iterdir()}
    assert found >= {"reapy", "typing_extensions.py"}
    assert "psutil" not in found
    assert [path for path in folder.rglob("*") if path.suffix in (".so", ".pyd", ".dylib")] == []


def test_packages_are_downloaded_once(downloaded: Path) -> None:
    assert scripts.download_packages(downloaded, Path("/no/such/python")) == scripts.downloaded_packages(downloaded)


def test_a_package_with_another_hash_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, downloaded: Path
) -> None:
    other = tmp_path / "packages.txt"
    other.write_text(f"typing-extensions==4.13.2 --hash=sha256:{'0' * 64}\n", "utf-8")
    monkeypatch.setattr(scripts, "REQUIREMENTS", other)
    assert scripts.downloaded_packages(downloaded) is None
    with raises_error(FaderwiseError, facts=("typing-extensions 4.13.2",)):
        scripts.download_packages(tmp_path / "data", Path(sys.executable))
    assert list((tmp_path / "data").rglob("*.py")) == []


def test_a_missing_python_is_an_error(tmp_path: Path) -> None:
    with raises_error(FaderwiseError, facts=("no python",)):
        scripts.download_packages(tmp_path, tmp_path / "no python")
    assert scripts.downloaded_packages(tmp_path) is None


def test_a_data_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "_run_pip", lambda folder, python: folder.mkdir(parents=True))
    (tmp_path / "reaper").touch()
    with raises_error(path="packages"):
        scripts.download_packages(tmp_path, Path("python"))


def test_other_requirements_replace_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = []

    def install(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        folder = Path(command[-1])
        folder.mkdir(parents=True)
        (folder / f"module{len(commands)}.py").touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(scripts.subprocess, "run", install)
    scripts.download_packages(tmp_path, Path("python"))
    other = tmp_path / "other.txt"
    other.write_text("reapy==1\n", "utf-8")
    monkeypatch.setattr(scripts, "REQUIREMENTS", other)
    folder = scripts.download_packages(tmp_path, Path("python"))
    assert sorted(path.name for path in folder.iterdir()) == ["module2.py", "requirements.txt"]
    assert {"--require-hashes", "--no-deps", "--no-compile", "--target"} <= set(commands[0])


VERSIONS = [f"3.{minor}" for minor in range(8, 15)]


@pytest.fixture(scope="module")
def folder(downloaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts together with the packages."""
    folder = Path(shutil.copytree(bundled_scripts(), tmp_path_factory.mktemp("REAPER") / "Faderwise"))
    shutil.copytree(downloaded / "reaper" / "packages", folder / "vendor")
    return folder


def python_of(version: str) -> str:
    """Return a Python of that version, of the system or of pyenv."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for program in (*map(str, installed), f"python{version}"):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([program, "-c", ""], check=True, capture_output=True)  # noqa: S603 - a list
            return program
    pytest.skip(f"needs Python {version}, which is not here")


@pytest.mark.parametrize("version", VERSIONS)
def test_scripts_import_under_each_python(version: str, folder: Path) -> None:
    command = [python_of(version), "-I", "-B", "-c", IMPORT_PROBE, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a list
    assert done.returncode == 0, done.stderr
    python, reapy = json.loads(done.stdout.splitlines()[-1])
    assert python.startswith(f"{version}.")
    assert reapy == "0.10.0"


def test_actions_are_read_from_the_headers(bundled: Path) -> None:
    assert [action.description for action in actions_in(bundled)] == [
        "Faderwise: Auto-mix buses",
        "Faderwise: Settings",
    ]
    (bundled / "faderwise_settings.py").write_text("import sys\n", "utf-8")
    assert [action.file for action in actions_in(bundled)] == ["faderwise_auto_mix_buses.py"]


@pytest.mark.parametrize("header", ["# @version 1\n", "# @description A\n", '# @description A "b"\n# @version 1\n'])
def test_a_header_that_cannot_be_registered_is_an_error(header: str, tmp_path: Path) -> None:
    script = tmp_path / "faderwise_x.py"
    script.write_text(header, "utf-8")
    with raises_error(path="faderwise_x.py"):
        read_action(script)


def test_every_action_has_an_icon_of_three_states_at_each_scale() -> None:
    actions = actions_in(bundled_scripts())
    files = scripts.toolbar_files(actions)
    pixels_at = {"": 30, "150/": 45, "200/": 60}
    names = {f"{scripts.ICONS}/{scale}{action.file[:-3]}.png" for action in actions for scale in pixels_at}
    assert names == files.keys() - {scripts.MENU}
    for action in actions:
        for scale, size in pixels_at.items():
            pixels = image.imread(io.BytesIO(files[f"{scripts.ICONS}/{scale}{action.file[:-3]}.png"]))
            assert pixels.shape == (size, 3 * size, 4)
            alpha = pixels[:, :, 3].reshape(size, 3, size)
            assert 0.02 < alpha.mean() < 0.6
            assert (alpha[:, 0] == alpha[:, 1]).all()
            assert not (pixels[:, :size] == pixels[:, size : 2 * size]).all()


def test_the_toolbar_has_a_button_for_every_action() -> None:
    actions = actions_in(bundled_scripts())
    lines = scripts.toolbar_files(actions)[scripts.MENU].decode().splitlines()
    assert (lines[0], lines[-1]) == ("[Floating toolbar 8]", "title=Faderwise")
    assert lines[1] == "icon_0=faderwise_auto_mix_buses.png"
    assert lines[12] == "item_0=_FADERWISE_AUTO_MIX_BUSES Faderwise: Auto-mix buses"
    keys = [line.partition("=")[0] for line in lines[1:-1]]
    assert keys == [f"{kind}_{place}" for kind in ("icon", "item") for place in range(len(actions))]
    icons, items = ({line.partition("=")[2] for line in lines if line.startswith(kind)} for kind in ("icon", "item"))
    assert icons == {f"{action.file[:-3]}.png" for action in actions}
    assert items == {f"_{action.command} {action.description}" for action in actions}
