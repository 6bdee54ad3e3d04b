"""`faderwise estimate` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands import tables
from analysis_server.commands.dispatch import perform
from analysis_server.commands.options import (
    SONG_HELP,
    Verbs,
    add_bus_option,
    add_mixdown_option,
    add_preset_option,
    add_table_option,
    add_verb,
    files_by_role,
)
from analysis_server.terminal import Terminal
from analysis_server.verbs import estimate as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "estimate",
        run,
        "estimate the gains that turn stems into their mixdown",
        "  faderwise estimate MySong --out gains.csv\n  faderwise estimate MySong --preset paper --out gains.npz",
    )
    parser.add_argument("song", metavar="SONG_DIR", help=SONG_HELP)
    add_preset_option(parser)
    parser.add_argument(
        "--domain",
        choices=("complex", "magnitude", "power"),
        help="fit spectra of this kind (default: the fit decides)",
    )
    add_mixdown_option(parser)
    add_bus_option(parser)
    add_table_option(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise estimate`."""
    request = verb.EstimateRequest(
        song=arguments.song,
        out=arguments.out,
        preset=arguments.preset,
        domain=arguments.domain,
        buses=files_by_role(arguments.buses),
        mixdown=arguments.mixdown,
    )
    result = perform(request, verb.run, terminal)
    terminal.warn_all(result.warnings)
    terminal.say(f"{result.title}: fitted in the {result.domain} domain: {result.reason}.")
    terminal.say(f"Lag {result.lag_samples} samples, fit {100 * result.fit:.1f} %, {result.n_frames} frames.")
    terminal.say(tables.gains(result.median_gain_db))
    terminal.say(f"  {result.out}")
    terminal.give(result)
