"""reaper.ini's settings of ReaScript's Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis_server.reaper_setup.config_file import Lines, parse_lines
from analysis_server.reaper_setup.settings import library_set, python_changes, value_of, with_change, without_change
from core.errors import InputError

LIBRARY = Path("/opt/python 3/lib/libpython3.11.so")


def changed(lines: Lines) -> Lines:
    for change in python_changes(lines, LIBRARY):
        lines = with_change(lines, change)
    return lines


def test_python_is_set_at_the_end_of_the_section() -> None:
    lines = changed(parse_lines(b"[a]\r\nx=1\r\n[REAPER]\r\ny=2\r\n\r\n[z]\r\nreascript=0\r\n"))
    assert lines.content == (
        b"[a]\r\nx=1\r\n[REAPER]\r\ny=2\r\nreascript=1\r\npythonlibpath64=/opt/python 3/lib\r\n"
        b"pythonlibdll64=libpython3.11.so\r\n\r\n[z]\r\nreascript=0\r\n"
    )
    assert library_set(lines) == LIBRARY


def test_settings_are_changed_where_they_stand_in_any_case() -> None:
    lines = changed(parse_lines(b"\xef\xbb\xbf[reaper]\nPythonLibDll64 = old.so\nReaScript=0\nother=1"))
    assert lines.content == (
        b"\xef\xbb\xbf[reaper]\nPythonLibDll64=libpython3.11.so\nReaScript=1\nother=1\n"
        b"pythonlibpath64=/opt/python 3/lib"
    )


def test_nothing_is_changed_twice() -> None:
    lines = changed(parse_lines(b"[REAPER]\n"))
    assert python_changes(lines, LIBRARY) == []
    assert python_changes(lines, None) == []


def test_changes_are_taken_back_to_the_byte() -> None:
    content = b"[REAPER]\nreascript=0\n\n\n[x]\n"
    before = parse_lines(content)
    changes = python_changes(before, LIBRARY)
    lines = changed(before)
    for change in reversed(changes):
        lines = without_change(lines, change)
    assert lines.content == content


def test_a_setting_the_user_changed_is_not_taken_back() -> None:
    change = python_changes(parse_lines(b"[REAPER]\nreascript=1\n"), LIBRARY)[0]
    assert without_change(parse_lines(b"[REAPER]\npythonlibpath64=/mine\n"), change) is None


def test_a_change_that_was_never_made_is_taken_back_already() -> None:
    lines = parse_lines(b"[REAPER]\nreascript=0\n")
    for change in python_changes(lines, LIBRARY):
        assert without_change(lines, change) == lines


def test_a_file_reaper_never_wrote_is_told() -> None:
    with pytest.raises(InputError, match="start REAPER once"):
        value_of(parse_lines(b""), "reascript")


KINDS = [
    b"",
    b"x=1",
    b"reascript=0",
    b"REASCRIPT = 1",
    b"pythonlibpath64=/opt/a b",
    b"pythonlibdll64=",
    b"[Other]",
    b"[reaper]",
]


@given(
    before=st.lists(st.sampled_from(KINDS), max_size=4),
    after=st.lists(st.sampled_from(KINDS), max_size=6),
    end=st.sampled_from([b"\n", b"\r\n"]),
    ended=st.booleans(),
)
def test_whatever_the_file_holds_python_is_set_and_taken_back_to_the_byte(
    before: list[bytes], after: list[bytes], end: bytes, ended: bool
) -> None:
    content = end.join([*before, b"[REAPER]", *after]) + (end if ended else b"")
    lines = parse_lines(content)
    changes = python_changes(lines, LIBRARY)
    there = changed(lines)
    assert library_set(there) == LIBRARY
    assert value_of(there, "reascript") == "1"
    assert len(there.bodies) - len(lines.bodies) == sum(change.before is None for change in changes)
    back = parse_lines(there.content)
    for change in reversed(changes):
        undone = without_change(back, change)
        assert undone is not None
        back = parse_lines(undone.content)
    assert back.content == content
