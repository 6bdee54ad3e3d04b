"""What runs inside REAPER: only the standard library and reapy, on Python 3.8 to 3.13, one call an action."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from pathlib import Path

import pytest

from core import __version__
from tests.reaper_host import ReaperHost

SCRIPTS = Path(__file__).resolve().parents[2] / "reaper_scripts"
ACTIONS = sorted(SCRIPTS.glob("faderwise_*.py"))
SOURCES = [*ACTIONS, *sorted((SCRIPTS / "faderwise_bridge").glob("*.py"))]
ALLOWED = {*sys.stdlib_module_names, "reapy", "reaper_python", "faderwise_bridge"}
LATER_THAN_3_8 = ("removeprefix", "removesuffix", "is_relative_to", "with_stem", "hardlink_to")


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_only_the_standard_library_and_reapy_are_imported(path: Path) -> None:
    assert imported(path) - ALLOWED == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_it_is_valid_python_3_8(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 8))
    assert [name for name in LATER_THAN_3_8 if f".{name}(" in text] == []
    assert not re.search(r"zip\(.*strict=", text)


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.stem)
def test_an_action_file_is_a_header_and_one_call(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    header = dict(re.findall(r"^# @(\w+) ?(.*)$", text, re.MULTILINE))
    assert header.keys() == {"description", "version", "author", "about"}
    assert header["description"].startswith("Faderwise: ")
    assert header["version"] == __version__
    calls = [node for node in ast.parse(text).body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    assert [ast.unparse(call) for call in calls] == [f"actions.run({path.stem.removeprefix('faderwise_')!r})"]


def test_there_are_eleven_actions() -> None:
    assert len(ACTIONS) == 11


def test_no_warning_of_reapy_reaches_reaper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "no cache"))  # reapy is compiled again, which warns
    with ReaperHost(tmp_path / "resource") as host, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        host.switches.shows_warnings = True
        host.install_scripts(SCRIPTS)
        host.dialogs.expect_inputs(None, containing="settings")
        host.run_script(host.resource_path / "Scripts" / SCRIPTS.name / "faderwise_settings.py")
        assert "reapy" in sys.modules
        assert host.script_errors == []
    assert [str(one.message) for one in caught if "escape" in str(one.message)] == []
