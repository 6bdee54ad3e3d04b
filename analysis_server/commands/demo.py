"""`faderwise demo`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options, results
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise demo
  faderwise demo --out my-demo"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    parser.add_argument("--open", action="store_true", help="open the report in the browser")
    parser.add_argument("--out", default="demo-out", metavar="DIR", help="the folder to write to (demo-out)")


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Mix the bundled song and print the result."""
    from analysis_server.commands.dispatch import perform
    from analysis_server.paths import bundled_song
    from analysis_server.verbs import mix

    terminal.say("Mixing Caesium by Software-Entwicklungskit (CC0): 24 s, four buses.")
    request = mix.MixRequest(song=str(bundled_song()), out=arguments.out)
    results.print_mix(perform(request, mix.run, terminal), terminal, opens=arguments.open)
