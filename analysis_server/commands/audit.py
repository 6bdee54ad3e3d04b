"""`faderwise audit` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands import options
from analysis_server.commands.options import RUN_HELP, Verbs, add_verb
from analysis_server.terminal import Terminal
from analysis_server.verbs import audit as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "audit",
        run,
        "show what was written, why, and what was changed since, as one page",
        "  faderwise audit Song-faderwise.RPP\n  faderwise audit MySong-faderwise --json",
    )
    parser.add_argument("target", metavar="SESSION.RPP|OUT_DIR", help=RUN_HELP)
    parser.add_argument(
        "--out", metavar="DIR", help="where the page goes (default: into the folder, beside the project)"
    )
    parser.add_argument("--stems", metavar="SONG_DIR", help="a project's stems, to hear the mix as it is now")
    parser.add_argument("--no-sound", dest="sound", action="store_false", help="a page without players (faster)")
    parser.add_argument("--difference", action="store_true", help="also play the difference of the two mixes")
    parser.add_argument("--dry-run", action="store_true", help="write no page")


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise audit`."""
    request = verb.AuditRequest(
        target=arguments.target,
        out=arguments.out,
        stems=arguments.stems,
        sound=arguments.sound,
        difference=arguments.difference,
        dry_run=arguments.dry_run,
    )
    with terminal.progress() as progress:
        result = verb.run(request, progress)
    terminal.warn_all(result.warnings)
    terminal.say(f"{result.title}: {result.summary}")
    for move in result.moves[:5]:
        terminal.say(
            f"  {move.track}, {move.start_s:.1f} to {move.end_s:.1f} s: {move.start_db:+.1f} to {move.end_db:+.1f} dB; "
            f"{move.why}"
        )
    for track in result.tracks:
        for edit in track.edits:
            terminal.say(
                f"  {track.track}: {len(edit.points)} points by hand {options.stretch(edit.start_s, edit.end_s)}"
            )
    terminal.say_files(result.files)
    terminal.give(result)
