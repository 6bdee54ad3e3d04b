"""`faderwise compare` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands.options import SONG_HELP, Verbs, add_bus_option, add_verb, files_of
from analysis_server.terminal import Terminal
from analysis_server.verbs import compare as verb

_SIDE_HELP = "a model, a run (a project or a folder, with #N as run N wrote it) or a mixdown's file"


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "compare",
        run,
        "how far apart two models, runs or mixdowns are on the same stems",
        "  faderwise compare mine equal-level --on MySong\n"
        "  faderwise compare Song-faderwise.RPP#1 Song-faderwise.RPP\n"
        "  faderwise compare rough.wav master.wav --on MySong\n"
        "  faderwise compare MySong-faderwise master.wav --out comparison",
    )
    parser.add_argument("first", metavar="A", help=_SIDE_HELP)
    parser.add_argument("second", metavar="B", help="the same, of any kind")
    parser.add_argument("--on", metavar="SONG_DIR", help=f"the stems: {SONG_HELP}")
    add_bus_option(parser)
    parser.add_argument("--out", metavar="DIR", help="write the comparison into this folder as a page, compare.html")


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise compare`."""
    request = verb.CompareRequest(
        first=arguments.first,
        second=arguments.second,
        on=arguments.on,
        buses=files_of(arguments.buses, arguments.on or ""),
        out=arguments.out,
    )
    with terminal.progress() as progress:
        result = verb.run(request, progress)
    terminal.warn_all(result.warnings)
    terminal.say(f"{'':<16}{'A':>10}{'B':>10}{'B - A':>10}{'moves':>10}   largest")
    for bus in result.buses:
        terminal.say(
            f"  {bus.bus:<14}{bus.first_db:>7.1f} dB{bus.second_db:>7.1f} dB{bus.difference_db:>+7.1f} dB"
            f"{bus.moves_db:>7.1f} dB   {bus.largest_db:+.1f} dB at {bus.largest_at_s:.1f} s"
        )
    terminal.say(
        f"The balances are {result.balance_db:.1f} dB apart on average; the whole of B is {result.common_db:+.1f} dB "
        "against A, which is no difference of balance and is taken out of B - A."
    )
    for side in (result.first, result.second):
        alone = [*side.buses_alone, *side.songs_alone]
        if alone:
            terminal.say(f"Only {side.name} has {', '.join(alone)}.")
    terminal.say_files(result.files)
    terminal.give(result)
