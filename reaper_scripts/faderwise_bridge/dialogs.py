"""REAPER's message boxes, input dialogs and console.

A dialog stops every deferred script until it is closed, so none is opened while a job is running.
"""

from __future__ import annotations

from typing import Sequence

from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import UserCancelled

TITLE = "Faderwise"
_OK, _YES_NO_CANCEL, _YES_NO = 0, 3, 4
_CANCEL, _YES = 2, 6
_SPLITS_FIELDS = frozenset("\"'()[]{}`\n\r\t")


def show(text: str) -> None:
    """Show a message until it is closed."""
    RPR.ShowMessageBox(text, TITLE, _OK)


def agrees(question: str) -> bool:
    """Ask a question, and return whether the answer is yes."""
    return bool(RPR.ShowMessageBox(question, TITLE, _YES_NO) == _YES)


def choice(question: str) -> bool:
    """Ask a question with a third way out: True for yes, False for no, `UserCancelled` for cancel."""
    answer = RPR.ShowMessageBox(question, TITLE, _YES_NO_CANCEL)
    if answer == _CANCEL:
        raise UserCancelled
    return bool(answer == _YES)


def inputs(title: str, fields: Sequence[tuple[str, str]]) -> list[str]:
    """Let the user fill in fields, at most 16: pairs of a caption and the first text.

    An unchanged text keeps the characters that the dialog cannot show.
    """
    captions = ",".join([caption.replace(",", " ") for caption, _ in fields] + ["extrawidth=220", "separator=\n"])
    values = "\n".join(plain(value) for _, value in fields)
    answer = RPR.GetUserInputs(TITLE + ": " + title, len(fields), captions, values, 65536)
    if not answer[0]:
        raise UserCancelled
    given = [value.strip() for value in str(answer[4]).split("\n")] + [""] * len(fields)
    firsts = [value.strip() for _, value in fields]
    return [first if text == plain(first).strip() else text for text, first in zip(given, firsts)]


def plain(text: str) -> str:
    """Return a text without the characters that REAPER's input dialog would split it at."""
    return "".join(" " if character in _SPLITS_FIELDS else character for character in text)


def file(title: str, first: str, extension: str = "wav") -> str:
    """Let the user choose a file; `first` is the file that the dialog begins with."""
    answer = RPR.GetUserFileNameForRead(first, TITLE + ": " + title, extension)
    if not answer[0]:
        raise UserCancelled
    return str(answer[1])


def note(text: str) -> None:
    """Write a line to REAPER's console, which stops no script."""
    RPR.ShowConsoleMsg(TITLE + ": " + text + "\n")
