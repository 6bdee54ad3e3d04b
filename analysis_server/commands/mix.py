"""`faderwise mix` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands import options, tables
from analysis_server.commands.dispatch import perform
from analysis_server.commands.options import Verbs, add_song_options, add_verb, song_fields
from analysis_server.models import DEFAULT_MODEL
from analysis_server.terminal import Terminal
from analysis_server.verbs import mix as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "mix",
        run,
        "predict a gain per bus and write automation, mix.wav and a report",
        "  faderwise mix MySong\n  faderwise mix MySong --model mine --target-lufs -16 --out mixed\n"
        "  faderwise mix MySong --bus vocals=lead.wav --range 0:45-2:10\n"
        "  faderwise mix MySession.RPP --bus 'vocals=Lead Vox' --bus 'vocals=Harmonies'",
    )
    add_song_options(parser)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, metavar="NAME|FILE", help=f"the model to mix with ({DEFAULT_MODEL})"
    )
    parser.add_argument(
        "--range",
        dest="range_s",
        type=options.range_s,
        metavar="A:B",
        help="this part only, in seconds or m:ss-m:ss",
    )
    parser.add_argument(
        "--target-lufs", type=options.lufs, metavar="X", help="the mix's loudness (default: the plain sum's)"
    )
    parser.add_argument(
        "--existing",
        choices=("combine", "replace"),
        default="replace",
        help="volume moves in a project that are your own: keep them on top of the new gains, or not (replace)",
    )


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise mix`."""
    request = verb.MixRequest(
        **song_fields(arguments),
        model=arguments.model,
        range_s=arguments.range_s,
        target_lufs=arguments.target_lufs,
        existing=arguments.existing,
    )
    perform_and_tell(request, terminal)


def perform_and_tell(request: verb.MixRequest, terminal: Terminal) -> None:
    """Mix, and tell the user what came out."""
    result = perform(request, verb.run, terminal)
    terminal.warn_all(result.warnings)
    terminal.say(f"{result.title}, mixed with {result.model}:")
    terminal.say(tables.gains(result.median_gain_db, result.n_points, result.n_frames))
    terminal.say(
        f"Loudness {result.loudness_before_lufs:.1f} to {result.loudness_after_lufs:.1f} LUFS, "
        f"true peak {result.true_peak_dbtp:.1f} dBTP."
    )
    terminal.say_files(result.files)
    terminal.give(result)
