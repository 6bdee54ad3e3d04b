"""`faderwise reaper` as it is typed."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from analysis_server.cli import main
from tests.reaper_setup.conftest import tree


@pytest.fixture(autouse=True)
def home(tmp_path: Path, got_packages: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = Path(shutil.copytree(got_packages, tmp_path / "my data"))
    monkeypatch.setenv("FADERWISE_HOME", str(folder))
    return folder


def test_it_is_asked_told_and_done(
    resource: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(resource)
    monkeypatch.setattr(sys, "stdin", io.StringIO("no\nyes\ny\n"))
    assert main(["reaper", "install"]) == 0
    assert tree(resource) == before
    assert main(["reaper", "install"]) == 0
    told = capsys.readouterr()
    assert "Make these changes to REAPER? [y/N]" in told.err
    described = json.loads((resource / "Scripts" / "Faderwise" / "faderwise_application.json").read_text("utf-8"))
    assert described["python"] == sys.executable
    assert main(["reaper", "uninstall"]) == 0
    assert tree(resource) == before


def test_nobody_to_ask_is_told_with_the_way_out(
    resource: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(resource)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["reaper", "install"]) == 2
    assert capsys.readouterr().err.endswith("faderwise: no answer could be read; run it again with --yes\n")
    assert tree(resource) == before


def test_programs_get_one_json_object(resource: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reaper", "install", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folders"] == [str(resource)]
    assert any("SCR 516 0 FADERWISE_SETTINGS" in line for line in told["told"])
    assert main(["reaper", "install", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["told"][-1].startswith("REAPER is set up.")
