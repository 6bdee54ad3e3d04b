"""The `faderwise` command: parse, run, report errors, return an exit code.

Standard output carries results (with `--json` nothing but one JSON object), standard error everything else.
Exit codes: 0 done, 1 failed, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from analysis_server.commands import (
    audit,
    buses,
    compare,
    completion,
    demo,
    doctor,
    edit,
    estimate,
    evaluate,
    features,
    learn,
    match,
    mix,
    models,
    reaper,
    revert,
    runs,
    serve,
)
from analysis_server.commands.options import Parser, Run
from analysis_server.terminal import Terminal
from core import __version__
from core.errors import FaderwiseError, InputError, as_told

VERBS = (
    *(demo, buses, mix, match, learn, audit, edit, revert, compare, estimate, features, evaluate, models),
    *(runs, reaper, serve, doctor, completion),
)
"""The verbs' modules, in the order the help lists them; each has `add`, which gives the verb its grammar."""
_DESCRIPTION = "Learns how you set your faders and writes them as automation."
_EPILOG = """for example:
  faderwise demo                                     the bundled song, mixed and reported
  faderwise buses MySong                             which bus each file belongs to
  faderwise mix MySong                               stems in MySong/ mixed into MySong-faderwise/
  faderwise match MySong --mixdown rough.wav         the fader moves of a rough mix, recovered
  faderwise learn Songs/* --model mine               learn from finished mixes
  faderwise mix NextSong --model mine                and mix the next one the same way

exit codes: 0 done, 1 failed, 2 bad usage or bad input, 130 interrupted
`faderwise VERB --help` tells more about each verb."""


@dataclass(frozen=True)
class Command:
    """A parsed command line, ready to run."""

    run: Callable[[Terminal], None]
    as_json: bool
    quiet: bool


def parse(arguments: Sequence[str]) -> Command:
    """Return the command that `arguments` name; bad usage ends the program with exit code 2 and one line."""
    parsed = parser().parse_args(arguments)
    run: Run = parsed.run
    return Command(lambda terminal: run(parsed, terminal), parsed.as_json, parsed.quiet)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    whole = Parser(
        prog="faderwise",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    whole.set_defaults(grammar=whole)
    whole.add_argument("--version", action="version", version=f"Faderwise {__version__}")
    verbs = whole.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=Parser)
    for module in VERBS:
        module.add(verbs)
    return whole


DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (the program's own by default) and return its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that its encoding cannot hold is spelled out
        sys.stdout.reconfigure(errors="backslashreplace")
    terminal = Terminal(as_json=False, quiet=False)
    try:
        pass

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
