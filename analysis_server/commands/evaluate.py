"""`faderwise evaluate` on the command line."""

from __future__ import annotations

import argparse

from analysis_server.commands import tables
from analysis_server.commands.dispatch import perform
from analysis_server.commands.options import Verbs, add_dask_option, add_feature_options, add_verb
from analysis_server.terminal import Terminal
from analysis_server.verbs import evaluate as verb


def add(verbs: Verbs) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs,
        "evaluate",
        run,
        "the paper's tables and figures on your songs, leave-one-song-out",
        "  faderwise evaluate AllMySongs\n  faderwise evaluate Rock --test-on Pop --out tables\n"
        "  faderwise evaluate rock_condition1.npz",
    )
    parser.add_argument("dataset", metavar="DATASET_DIR|MATRICES.npz", help="a folder of songs with their mixdowns")
    parser.add_argument("--test-on", metavar="DATASET_DIR|MATRICES.npz", help="learn from DATASET_DIR, test on this")
    add_feature_options(parser, preset_default=None)
    parser.add_argument("--out", metavar="DIR", help="write tables and figures into this folder")
    add_dask_option(parser)


def run(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise evaluate`; for the paper preset both of its conditions, unless one is named."""
    whole = verb.EvaluateRequest(
        dataset=arguments.dataset,
        test_on=arguments.test_on,
        preset=arguments.preset,
        features=arguments.features,
        out=arguments.out,
        dask=arguments.dask,
    )
    results = [perform(request, verb.run, terminal) for request in verb.by_condition(whole)]
    for result in results:
        terminal.warn_all(result.warnings)
        terminal.say(tables.evaluation(result))
        for file in result.files:
            terminal.say(f"  {file}")
    terminal.give(verb.together(results))
