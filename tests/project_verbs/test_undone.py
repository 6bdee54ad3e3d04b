"""What the commands do with a run that was undone in REAPER."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from analysis_server.cli import main
from tests.cases.reaper_reader import FOLDER


@pytest.mark.parametrize("arguments", [["audit"], ["revert"], ["edit", "--depth", "50"]])
def test_an_undone_run_is_reported_as_undone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    path = tmp_path / "song.RPP"
    shutil.copyfile(FOLDER / "undone_in_reaper_record_stays.RPP", path)
    verb, *more = arguments
    assert main([verb, str(path), *more, "--json"]) == 2
    errors = capsys.readouterr()
    message = errors.out + errors.err
    assert "undone in REAPER" in message
    assert [one.name for one in tmp_path.iterdir()] == ["song.RPP"]
