"""Actions, from the scripts' headers to lines of reaper-kb.ini."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis_server.reaper_setup.config_file import parse_lines
from analysis_server.reaper_setup.keymap import (
    Action,
    actions_in,
    missing,
    read_action,
    registered,
    shortcuts,
    with_action,
    without_command,
)
from core.errors import InputError

SCRIPTS = Path("/home/a b/REAPER/Scripts")
ACTION = Action("faderwise_auto_mix_buses.py", "Faderwise: Auto-mix buses", "0.1.0")
LINE = b'SCR 516 0 FADERWISE_AUTO_MIX_BUSES "Faderwise: Auto-mix buses" "Faderwise/faderwise_auto_mix_buses.py"'


def test_actions_are_read_from_the_headers(scripts: Path) -> None:
    assert [action.description for action in actions_in(scripts)] == [
        "Faderwise: Auto-mix buses",
        "Faderwise: Settings",
    ]
    (scripts / "faderwise_settings.py").write_text("import sys\n", "utf-8")
    assert [action.file for action in actions_in(scripts)] == ["faderwise_auto_mix_buses.py"]


@pytest.mark.parametrize("header", ["# @version 1\n", "# @description A\n", '# @description A "b"\n# @version 1\n'])
def test_a_header_that_cannot_be_registered_is_told(header: str, tmp_path: Path) -> None:
    script = tmp_path / "faderwise_x.py"
    script.write_text(header, "utf-8")
    with pytest.raises(InputError, match=r"faderwise_x\.py: its header needs"):
        read_action(script)


def test_a_line_quotes_what_has_blanks() -> None:
    assert ACTION.line.replace(b"\\", b"/") == LINE
    found = registered(LINE, SCRIPTS)
    assert found is not None
    assert found.command == ACTION.command
    assert found.path == ACTION.place(SCRIPTS)


@pytest.mark.parametrize(
    "line",
    [
        LINE,
        b"SCR  516 0  FADERWISE_AUTO_MIX_BUSES 'Faderwise: Auto-mix buses' Faderwise/faderwise_auto_mix_buses.py",
        b'SCR 516 0 RS12ab "Custom: mine" Faderwise\\faderwise_auto_mix_buses.py',
        b'SCR 4 0 RS12ab "Custom: mine" "/home/a b/REAPER/Scripts/Faderwise/faderwise_auto_mix_buses.py"',
    ],
)
def test_what_is_registered_is_not_registered_again(line: bytes) -> None:
    assert missing(parse_lines(b"KEY 1 65 40044 0\n" + line + b"\n"), [ACTION], SCRIPTS) == []


def test_an_older_registration_is_put_right_in_its_place() -> None:
    old = LINE.replace(b"Auto-mix buses", b"Mix").replace(b"faderwise_auto", b"old_auto")
    lines = parse_lines(b"KEY 1\n" + old + b"\nACT 2\n")
    assert missing(lines, [ACTION], SCRIPTS) == [ACTION]
    assert with_action(lines, ACTION).content.replace(b"\\", b"/") == b"KEY 1\n" + LINE + b"\nACT 2\n"


def test_a_registration_is_taken_out_whatever_reaper_made_of_it() -> None:
    rewritten = (
        b"SCR 516 0 FADERWISE_AUTO_MIX_BUSES 'Faderwise: Auto-mix buses' Faderwise/faderwise_auto_mix_buses.py\r\n"
    )
    lines = parse_lines(b"ACT 1\r\n" + rewritten + b"KEY 1 65 _FADERWISE_AUTO_MIX_BUSES 0\r\n")
    assert without_command(lines, ACTION.command).content == b"ACT 1\r\nKEY 1 65 _FADERWISE_AUTO_MIX_BUSES 0\r\n"
    assert shortcuts(lines, [ACTION.command]) == 1


KINDS = [
    b"",
    b"KEY 1 65 40044 0",
    b'SCR 4 0 RS12ab "Custom: a b.lua" a.lua',
    b"SCR",
    b"# FADERWISE",
    b'ACT 0 0 "x" "y" 1',
]


@given(bodies=st.lists(st.sampled_from(KINDS), max_size=6), end=st.sampled_from([b"\n", b"\r\n"]), ended=st.booleans())
def test_whatever_the_file_holds_an_action_is_registered_once_and_taken_out_to_the_byte(
    bodies: list[bytes], end: bytes, ended: bool
) -> None:
    content = end.join(bodies) + (end if ended and bodies else b"")
    lines = with_action(parse_lines(content), ACTION)
    assert missing(lines, [ACTION], SCRIPTS) == []
    assert with_action(lines, ACTION) == lines
    assert without_command(parse_lines(lines.content), ACTION.command).content == content
