"""What the scripts import inside REAPER: reapy and typing-extensions, got once by pip and kept to be copied from.

pip checks each file against the hash in packages.txt. psutil, which reapy names as a requirement, is left out: reapy
imports it outside REAPER only.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from core.errors import FaderwiseError, InputError
from core.files import content_hash

REQUIREMENTS = Path(__file__).with_name("packages.txt")
_STAMP = "requirements.txt"


def names() -> str:
    """Return the packages and their versions, as a sentence has them."""
    lines = REQUIREMENTS.read_text("utf-8").splitlines()
    return " and ".join(line.split()[0].replace("==", " ") for line in lines if line and not line.startswith("#"))


def kept(home: Path) -> Path | None:
    """Return the folder of the packages in `home`, or None if they are not installed yet."""
    folder = home / "reaper" / "packages"
    stamp = folder / _STAMP
    return folder if stamp.is_file() and content_hash(stamp) == content_hash(REQUIREMENTS) else None


def get(home: Path, python: Path) -> Path:
    """Return the folder of the packages in `home`; install them with the pip of `python` if they are missing.

    Raises
    ------
    FaderwiseError
        pip failed: no network, or a file has another hash.
    InputError
        `home` cannot be written to.
    """
    if folder := kept(home):
        return folder
    folder = home / "reaper" / "packages"
    unfinished = folder.with_name(f".packages-{secrets.token_hex(4)}")
    try:
        _install(unfinished, python)
        shutil.copyfile(REQUIREMENTS, unfinished / _STAMP)
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror or error})", path=folder, remedy="see to its permissions"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def forget(home: Path) -> None:
    """Remove what was kept in `home`."""
    shutil.rmtree(home / "reaper" / "packages", ignore_errors=True)
    with contextlib.suppress(OSError):  # something else is in it, or it is not there
        (home / "reaper").rmdir()


def _install(folder: Path, python: Path) -> None:
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    checked = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(REQUIREMENTS)]
    command = [str(python), "-I", "-m", "pip", "install", *options, *checked, "--target", str(folder)]
    environ = {**os.environ, "PIP_USER": "0", "PIP_TARGET": "", "PIP_PREFIX": ""}
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", env=environ)  # noqa: S603 - a list
    except OSError as error:
        raise FaderwiseError(f"{python}: does not start ({error}); run `python3 install.py` again") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise FaderwiseError(
            f"{names()} could not be got by pip ({last}); check the network and PIP_INDEX_URL, try again"
        )
