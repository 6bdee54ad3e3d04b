"""A REAPER folder as REAPER leaves it, scripts to put into it, and the packages as pip lays them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from analysis_server.reaper_setup import commands, find_reaper, packages
from analysis_server.reaper_setup.scripts import Application
from core.errors import FaderwiseError

SETTINGS = (
    b"[.swell]\r\nui_scale=1\r\n\r\n[REAPER]\r\nlastproject=C:\\Musik\\\xc3\xbcbung.rpp\r\nodd\x80byte=\xff\r\n"
    b"csurf_cnt=0\r\n\r\n[Recent]\r\nrecent01=a=b\r\n"
)
KEYMAP = (
    b'ACT 0 0 "4e5f" "Custom: two" 40044 40001\n'
    b'SCR 4 0 RS1ee9bb229dabffe151848d7efa3c10f748e1a1cf "Custom: lyrics.lua" Cockos/lyrics.lua\n'
    b"KEY 1 65 40044 0\t # Main : A : play"
)


@pytest.fixture
def resource(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """REAPER's resource folder, under a path with blanks and letters; the only one there is, and REAPER is closed."""
    folder = tmp_path / "Ä REAPER folder"
    (folder / "Scripts" / "Cockos").mkdir(parents=True)
    (folder / "reaper.ini").write_bytes(SETTINGS)
    (folder / "reaper-kb.ini").write_bytes(KEYMAP)
    monkeypatch.setenv("REAPER_RESOURCE_PATH", str(folder))
    monkeypatch.setattr(find_reaper, "running", list)
    return folder


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts as the application carries it."""
    folder = tmp_path / "carried"
    (folder / "faderwise_bridge" / "__pycache__").mkdir(parents=True)
    for name, description in (("auto_mix_buses", "Auto-mix buses"), ("settings", "Settings")):
        header = f"# @description Faderwise: {description}\n# @version 0.1.0\n# @about\n#   Words.\n"
        (folder / f"faderwise_{name}.py").write_text(f'{header}"""Doc."""\n\nimport sys\n', "utf-8")
    (folder / "faderwise_bridge" / "__init__.py").write_text('"""The bridge."""\n', "utf-8")
    (folder / "faderwise_bridge" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    monkeypatch.setattr(commands, "bundled_scripts", lambda: folder)
    return folder


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """An application whose packages are there already, as after an earlier run of pip."""
    home = tmp_path / "my data"
    lay_packages(home)
    return Application(home / "environment" / "bin" / "python", home)


def lay_packages(home: Path) -> None:
    """Lay stand-ins of the packages as pip would."""
    vendor = home / "reaper" / "packages"
    (vendor / "reapy").mkdir(parents=True)
    (vendor / "reapy" / "__init__.py").write_text("", "utf-8")
    (vendor / "typing_extensions.py").write_text("", "utf-8")
    (vendor / "requirements.txt").write_bytes(packages.REQUIREMENTS.read_bytes())


@pytest.fixture(scope="session")
def got_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder with the packages as a real pip laid them. Do not write to it."""
    home = tmp_path_factory.mktemp("data with packages")
    try:
        packages.get(home, Path(sys.executable))
    except FaderwiseError as error:
        pytest.skip(f"needs the package registry: {error}")
    return home


@dataclass
class Listener:
    """A person: hears what is said, and answers every question the same way."""

    answers: bool = True
    heard: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    def talk(self) -> commands.Prompter:
        return commands.Prompter(self.heard.append, self._answer)

    def _answer(self, question: str) -> bool:
        self.questions.append(question)
        return self.answers

    @property
    def text(self) -> str:
        return "\n".join(self.heard)


@pytest.fixture
def person() -> Listener:
    """Somebody who says yes."""
    return Listener()


@pytest.fixture
def installed(scripts: Path, resource: Path, application: Application, person: Listener) -> Path:
    """A resource folder with the scripts in it."""
    commands.set_up(application, person.talk())
    return resource


def tree(folder: Path) -> dict[str, str]:
    """Return what a folder holds: each folder, and each file's hash."""
    return dict(_tree(folder))


def _tree(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield name, "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
