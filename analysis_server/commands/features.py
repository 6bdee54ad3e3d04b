"""`faderwise features` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands.options import (
    SONG_HELP,
    Verbs,
    add_bus_option,
    add_feature_options,
    add_table_option,
    add_verb,
    files_by_role,
)
from analysis_server.terminal import Terminal
from analysis_server.verbs import features as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "features",
        run,
        "measure what the regression sees of each stem",
        "  faderwise features MySong --out features.csv\n"
        "  faderwise features MySong --preset paper --features condition2 --out features.npz",
    )
    parser.add_argument("song", metavar="SONG_DIR", help=SONG_HELP)
    add_feature_options(parser)
    add_bus_option(parser)
    add_table_option(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise features`."""
    request = verb.FeaturesRequest(
        song=arguments.song,
        out=arguments.out,
        preset=arguments.preset,
        features=arguments.features,
        buses=files_by_role(arguments.buses),
    )
    with terminal.progress() as progress:
        result = verb.run(request, progress)
    terminal.warn_all(result.warnings)
    terminal.say(f"{result.title}: {', '.join(result.feature_names)} of {', '.join(result.buses)}.")
    terminal.say(f"  {result.out}")
    terminal.give(result)
