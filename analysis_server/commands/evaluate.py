"""`faderwise evaluate`."""

from __future__ import annotations

from argparse import Namespace

from analysis_server.commands import options, results
from analysis_server.terminal import Terminal

EXAMPLES = """\
  faderwise evaluate AllMySongs
  faderwise evaluate Rock --test-on Pop --out tables
  faderwise evaluate rock_condition1.npz"""


def add_options(parser: options.Parser) -> None:
    """Add the options."""
    kinds = "DATASET_DIR|MATRICES.npz"
    parser.add_argument("dataset", metavar=kinds, help="a folder of songs with their mixdowns")
    parser.add_argument("--test-on", metavar=kinds, help="train on the first dataset, test on this one")
    options.add_feature_options(parser, default_preset=None)
    parser.add_argument("--out", metavar="DIR", help="write tables and figures into this folder")
    options.add_dask_option(parser)


def run(arguments: Namespace, terminal: Terminal) -> None:
    """Evaluate, for the paper preset in both of its conditions unless one is named, and print the tables."""
    from analysis_server.commands.dispatch import perform
    from analysis_server.verbs import evaluate

    request = options.request_of(evaluate.EvaluateRequest, arguments)
    evaluated = [perform(one, evaluate.run, terminal) for one in evaluate.by_condition(request)]
    for result in evaluated:
        results.print_evaluation(result, terminal)
    terminal.give(evaluate.together(evaluated))
