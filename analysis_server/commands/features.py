"""`faderwise features`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise features MySong --out features.csv
  faderwise features MySong --preset paper --features condition2 --out features.npz"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    parser.add_argument("song", metavar="SONG_DIR", help=options.SONG_HELP)
    options.add_feature_options(parser)
    options.add_bus_option(parser)
    options.add_table_option(parser)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Measure features and print their names."""
    from analysis_server.verbs import features

    request = options.request_of(features.FeaturesRequest, arguments, buses=options.by_role(arguments.bus))
    with terminal.progress() as progress:
        result = features.run(request, progress)
    terminal.warn_all(result.warnings)
    terminal.say(f"{result.title}: {', '.join(result.feature_names)} of {', '.join(result.buses)}.")
    terminal.say(f"  {result.out}")
    terminal.give(result)
