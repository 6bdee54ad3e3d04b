"""The program that draws the images of the documentation, where it cannot run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_TOOLS = "import runpy, sys; sys.modules['psutil'] = None; runpy.run_module({!r}, run_name='__main__')"


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["-c", WITHOUT_TOOLS.format("tests.end_to_end.draw_tour")], "psutil is not installed"),
        (["-m", "tests.end_to_end.draw_tour"], "give one existing folder"),
    ],
)
def test_a_missing_tool_or_folder_is_reported_in_one_line(arguments: list[str], reported: str) -> None:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2 and not done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("draw_tour: ") and reported in line
