"""A REAPER folder, scripts to install in it, and downloaded packages."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from analysis_server.reaper_setup import find_reaper, install, scripts
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
    """The only resource folder of REAPER, with spaces and umlauts in its path; REAPER is closed."""
    folder = tmp_path / "Ä REAPER folder"
    (folder / "Scripts" / "Cockos").mkdir(parents=True)
    (folder / "reaper.ini").write_bytes(SETTINGS)
    (folder / "reaper-kb.ini").write_bytes(KEYMAP)
    monkeypatch.setenv("REAPER_RESOURCE_PATH", str(folder))
    monkeypatch.setattr(find_reaper, "running", list)
    return folder


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small folder of scripts instead of the real one."""
    folder = tmp_path / "carried"
    (folder / "faderwise_bridge" / "__pycache__").mkdir(parents=True)
    for name, description in (("auto_mix_buses", "Auto-mix buses"), ("settings", "Settings")):
        header = f"# @description Faderwise: {description}\n# @version 0.1.0\n# @about\n#   Words.\n"
        (folder / f"faderwise_{name}.py").write_text(f'{header}"""Doc."""\n\nimport sys\n', "utf-8")
    (folder / "faderwise_bridge" / "__init__.py").write_text('"""The bridge."""\n', "utf-8")
    (folder / "faderwise_bridge" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    monkeypatch.setattr(scripts, "bundled_scripts", lambda: folder)
    return folder


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """An application whose packages were downloaded before."""
    home = tmp_path / "my data"
    write_packages(home)
    return Application(home / "environment" / "bin" / "python", home)


def write_packages(home: Path) -> None:
    """Write empty modules where pip would install the packages."""
    vendor = home / "reaper" / "packages"
    (vendor / "reapy").mkdir(parents=True)
    (vendor / "reapy" / "__init__.py").write_text("", "utf-8")
    (vendor / "typing_extensions.py").write_text("", "utf-8")
    (vendor / "requirements.txt").write_bytes(scripts.REQUIREMENTS.read_bytes())


@pytest.fixture(scope="session")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with packages that pip really downloaded. Do not write to it."""
    home = tmp_path_factory.mktemp("data with packages")
    try:
        scripts.download_packages(home, Path(sys.executable))
    except FaderwiseError as error:
        pytest.skip(f"needs the package registry: {error}")
    return home


@dataclass
class User:
    """A user who reads every line and gives the same answer to every question."""

    answers: bool = True
    lines: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    def prompter(self) -> install.Prompter:
        return install.Prompter(self.lines.append, self._answer)

    def _answer(self, question: str) -> bool:
        self.questions.append(question)
        return self.answers

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def user() -> User:
    """Return a user who always answers yes."""
    return User()


@pytest.fixture
def installed(bundled: Path, resource: Path, application: Application, user: User) -> Path:
    """A resource folder with the scripts installed."""
    install.install_actions(application, user.prompter())
    return resource


def tree(folder: Path) -> dict[str, str]:
    """Return the content of a folder: each folder, and the hash of each file."""
    return dict(_tree(folder))


def _tree(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield name, "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
