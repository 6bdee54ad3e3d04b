"""`faderwise buses`."""

from __future__ import annotations

import shlex
from argparse import Namespace

from analysis_server.commands import options
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise buses MySong
  faderwise buses Session.RPP --json"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    parser.add_argument("path", metavar="SONG_DIR|SESSION.RPP", help=options.PROJECT_HELP)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Print the bus of every file or track, and the options that change it."""
    from analysis_server.verbs import buses

    result = buses.run(buses.BusesRequest(path=arguments.path))
    if isinstance(result, buses.FileRoles):
        kind, rows = "file", [(row.file, row.bus or "-", row.role, row.reason) for row in result.files]
    else:
        rows = [(f"{row.track} {row.name}", row.bus or "-", row.role, row.reason) for row in result.tracks]
        kind = "track"
    terminal.table((kind, "bus", "role", "reason"), rows, align="llll")
    suggested = buses.bus_options(result)
    if suggested:
        terminal.say("\nSome names were not understood. To put one in a bus, for example:")
        for option in suggested:
            terminal.say(f"  faderwise mix {shlex.quote(arguments.path)} {option}")
    terminal.say(
        "\nThe same assignment as options of mix, match and learn; change a bus in a line to move what it names:"
    )
    for option in buses.all_options(result):
        terminal.say(f"  {option}")
    terminal.give(result)
