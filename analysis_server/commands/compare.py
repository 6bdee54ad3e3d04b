"""`faderwise compare`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise compare mine equal-level --on MySong
  faderwise compare Song-faderwise.RPP#1 Song-faderwise.RPP
  faderwise compare rough.wav master.wav --on MySong
  faderwise compare MySong-faderwise master.wav --out comparison"""
_SIDE_HELP = (
    "a model (model:NAME if a folder has the same name), a run (a project or a folder; #N for run N) or a mixdown"
)


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    parser.add_argument("first", metavar="A", help=_SIDE_HELP)
    parser.add_argument("second", metavar="B", help="the other side, of any kind")
    parser.add_argument("--on", metavar="SONG_DIR", help=f"the stems: {options.SONG_HELP}")
    options.add_bus_option(parser)
    parser.add_argument("--out", metavar="DIR", help="write the comparison into this folder as a page, compare.html")


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Compare two sides and print the differences."""
    from analysis_server.verbs import compare

    request = options.request_of(compare.CompareRequest, arguments, buses=options.by_role(arguments.bus))
    with terminal.progress() as progress:
        result = compare.run(request, progress)
    terminal.warn_all(result.warnings)
    terminal.say(
        f"The balances differ by {result.balance_db:.1f} dB on average. "
        f"Overall level difference (removed): {result.common_db:+.1f} dB."
    )
    rows = [
        (
            bus.bus,
            f"{bus.first_db:.1f} dB",
            f"{bus.second_db:.1f} dB",
            f"{bus.difference_db:+.1f} dB",
            f"{bus.moves_db:.1f} dB",
            f"{bus.largest_db:+.1f} dB at {bus.largest_at_s:.1f} s",
        )
        for bus in result.buses
    ]
    terminal.table(("bus", "A", "B", "B - A", "moves", "largest"), rows)
    for side in (result.first, result.second):
        only_here = [*side.buses_alone, *side.songs_alone]
        if only_here:
            terminal.say(f"Only {side.name} has {', '.join(only_here)}.")
    terminal.say_files(result.files)
    terminal.give(result)
