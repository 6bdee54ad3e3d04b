"""`faderwise edit` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands import options
from analysis_server.commands.options import RUN_HELP, Verbs, add_verb
from analysis_server.terminal import Terminal
from analysis_server.verbs import edit as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "edit",
        run,
        "apply the latest prediction with other depth, offsets, limits; your own edits stay",
        "  faderwise edit Song-faderwise.RPP --depth 50\n  faderwise edit MySong-faderwise --offset vocals=1.5\n"
        "  faderwise edit MySong-faderwise --smooth 4 --ignore 1:10-1:25 --freeze drums\n"
        "  faderwise edit MySong-faderwise --afresh       the prediction as it was, your own edits on it",
    )
    parser.add_argument("target", metavar="SESSION.RPP|OUT_DIR", help=RUN_HELP)
    parser.add_argument("--depth", type=options.percent, metavar="P", help="how much of the balance, 0 to 200 percent")
    parser.add_argument(
        "--moves", type=options.percent, metavar="P", help="how much of the moves around each bus's level, 0 to 200"
    )
    parser.add_argument(
        "--offset", action="append", type=options.offset, metavar="ROLE=DB", help="this bus louder or quieter"
    )
    parser.add_argument("--limit", type=options.decibels, metavar="DB", help="no bus further than this from the others")
    parser.add_argument("--smooth", type=options.seconds, metavar="S", help="even out moves shorter than this")
    parser.add_argument("--range", dest="range_s", type=options.range_s, metavar="A:B", help="change this part only")
    parser.add_argument("--freeze", action="append", metavar="ROLE", help="leave this bus as it stands")
    parser.add_argument(
        "--ignore", action="append", type=options.range_s, metavar="A:B", help="go straight across this passage"
    )
    parser.add_argument("--afresh", action="store_true", help="forget the settings of the edit before")
    parser.add_argument("--out", metavar="DIR", help="where a project's copy goes (default: beside it)")
    parser.add_argument("--render", action="store_true", help="write a folder's mix.wav anew")
    parser.add_argument("--dry-run", action="store_true", help="tell what would come out, write nothing")


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise edit`."""
    request = verb.EditRequest(
        target=arguments.target,
        depth_percent=arguments.depth,
        moves_percent=arguments.moves,
        offset_db=dict(arguments.offset) if arguments.offset else None,
        limit_db=arguments.limit,
        smooth_s=arguments.smooth,
        range_s=arguments.range_s,
        freeze=arguments.freeze,
        ignore_s=arguments.ignore,
        afresh=arguments.afresh,
        out=arguments.out,
        render=arguments.render,
        dry_run=arguments.dry_run,
    )
    with terminal.progress() as progress:
        result = verb.run(request, progress)
    terminal.warn_all(result.warnings)
    settings = ", ".join(result.in_words) or "as predicted"
    terminal.say(f"{result.title}, run {result.run}: {settings} ({result.took_ms:.0f} ms).")
    for lifted in result.lifted:
        terminal.say(f"  {lifted.track} ({lifted.bus}): lifted by {lifted.lift_db:+.1f} dB as you had it")
    for kept in result.kept_edits:
        terminal.say(f"  {kept.track} ({kept.bus}): your points stay {options.stretch(kept.start_s, kept.end_s)}")
    for conflict in result.conflicts:
        terminal.say(
            f"  {conflict.track} ({conflict.bus}): at {conflict.at_s:.1f} s you have {conflict.kept_db:+.1f} dB, which "
            f"stays; the edit asks for {conflict.wanted_db:+.1f} dB"
        )
    terminal.say_files(result.files)
    terminal.give(result)
