"""`faderwise estimate`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options
from analysis_server.terminal import Terminal, count

EXAMPLES = """\
  faderwise estimate MySong --out gains.csv
  faderwise estimate MySong --preset paper --out gains.npz"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    parser.add_argument("song", metavar="SONG_DIR", help=options.SONG_HELP)
    options.add_preset_option(parser)
    domains = ("complex", "magnitude", "power")
    parser.add_argument("--domain", choices=domains, help="the kind of spectra to fit (default: the best fit)")
    options.add_mixdown_option(parser)
    options.add_bus_option(parser)
    options.add_table_option(parser)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Estimate gains and print a summary."""
    from analysis_server.commands.dispatch import perform
    from analysis_server.verbs import estimate

    request = options.request_of(estimate.EstimateRequest, arguments, buses=options.by_role(arguments.bus))
    result = perform(request, estimate.run, terminal)
    terminal.warn_all(result.warnings)
    terminal.say(f"{result.title}: the gains explain {100 * result.fit:.1f} % of the mixdown.")
    terminal.say(
        f"{count(result.n_frames, 'frame')}, fitted to {result.domain} spectra: {result.reason}; "
        f"lag {count(result.lag_samples, 'sample')}."
    )
    terminal.table(("bus", "median gain"), [(bus, f"{db:+.1f} dB") for bus, db in result.median_gain_db.items()])
    terminal.say(f"  {result.out}")
    terminal.give(result)
