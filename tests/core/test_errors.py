"""Fields of errors, and conversion of low-level exceptions."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import DiskFullError, FaderwiseError, InputError, ServerError, require_text, to_user_error


def input_error(provoke: Callable[[], object]) -> InputError:
    """Return the `InputError` that an exception of `provoke` becomes."""
    with pytest.raises(Exception) as raised:
        provoke()
    found = to_user_error(raised.value)
    assert isinstance(found, InputError)
    return found


def test_the_line_of_an_error_has_option_path_problem_and_remedy() -> None:
    error = InputError("no such file", path=Path("a.wav"), option="--mixdown", remedy="name another")
    assert str(error) == "--mixdown: a.wav: no such file; name another"
    assert str(FaderwiseError("stopped")) == "stopped"


def test_a_name_that_is_not_utf_8_is_shown_escaped() -> None:
    name = b"/songs/M\xfcsik/drums.wav".decode("utf-8", "surrogateescape")
    error = input_error(name.encode)
    assert error.path == r"/songs/M\udcfcsik/drums.wav"
    assert error.remedy is not None


def test_only_the_name_is_shown_of_a_whole_file_that_cannot_be_encoded() -> None:
    text = '{\n "title": "one",\n "folder": "/songs/\udcff",\n "more": "x"}'
    assert input_error(text.encode).path == r"/songs/\udcff"


@pytest.mark.parametrize(("word", "shown"), [("a\0b", r"a\0b"), ("M\udcfcsik", r"M\udcfcsik")])
def test_words_that_no_path_can_contain_are_rejected(word: str, shown: str) -> None:
    assert input_error(lambda: require_text(word)).path == shown


@pytest.mark.parametrize("word", ["", "Ünïcode песня", "a b\n", "~nobody"])
def test_other_words_are_accepted(word: str) -> None:
    require_text(word)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    assert input_error((tmp_path / "none").stat).path == str(tmp_path / "none")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EACCES])
def test_a_path_that_the_system_rejects_is_named_with_the_reason(number: int) -> None:
    error = to_user_error(OSError(number, "not so", "songs/a.wav"))
    assert isinstance(error, InputError)
    assert (error.path, error.problem) == ("songs/a.wav", "cannot be used (not so)")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_not_bad_input(number: int) -> None:
    error = to_user_error(OSError(number, "no space", "a.wav"))
    assert isinstance(error, DiskFullError)
    assert not isinstance(error, InputError)
    assert error.path == "a.wav"


def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert input_error(lambda: os.stat(loop)).path == str(loop)  # noqa: PTH116


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), ValueError("x"), OSError("no file in it"), OSError(errno.EIO, "broken", "a.wav")]
)
def test_other_errors_are_not_converted(error: Exception) -> None:
    assert to_user_error(error) is error


def test_a_server_error_has_a_code() -> None:
    error = ServerError("no answer within 5 s", "lost")
    assert (str(error), error.code) == ("no answer within 5 s", "lost")
    assert ServerError("it ended").code == "internal"
