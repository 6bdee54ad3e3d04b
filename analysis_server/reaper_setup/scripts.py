"""The files that are installed in REAPER's resource folder.

Scripts/Faderwise/faderwise_*.py               the actions
Scripts/Faderwise/faderwise_bridge/            the package they share
Scripts/Faderwise/vendor/                      reapy and typing-extensions
Scripts/Faderwise/faderwise_application.json   where the application is
Data/toolbar_icons/faderwise_*.png             the actions' icons; in 150/ and 200/ for screens of that scale
MenuSets/Faderwise.ReaperMenu                  a toolbar, to import in Options > Customize menus/toolbars...

pip downloads the packages once into the data folder and checks them against the hashes in packages.txt. psutil, which
reapy requires, is left out: reapy imports it outside REAPER only.

An icon is a PNG file of three squares of 30 pixels next to each other: a button at rest, under the mouse and pressed.
Those in the folders 150 and 200 have the same names and squares of 45 and 60 pixels. The lines of the toolbar are
those of reaper-menu.ini (`item_N=_COMMAND description`, `icon_N=file`). reaper-menu.ini itself, which contains the
user's own toolbars, is never changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis_server.paths import bundled_folder
from core import __version__
from core.errors import FaderwiseError, InputError
from core.files import content_hash

FOLDER = "Faderwise"
"""The folder in REAPER's Scripts folder."""
APPLICATION_FILE = "faderwise_application.json"
VENDOR = "vendor"
ICONS, MENU = "Data/toolbar_icons", "MenuSets/Faderwise.ReaperMenu"
_BUNDLED_ICONS = Path(__file__).with_name("icons")
REQUIREMENTS = Path(__file__).with_name("packages.txt")
_BUTTONS = (
    *("auto_mix_buses", "auto_mix_selected_tracks", "auto_mix_again", "compare_bus_automation", "match_buses"),
    *("learn_mix_model", "edit_bus_automation", "audit_bus_automation", "revert_bus_automation", "settings"),
    "check_reaper",
)
"""The toolbar's buttons from left to right, by the names of the scripts after `faderwise_`."""
_STAMP = "requirements.txt"
_COMMAND = "FADERWISE_"
_NEW_INSTANCE, _MAIN_SECTION = 516, 0
_HEADER = re.compile(r"#\s*@(\w+)\s+(.+)")


@dataclass(frozen=True)
class Action:
    """An action: the script's file name, its description in REAPER's action list, and the script's version."""

    file: str
    description: str
    version: str

    @property
    def command(self) -> str:
        """The id in reaper-kb.ini; REAPER's name of the command is `_` and this id."""
        return _COMMAND + Path(self.file).stem.removeprefix(_COMMAND.lower()).upper()

    @property
    def path(self) -> str:
        """The script's path in REAPER's Scripts folder."""
        return str(Path(FOLDER, self.file))

    @property
    def line(self) -> bytes:
        """The line of reaper-kb.ini."""
        words = f'SCR {_NEW_INSTANCE} {_MAIN_SECTION} {self.command} "{self.description}" "{self.path}"'
        return words.encode()


def is_our_command(command: str) -> bool:
    """Return whether an id in reaper-kb.ini is one of Faderwise's."""
    return command.startswith(_COMMAND)


def read_action(path: Path) -> Action | None:
    """Return the action in a script's header, or None if there is no header.

    Raises
    ------
    InputError
        The header lacks the description or the version, or the description cannot be written to reaper-kb.ini.
    """
    leading = path.read_text(encoding="utf-8").partition("\n\n")[0]
    header = {match[1]: match[2] for match in map(_HEADER.match, leading.splitlines()) if match}
    if not header:
        return None
    description, version = header.get("description", "").strip(), header.get("version", "").strip()
    if not description or not version or re.search(r"[\"'`]", description):
        raise InputError("its header needs `# @description` (without quotes) and `# @version`", path=path)
    return Action(path.name, description, version)


def actions_in(scripts: Path) -> list[Action]:
    """Return the actions of a folder's scripts, by file name."""
    return [action for path in sorted(scripts.glob("*.py")) if (action := read_action(path))]


def bundled_scripts() -> Path:
    """Return the folder of the scripts.

    Raises
    ------
    InputError
        It does not exist: the installation is damaged.
    """
    return bundled_folder("reaper_scripts")


@dataclass(frozen=True)
class Application:
    """What the scripts start: the Python of the application's environment, and the data folder."""

    python: Path
    home: Path

    def described(self) -> bytes:
        """Return the content of `faderwise_application.json`."""
        facts = {"version": __version__, "python": str(self.python), "home": str(self.home)}
        return (json.dumps(facts, indent=1, ensure_ascii=False) + "\n").encode()


def files_in(folder: Path, below: str) -> dict[str, bytes]:
    """Return the contents of the files in `folder` by their path in REAPER's Scripts folder: `below`, `/`, the name."""
    contents = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            contents["/".join((below, *parts))] = path.read_bytes()
    return contents


def package_names() -> str:
    """Return the packages and their versions as a phrase."""
    lines = REQUIREMENTS.read_text("utf-8").splitlines()
    return " and ".join(line.split()[0].replace("==", " ") for line in lines if line and not line.startswith("#"))


def downloaded_packages(home: Path) -> Path | None:
    """Return the folder of the packages in `home`, or None if they were not downloaded yet."""
    folder = home / "reaper" / "packages"
    stamp = folder / _STAMP
    return folder if stamp.is_file() and content_hash(stamp) == content_hash(REQUIREMENTS) else None


def download_packages(home: Path, python: Path) -> Path:
    """Return the folder of the packages in `home`; download them with the pip of `python` if they are missing.

    Raises
    ------
    FaderwiseError
        pip failed: no network, or a file has another hash.
    InputError
        `home` cannot be written to.
    """
    if folder := downloaded_packages(home):
        return folder
    folder = home / "reaper" / "packages"
    unfinished = folder.with_name(f".packages-{secrets.token_hex(4)}")
    try:
        _run_pip(unfinished, python)
        shutil.copyfile(REQUIREMENTS, unfinished / _STAMP)
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot be written ({reason})", path=folder, remedy="change its permissions") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def remove_packages(home: Path) -> None:
    """Remove the downloaded packages from `home`."""
    shutil.rmtree(home / "reaper" / "packages", ignore_errors=True)
    with contextlib.suppress(OSError):  # it is not empty, or does not exist
        (home / "reaper").rmdir()


def _run_pip(folder: Path, python: Path) -> None:
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    checked = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(REQUIREMENTS)]
    command = [str(python), "-I", "-m", "pip", "install", *options, *checked, "--target", str(folder)]
    environ = {**os.environ, "PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": ""}
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", env=environ)  # noqa: S603 - a list
    except OSError as error:
        raise FaderwiseError(f"{python}: does not start ({error}); run `python3 install.py` again") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise FaderwiseError(
            f"pip could not download {package_names()} ({last}); check the network and PIP_INDEX_URL, then try again"
        )


def toolbar_files(actions: Sequence[Action]) -> dict[str, bytes]:
    """Return the icons and the toolbar of the actions by their path in REAPER's resource folder."""
    icons = {path.relative_to(_BUNDLED_ICONS).as_posix(): path for path in sorted(_BUNDLED_ICONS.rglob("*.png"))}
    files = {f"{ICONS}/{name}": path.read_bytes() for name, path in icons.items()}
    by_button = {Path(action.file).stem.removeprefix(_COMMAND.lower()): action for action in actions}
    shown = [by_button[button] for button in _BUTTONS if button in by_button]
    lines = ["[Floating toolbar 8]"]
    lines += [f"icon_{place}={Path(action.file).stem}.png" for place, action in enumerate(shown)]
    lines += [f"item_{place}=_{action.command} {action.description}" for place, action in enumerate(shown)]
    files[MENU] = ("\n".join([*lines, "title=Faderwise"]) + "\n").encode()
    return files
