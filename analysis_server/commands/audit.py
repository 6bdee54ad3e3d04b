"""`faderwise audit`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options, results
from analysis_server.terminal import Terminal, count

EXAMPLES = """\
  faderwise audit Song-faderwise.RPP
  faderwise audit MySong-faderwise --json"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    parser.add_argument("target", metavar="SESSION.RPP|OUT_DIR", help=options.RUN_HELP)
    text = "the folder for the page (default: the audited folder, or next to the project)"
    parser.add_argument("--out", metavar="DIR", help=text)
    parser.add_argument("--stems", metavar="SONG_DIR", help="the stems of a project, to hear the present mix")
    parser.add_argument("--no-sound", dest="sound", action="store_false", help="make the page without sound")
    text = "also play the difference of the two mixes"
    parser.add_argument("--difference", action="store_true", help=text)
    options.add_dry_run_option(parser)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Audit a run and print its largest moves and your edits."""
    from analysis_server.verbs import audit

    with terminal.progress() as progress:
        result = audit.run(options.request_of(audit.AuditRequest, arguments), progress)
    terminal.warn_all(result.warnings)
    terminal.say(f"{result.title}: {result.summary}")
    for move in result.moves[:5]:
        terminal.say(
            f"  {move.track}, {move.start_s:.1f} to {move.end_s:.1f} s: {move.start_db:+.1f} → {move.end_db:+.1f} dB; "
            f"{move.why}"
        )
    for track in result.tracks:
        for edit in track.edits:
            where = results.span_text(edit.start_s, edit.end_s)
            terminal.say(f"  {track.track}: {count(len(edit.points), 'point')} edited by hand {where}")
    terminal.say_files(result.files)
    terminal.give(result)
