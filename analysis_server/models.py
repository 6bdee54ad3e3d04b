"""Models by name: the bundled ones and the user's."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server.paths import home, locked
from core.errors import ModelError, suggestion
from core.files import move_into_place

if TYPE_CHECKING:
    from core.models.balance import BalancePrior
    from core.models.model import Model

DEFAULT_MODEL = "default"
SUFFIX = ".json"
_REMOVED = ".removed"
_LONGEST_NAME_BYTES = 200
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d) *(\.|$)", re.IGNORECASE)
_EARLIER = re.compile(r"[^.]\.\d{8}-\d{6}(-\d+)?$")  # the suffix that core.files adds to the stem of a replaced file
_SHIPPED = Path(__file__).with_name("shipped_models")


def folder() -> Path:
    """Return the folder of the user's models."""
    return home() / "models"


def path_of(name_or_file: str) -> Path:
    """Return the path of the model of that name; a path is returned unchanged.

    Raises
    ------
    ModelError
        The name has characters that are not allowed in file names.
    """
    if "/" in name_or_file or "\\" in name_or_file or name_or_file.endswith(SUFFIX):
        return Path(name_or_file)
    if not re.fullmatch(r"[\w][\w .+-]{0,99}", name_or_file) or len(name_or_file.encode()) > _LONGEST_NAME_BYTES:
        raise ModelError(
            f"{name_or_file[:120]!r} cannot be a model's name",
            remedy="use letters, digits, blanks, . + - _, at most 100",
        )
    if _DEVICE.match(name_or_file):
        raise ModelError(f"{name_or_file!r} is a device's name in Windows", remedy="give another name")
    return folder() / f"{name_or_file}{SUFFIX}"


def find(name_or_file: str) -> Model:
    """Return the model of that name (the user's before the shipped one's) or in that file.

    Raises
    ------
    ModelError
        There is none, or it is damaged.
    """
    path = file_of(name_or_file)
    if path.is_file() or path.parent != folder():
        return _load(path)
    remedy = f"{suggestion(name_or_file, names())}available: {', '.join(names())}"
    raise ModelError(f"no model {name_or_file!r}", remedy=remedy)


@dataclass(frozen=True)
class Header:
    """What a list of models shows of one."""

    preset: str
    features: str
    n_songs: int


def read_header(name: str) -> Header:
    """Return the header of the model of that name, without loading NumPy.

    Raises
    ------
    ModelError
        It is damaged.
    """
    path = file_of(name)
    try:
        content = json.loads(path.read_bytes())
        return Header(str(content["preset"]), str(content["features"]), len(content["songs"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        model = _load(path)  # raises the error with the reason, or reads a file of an earlier version
        return Header(model.preset, model.feature_set, len(model.songs))


def file_of(name_or_file: str) -> Path:
    """Return the file that `find` would read: the user's, the shipped one of that name, or where it should be."""
    path = path_of(name_or_file)
    shipped = _SHIPPED / path.name
    is_missing = path.parent == folder() and not path.is_file()
    return shipped if is_missing and shipped.is_file() else path


def _load(path: Path) -> Model:
    from core.models.model import load  # noqa: PLC0415 - not needed to list names

    return load(path)


def hidden_model_warnings(name_or_file: str) -> list[str]:
    """Return a warning where `find` returns a model of the user, from an earlier version, instead of a bundled one."""
    path = path_of(name_or_file)
    bundled = _SHIPPED / path.name
    if path.parent != folder() or not path.is_file() or not bundled.is_file():
        return []
    return [
        f"{path} is used instead of the bundled model of the same name, {bundled}; to use the bundled one, set yours "
        f"aside with faderwise models remove {path.stem}"
    ]


def bundled_default() -> Model:
    """Return the bundled default model, also if the user has one of that name."""
    return _load(_SHIPPED / f"{DEFAULT_MODEL}{SUFFIX}")


def against_default_db(model: Model) -> dict[str, float]:
    """Return how a model sets each bus compared with the bundled default model, dB; empty for bundled models."""
    return {} if is_shipped(model.name) else model.against_db(bundled_default())


def shipped_prior() -> BalancePrior:
    """Return the prior of the bundled default model, from which the user's models start."""
    return bundled_default().as_prior()


def refuse_unusable(name_or_file: str, option: str) -> None:
    """Refuse a name under which a user's model would replace a bundled one, and a new file with another suffix.

    Raises
    ------
    ModelError
        It is the name of a bundled model, or a file that is not there and does not end in `SUFFIX`.
    """
    path = path_of(name_or_file)
    if path.suffix != SUFFIX and not path.is_file():
        remedy = f"a name has no slash, and a model's file ends in {SUFFIX}"
        raise ModelError(f"{name_or_file!r} cannot be a model's name or file", option=option, remedy=remedy)
    if path.parent == folder() and (_SHIPPED / path.name.lower()).is_file():
        raise ModelError(f"{path.stem!r} is the name of a bundled model", option=option, remedy="choose another name")


def names() -> list[str]:
    """Return the names of all models, sorted, without incomplete files and earlier versions."""
    files = (path for where in (folder(), _SHIPPED) for path in where.glob(f"*{SUFFIX}"))
    return sorted({path.stem for path in files if not path.name.startswith(".") and not _EARLIER.search(path.stem)})


def earlier_versions() -> list[Path]:
    """Return the files of removed models, and of earlier versions, which are kept when a model is replaced, sorted."""
    replaced = (path for path in folder().glob(f"*{SUFFIX}") if _EARLIER.search(path.stem))
    return sorted([*replaced, *folder().glob(f"*{_REMOVED}")])


def is_shipped(name: str) -> bool:
    """Return whether a name is that of a bundled model."""
    return not path_of(name).is_file() and (_SHIPPED / f"{name}{SUFFIX}").is_file()


def remove(name: str) -> Path:
    """Set the user's model of that name aside and return its new path.

    Raises
    ------
    ModelError
        The model does not exist, or it is a bundled one.
    """
    path = path_of(name)
    removed = path.with_suffix(_REMOVED)
    with locked(path):
        if is_shipped(name):
            raise ModelError(f"the bundled model {name!r} cannot be changed or removed")
        if not path.is_file():
            raise ModelError(f"no model {name!r}", remedy=f"available: {', '.join(names())}")
        move_into_place(path, removed)
    return removed


def forget(name: str, title: str) -> tuple[Model, Path]:
    """Remove a song from the user's model of that name; return the model and its file.

    Raises
    ------
    ModelError
        The model does not exist, is a bundled one, or has not learned the song.
    """
    file = path_of(name)
    with locked(file):
        if is_shipped(name):
            raise ModelError(f"the bundled model {name!r} cannot be changed or removed")
        model = find(name).without_song(title)
        model.save(file)
    return model, file


def take_in(file: Path, name: str | None) -> Path:
    """Keep a copy of the model in `file` under `name` (its own by default) and return its path.

    Raises
    ------
    ModelError
        The file is not a model, or the name cannot be used.
    """
    model = _load(file)
    kept_as = name or model.name
    path = path_of(kept_as)
    if path.parent != folder():
        raise ModelError(f"{kept_as!r} cannot be a model's name", remedy="give one with --name")
    refuse_unusable(kept_as, "--name")
    with locked(path):
        replace(model, name=kept_as).save(path)
    return path
