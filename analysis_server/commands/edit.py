"""`faderwise edit`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options, results
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise edit Song-faderwise.RPP --depth 50
  faderwise edit MySong-faderwise --offset vocals=1.5
  faderwise edit MySong-faderwise --smooth 4 --ignore 1:10-1:25 --freeze drums
  faderwise edit MySong-faderwise --afresh       the original prediction, with your own edits on it"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    options.add_run_options(parser)
    add = parser.add_argument
    add("--depth", dest="depth_percent", type=options.percent, metavar="P", help="depth of the balance, 0 to 200 %%")
    text = "depth of the moves around each bus's level, 0 to 200 %%"
    add("--moves", dest="moves_percent", type=options.percent, metavar="P", help=text)
    add("--offset", action="append", type=options.offset, metavar="ROLE=DB", help="make this bus louder or quieter")
    text = "keep this bus steady against the others, 0 to 100 percent"
    add("--ride", action="append", type=options.ride, metavar="ROLE=P", help=text)
    text = "the furthest that a bus may be from the others"
    add("--limit", dest="limit_db", type=options.decibels, metavar="DB", help=text)
    add("--smooth", dest="smooth_s", type=options.seconds, metavar="S", help="even out moves shorter than this")
    add("--range", dest="range_s", type=options.range_s, metavar="A:B", help="change only this part")
    add("--freeze", action="append", metavar="ROLE", help="leave this bus as it is")
    text = "draw a straight line across this passage"
    add("--ignore", dest="ignore_s", action="append", type=options.range_s, metavar="A:B", help=text)
    add("--afresh", action="store_true", help="drop the settings of earlier edits")
    add("--render", action="store_true", help="render a folder's mix.wav again")


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Edit a run and print the result."""
    from analysis_server.verbs import edit

    offsets = dict(arguments.offset) if arguments.offset else None
    rides = dict(arguments.ride) if arguments.ride else None
    with terminal.progress() as progress:
        result = edit.run(
            options.request_of(edit.EditRequest, arguments, offset_db=offsets, ride_percent=rides), progress
        )
    terminal.warn_all(result.warnings)
    settings = ", ".join(result.in_words) or "as predicted"
    terminal.say(f"{result.title}, run {result.run}: {settings} ({result.took_ms:.0f} ms).")
    for lifted in result.lifted:
        terminal.say(f"  {lifted.track} ({lifted.bus}): your offset of {lifted.lift_db:+.1f} dB stays")
    for kept in result.kept_edits:
        terminal.say(f"  {kept.track} ({kept.bus}): your points stay {results.span_text(kept.start_s, kept.end_s)}")
    for conflict in result.conflicts:
        terminal.say(
            f"  {conflict.track} ({conflict.bus}): at {conflict.at_s:.1f} s your {conflict.kept_db:+.1f} dB stays; "
            f"the edit asks for {conflict.wanted_db:+.1f} dB"
        )
    terminal.say_files(result.files)
    terminal.give(result)
