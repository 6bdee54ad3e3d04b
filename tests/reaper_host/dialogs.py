"""Windows that wait for the user: a test states in advance what the user does; an unexpected window hangs REAPER."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.reaper_host.errors import ModalHang

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost

BUTTONS = {
    0: ("OK",),
    1: ("OK", "Cancel"),
    2: ("Abort", "Retry", "Ignore"),
    3: ("Yes", "No", "Cancel"),
    4: ("Yes", "No"),
    5: ("Retry", "Cancel"),
}
NUMBERS = {"OK": 1, "Cancel": 2, "Abort": 3, "Retry": 4, "Ignore": 5, "Yes": 6, "No": 7}
"""What ShowMessageBox shows and returns. [e: HDR]"""
Fill = Callable[[Sequence[str], Sequence[str]], Sequence[str] | None]


@dataclass(frozen=True)
class Shown:
    """A window that was shown: its title, its text (or captions), what was filled in, what the user did."""

    kind: str
    title: str
    text: str
    defaults: tuple[str, ...]
    answer: str | tuple[str, ...] | None


@dataclass(frozen=True)
class _Expected:
    kind: str
    containing: str
    answer: str | Sequence[str] | Fill | None


class Dialogs:
    """What is expected, and what was shown."""

    def __init__(self, host: ReaperHost) -> None:
        self._host = host
        self._expected: deque[_Expected] = deque()
        self.shown: list[Shown] = []
        self.console = ""

    def expect_message(self, button: str = "OK", containing: str = "") -> None:
        """Let the user press a button of the next message box."""
        self._expected.append(_Expected("message", containing, button))

    def expect_inputs(self, answer: Sequence[str] | Fill | None, containing: str = "") -> None:
        """Let the user fill in the next inputs: values, a function of captions and defaults, or None to cancel."""
        self._expected.append(_Expected("inputs", containing, answer))

    def expect_file(self, path: str | None, containing: str = "") -> None:
        """Let the user choose a file in the next file window, or cancel it."""
        self._expected.append(_Expected("file", containing, path))

    @property
    def waiting(self) -> int:
        """How many expected windows have not come."""
        return len(self._expected)

    def message(self, text: str, title: str, kind: int) -> int:
        """Show a message box; return the number of the button."""
        expected = self._next("message", title, text)
        button = expected.answer
        if button not in BUTTONS.get(kind, ()):
            self.hang(f"{title}: {text} (it has no button {button!r})")
        assert isinstance(button, str)
        self.shown.append(Shown("message", title, text, (), button))
        return NUMBERS[button]

    def inputs(self, title: str, captions: Sequence[str], defaults: Sequence[str]) -> Sequence[str] | None:
        """Show input fields; return what the user left in them, or None."""
        expected = self._next("inputs", title, ",".join(captions))
        answer = expected.answer
        values = answer(captions, defaults) if callable(answer) else answer
        given = None if values is None else tuple(values)
        if given is not None and len(given) != len(captions):
            raise AssertionError(f"{title!r} has the fields {captions}, the test filled in {given}")
        self.shown.append(Shown("inputs", title, ",".join(captions), tuple(defaults), given))
        return given

    def file(self, title: str, first: str) -> str | None:
        """Show a window to choose a file; return its path, or None."""
        answer = self._next("file", title, first).answer
        assert answer is None or isinstance(answer, str)
        self.shown.append(Shown("file", title, "", (first,), answer))
        return answer

    def hang(self, what: str) -> None:
        """Show an unexpected window: everything stops. [a: N782]"""
        self._host.stop_deferred()
        raise self._host.violation(ModalHang(what))

    def _next(self, kind: str, title: str, text: str) -> _Expected:
        if (
            not self._expected
            or self._expected[0].kind != kind
            or self._expected[0].containing not in title + "\n" + text
        ):
            self.hang(f"a {kind} window was not expected: {title}: {text}")
        return self._expected.popleft()
