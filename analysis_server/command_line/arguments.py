"""The command line's grammar: verbs, options, help with examples."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from analysis_server.command_line import commands, values
from analysis_server.command_line.options import (
    add_bus_option,
    add_dask_option,
    add_feature_options,
    add_outcome_options,
    add_preset_option,
    add_stems_option,
)
from analysis_server.command_line.terminal import Terminal
from analysis_server.model_store import DEFAULT_MODEL
from core import __version__

_SONG_HELP = "a folder with one file a bus: drums, bass, melody, vocals (or synonyms), and perhaps mix"
_PROJECT_HELP = f"a REAPER project, or {_SONG_HELP}"
_DESCRIPTION = "Learns how you set your faders and writes them as automation."
_EPILOG = """for example:
  faderwise demo                                     the bundled song, mixed and reported
  faderwise mix MySong                               stems in MySong/ mixed into MySong-faderwise/
  faderwise match MySong --mixdown rough.wav         the fader moves of a rough mix, recovered
  faderwise learn Songs/* --model mine               learn from finished mixes
  faderwise mix NextSong --model mine                and mix the next one the same way

exit codes: 0 done, 1 failed, 2 bad usage or bad input, 130 interrupted
`faderwise VERB --help` tells more about each verb."""


@dataclass(frozen=True)
class Command:
    """A parsed command line, ready to run."""

    run: Callable[[Terminal], None]
    as_json: bool
    quiet: bool


def parse(arguments: Sequence[str]) -> Command:
    """Return the command that `arguments` name; bad usage ends the program with exit code 2 and one line."""
    parsed = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace, Terminal], None] = parsed.run
    return Command(lambda terminal: run(parsed, terminal), parsed.as_json, parsed.quiet)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"faderwise: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="faderwise",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"Faderwise {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=_Parser)
    for add in (
        _add_demo,
        _add_mix,
        _add_match,
        _add_learn,
        _add_estimate,
        _add_features,
        _add_evaluate,
        _add_models,
        _add_serve,
    ):
        add(verbs)
    return parser


Verbs = Any


def _verb(
    verbs: Verbs, name: str, run: Callable[[argparse.Namespace, Terminal], None], says: str, examples: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=says,
        description=f"{says[0].upper()}{says[1:]}.",
        epilog=f"for example:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--json", dest="as_json", action="store_true", help="the result as one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)
    return parser


def _add_demo(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "demo",
        commands.demo,
        "mix the bundled song and tell where everything lies",
        "  faderwise demo\n  faderwise demo --out my-demo",
    )
    parser.add_argument("--out", default="demo-out", metavar="DIR", help="the folder to write to (demo-out)")


def _add_mix(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "mix",
        commands.mix,
        "predict a gain per bus and write automation, mix.wav and a report",
        "  faderwise mix MySong\n  faderwise mix MySong --model mine --target-lufs -16 --out mixed\n"
        "  faderwise mix MySong --bus vocals=lead.wav --range 0:45-2:10\n"
        "  faderwise mix MySession.RPP --bus 'vocals=Lead Vox' --bus 'vocals=Harmonies'",
    )
    parser.add_argument("song", metavar="SONG_DIR|SESSION.RPP", help=_PROJECT_HELP)
    parser.add_argument(
        "--model", default=DEFAULT_MODEL, metavar="NAME|FILE", help=f"the model to mix with ({DEFAULT_MODEL})"
    )
    add_outcome_options(parser)
    parser.add_argument(
        "--range",
        dest="range_s",
        type=values.range_s,
        metavar="A:B",
        help="this part only, in seconds or m:ss-m:ss",
    )
    parser.add_argument(
        "--target-lufs", type=values.lufs, metavar="X", help="the mix's loudness (default: the plain sum's)"
    )


def _add_match(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "match",
        commands.match,
        "recover a mixdown's fader moves as automation on its stems",
        "  faderwise match MySong\n  faderwise match MySong --mixdown rough.wav --out matched",
    )
    parser.add_argument("song", metavar="SONG_DIR|SESSION.RPP", help=_PROJECT_HELP)
    parser.add_argument("--mixdown", metavar="FILE", help="the mixdown, where it is not SONG_DIR's mix file")
    add_outcome_options(parser)


def _add_learn(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "learn",
        commands.learn,
        "learn a model from finished mixes, or add songs to one",
        "  faderwise learn SongA SongB --model mine\n  faderwise learn AllMySongs --model mine\n"
        "  faderwise learn rock.npz --model rock --preset paper --features condition1\n"
        "  faderwise learn Session.RPP --from faders --model mine",
    )
    parser.add_argument(
        "songs", nargs="+", metavar="SONG_DIR|SESSION.RPP|DATASET_DIR|MATRICES.npz", help="songs with their mixdowns"
    )
    parser.add_argument("--model", required=True, metavar="NAME|FILE", help="the model to make, or to add songs to")
    add_feature_options(parser)
    add_bus_option(parser)
    add_stems_option(parser)
    parser.add_argument("--mixdown", metavar="FILE", help="a project's mixdown, where it is not found beside it")
    parser.add_argument(
        "--from",
        dest="truth",
        choices=("mixdown", "faders"),
        default="mixdown",
        help="where the true gains come from (mixdown); faders: exactly, from a project's own faders and envelopes",
    )
    parser.add_argument("--fresh", action="store_true", help="forget what a model of that name knew")
    parser.add_argument("--dry-run", action="store_true", help="tell what would be learned, write nothing")
    add_dask_option(parser)


def _add_estimate(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "estimate",
        commands.estimate,
        "estimate the gains that turn stems into their mixdown",
        "  faderwise estimate MySong --out gains.csv\n  faderwise estimate MySong --preset paper --out gains.npz",
    )
    parser.add_argument("song", metavar="SONG_DIR", help=_SONG_HELP)
    add_preset_option(parser)
    parser.add_argument(
        "--domain",
        choices=("complex", "magnitude", "power"),
        help="fit spectra of this kind (default: the fit decides)",
    )
    parser.add_argument("--mixdown", metavar="FILE", help="the mixdown, where it is not SONG_DIR's mix file")
    add_bus_option(parser)
    parser.add_argument("--out", required=True, metavar="FILE.csv|.npz", help="the file to write")


def _add_features(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "features",
        commands.features,
        "measure what the regression sees of each stem",
        "  faderwise features MySong --out features.csv\n"
        "  faderwise features MySong --preset paper --features condition2 --out features.npz",
    )
    parser.add_argument("song", metavar="SONG_DIR", help=_SONG_HELP)
    add_feature_options(parser)
    add_bus_option(parser)
    parser.add_argument("--out", required=True, metavar="FILE.csv|.npz", help="the file to write")


def _add_evaluate(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "evaluate",
        commands.evaluate,
        "the paper's tables and figures on your songs, leave-one-song-out",
        "  faderwise evaluate AllMySongs\n  faderwise evaluate Rock --test-on Pop --out tables\n"
        "  faderwise evaluate rock_condition1.npz",
    )
    parser.add_argument("dataset", metavar="DATASET_DIR|MATRICES.npz", help="a folder of songs with their mixdowns")
    parser.add_argument("--test-on", metavar="DATASET_DIR|MATRICES.npz", help="learn from DATASET_DIR, test on this")
    add_feature_options(parser, preset_default=None)
    parser.add_argument("--out", metavar="DIR", help="write tables and figures into this folder")
    add_dask_option(parser)


def _add_models(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "models",
        commands.models_list,
        "list, show, remove, export or import models",
        "  faderwise models list\n  faderwise models show mine\n  faderwise models remove mine --song 'Old Song'\n"
        "  faderwise models export mine mine.json\n  faderwise models import mine.json --name ours",
    )
    actions = parser.add_subparsers(dest="action", metavar="list|show|remove|export|import", parser_class=_Parser)
    _action(actions, "list", commands.models_list, "list all models")
    _action(actions, "show", commands.models_show, "what a model was learned from, and its coefficients", "name")
    remove = _action(actions, "remove", commands.models_remove, "put a model, or one of its songs, away", "name")
    remove.add_argument("--song", metavar="TITLE", help="forget this song only")
    _action(actions, "export", commands.models_export, "write a model to a file", "name", "file")
    take_in = _action(actions, "import", commands.models_import, "keep the model in a file", "file")
    take_in.add_argument("--name", help="keep it under this name")


def _add_serve(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "serve",
        commands.serve,
        "run the analysis server, tell how it is, or stop it",
        "  faderwise serve\n  faderwise serve --status\n  faderwise serve --stop\n"
        "  faderwise serve --bind 192.168.1.20:5600 --expose --idle 0",
    )
    parser.add_argument("--bind", default="127.0.0.1", metavar="HOST[:PORT]", help="listen here (this machine alone)")
    parser.add_argument("--expose", action="store_true", help="let --bind name an address other machines can reach")
    parser.add_argument(
        "--idle", type=values.minutes, default=30.0, metavar="MINUTES", help="stop when idle so long (30; 0: never)"
    )
    parser.add_argument("--status", action="store_true", help="tell whether a server is up and what it does")
    parser.add_argument("--stop", action="store_true", help="stop the server")


def _action(
    actions: Verbs,
    name: str,
    run: Callable[[argparse.Namespace, Terminal], None],
    says: str,
    *positionals: str,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=says, description=f"{says.capitalize()}.")
    for positional in positionals:
        parser.add_argument(positional, metavar=positional.upper())
    parser.add_argument("--json", dest="as_json", action="store_true", help="the result as one JSON object")
    parser.set_defaults(run=run)
    return parser
