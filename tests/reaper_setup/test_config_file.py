"""Files edited line by line: every byte that was not meant stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis_server.reaper_setup.config_file import parse_lines, read_lines, write_lines
from core.errors import InputError

BODIES = st.lists(st.binary(max_size=6).map(lambda body: body.replace(b"\n", b"").rstrip(b"\r")), max_size=6)
ENDS = st.sampled_from([b"\n", b"\r\n"])


@given(content=st.binary())
def test_lines_give_back_the_bytes_they_were_read_from(content: bytes) -> None:
    assert parse_lines(content).content == content


@given(bodies=BODIES, end=ENDS, ended=st.booleans(), added=st.lists(st.just(b"ours"), min_size=1, max_size=3))
def test_taking_added_lines_away_gives_the_same_bytes(
    bodies: list[bytes], end: bytes, ended: bool, added: list[bytes]
) -> None:
    content = end.join(bodies) + (end if ended and bodies else b"")
    lines = parse_lines(content)
    for index in range(len(lines.bodies) + 1):
        grown = parse_lines(lines.with_added(added, index).content)
        assert [grown.bodies[index + number] for number in range(len(added))] == added
        for _ in added:
            grown = parse_lines(grown.without(index).content)
        assert grown.content == content


def test_added_lines_end_as_the_others_do() -> None:
    assert parse_lines(b"a\r\nb\r\nc").with_added([b"d", b"e"]).content == b"a\r\nb\r\nc\r\nd\r\ne"
    assert parse_lines(b"a\nb\n").with_added([b"d"], 1).content == b"a\nd\nb\n"
    assert parse_lines(b"").with_added([b"d"]).content == b"d" + os.linesep.encode()


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none.ini").bodies == ()


def test_utf_16_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "reaper.ini"
    file.write_bytes("[REAPER]\n".encode("utf-16"))
    with pytest.raises(InputError, match=r"reaper\.ini: is UTF-16"):
        read_lines(file)


@pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX's")
def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles"
    kept.mkdir()
    file = kept / "reaper.ini"
    file.write_bytes(b"a\n")
    file.chmod(0o640)
    link = tmp_path / "reaper.ini"
    link.symlink_to(file)
    write_lines(link, read_lines(link).with_added([b"b"]))
    assert link.is_symlink()
    assert file.read_bytes() == b"a\nb\n"
    assert file.stat().st_mode & 0o777 == 0o640
