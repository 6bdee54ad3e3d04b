"""`faderwise`, the one command: what the user types, told to a verb, and what the verb found, told to the user.

Standard output carries results (with `--json` nothing but one JSON object), standard error everything else.
Exit codes: 0 done, 1 failed, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from analysis_server.command_line.terminal import Terminal
from core.errors import FaderwiseError, InputError, as_told

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (the program's own by default) and return its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that its encoding cannot hold is spelled out
        sys.stdout.reconfigure(errors="backslashreplace")
    terminal = Terminal(as_json=False, quiet=False)
    try:
        from analysis_server.command_line.arguments import parse  # noqa: PLC0415 - loads for a second, may be stopped

        command = parse(sys.argv[1:] if arguments is None else arguments)
        terminal = Terminal(as_json=command.as_json, quiet=command.quiet)
        command.run(terminal)
    except (KeyboardInterrupt, Exception) as error:
        return _end(terminal, error)
    return DONE


def _end(terminal: Terminal, error: BaseException) -> int:
    """Tell the user why the command ended and return its exit code."""
    error = as_told(error)
    if isinstance(error, BrokenPipeError):
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the interpreter's last flush
        return DONE
    for kind, code in ((InputError, BAD_INPUT), (FaderwiseError, FAILED)):
        if isinstance(error, kind):
            return _told(terminal, str(error), code)
    if isinstance(error, KeyboardInterrupt):
        return _told(terminal, "interrupted; nothing half-written was left", INTERRUPTED)
    if isinstance(error, MemoryError):
        return _told(terminal, "the machine ran out of memory; close other programs and try again", FAILED)
    if os.environ.get("FADERWISE_DEBUG"):
        traceback.print_exception(error)
    sentence = f"internal error ({type(error).__name__}: {error}); set FADERWISE_DEBUG=1 and report it"
    return _told(terminal, sentence, FAILED)


def _told(terminal: Terminal, message: str, code: int) -> int:
    terminal.complain(" ".join(message.split()))
    return code


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
