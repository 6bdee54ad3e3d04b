"""`faderwise learn` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands import tables
from analysis_server.commands.dispatch import perform
from analysis_server.commands.options import (
    Verbs,
    add_bus_option,
    add_dask_option,
    add_feature_options,
    add_mixdown_option,
    add_stems_option,
    add_verb,
    files_of,
    tracks_of,
)
from analysis_server.terminal import Terminal
from analysis_server.verbs import learn as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "learn",
        run,
        "learn a model from finished mixes, or add songs to one",
        "  faderwise learn SongA SongB --model mine\n  faderwise learn AllMySongs --model mine\n"
        "  faderwise learn rock.npz --model rock --preset paper --features condition1\n"
        "  faderwise learn Session.RPP --from faders --model mine\n"
        "  faderwise learn Song-faderwise.RPP --from edits --model mine",
    )
    parser.add_argument(
        "songs", nargs="+", metavar="SONG_DIR|SESSION.RPP|DATASET_DIR|MATRICES.npz", help="songs with their mixdowns"
    )
    parser.add_argument("--model", required=True, metavar="NAME|FILE", help="the model to make, or to add songs to")
    add_feature_options(parser)
    add_bus_option(parser)
    add_stems_option(parser)
    add_mixdown_option(parser)
    parser.add_argument(
        "--from",
        dest="truth",
        choices=("mixdown", "faders", "edits"),
        default="mixdown",
        help="where the true gains come from (mixdown); faders: exactly, from a project's own faders and envelopes; "
        "edits: what you made by hand of what a run wrote, of a project or of a folder that mix wrote",
    )
    parser.add_argument("--fresh", action="store_true", help="forget what a model of that name knew")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be learned, write nothing")
    add_dask_option(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise learn`."""
    request = verb.LearnRequest(
        songs=arguments.songs,
        model=arguments.model,
        preset=arguments.preset,
        features=arguments.features,
        buses=files_of(arguments.buses, *arguments.songs),
        fresh=arguments.fresh,
        dry_run=arguments.dry_run,
        dask=arguments.dask,
        truth=arguments.truth,
        mixdown=arguments.mixdown,
        stems=arguments.stems,
        tracks=tracks_of(arguments.buses, *arguments.songs),
    )
    result = perform(request, verb.run, terminal)
    terminal.warn_all(result.warnings)
    kept = "would now know" if arguments.dry_run else "now knows"
    terminal.say(f"{result.model} {kept} {len(result.songs)} songs, {len(result.learned)} of them just learned.")
    terminal.say(tables.coefficients(result.coefficients))
    terminal.say(f"  {result.file}")
    terminal.give(result)
