"""What the user is told of an error that somebody came upon deep inside."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from core.errors import FaderwiseError, InputError, ServerError, as_told


def told(provoke: object) -> str:
    assert callable(provoke)
    try:
        provoke()
    except Exception as error:
        found = as_told(error)
        assert isinstance(found, InputError)
        return str(found)
    raise AssertionError("nothing went wrong")


def test_a_name_that_is_no_text_is_shown_and_can_be_mended() -> None:
    name = b"/songs/M\xfcsik/drums.wav".decode("utf-8", "surrogateescape")
    assert told(name.encode) == (
        r"/songs/M\udcfcsik/drums.wav: this name is no text in UTF-8; rename it, and try again"
    )


def test_of_a_whole_file_only_the_name_is_shown() -> None:
    text = '{\n "title": "one",\n "folder": "/songs/\udcff",\n "more": "x"}'
    assert told(text.encode).startswith(r"/songs/\udcff: this name is no text")


def test_a_path_with_a_nul_is_told() -> None:
    assert "a NUL" in told(lambda: Path("a\0b").stat())


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert told((tmp_path / "none").stat).startswith(f"{tmp_path / 'none'}: cannot be used (No such file")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EACCES])
def test_a_path_the_system_does_not_take_is_named_with_what_is_wrong(number: int) -> None:
    error = as_told(OSError(number, "not so", "songs/a.wav"))
    assert isinstance(error, InputError)
    assert str(error) == "songs/a.wav: cannot be used (not so); check its name and its permissions"


def test_a_broken_disk_is_no_wrong_path() -> None:
    error = OSError(errno.EIO, "broken", "a.wav")
    assert as_told(error) is error


def test_a_link_that_leads_to_itself_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    def follow() -> None:
        loop.resolve()
        os.stat(loop)  # noqa: PTH116 - from Python 3.13 on `resolve` says nothing

    assert "loop" in told(follow)


def test_a_home_folder_that_nobody_has_is_told() -> None:
    assert "there is no such home folder" in told(lambda: Path("~nobody-of-that-name/x").expanduser())


@pytest.mark.parametrize("error", [RuntimeError("a mistake of ours"), ValueError("x"), OSError("no file in it")])
def test_anything_else_stays_what_it_is(error: Exception) -> None:
    assert as_told(error) is error


def test_a_servers_error_has_a_code() -> None:
    error = ServerError("no answer within 5 s", "lost")
    assert (str(error), error.code) == ("no answer within 5 s", "lost")
    assert ServerError("it ended").code == "internal"
    assert isinstance(error, FaderwiseError)
