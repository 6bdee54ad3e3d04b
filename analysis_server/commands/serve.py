"""`faderwise serve`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise serve
  faderwise serve --status
  faderwise serve --stop
  faderwise serve --bind 127.0.0.1:5600 --idle 0"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    text = "the loopback address to listen at (127.0.0.1)"
    parser.add_argument("--bind", default="127.0.0.1", metavar="HOST[:PORT]", help=text)
    text = "stop after this idle time (30; 0: never)"
    parser.add_argument("--idle", type=options.minutes, default=30.0, metavar="MINUTES", help=text)
    parser.add_argument("--status", action="store_true", help="show whether a server is running and what it does")
    parser.add_argument("--stop", action="store_true", help="stop the server")


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Run, query or stop the server."""
    from analysis_server.commands import serving

    serving.run(arguments, terminal)
