"""Models and their file format.

Conventions: version 2 held that buses which share a place in the mix share its energy (10 log10 of their number), and
let its models depart from equal levels as far as they liked.

A model keeps each song's triangle (`core.models.r_factor`) per bus beside the coefficients they give, so songs can
be added and taken out without the others' audio. docs/reference/model-format.md describes the file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from core import roles
from core.analysis.features_paper import NAMES as PAPER_NAMES
from core.decibels import FloatArray
from core.decoding import UNDECODABLE
from core.errors import ModelError
from core.files import read_whole, write_text
from core.models import balance, r_factor
from core.models import balance as balance_module
from core.models.fit import BalanceFit, fit_balance
from core.models.prior import DEPARTURE_DB, OF_ONE_ENGINEER, WRITTEN, BalancePrior

_SHARED_ENERGY_DB = 10.0

Rows = list[list[float]]


def triangles_of_version_2(triangles: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return a song's triangles of condition 3 with output levels that count its buses' company as it counts now."""
    changes_db = (balance.SHARING_DB - _SHARED_ENERGY_DB) * np.log10(roles.sharing(list(triangles)))
    upgraded = {}
    for (bus, rows), change_db in zip(triangles.items(), changes_db, strict=True):
        triangle = np.array(rows)
        triangle[:, -1] += change_db * triangle[:, 0]
        upgraded[bus] = triangle.tolist()
    return upgraded


def prior_of_version_2(prior: BalancePrior | None) -> BalancePrior | None:
    """Return a prior that stays near equal plain levels, if it is one that believes in them."""
    if prior is None or not prior.shared.get("tone"):
        return prior
    return msgspec.structs.replace(prior, departure_db=DEPARTURE_DB)


FORMAT, VERSION = "faderwise-model", 3
FEATURE_NAMES: Mapping[str, tuple[str, ...]] = {**PAPER_NAMES, "condition3": balance_module.NAMES}
LARGEST_FILE_BYTES = 64 * 1024 * 1024
_LARGEST_SUM = 1e60
"""No song's sums come near it, and its square is still a number."""

Source = Literal["mixdown", "matrices", "faders", "edits"]


class TrainingSong(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A song a model was learned from.

    Attributes
    ----------
    title : the song's name; a model holds each title once.
    source : ``"mixdown"``: the truth was estimated; ``"matrices"``: it came with the features;
        ``"faders"``: it is a session's own faders and envelopes; ``"edits"``: it is what the user made of a prediction.
    hashes : SHA-256 of each file's bytes, by role.
    duration_s : the song's length.
    n_frames : how many frames it has.
    domain, fit : how the truth was estimated and how well it explains the mixdown.
    triangles : per bus, rows of the triangle of its features and gains.
    weight : how many songs it counts for.
    """

    title: str
    source: Source
    hashes: dict[str, str]
    duration_s: float
    n_frames: int
    domain: str
    fit: float
    triangles: dict[str, list[list[float]]]
    weight: Annotated[float, msgspec.Meta(gt=0.0, le=1000.0)] = 1.0

    def weighted_triangles(self) -> dict[str, FloatArray]:
        """Return the triangles, shape (p + 1, p + 1), their squares multiplied by the song's weight."""
        return {bus: np.array(rows) * np.sqrt(self.weight) for bus, rows in self.triangles.items()}


class _BusFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    coefficients: dict[str, float]


class _ModelFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: str
    version: int
    name: str
    preset: str
    features: str
    made_by: str
    buses: dict[str, _BusFile]
    songs: list[TrainingSong]
    prior: BalancePrior | None = None


@dataclass(frozen=True, kw_only=True)
class Model:
    """What was learned.

    Attributes
    ----------
    name : the model's name.
    preset : ``"paper"`` or ``"default"``.
    feature_set : ``"condition1"``, ``"condition2"`` or ``"condition3"``.
    songs : what it was learned from, sorted by title.
    made_by : the program and version that wrote it.
    prior : what it believes apart from its songs (condition 3 only): a shipped model, or None for
        `core.models.prior` as it is written.
    """

    name: str
    preset: str
    feature_set: str
    songs: tuple[TrainingSong, ...] = ()
    made_by: str = ""
    prior: BalancePrior | None = None

    @property
    def buses(self) -> tuple[str, ...]:
        """The buses any song taught it."""
        return roles.in_order({bus for song in self.songs for bus in song.triangles})

    def coefficients(self, bus: str) -> FloatArray:
        """Return the coefficients of `bus`, shape (n_features,), in the order of `FEATURE_NAMES`.

        Raises
        ------
        ModelError
            No song taught this bus, and the model has no prior that speaks for it.
        """
        if self.feature_set == "condition3":
            return self.balance([bus]).coefficients[0]
        triangles = [song.weighted_triangles()[bus] for song in self.songs if bus in song.triangles]
        if not triangles:
            raise ModelError(f"model {self.name}: no song taught it the bus {bus}", remedy=f"learn one that has {bus}")
        return r_factor.non_negative(triangles)

    def balance(self, buses: Sequence[str]) -> BalanceFit:
        """Return what a model of condition 3 knows of the balance of `buses`; what no song taught is its prior's."""
        return fit_balance([song.weighted_triangles() for song in self.songs], buses, self.prior or WRITTEN)

    def as_prior(self) -> BalancePrior:
        """Return what a model of condition 3 knows as the prior of another one, which starts from it."""
        believed = self.prior or WRITTEN
        fitted = self.balance([*self.buses, ""])
        learned = {bus: float(row[0]) for bus, row in zip(self.buses, fitted.coefficients, strict=False)}
        shared = fitted.coefficients[-1, 1:]
        return BalancePrior(
            name=self.name,
            offsets={**believed.offsets, **learned},
            shared=dict(zip(balance_module.NAMES[1:], shared.tolist(), strict=True)),
            offset_strength=OF_ONE_ENGINEER,
            song_deviation_db=fitted.song_deviation_db,
            moment_deviation_db=fitted.moment_deviation_db,
            output_lufs=fitted.output_lufs,
            output_deviation_db=fitted.output_deviation_db,
            departure_db=believed.departure_db,
        )

    def named_coefficients(self) -> dict[str, dict[str, float]]:
        """Return the coefficients of every bus any song taught, by feature name."""
        names = FEATURE_NAMES[self.feature_set]
        if self.feature_set == "condition3":
            rows = self.balance(self.buses).coefficients
            return {bus: dict(zip(names, row.tolist(), strict=True)) for bus, row in zip(self.buses, rows, strict=True)}
        return {bus: dict(zip(names, self.coefficients(bus).tolist(), strict=True)) for bus in self.buses}

    def with_song(self, song: TrainingSong) -> Model:
        """Return the model that knows `song` too; one of the same title is replaced."""
        others = [known for known in self.songs if known.title != song.title]
        return replace(self, songs=tuple(sorted([*others, song], key=lambda s: s.title)))

    def without_song(self, title: str) -> Model:
        """Return the model as if it had never learned from `title`.

        Raises
        ------
        ModelError
            It never did.
        """
        others = tuple(song for song in self.songs if song.title != title)
        if len(others) == len(self.songs):
            known = ", ".join(song.title for song in self.songs) or "none"
            raise ModelError(f"model {self.name}: no song {title!r} in it", remedy=f"it knows: {known}")
        return replace(self, songs=others)

    def save(self, path: Path) -> None:
        """Write the model to `path`, all or nothing; what stood there is set aside."""
        content = _ModelFile(
            format=FORMAT,
            version=VERSION,
            name=self.name,
            preset=self.preset,
            features=self.feature_set,
            made_by=self.made_by,
            buses={bus: _BusFile(coefficients=named) for bus, named in self.named_coefficients().items()},
            songs=list(self.songs),
            prior=self.prior,
        )
        write_text(path, msgspec.json.format(msgspec.json.encode(content), indent=1).decode() + "\n")


def load(path: Path) -> Model:
    """Return the model in `path`.

    Raises
    ------
    ModelError
        The file is missing, no model, damaged, or of a version this program does not know.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise ModelError("is too large for a model", path=path, remedy="give a model file")
        text = read_whole(path)
    except OSError as error:
        raise ModelError(f"cannot be read ({error.strerror})", path=path, remedy="give a model file") from error
    _require_known_version(path, text)
    try:
        content = msgspec.json.decode(text, type=_ModelFile)
    except UNDECODABLE as error:
        raise ModelError(f"is a damaged model ({error})", path=path, remedy="export it again") from error
    if content.version < VERSION and content.features == "condition3":
        content = _upgraded(path, content)
    model = Model(
        name=content.name,
        preset=content.preset,
        feature_set=content.features,
        songs=tuple(content.songs),
        made_by=content.made_by,
        prior=content.prior,
    )
    _require_sound(path, model)
    return model


def _upgraded(path: Path, content: _ModelFile) -> _ModelFile:
    _require_triangles(path, content.songs, len(FEATURE_NAMES["condition3"]) + 1)
    songs = [msgspec.structs.replace(s, triangles=triangles_of_version_2(s.triangles)) for s in content.songs]
    return msgspec.structs.replace(content, songs=songs, prior=prior_of_version_2(content.prior))


def _require_known_version(path: Path, text: bytes) -> None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError("is no model file", path=path, remedy="give one that `faderwise learn` wrote") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError("is no model file", path=path, remedy="give one that `faderwise learn` wrote")
    version = content.get("version")
    if version == 1 and content.get("features") == "condition3" and content.get("songs"):
        titles = ", ".join(str(song.get("title")) for song in content["songs"] if isinstance(song, dict))
        raise ModelError(
            "was learned by an earlier Faderwise, which heard levels alone",
            path=path,
            remedy=f"learn its songs again ({titles})",
        )
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ModelError(
            f"is a model of version {version}, this program knows 1 to {VERSION}",
            path=path,
            remedy="update Faderwise, or learn the model again",
        )


def _require_sound(path: Path, model: Model) -> None:
    names = FEATURE_NAMES.get(model.feature_set)
    if names is None or model.preset not in ("paper", "default"):
        raise ModelError("names unknown features or an unknown preset", path=path, remedy="update Faderwise")
    _require_triangles(path, model.songs, len(names) + 1)
    if model.prior is not None and not model.prior.is_sound():
        raise ModelError("its prior is damaged", path=path, remedy="export it again")


def _require_triangles(path: Path, songs: Sequence[TrainingSong], size: int) -> None:
    for song in songs:
        for bus, rows in song.triangles.items():
            is_square = [len(row) for row in rows] == [size] * size
            if not is_square or not (np.abs(np.array(rows)) < _LARGEST_SUM).all():
                raise ModelError(
                    f"the sums of {bus} in {song.title!r} are damaged", path=path, remedy="export it again"
                )
