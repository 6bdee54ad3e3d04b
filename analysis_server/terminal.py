"""Write results, progress, warnings and errors to the terminal."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from tqdm import tqdm

from core.errors import InputError

_UNSHOWN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a name may hold and a terminal would obey: escapes, bells, changes of direction; also what is no text."""


class Terminal:
    """One command's standard output and standard error."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        self._shows_progress = not quiet and sys.stderr.isatty()

    def say(self, line: str = "") -> None:
        """Print one line of the result, unless a JSON object is the result."""
        if not self.as_json:
            print(_shown(line))

    def warn(self, line: str) -> None:
        """Print a warning to standard error, as one line."""
        print(_one_line(f"faderwise: warning: {line}"), file=sys.stderr)

    def warn_all(self, lines: Iterable[str]) -> None:
        """Print warnings to standard error."""
        for line in lines:
            self.warn(line)

    def say_files(self, files: Mapping[str, str]) -> None:
        """Print where files lie, one a line."""
        for path in files.values():
            self.say(f"  {Path(path).resolve()}")

    def complain(self, line: str) -> None:
        """Print an error to standard error, as one line."""
        print(_one_line(f"faderwise: {line}"), file=sys.stderr)

    def ask(self, question: str) -> bool:
        """Ask a question that is answered with yes or no.

        Raises
        ------
        InputError
            There is nobody to answer.
        """
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        answer = sys.stdin.readline() if sys.stdin else ""
        if not answer:
            raise InputError("no answer could be read", remedy="run it again with --yes")
        return answer.strip().lower() in ("y", "yes")

    def give(self, result: msgspec.Struct) -> None:
        """Print the result as a JSON object, where that was asked for."""
        if self.as_json:
            takes_all = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
            print(json.dumps(_finite(msgspec.to_builtins(result)), indent=1, ensure_ascii=not takes_all))

    def progress(self) -> ProgressBar:
        """Return a bar that shows how far a verb is, on a terminal; elsewhere it shows nothing."""
        return ProgressBar(shown=self._shows_progress)


class ProgressBar:
    """A progress bar that a verb tells its fraction and stage."""

    def __init__(self, *, shown: bool) -> None:
        self._bar = tqdm(
            total=100,
            disable=not shown,
            leave=False,
            bar_format="{desc:<28.28} {percentage:3.0f} % |{bar}| {elapsed} < {remaining}",
        )

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._bar.close()

    def __call__(self, fraction: float, stage: str = "", /) -> None:
        """Show that `fraction` of the work is done, and what is being done."""
        self._bar.set_description_str(_one_line(stage), refresh=False)
        self._bar.update(100.0 * fraction - self._bar.n)


def _one_line(text: str) -> str:
    return _shown(text).replace("\n", "\\n")


def _shown(text: str) -> str:
    """Return text in which what a terminal would obey, other than a new line, is spelled out."""
    return _UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _finite(value: Any) -> Any:
    """Return JSON content with every number that JSON cannot hold as null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
