"""Running ReaScripts: one interpreter for all, a fresh `__main__` for each run, code that is deferred as text.

What a script finds is what REAPER gives it: `obj`, `RPR_defer`, `RPR_runloop`, `RPR_atexit` in `__main__`, its folder
at `sys.path[0]`; no `__file__`, no `get_action_context`; `sys.executable` is REAPER itself. [a: HTML6, USAPI, REAPY]
"""

from __future__ import annotations

import builtins
import contextlib
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, thread_time
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tests.reaper_host.errors import HostViolation

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost


class Script:
    """One run of a script: its namespace, what it deferred, how it ended."""

    def __init__(self, host: ReaperHost, path: Path) -> None:
        self._host, self.path = host, path
        self.module = host.shared_main if host.switches.scripts_share_main else ModuleType("__main__")
        self.deferred: list[str] = []
        self.at_exit: list[str] = []
        self.error: str | None = None
        self.ended = False

    @property
    def is_running(self) -> bool:
        """Whether it will be called again."""
        return not self.ended

    def start(self) -> None:
        """Run the file."""
        if str(self.path.parent) not in sys.path[:1]:
            sys.path.insert(0, str(self.path.parent))
        self._run(self.path.read_bytes())
        self._end_if_done()

    def tick(self) -> None:
        """Run what was deferred; what it defers comes in the next cycle."""
        codes, self.deferred = self.deferred, []
        for code in codes:
            if not self.ended:
                self._run(code)
        self._end_if_done()

    def stop(self) -> None:
        """End it as the user would (Terminate), or REAPER when it opens a project. [a: N779]"""
        if not self.ended:
            self._end()

    def _defer(self, code: str) -> None:
        self.deferred.append(_text(code))

    def _at_exit(self, code: str) -> None:
        self.at_exit.append(_text(code))

    def _end_if_done(self) -> None:
        if not self.deferred and not self.ended:
            self._end()

    def _end(self) -> None:
        self.ended, self.deferred = True, []
        codes, self.at_exit = self.at_exit, []
        for code in codes:
            self._run(code)

    def _run(self, code: str | bytes) -> None:
        namespace: dict[str, Any] = self.module.__dict__
        namespace.update(obj=None, RPR_defer=self._defer, RPR_runloop=self._defer, RPR_atexit=self._at_exit)
        with _as_main(self.module, self._host.switches.shows_warnings):
            try:
                exec(compile(code, "<string>", "exec"), namespace)  # noqa: S102 - what a host of scripts does
            except HostViolation:
                self.ended, self.deferred = True, []
                raise
            except SystemExit:
                self.ended, self.deferred = True, []
            except BaseException:
                self._failed(traceback.format_exc())

    def _failed(self, text: str) -> None:
        """Write the traceback where REAPER does, through the script's own `open`, and end it. [a: REAPY, INF]"""
        self.error, self.ended, self.deferred = text, True, []
        self._host.script_errors.append(text)
        own_open = self.module.__dict__.get("open", builtins.open)
        if own_open is not builtins.open:
            with contextlib.suppress(Exception):
                own_open(str(Path(tempfile.gettempdir()) / "reascripterr.txt"), "w").write(text)


class Tick:
    """How long one cycle took: `wall_s`, of it `api_s` inside REAPER's own functions, `cpu_s` of this thread."""

    def __init__(self, host: ReaperHost) -> None:
        self._host = host
        self.wall_s = self.cpu_s = self.api_s = 0.0

    def __enter__(self) -> Tick:
        self._started = perf_counter(), thread_time(), self._host.api_s
        return self

    def __exit__(self, *_error: object) -> None:
        wall, cpu, api = self._started
        self.wall_s, self.cpu_s, self.api_s = perf_counter() - wall, thread_time() - cpu, self._host.api_s - api

    @property
    def script_s(self) -> float:
        """The script's own share: what it kept REAPER's window waiting by itself."""
        return self.wall_s - self.api_s


def _text(code: object) -> str:
    if not isinstance(code, str):
        raise TypeError(f"RPR_defer and RPR_atexit take a text of Python code, not {type(code).__name__}")
    return code


@contextlib.contextmanager
def _as_main(module: ModuleType, shows_warnings: bool) -> Iterator[None]:
    before = sys.modules["__main__"], sys.executable, sys.argv, sys.stdout, sys.stderr
    sys.modules["__main__"], sys.executable, sys.argv = module, "REAPER", [""]
    sys.stdout = sys.stderr = None  # a program without a console has none  [MEM]
    try:
        with warnings.catch_warnings():
            if not shows_warnings:
                for category in (SyntaxWarning, DeprecationWarning):  # of a pattern in reapy  [a: PY, INF]
                    warnings.filterwarnings("ignore", ".*invalid escape sequence", category, r".*reapy")
            yield
    finally:
        sys.modules["__main__"], sys.executable, sys.argv, sys.stdout, sys.stderr = before
