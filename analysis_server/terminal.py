"""Write results, progress, warnings and errors to the terminal."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import FaderwiseError, InputError
from core.wording import count

if TYPE_CHECKING:
    from types import TracebackType

    import msgspec

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters in names that a terminal would obey (escapes, bells, changes of direction), and lone surrogates."""
_SHORTEST = 8
"""The columns to which a text in a table is cut at most."""

_NUMBERS = re.compile(r"\[\n *(?:null|[-+.\deE]+)(?:,\n *(?:null|[-+.\deE]+))*\n *\]")
"""An array of numbers in indented JSON; a text cannot match, because its line breaks are escaped."""
_ROUNDED = re.compile(r"_(db|dbtp|lufs|lu|s|ms|hz|percent)$")
"""Names of values that results give to 3 decimals."""


class Terminal:
    """The standard output and standard error of one command."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self._has_given = False
        self._shows_progress = not quiet and sys.stderr is not None and sys.stderr.isatty()

    def say(self, line: str = "") -> None:
        """Print a line of the result, unless the result is a JSON object."""
        if not self.as_json:
            print(_escaped(line))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[str]], align: str = "l") -> None:
        """Print a table; `align` has `l` or `r` for each column, and `r` for those that it does not cover.

        Where the terminal is narrower, columns move together and texts are cut, except in the last column.
        """
        cells = [list(map(_escaped, row)) for row in (columns, *rows)]
        is_text = [align[place : place + 1] == "l" for place in range(len(columns))]
        widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
        gap = _fit(widths, is_text, _width(cells[0][-1]))
        for row in cells:
            padded = list(map(_padded, row, widths, is_text))
            self.say(f"  {(' ' * gap).join(padded)}".rstrip())

    def say_next(self, *steps: tuple[str, str]) -> None:
        """Print the commands that can follow, without the program's name, each with its purpose."""
        width = max(len(command) for command, _ in steps)
        self.say("Next:")
        for command, purpose in steps:
            self.say(f"  faderwise {command:{width}}    {purpose}")

    def open(self, *pages: str) -> None:
        """Open HTML pages in the browser; warn if there is none."""
        import webbrowser

        for page in pages:
            if not webbrowser.open(Path(page).absolute().as_uri()):
                self.warn(f"no browser was found; open {page}")

    def warn(self, line: str) -> None:
        """Print a warning to standard error, as one line."""
        print(_one_line(f"faderwise: warning: {line}"), file=sys.stderr)

    def warn_all(self, lines: Iterable[str]) -> None:
        """Print warnings to standard error."""
        for line in lines:
            self.warn(line)

    def note_all(self, lines: Iterable[str]) -> None:
        """Print information to standard error."""
        for line in lines:
            self.note(f"note: {line}")

    def note(self, line: str) -> None:
        """Print a line that is not part of the result to standard error."""
        print(_one_line(f"faderwise: {line}"), file=sys.stderr)

    def report(self, error: FaderwiseError, code: str) -> None:
        """Print an error as one line to standard error.

        With `--json` it is also a JSON object on standard output, unless the result is there already.
        """
        self.note(" ".join(str(error).split()))
        if self._has_given:
            return
        fields = {"problem": error.problem, "path": error.path, "remedy": error.remedy, "option": error.option}
        self.give({"error": {"code": code, **fields}})

    def ask(self, question: str) -> bool:
        """Ask a question that is answered with yes or no.

        Raises
        ------
        InputError
            Standard input has no answer.
        """
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        answer = sys.stdin.readline() if sys.stdin else ""
        if not answer:
            raise InputError("no answer could be read", remedy="run it again with --yes")
        return answer.strip().lower() in ("y", "yes")

    def give(self, result: msgspec.Struct | Mapping[str, Any], *, exact: bool = False) -> None:
        """Print the result as a JSON object if `--json` was given; `exact` as in `presented`."""
        if not self.as_json:
            return
        self._has_given = True
        if not isinstance(result, Mapping):
            import msgspec

            result = msgspec.to_builtins(result)
        holds_all = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
        text = json.dumps(presented(result, exact=exact), indent=1, ensure_ascii=not holds_all)
        print(_NUMBERS.sub(lambda found: re.sub(r"\n *", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text))

    def progress(self) -> ProgressBar:
        """Return a progress bar, which stays invisible where standard error is not a terminal."""
        return ProgressBar(shown=self._shows_progress)


class ProgressBar:
    """A progress bar: a context manager and a `core.progress.ProgressCallback`."""

    def __init__(self, *, shown: bool) -> None:
        self._bar: Any = None
        if shown:
            from tqdm import tqdm

            form = "{desc:<28.28} {percentage:3.0f} % |{bar}| {elapsed} < {remaining}"
            self._bar = tqdm(total=100, leave=False, bar_format=form)

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, fraction: float, stage: str = "", /) -> None:
        """Show that `fraction` of the work is done, and what is being done."""
        if self._bar is not None:
            self._bar.set_description_str(_one_line(stage), refresh=False)
            self._bar.update(100.0 * fraction - self._bar.n)


def _fit(widths: list[int], is_text: Sequence[bool], last_heading: int) -> int:
    """Make the columns of a table as narrow as the terminal needs; return how many blanks are between them."""
    gap, cuttable = 3, [place for place, text in enumerate(is_text[:-1]) if text]
    if not sys.stdout.isatty():
        return gap
    room = shutil.get_terminal_size().columns - 2

    def excess() -> int:
        return sum(widths[:-1]) + gap * (len(widths) - 1) + (last_heading if is_text[-1] else widths[-1]) - room

    while excess() > 0 and gap > 1:
        gap -= 1
    while excess() > 0 and any(widths[place] > _SHORTEST for place in cuttable):
        widths[max(cuttable, key=widths.__getitem__)] -= 1
    return gap


def _padded(cell: str, width: int, is_text: bool) -> str:
    """Return a cell of that width, a text cut if necessary."""
    if _width(cell) > width:
        while _width(cell) >= width:
            cell = cell[:-1]
        cell += "…"
    blanks = " " * (width - _width(cell))
    return cell + blanks if is_text else blanks + cell


def _width(text: str) -> int:
    """Return how many columns of a terminal a text fills; Chinese and Japanese characters fill two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else not unicodedata.combining(one) for one in text)


def lag_text(samples: int) -> str:
    """Return a mixdown's lag as text, such as ``1 sample earlier than the stems``."""
    if not samples:
        return "aligned with the stems"
    return f"{count(abs(samples), 'sample')} {'later' if samples > 0 else 'earlier'} than the stems"


def _one_line(text: str) -> str:
    return _escaped(text).replace("\n", "\\n")


def _escaped(text: str) -> str:
    """Return text in which control characters other than a new line are spelled out."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def presented(value: Any, *, exact: bool = False, rounds: bool = False) -> Any:
    """Return JSON content with null for every number that JSON cannot hold.

    Levels and times are rounded to 3 decimals (`rounds` inside them), unless they are for computation (`exact`).
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return round(value, 3) + 0.0 if rounds else value
    if isinstance(value, Mapping):
        return {
            key: presented(item, exact=exact, rounds=not exact and (rounds or bool(_ROUNDED.search(key))))
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [presented(item, exact=exact, rounds=rounds) for item in value]
    return value
