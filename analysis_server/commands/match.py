"""`faderwise match` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands import tables
from analysis_server.commands.dispatch import perform
from analysis_server.commands.options import Verbs, add_mixdown_option, add_song_options, add_verb, song_fields
from analysis_server.terminal import Terminal
from analysis_server.verbs import match as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "match",
        run,
        "recover a mixdown's fader moves as automation on its stems",
        "  faderwise match MySong\n  faderwise match MySong --mixdown rough.wav --out matched",
    )
    add_song_options(parser)
    add_mixdown_option(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise match`."""
    request = verb.MatchRequest(**song_fields(arguments), mixdown=arguments.mixdown)
    result = perform(request, verb.run, terminal)
    terminal.warn_all(result.warnings)
    terminal.say(f"{result.title}: the gains explain {100 * result.fit:.1f} % of the mixdown ({result.reason}).")
    if result.lag_samples:
        terminal.say(f"The mixdown comes {result.lag_samples} samples after the stems; that was taken out.")
    if result.limiter_db > 0.0:
        terminal.say(f"A limiter takes up to {result.limiter_db:.1f} dB; that was told apart from the faders.")
    terminal.say(tables.gains(result.median_gain_db, result.n_points, result.n_frames))
    terminal.say_files(result.files)
    terminal.give(result)
