"""`faderwise demo` on the command line."""

from __future__ import annotations

import argparse

from analysis_server import paths
from analysis_server.commands import mix
from analysis_server.commands.options import Verbs, add_verb
from analysis_server.terminal import Terminal
from analysis_server.verbs.mix import MixRequest


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "demo",
        run,
        "mix the bundled song and tell where everything lies",
        "  faderwise demo\n  faderwise demo --out my-demo",
    )
    parser.add_argument("--out", default="demo-out", metavar="DIR", help="the folder to write to (demo-out)")


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Mix the bundled song."""
    terminal.say("Caesium by Software-Entwicklungskit (CC0), 24 s, four buses: mixing ...")
    mix.perform_and_tell(MixRequest(song=str(paths.bundled_song()), out=arguments.out), terminal)
