"""The files that belong into REAPER's Scripts folder: the actions, the package they share, what they import.

Faderwise/faderwise_*.py               the actions
Faderwise/faderwise_bridge/            the package they share
Faderwise/vendor/                      reapy and typing-extensions
Faderwise/faderwise_application.json   where the application is
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis_server.paths import carried
from analysis_server.reaper_setup.keymap import FOLDER
from core import __version__

APPLICATION = "faderwise_application.json"
VENDOR = "vendor"


@dataclass(frozen=True)
class Application:
    """What the scripts start: the Python of the application's environment, and the folder where it keeps its things."""

    python: Path
    home: Path

    def described(self) -> bytes:
        """Return the content of the file next to the scripts."""
        facts = {"version": __version__, "python": self.python, "home": self.home}
        return (
            json.dumps({name: str(fact) for name, fact in facts.items()}, indent=1, ensure_ascii=False) + "\n"
        ).encode()


def bundled_scripts() -> Path:
    """Return the folder of the scripts.

    Raises
    ------
    InputError
        It is not there: the installation is damaged.
    """
    return carried("reaper_scripts")


def script_files(scripts: Path) -> dict[str, bytes]:
    """Return the scripts' contents by their path in REAPER's Scripts folder, `/` between its parts."""
    return dict(_files(scripts, FOLDER))


def package_files(packages: Path | None) -> dict[str, bytes]:
    """Return the packages' contents likewise."""
    return dict(_files(packages, f"{FOLDER}/{VENDOR}")) if packages else {}


def wanted_files(scripts: Path, packages: Path | None, application: Application) -> dict[str, bytes]:
    """Return all that belongs into REAPER's Scripts folder."""
    described = {f"{FOLDER}/{APPLICATION}": application.described()}
    return script_files(scripts) | package_files(packages) | described


def _files(folder: Path, below: str) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and "__pycache__" not in parts and not any(part.startswith(".") for part in parts):
            yield "/".join((below, *parts)), path.read_bytes()
