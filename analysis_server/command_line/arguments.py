"""The command line's grammar: the verbs, and what the user types parsed into a command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis_server.command_line.commands import (
    audit,
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
from analysis_server.command_line.grammar import Parser, Run
from analysis_server.command_line.terminal import Terminal
from core import __version__

VERBS = (
    *(demo, mix, match, learn, audit, edit, revert, compare, estimate, features, evaluate, models),
    *(runs, reaper, serve, doctor, completion),
)
"""The verbs' modules, in the order the help lists them; each has `add`, which gives the verb its grammar."""
_DESCRIPTION = "Learns how you set your faders and writes them as automation."
_EPILOG = """for example:
  faderwise demo                                     the bundled song, mixed and reported
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
