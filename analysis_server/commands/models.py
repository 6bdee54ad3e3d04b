"""`faderwise models`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server import models
from analysis_server.commands.options import Parser, add_action, add_actions
from analysis_server.terminal import Terminal, count

if TYPE_CHECKING:
    from core.models.model import Model


def add_models(parser: Parser) -> None:
    """Add the actions of `faderwise models`."""
    parser.set_command(
        run,
        "models list",
        "models show mine",
        "models remove mine --song 'Old Song'",
        "models export mine mine.json",
        "models import mine.json --name ours",
    )
    actions = add_actions(parser, "list|show|remove|export|import")
    listing = add_action(actions, "list", run, "list all models")
    listing.add_argument("--all", action="store_true", help="also list earlier versions; models import restores one")
    add_action(actions, "show", _show, "show what a model has learned, and from which songs", "model")
    remove = add_action(
        actions, "remove", _remove, "remove a model (kept as NAME.removed), or one of its songs", "model"
    )
    remove.add_argument("--song", metavar="TITLE", help="remove only this song")
    add_action(actions, "export", _export, "write a model to a file", "model", "file")
    take_in = add_action(actions, "import", _import, "add the model in a file", "file")
    take_in.add_argument("--name", help="store it under this name")


def run(arguments: Namespace, terminal: Terminal) -> None:
    """List all models."""
    earlier = models.earlier_versions()
    with_earlier = getattr(arguments, "all", False)  # not an option of `models` without an action
    names = [*models.names(), *(earlier if with_earlier else ())]
    if terminal.as_json:
        terminal.give({"models": [_facts(name, models.find(name)) for name in names]})
        return
    rows = []
    for name in names:
        header = models.read_header(name)
        origin = "bundled" if models.is_shipped(name) else str(models.path_of(name))
        rows.append((name, header.preset, header.features, count(header.n_songs, "song"), origin))
    terminal.table(("model", "preset", "features", "learned from", "file"), rows)
    if earlier and with_earlier:
        terminal.say("To restore an earlier version: faderwise models import FILE")
    elif earlier:
        terminal.say(f"{count(len(earlier), 'earlier version')}: faderwise models list --all")


def _show(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.commands.learning import print_model

    model = models.find(arguments.model)
    print_model(model, terminal)
    terminal.give({"models": [_facts(arguments.model, model)]})


def _remove(arguments: Namespace, terminal: Terminal) -> None:
    if arguments.song is None:
        file = models.remove(arguments.model)
        terminal.say(f"{arguments.model} was removed; to restore it, import {file}")
    else:
        model, file = models.forget(arguments.model, arguments.song)
        terminal.say(
            f"Removed {arguments.song!r} from {arguments.model}, which now contains {count(len(model.songs), 'song')}."
        )
    terminal.give({"model": arguments.model, "file": str(file)})


def _export(arguments: Namespace, terminal: Terminal) -> None:
    file = Path(arguments.file)
    models.find(arguments.model).save(file)
    terminal.say(f"Wrote {arguments.model} to {file}")
    terminal.give({"model": arguments.model, "file": str(file)})


def _import(arguments: Namespace, terminal: Terminal) -> None:
    file = models.take_in(Path(arguments.file), arguments.name)
    terminal.say(f"Stored {arguments.file} as {file}")
    terminal.give({"model": file.stem, "file": str(file)})


def _facts(name: str, model: Model) -> dict[str, object]:
    import msgspec

    return {
        "name": name,
        "preset": model.preset,
        "features": model.feature_set,
        "shipped": models.is_shipped(name),
        "made_by": model.made_by,
        "coefficients": model.named_coefficients(),
        "songs": [
            {key: value for key, value in msgspec.to_builtins(song).items() if key != "triangles"}
            for song in model.songs
        ],
    }
