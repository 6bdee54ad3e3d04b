"""REAPER's configuration files: changed line by line, all other bytes unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis_server.reaper_setup.config_files import (
    Lines,
    count_shortcuts,
    library_set,
    missing,
    parse_lines,
    python_changes,
    read_lines,
    registration,
    value_of,
    with_action,
    with_change,
    without_change,
    without_command,
    write_lines,
)
from analysis_server.reaper_setup.scripts import Action
from tests.expected_errors import raises_error

BODIES = st.lists(st.binary(max_size=6).map(lambda body: body.replace(b"\n", b"").rstrip(b"\r")), max_size=6)
ENDS = st.sampled_from([b"\n", b"\r\n"])


@given(content=st.binary())
def test_lines_have_the_bytes_that_they_were_read_from(content: bytes) -> None:
    assert parse_lines(content).content == content


@given(bodies=BODIES, end=ENDS, ended=st.booleans(), added=st.lists(st.just(b"ours"), min_size=1, max_size=3))
def test_removing_added_lines_restores_the_bytes(
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


def test_added_lines_have_the_usual_line_ending() -> None:
    assert parse_lines(b"a\r\nb\r\nc").with_added([b"d", b"e"]).content == b"a\r\nb\r\nc\r\nd\r\ne"
    assert parse_lines(b"a\nb\n").with_added([b"d"], 1).content == b"a\nd\nb\n"
    assert parse_lines(b"").with_added([b"d"]).content == b"d" + os.linesep.encode()


def test_a_missing_file_has_no_lines(tmp_path: Path) -> None:
    assert read_lines(tmp_path / "none.ini").bodies == ()


def test_utf_16_is_an_error_with_the_path(tmp_path: Path) -> None:
    file = tmp_path / "reaper.ini"
    file.write_bytes("[REAPER]\n".encode("utf-16"))
    with raises_error(path="reaper.ini", facts=("UTF-16",)):
        read_lines(file)


@pytest.mark.skipif(os.name == "nt", reason="links and modes are POSIX's")
def test_a_symbolic_link_and_permissions_are_preserved(tmp_path: Path) -> None:
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


LIBRARY = Path("/opt/python 3/lib/libpython3.11.so")


def changed(lines: Lines) -> Lines:
    for change in python_changes(lines, LIBRARY):
        lines = with_change(lines, change)
    return lines


def test_settings_are_added_at_the_end_of_the_section() -> None:
    lines = changed(parse_lines(b"[a]\r\nx=1\r\n[REAPER]\r\ny=2\r\n\r\n[z]\r\nreascript=0\r\n"))
    assert lines.content == (
        b"[a]\r\nx=1\r\n[REAPER]\r\ny=2\r\nreascript=1\r\npythonlibpath64=/opt/python 3/lib\r\n"
        b"pythonlibdll64=libpython3.11.so\r\n\r\n[z]\r\nreascript=0\r\n"
    )
    assert library_set(lines) == LIBRARY


def test_settings_are_changed_in_place_in_any_case() -> None:
    lines = changed(parse_lines(b"\xef\xbb\xbf[reaper]\nPythonLibDll64 = old.so\nReaScript=0\nother=1"))
    assert lines.content == (
        b"\xef\xbb\xbf[reaper]\nPythonLibDll64=libpython3.11.so\nReaScript=1\nother=1\n"
        b"pythonlibpath64=/opt/python 3/lib"
    )


def test_settings_that_are_correct_are_not_changed() -> None:
    lines = changed(parse_lines(b"[REAPER]\n"))
    assert python_changes(lines, LIBRARY) == []
    assert python_changes(lines, None) == []


def test_undoing_the_changes_restores_the_bytes() -> None:
    content = b"[REAPER]\nreascript=0\n\n\n[x]\n"
    before = parse_lines(content)
    changes = python_changes(before, LIBRARY)
    lines = changed(before)
    for change in reversed(changes):
        lines = without_change(lines, change)
    assert lines.content == content


def test_a_setting_that_the_user_changed_is_not_undone() -> None:
    change = python_changes(parse_lines(b"[REAPER]\nreascript=1\n"), LIBRARY)[0]
    assert without_change(parse_lines(b"[REAPER]\npythonlibpath64=/mine\n"), change) is None


def test_undoing_a_change_that_was_never_made_changes_nothing() -> None:
    lines = parse_lines(b"[REAPER]\nreascript=0\n")
    for change in python_changes(lines, LIBRARY):
        assert without_change(lines, change) == lines


def test_a_file_without_the_section_is_an_error() -> None:
    with raises_error(facts=("[REAPER]",)):
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
def test_settings_are_made_and_undone_in_any_file(
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


SCRIPTS = Path("/home/a b/REAPER/Scripts")
ACTION = Action("faderwise_auto_mix_buses.py", "Faderwise: Auto-mix buses", "0.1.0")
LINE = b'SCR 516 0 FADERWISE_AUTO_MIX_BUSES "Faderwise: Auto-mix buses" "Faderwise/faderwise_auto_mix_buses.py"'


def test_a_registration_is_quoted() -> None:
    assert ACTION.line.replace(b"\\", b"/") == LINE
    found = registration(LINE, SCRIPTS)
    assert found is not None
    assert found.command == ACTION.command
    assert found.path == os.path.normcase(SCRIPTS / ACTION.path)


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        b"SCR  516 0  FADERWISE_AUTO_MIX_BUSES 'Faderwise: Auto-mix buses' Faderwise/faderwise_auto_mix_buses.py",
        b'SCR 516 0 RS12ab "Custom: mine" Faderwise\\faderwise_auto_mix_buses.py',
        b'SCR 4 0 RS12ab "Custom: mine" "/home/a b/REAPER/Scripts/Faderwise/faderwise_auto_mix_buses.py"',
    ],
)
def test_registered_actions_are_not_registered_again(line: bytes) -> None:
    assert missing(parse_lines(b"KEY 1 65 40044 0\n" + line + b"\n"), [ACTION], SCRIPTS) == []


def test_an_outdated_registration_is_replaced() -> None:
    old = LINE.replace(b"Auto-mix buses", b"Mix").replace(b"faderwise_auto", b"old_auto")
    lines = parse_lines(b"KEY 1\n" + old + b"\nACT 2\n")
    assert missing(lines, [ACTION], SCRIPTS) == [ACTION]
    assert with_action(lines, ACTION).content.replace(b"\\", b"/") == b"KEY 1\n" + LINE + b"\nACT 2\n"


def test_a_registration_that_reaper_has_rewritten_is_removed() -> None:
    rewritten = (
        b"SCR 516 0 FADERWISE_AUTO_MIX_BUSES 'Faderwise: Auto-mix buses' Faderwise/faderwise_auto_mix_buses.py\r\n"
    )
    lines = parse_lines(b"ACT 1\r\n" + rewritten + b"KEY 1 65 _FADERWISE_AUTO_MIX_BUSES 0\r\n")
    assert without_command(lines, ACTION.command).content == b"ACT 1\r\nKEY 1 65 _FADERWISE_AUTO_MIX_BUSES 0\r\n"
    assert count_shortcuts(lines, [ACTION.command]) == 1


KINDS = [
    b"",
    b"KEY 1 65 40044 0",
    b'SCR 4 0 RS12ab "Custom: a b.lua" a.lua',
    b"SCR",
    b"# FADERWISE",
    b'ACT 0 0 "x" "y" 1',
]


@given(bodies=st.lists(st.sampled_from(KINDS), max_size=6), end=st.sampled_from([b"\n", b"\r\n"]), ended=st.booleans())
def test_an_action_is_registered_once_and_removed_in_any_file(bodies: list[bytes], end: bytes, ended: bool) -> None:
    content = end.join(bodies) + (end if ended and bodies else b"")
    lines = with_action(parse_lines(content), ACTION)
    assert missing(lines, [ACTION], SCRIPTS) == []
    assert with_action(lines, ACTION) == lines
    assert without_command(parse_lines(lines.content), ACTION.command).content == content
