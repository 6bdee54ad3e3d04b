"""`faderwise serve` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands import options
from analysis_server.commands.options import Verbs, add_verb
from analysis_server.terminal import Terminal


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "serve",
        run,
        "run the analysis server, tell how it is, or stop it",
        "  faderwise serve\n  faderwise serve --status\n  faderwise serve --stop\n"
        "  faderwise serve --bind 192.168.1.20:5600 --expose --idle 0",
    )
    parser.add_argument("--bind", default="127.0.0.1", metavar="HOST[:PORT]", help="listen here (this machine alone)")
    parser.add_argument("--expose", action="store_true", help="let --bind name an address other machines can reach")
    parser.add_argument(
        "--idle", type=options.minutes, default=30.0, metavar="MINUTES", help="stop when idle so long (30; 0: never)"
    )
    parser.add_argument("--status", action="store_true", help="tell whether a server is up and what it does")
    parser.add_argument("--stop", action="store_true", help="stop the server")


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise serve`."""
    from analysis_server.commands import serving  # noqa: PLC0415 - the socket library loads only here

    serving.run(arguments, terminal)
