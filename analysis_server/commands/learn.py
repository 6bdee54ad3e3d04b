"""`faderwise learn`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import assignment, options, results
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise learn SongA SongB --model mine
  faderwise learn AllMySongs --model mine
  faderwise learn rock.npz --model rock --preset paper --features condition1
  faderwise learn Session.RPP --from faders --model mine
  faderwise learn Song-faderwise.RPP --from edits --model mine"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    kinds = "SONG_DIR|SESSION.RPP|DATASET_DIR|MATRICES.npz"
    parser.add_argument("songs", nargs="+", metavar=kinds, help="songs with their mixdowns")
    text = "the model to make, or to add songs to"
    model = parser.add_argument("--model", required=True, metavar="NAME|FILE", help=text)
    options.completed_by(model, "models")
    options.add_feature_options(parser)
    options.add_bus_option(parser)
    options.add_stems_option(parser)
    options.add_mixdown_option(parser)
    parser.add_argument(
        "--from",
        dest="truth",
        choices=("mixdown", "faders", "edits"),
        default="mixdown",
        help="the source of the true gains: the mixdown (default); the faders and envelopes of a project, which are "
        "exact; or your own edits of a run, in a project or in a folder that mix wrote",
    )
    parser.add_argument("--fresh", action="store_true", help="replace a model of that name instead of adding to it")
    options.add_dry_run_option(parser)
    options.add_dask_option(parser)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Learn a model and print what it knows."""
    from analysis_server.commands.dispatch import perform
    from analysis_server.verbs import learn

    request = options.request_of(learn.LearnRequest, arguments, **options.song_fields(arguments, *arguments.songs))
    assignment.print_short(arguments, terminal, *arguments.songs)
    results.print_learn(perform(request, learn.run, terminal), terminal, is_dry_run=arguments.dry_run)
