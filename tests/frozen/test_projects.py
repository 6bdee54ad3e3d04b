"""Project files: other content is kept byte for byte, and written lines are the stored ones."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path

import pytest

from tests.frozen.fixtures import check, check_lines
from tests.frozen.material import ROLES, ROOT
from tests.frozen.program import parsed_and_written, result_of

PROJECTS = ROOT / "tests" / "projects"


def changed_lines(original: bytes, written: bytes) -> list[str]:
    """Return the removed (-) and added (+) lines with their position. All other lines are identical to the byte.

    Lines of run records are left out: they are compressed and have a time in them. So are the ids of new envelopes.
    """
    before, after = original.splitlines(keepends=True), written.splitlines(keepends=True)
    after = [line for line in after if not re.match(rb" *RUN_\d+_\d+ ", line)]
    lines = []
    for kind, start, end, new_start, new_end in difflib.SequenceMatcher(None, before, after, False).get_opcodes():
        if kind != "equal":
            lines.append(f"after line {start}:")
            lines += [f"- {_text(line)}" for line in before[start:end]]
            lines += [f"+ {_text(line)}" for line in after[new_start:new_end]]
    return lines


def _text(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return "EGUID <id>" if text.startswith("EGUID ") else text


@pytest.mark.parametrize("name", ["wincing", "yarg-template"])
def test_a_parsed_project_is_written_byte_for_byte(name: str) -> None:
    content = (PROJECTS / f"{name}.rpp").read_bytes()
    assert parsed_and_written(content) == content


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_real_project_with_exported_stems(tmp_path: Path, short_song: Path, verb: str) -> None:
    project, stems = tmp_path / "wincing.rpp", tmp_path / "stems"
    shutil.copyfile(PROJECTS / "wincing.rpp", project)
    stems.mkdir()
    for track, role in (("drums", "drums"), ("chorus-Left", "melody"), ("Chorus-Leads - stem", "vocals")):
        shutil.copyfile(short_song / f"{role}.flac", stems / f"wincing-{track}.flac")
    buses = [word for bus in ("drums=5", "melody=1", "vocals=3") for word in ("--bus", bus)]
    words = [
        *buses,
        "--stems",
        stems,
        *(("--model", "mine") if verb == "mix" else ("--mixdown", short_song / "mix.wav")),
    ]
    result = result_of(verb, project, *words)
    check(f"{verb} of wincing.rpp", result, here=Path.cwd(), folder=tmp_path)
    original = (PROJECTS / "wincing.rpp").read_bytes()
    written = (tmp_path / "wincing-faderwise.RPP").read_bytes()
    assert project.read_bytes() == original
    assert written.count(b"\n") == written.count(b"\r\n")
    check_lines(f"{verb} of wincing.rpp lines", changed_lines(original, written))
    reverted = tmp_path / "reverted"
    result_of("revert", tmp_path / "wincing-faderwise.RPP", "--out", reverted)
    (back,) = reverted.glob("*.RPP")
    assert back.read_bytes() == original


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_session_with_its_own_media(session: Path, verb: str) -> None:
    original = session.read_bytes()
    result = result_of(verb, session, *(("--model", "mine") if verb == "mix" else ()))
    check(f"{verb} of a session", result, here=Path.cwd(), folder=session.parent)
    copy = session.with_name("Song-faderwise.RPP")
    check_lines(f"{verb} of a session lines", changed_lines(original, copy.read_bytes()))
    assert session.read_bytes() == original


def test_edits_and_reverts_of_a_session(session: Path) -> None:
    original = session.read_bytes()
    result_of("match", session)
    copy = session.with_name("Song-faderwise.RPP")
    states = [original, copy.read_bytes()]
    for words in (("--depth", "50"), ("--smooth", "2", "--offset", "vocals=-3"), ("--from-prediction", "--limit", "2")):
        result_of("edit", copy, *words)
        states.append(copy.read_bytes())
    check_lines("edit of a session lines", changed_lines(original, states[-1]))
    check("audit of a session", result_of("audit", copy, "--no-sound", "--curves"), folder=session.parent)
    for number in (3, 1, 0):
        result_of("revert", copy, "--to", number)
        assert copy.read_bytes() == states[number]


def test_the_faders_of_a_session_are_learned(session: Path, home: Path) -> None:
    result = result_of("learn", session, "--from", "faders", "--model", "from faders")
    assert sorted(result["coefficients"]) == sorted(ROLES)
    check("learn from faders", result, home=home)
    result_of("models", "remove", "from faders")
