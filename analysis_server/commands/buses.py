"""`faderwise buses` on the command line."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from analysis_server.commands.options import Verbs, add_verb
from analysis_server.terminal import Terminal
from analysis_server.verbs import buses as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "buses",
        run,
        "show which bus each file or track belongs to, and why",
        "  faderwise buses MySong\n  faderwise buses Session.RPP --json",
    )
    parser.add_argument(
        "path", metavar="SONG_DIR|SESSION.RPP", help="a folder of stems or raw tracks, or a REAPER project"
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise buses`."""
    result = verb.run(verb.BusesRequest(path=arguments.path))
    if isinstance(result, verb.FileRoles):
        rows = [(row.file, row.bus or "-", row.role, row.reason) for row in result.files]
    else:
        rows = [(f"{row.track} {row.name}", row.bus or "-", row.role, row.reason) for row in result.tracks]
    for line in _table([("file" if isinstance(result, verb.FileRoles) else "track", "bus", "role", "reason"), *rows]):
        terminal.say(line)
    options = verb.bus_options(result)
    if options:
        terminal.say("\nSome names were not understood. To put one in a bus, for example:")
        for option in options:
            terminal.say(f"  faderwise mix {shlex.quote(arguments.path)} {option}")
    terminal.give(result)


def _table(rows: Sequence[tuple[str, str, str, str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]
