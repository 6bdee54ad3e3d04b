"""`faderwise models` on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from analysis_server import models as models_module
from analysis_server.commands import tables
from analysis_server.commands.options import Parser, Verbs, add_action, add_verb
from analysis_server.terminal import Terminal
from core.models.model import Model


class _Listed(msgspec.Struct, kw_only=True):
    models: list[dict[str, object]]


class _Moved(msgspec.Struct, kw_only=True):
    model: str
    file: str


def add(verbs: Verbs) -> None:
    """Add the verb and its actions."""
    parser = add_verb(
        verbs,
        "models",
        _list,
        "list, show, remove, export or import models",
        "  faderwise models list\n  faderwise models show mine\n  faderwise models remove mine --song 'Old Song'\n"
        "  faderwise models export mine mine.json\n  faderwise models import mine.json --name ours",
    )
    actions = parser.add_subparsers(dest="action", metavar="list|show|remove|export|import", parser_class=Parser)
    add_action(actions, "list", _list, "list all models")
    add_action(actions, "show", _show, "what a model was learned from, and its coefficients", "name")
    remove = add_action(actions, "remove", _remove, "put a model, or one of its songs, away", "name")
    remove.add_argument("--song", metavar="TITLE", help="forget this song only")
    add_action(actions, "export", _export, "write a model to a file", "name", "file")
    take_in = add_action(actions, "import", _take_in, "keep the model in a file", "file")
    take_in.add_argument("--name", help="keep it under this name")


def _list(_arguments: argparse.Namespace, terminal: Terminal) -> None:
    listed = [(name, models_module.find(name)) for name in models_module.names()]
    for name, model in listed:
        origin = "shipped" if models_module.is_shipped(name) else str(models_module.path_of(name))
        terminal.say(f"{name:<24} {model.preset:<8} {model.feature_set:<11} {len(model.songs):>3} songs  {origin}")
    terminal.give(_Listed(models=[_facts(name, model) for name, model in listed]))


def _show(arguments: argparse.Namespace, terminal: Terminal) -> None:
    model = models_module.find(arguments.name)
    terminal.say(f"{model.name}: preset {model.preset}, features {model.feature_set}, made by {model.made_by}")
    terminal.say(tables.coefficients(model.named_coefficients()))
    terminal.say(tables.training(model.songs))
    terminal.give(_Listed(models=[_facts(arguments.name, model)]))


def _remove(arguments: argparse.Namespace, terminal: Terminal) -> None:
    if arguments.song is None:
        file = models_module.remove(arguments.name)
        terminal.say(f"{arguments.name} is put away; to have it back, import {file}")
    else:
        model, file = models_module.forget(arguments.name, arguments.song)
        terminal.say(f"{arguments.name} has forgotten {arguments.song!r}; it knows {len(model.songs)} songs.")
    terminal.give(_Moved(model=arguments.name, file=str(file)))


def _export(arguments: argparse.Namespace, terminal: Terminal) -> None:
    file = Path(arguments.file)
    models_module.find(arguments.name).save(file)
    terminal.say(f"{arguments.name} is written to {file}")
    terminal.give(_Moved(model=arguments.name, file=str(file)))


def _take_in(arguments: argparse.Namespace, terminal: Terminal) -> None:
    file = models_module.take_in(Path(arguments.file), arguments.name)
    terminal.say(f"{arguments.file} is kept as {file}")
    terminal.give(_Moved(model=file.stem, file=str(file)))


def _facts(name: str, model: Model) -> dict[str, object]:
    return {
        "name": name,
        "preset": model.preset,
        "features": model.feature_set,
        "shipped": models_module.is_shipped(name),
        "made_by": model.made_by,
        "coefficients": model.named_coefficients(),
        "songs": [
            {key: value for key, value in msgspec.structs.asdict(song).items() if key != "triangles"}
            for song in model.songs
        ],
    }
