"""install.py as a module, and what its tests look at."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "install.py"
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in for the command is a shell script")


def _load():
    spec = importlib.util.spec_from_file_location("faderwise_install_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


install = _load()
setup = install.setup


def venv_of(checkout, *extras):
    return setup.Environment(checkout / ".venv", editable=True, extras=extras)


def user_program():
    return install.user_environment().program()


def asides(folder):
    return [path for path in folder.iterdir() if "-broken-" in path.name]
