"""What the verbs say, in REAPER's terms."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from analysis_server.reaper.job_file import JobFile, in_reaper

ROOT = Path(__file__).resolve().parents[2]
JOB = JobFile(version=1, action="A", verb="mix", phase="do", title="My Song", project="/jobs/1/My Song.rpp")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "track 3 'Kit' is muted and was passed over; use --bus 'drums=3' to take it in",
            "track 3 'Kit' is muted and was passed over",
        ),
        (
            "/jobs/1/My Song.rpp: the fader of track 2 is all the way down, so no envelope can be heard; raise it in "
            "REAPER, or choose another track with --bus",
            "My Song: the fader of track 2 is all the way down, so no envelope can be heard; raise it in REAPER",
        ),
        (
            "--bus drums=9: My Song.rpp has no such track; it has 1 'a', 2 'b'",
            "drums=9: My Song.rpp has no such track; it has 1 'a', 2 'b'",
        ),
        (
            "--bus: track 1 'x' was chosen twice; a track plays one role",
            "track 1 'x' was chosen twice; a track plays one role",
        ),
        ("nothing of the command line in here - at all", "nothing of the command line in here - at all"),
    ],
)
def test_options_and_the_copys_path_are_left_out(told: str, expected: str) -> None:
    assert in_reaper(told, JOB) == expected


def test_a_job_without_a_project_is_told_in_its_own_words() -> None:
    without = JobFile(version=1, action="A", verb="mix", phase="do", title="My Song", project="")
    assert in_reaper("the song lasts 1.2 s", without) == "the song lasts 1.2 s"


def text_of(node: ast.expr) -> str:
    """Return what a text of the source says, X where something is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else "X"


def sentences() -> list[str]:
    """Return every text with an option in it that the modules behind the live verbs can say."""
    files = [ROOT / "core/roles.py", ROOT / "core/runs/edit.py", *(ROOT / "core/rpp").glob("*.py")]
    files += (ROOT / "analysis_server/projects").glob("*.py")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    fstrings = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inner = {id(part) for node in fstrings for part in node.values}
    docs = {id(node.value) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [
        text_of(node)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, (ast.JoinedStr, ast.Constant)) and id(node) not in inner | docs
    ]
    of_folders = "belong to a REAPER project"
    return [text for text in texts if re.search("--[a-z]", text) and " " in text and of_folders not in text]


def test_no_option_is_left_in_any_sentence_of_the_live_verbs() -> None:
    told = sentences()
    assert len(told) > 10
    assert [text for text in told if re.search(r"--[a-z]", in_reaper(text, JOB))] == []
