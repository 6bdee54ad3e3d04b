"""The files that are installed in REAPER's resource folder.

Scripts/Faderwise/faderwise_*.py               the actions
Scripts/Faderwise/faderwise_bridge/            the package they share
Scripts/Faderwise/vendor/                      reapy and typing-extensions
Scripts/Faderwise/faderwise_application.json   where the application is
Data/toolbar_icons/faderwise_*.png             the actions' icons
MenuSets/Faderwise.ReaperMenu                  a toolbar, to import in Options > Customize menus and toolbars

pip downloads the packages once into the data folder and checks them against the hashes in packages.txt. psutil, which
reapy requires, is left out: reapy imports it outside REAPER only.

An icon is a PNG file of three squares of 30 pixels next to each other: a button at rest, under the mouse and pressed.
Icons are drawn from rectangles, so that no image library is needed before the application is installed. The lines of
the toolbar are those of reaper-menu.ini (`item_N=_COMMAND description`, `icon_N=file`). reaper-menu.ini itself, which
contains the user's own toolbars, is never changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import struct
import subprocess
import zlib
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
REQUIREMENTS = Path(__file__).with_name("packages.txt")
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


ICONS, MENU = "Data/toolbar_icons", "MenuSets/Faderwise.ReaperMenu"
_SECTION = "Floating toolbar 8"
_SIZE = 30
_STATES = ((190, 190, 190), (240, 240, 240), (255, 170, 60))
"""The colour of a symbol in each state."""
_LEVELS = (0.75, 0.45, 0.6)
Rectangle = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels; right and bottom are outside."""


def _faders(levels: Sequence[float], top: int = 5, bottom: int = 25, left: int = 6) -> list[Rectangle]:
    """Return three faders whose caps are at `levels`, 0 at the bottom and 1 at the top."""
    found: list[Rectangle] = []
    for place, level in enumerate(levels):
        middle = left + 3 + 7 * place
        cap = round(bottom - 2 - level * (bottom - top - 4))
        found += [(middle - 1, top, middle, bottom), (middle - 3, cap - 2, middle + 2, cap + 2)]
    return found


_ARROW_DOWN = [(14, 4, 16, 16), (11, 12, 19, 14), (12, 14, 18, 16), (13, 16, 17, 18)]
_ARROW_LEFT = [(9, 14, 24, 16), (9, 12, 11, 18), (11, 10, 13, 20), (7, 13, 9, 17)]
_LINE = [(5, 24, 25, 26)]
SYMBOLS: dict[str, list[Rectangle]] = {
    "faderwise_auto_mix_buses": _faders(_LEVELS),
    "faderwise_auto_mix_selected_tracks": [*_faders(_LEVELS, 8, 25), *[(6, 3, 12, 5), (13, 3, 19, 5), (20, 3, 26, 5)]],
    "faderwise_auto_mix_again": [*_faders(_LEVELS, 11, 26), (6, 4, 24, 6), (22, 4, 24, 9), (20, 7, 26, 9)],
    "faderwise_compare_bus_automation": [
        (4, 6, 6, 24),
        (10, 6, 12, 24),
        (6, 6, 10, 8),
        (6, 14, 10, 16),
        (18, 6, 20, 24),
        (20, 6, 25, 8),
        (24, 8, 26, 14),
        (20, 14, 25, 16),
        (24, 16, 26, 22),
        (20, 22, 25, 24),
    ],
    "faderwise_match_buses": [
        *_faders((0.3, 0.8, 0.5), 11, 26),
        *[(4 + 4 * n, 8 - n % 3 * 2, 6 + 4 * n, 9) for n in range(6)],
    ],
    "faderwise_learn_mix_model": [*_ARROW_DOWN, *_LINE, (5, 20, 7, 26), (23, 20, 25, 26)],
    "faderwise_edit_bus_automation": [
        (4, 20, 9, 22),
        (8, 14, 10, 21),
        (9, 13, 15, 15),
        (14, 8, 16, 14),
        (15, 7, 26, 9),
        (7, 19, 11, 23),
        (13, 12, 17, 16),
    ],
    "faderwise_revert_bus_automation": _ARROW_LEFT,
    "faderwise_audit_bus_automation": [
        (6, 5, 18, 7),
        (6, 5, 8, 17),
        (16, 5, 18, 17),
        (6, 15, 18, 17),
        (17, 17, 20, 20),
        (19, 19, 22, 22),
        (21, 21, 24, 24),
    ],
    "faderwise_settings": [(13, 4, 17, 26), (4, 13, 26, 17), (8, 8, 22, 22)],
    "faderwise_check_reaper": [
        (5, 15, 8, 18),
        (7, 17, 10, 20),
        (9, 19, 12, 22),
        (11, 17, 14, 20),
        (13, 15, 16, 18),
        (15, 13, 18, 16),
        (17, 11, 20, 14),
        (19, 9, 22, 12),
        (21, 7, 24, 10),
    ],
}
"""The symbol of each action, by its script's name."""


def toolbar_files(actions: Sequence[Action]) -> dict[str, bytes]:
    """Return the icons and the toolbar of the actions by their path in REAPER's resource folder."""
    files = {f"{ICONS}/{name}.png": icon(symbol) for name, symbol in SYMBOLS.items()}
    lines = [f"[{_SECTION}]"]
    lines += [f"icon_{place}={_name(action)}.png" for place, action in enumerate(actions)]
    lines += [f"item_{place}=_{action.command} {action.description}" for place, action in enumerate(actions)]
    files[MENU] = ("\n".join([*lines, "title=Faderwise"]) + "\n").encode()
    return files


def icon(symbol: Sequence[Rectangle]) -> bytes:
    """Return a PNG of 90 x 30 pixels with a symbol in its three states, on a transparent ground."""
    rows = [bytearray(4 * 3 * _SIZE) for _ in range(_SIZE)]
    for state, colour in enumerate(_STATES):
        pixel = bytes((*colour, 255))
        for left, top, right, bottom in symbol:
            for row in rows[top:bottom]:
                row[4 * (state * _SIZE + left) : 4 * (state * _SIZE + right)] = pixel * (right - left)
    header = struct.pack(">IIBBBBB", 3 * _SIZE, _SIZE, 8, 6, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 0)  # stored, so that the bytes are always the same
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _name(action: Action) -> str:
    return action.file.removesuffix(".py")
