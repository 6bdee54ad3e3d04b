"""`faderwise revert` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands.options import RUN_HELP, Verbs, add_verb
from analysis_server.terminal import Terminal
from analysis_server.verbs import revert as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "revert",
        run,
        "bring back what stood there before, to the byte",
        "  faderwise revert Song-faderwise.RPP            what stood there before Faderwise\n"
        "  faderwise revert Song-faderwise.RPP --to 2     as run 2 left it",
    )
    parser.add_argument("target", metavar="SESSION.RPP|OUT_DIR", help=RUN_HELP)
    parser.add_argument(
        "--to", type=int, metavar="RUN", help="the run to go back to (default: 0, before all; of a folder, the first)"
    )
    parser.add_argument("--out", metavar="DIR", help="where a project's copy goes (default: beside it)")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be taken back, write nothing")


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise revert`."""
    request = verb.RevertRequest(target=arguments.target, to=arguments.to, out=arguments.out, dry_run=arguments.dry_run)
    result = verb.run(request)
    terminal.warn_all(result.warnings)
    runs = " and ".join(str(number) for number in result.taken_back)
    state = f"as run {result.to} left it" if result.to else "as it was before Faderwise"
    terminal.say(f"{result.title} is {state}: run {runs} taken back on {', '.join(result.tracks)}.")
    terminal.say_files(result.files)
    terminal.give(result)
