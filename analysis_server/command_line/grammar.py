"""What every verb's grammar is made of: a parser that ends with one line, a verb, an action of a verb."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from analysis_server.command_line.terminal import Terminal

SONG_HELP = "a folder with one file a bus: drums, bass, melody, vocals (or synonyms), and perhaps mix"
PROJECT_HELP = f"a REAPER project, or {SONG_HELP}"
RUN_HELP = "a project with runs of Faderwise in it, or a folder that mix or match wrote"

Verbs = Any
"""What `argparse.ArgumentParser.add_subparsers` gives; its class is private."""
Run = Callable[[argparse.Namespace, Terminal], None]


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and end the program with exit code 2."""
        print(f"faderwise: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def add_verb(verbs: Verbs, name: str, run: Run, says: str, examples: str) -> argparse.ArgumentParser:
    """Add a verb: what it says of itself, lines of examples, and what every verb understands."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=says,
        description=f"{says[0].upper()}{says[1:]}.",
        epilog=f"for example:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_json(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)
    return parser


def add_action(actions: Verbs, name: str, run: Run, says: str, *positionals: str) -> argparse.ArgumentParser:
    """Add an action of a verb, such as `models list`, with its positional arguments."""
    parser: argparse.ArgumentParser = actions.add_parser(name, help=says, description=f"{says.capitalize()}.")
    for positional in positionals:
        parser.add_argument(positional, metavar=positional.upper())
    _add_json(parser)
    parser.set_defaults(run=run)
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", dest="as_json", action="store_true", help="the result as one JSON object")
