"""`faderwise match`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import assignment, options, results
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise match MySong
  faderwise match MySong --mixdown rough.wav --out matched"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    options.add_song_options(parser)
    options.add_mixdown_option(parser)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Match a song to its mixdown and print the result."""
    from analysis_server.commands.dispatch import perform
    from analysis_server.verbs import match

    request = options.request_of(match.MatchRequest, arguments, **options.song_fields(arguments, arguments.song))
    assignment.print_short(arguments, terminal, arguments.song)
    results.print_match(perform(request, match.run, terminal), terminal, opens=arguments.open)
