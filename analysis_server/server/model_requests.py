"""`models` requests: what the command line's `models` does, over the socket."""

from __future__ import annotations

from pathlib import Path

from analysis_server import models
from analysis_server.server.messages import ModelFacts, ModelList, Models
from core.errors import InputError
from core.models.model import Model


def answer(request: Models) -> ModelList:
    """Do what `request` asks, and return its answer.

    Raises
    ------
    InputError
        A name or a file is missing, or the model cannot be used.
    """
    actions = {"list": _list, "show": _show, "remove": _remove, "export": _export, "import": _import}
    return actions[request.action](request)


def _list(request: Models) -> ModelList:
    return ModelList(id=request.id, models=[_facts(name, models.find(name)) for name in models.names()])


def _show(request: Models) -> ModelList:
    name = _name(request)
    return ModelList(id=request.id, models=[_facts(name, models.find(name))])


def _remove(request: Models) -> ModelList:
    name = _name(request)
    if request.song is None:
        return ModelList(id=request.id, models=[], file=str(models.remove(name)))
    model, file = models.forget(name, request.song)
    return ModelList(id=request.id, models=[_facts(name, model)], file=str(file))


def _export(request: Models) -> ModelList:
    file = _file(request)
    models.find(_name(request)).save(file)
    return ModelList(id=request.id, models=[], file=str(file))


def _import(request: Models) -> ModelList:
    file = models.take_in(_file(request), request.name)
    return ModelList(id=request.id, models=[_facts(file.stem, models.find(file.stem))], file=str(file))


def _name(request: Models) -> str:
    if not request.name:
        raise InputError(f"models {request.action}: needs the model's name")
    return request.name


def _file(request: Models) -> Path:
    if not request.file or not Path(request.file).is_absolute():
        raise InputError(f"models {request.action}: needs the absolute path of a file")
    return Path(request.file)


def _facts(name: str, model: Model) -> ModelFacts:
    return ModelFacts(
        name=name,
        preset=model.preset,
        features=model.feature_set,
        shipped=models.is_shipped(name),
        made_by=model.made_by,
        songs=[song.title for song in model.songs],
        coefficients=model.named_coefficients(),
    )
