"""`faderwise revert`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise revert Song-faderwise.RPP            the automation from before Faderwise
  faderwise revert Song-faderwise.RPP --to 2     the automation after run 2"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    options.add_run_options(parser)
    text = "the run to go back to (default: 0, before all of them; in a folder, the first)"
    parser.add_argument("--to", type=int, metavar="RUN", help=text)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Revert runs and print the result."""
    from analysis_server.verbs import revert

    result = revert.run(options.request_of(revert.RevertRequest, arguments))
    terminal.warn_all(result.warnings)
    runs = " and ".join(str(number) for number in result.taken_back)
    state = f"as run {result.to} left it" if result.to else "as it was before Faderwise"
    plural = "s" if len(result.taken_back) > 1 else ""
    terminal.say(f"{result.title} is {state}: run{plural} {runs} reverted on {', '.join(result.tracks)}.")
    terminal.say_files(result.files)
    terminal.give(result)
