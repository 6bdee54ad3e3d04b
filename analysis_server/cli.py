"""The `faderwise` command: parse, run, report errors, return an exit code.

Standard output carries results (with `--json` one JSON object, also for an error), standard error everything else.
Exit codes: 0 done, 1 failed, 2 bad usage or bad input, 130 interrupted.

Only the module of the command that was typed is imported, and that module imports its work when it runs, so that help,
errors and small commands answer at once.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType

from analysis_server.commands.options import Parser
from analysis_server.terminal import Terminal
from core import __version__
from core.errors import FaderwiseError, InputError, require_text, suggestion, to_user_error
from core.wording import capitalised

COMMANDS: Mapping[str, str] = {
    "demo": "mix the bundled song and print the paths of the results",
    "buses": "show which bus each file or track belongs to, and why",
    "mix": "predict a gain per bus; write automation, mix.wav and a report",
    "match": "recover a mixdown's fader moves as automation on its stems",
    "learn": "learn a model from finished mixes, or add songs to one",
    "audit": "show on one page what a run wrote, why, and what has changed since",
    "edit": "apply the latest prediction with another depth, offset or limit; your own edits stay",
    "revert": "restore the automation from before a run, byte for byte",
    "compare": "compare two models, runs or mixdowns on the same stems",
    "estimate": "estimate the gains that turn stems into their mixdown",
    "features": "measure the features of each stem that the regression uses",
    "evaluate": "measure on your finished songs whether learning from them helps, leaving one song out at a time",
    "models": "list, show, remove, export or import models",
    "runs": "list or delete the reports, mixes and sounds of earlier runs",
    "reaper": "install the actions in REAPER, remove them, or publish them for ReaPack",
    "serve": "run the analysis server, show its state, or stop it",
    "mcp": "serve the commands as tools of the Model Context Protocol, for programs that use language models",
    "doctor": "check the installation and REAPER, and show how to fix problems",
    "completion": "print the script that completes this command in your shell",
}
"""What each command does, in the order of the help."""
_MODULES: Mapping[str, str] = {
    **dict.fromkeys(("demo", "buses", "mix", "match"), "mixing"),
    **dict.fromkeys(("audit", "edit", "revert", "compare", "runs"), "history"),
    **dict.fromkeys(("learn", "evaluate", "estimate", "features", "models"), "learning"),
    **dict.fromkeys(("doctor", "reaper", "completion"), "setup"),
    "serve": "servers",
    "mcp": "mcp",
}
"""The module of `analysis_server.commands` that has a command."""

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
_DESCRIPTION = "Learns how you set your faders and writes them as automation."
_EPILOG = """examples:
  faderwise demo                                     mix the bundled song and report on it
  faderwise buses MySong                             show which bus each file belongs to
  faderwise mix MySong                               mix the stems in MySong/ into MySong-faderwise/
  faderwise match MySong --mixdown rough.wav         recover the fader moves of a rough mix
  faderwise learn Songs/* --model mine               learn from finished mixes
  faderwise mix NextSong --model mine                mix the next song the same way

exit codes: 0 done, 1 failed, 2 bad usage or bad input, 130 interrupted
`faderwise COMMAND --help` has the options of each command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments` (the program's own by default) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the parallel work is on blocks of a song, in core.audio.blocks
    if isinstance(sys.stdout, io.TextIOWrapper):  # escape the characters that its encoding lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    terminal = Terminal(as_json="--json" in words, quiet="--quiet" in words)
    try:
        for word in words:
            require_text(word)
        parsed = parse(words)
        parsed.run(parsed, terminal)
    except (KeyboardInterrupt, Exception) as error:
        return _report(terminal, error)
    return DONE


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return the parsed command line; its `run` takes it and a terminal.

    Raises
    ------
    InputError
        The command or an option is unknown, or a value is invalid.
    """
    if "--version" in words and {*words} <= {"--version", "--json"}:
        return argparse.Namespace(run=_show_version)
    command = next((word for word in words if not word.startswith("-")), "")
    if command and command not in COMMANDS:
        raise InputError(f"unknown command {command!r}", remedy=f"{suggestion(command, COMMANDS)}see faderwise --help")
    parsed, unknown = parser(command).parse_known_args(words)
    if unknown:
        option = next((word for word in unknown if word.startswith("-")), None)
        used: Parser = parsed.parser
        if option is None:
            raise InputError(f"unexpected argument {unknown[0]!r}", remedy=f"see {used.prog} --help")
        option = option.partition("=")[0]
        remedy = f"{suggestion(option, used.option_names())}see {used.prog} --help"
        raise InputError("unknown option", option=option, remedy=remedy)
    return parsed


def _show_version(_arguments: argparse.Namespace, terminal: Terminal) -> None:
    terminal.say(f"Faderwise {__version__}")
    terminal.give({"version": __version__})


def parser(command: str | None = None) -> Parser:
    """Return the parser of the command line, with the options of `command` only; None adds those of all commands."""
    whole = Parser(prog="faderwise", description=_DESCRIPTION, epilog=_EPILOG)
    whole.add_argument("--version", action="version", version=f"Faderwise {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        one = commands.add_parser(name, help=summary, description=f"{capitalised(summary)}.")
        if command in (None, name):
            one.set_defaults(parser_of_all=parser)
            one.add_json_option()
            one.add_argument("--quiet", action="store_true", help="show no progress bar")
            module = importlib.import_module(f"analysis_server.commands.{_MODULES[name]}")
            getattr(module, f"add_{name}")(one)
    return whole


def _report(terminal: Terminal, error: BaseException) -> int:
    """Report to the user why the command ended and return its exit code."""
    error = to_user_error(error)
    if isinstance(error, BrokenPipeError):
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the interpreter's last flush
        return DONE
    if isinstance(error, KeyboardInterrupt):
        terminal.report(FaderwiseError("interrupted; no partial files were left"), "interrupted")
        return INTERRUPTED
    if isinstance(error, FaderwiseError):
        terminal.report(error, error.code)
        return BAD_INPUT if isinstance(error, InputError) else FAILED
    if os.environ.get("FADERWISE_DEBUG"):
        import traceback

        traceback.print_exception(error)
    problem = f"internal error ({type(error).__name__}: {error})"
    terminal.report(FaderwiseError(problem, remedy="set FADERWISE_DEBUG=1 and report it"), "internal")
    return FAILED


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
