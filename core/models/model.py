"""Models and their file format.

A model stores each song's R factors (`core.models.fit`) per bus next to the coefficients that follow from them, so
songs can be added and removed without the others' audio. docs/reference/file-formats.md describes the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from core import roles
from core.analysis.measure import PAPER_NAMES
from core.decibels import FloatArray
from core.errors import ModelError
from core.files import read_whole, undecodable, write_text
from core.models import balance
from core.models.balance import DEPARTURE_DB, OF_ONE_ENGINEER, TRACK_OFFSETS_DB, WRITTEN, BalancePrior
from core.models.fit import BalanceFit, SongEvidence, fit_balance, non_negative
from core.wording import count

FORMAT, VERSION = "faderwise-model", 4
FEATURE_NAMES: Mapping[str, tuple[str, ...]] = {**PAPER_NAMES, "condition3": balance.NAMES}
LARGEST_FILE_BYTES = 64 * 1024 * 1024
_LARGEST_SUM = 1e60
"""Larger than any song's sums, and its square is still finite."""

ESTIMATED_LEVEL_ERROR_DB = 2.0
"""Standard error of levels that were estimated in the power or magnitude domain."""
_SONG_DEVIATION_OF_VERSION_3_DB = 2.6

Source = Literal["mixdown", "matrices", "faders", "edits"]


class TrainingSong(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A song a model was learned from.

    Attributes
    ----------
    title : the song's name; each title occurs once in a model.
    source : ``"mixdown"``: the truth was estimated; ``"matrices"``: it came with the features;
        ``"faders"``: a session's own faders and envelopes; ``"edits"``: the user's edits of a prediction.
    hashes : SHA-256 of each file's bytes, by role.
    duration_s : the song's length.
    n_frames : how many frames it has.
    domain, fit : how the truth was estimated and how well it explains the mixdown.
    triangles : per bus, rows of the triangular factor of its features and gains.
    tracks : the same per role of a single track, such as "drums: snare"; left out where buses were balanced.
    weight : how many songs it counts for.
    album : songs of one album are related; "" where unknown.
    by_others : whether its engineer may be another one than that of the other songs, as on an artist's records.
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
    album: str = ""
    by_others: bool = False
    tracks: dict[str, list[list[float]]] | msgspec.UnsetType = msgspec.UNSET

    def weighted_triangles(self) -> dict[str, FloatArray]:
        """Return the triangles, shape (p + 1, p + 1), their squares multiplied by the song's weight."""
        return {bus: np.array(rows) * np.sqrt(self.weight) for bus, rows in self.triangles.items()}

    def evidence(self) -> SongEvidence:
        """Return what the song contributes to a balance model."""
        return SongEvidence(
            r_factors={bus: np.array(rows) for bus, rows in self.triangles.items()},
            tracks={name: np.array(rows) for name, rows in (self.tracks or {}).items()},
            weight=self.weight,
            level_error_db=ESTIMATED_LEVEL_ERROR_DB if self.domain in ("power", "magnitude") else 0.0,
            album=self.album,
            by_others=self.by_others,
        )


_SAME_LENGTH_S, _SAME_FEATURE_DB, _SAME_SHARE = 0.05, 0.005, 1e-4


def have_same_stems(one: TrainingSong, other: TrainingSong) -> bool:
    """Return whether two songs have the same stems: the same files, or the same length and features of each bus.

    The gains do not count, so a session and its finished mix are the same song. A file of matrices contains several
    songs, known by their titles; their features are not those of audio.
    """
    if "matrices" in one.hashes or "matrices" in other.hashes:
        return one.title == other.title and one.hashes == other.hashes
    files, others = ({hash_ for role, hash_ in song.hashes.items() if role != "mixdown"} for song in (one, other))
    if files and files == others:
        return True
    if abs(one.duration_s - other.duration_s) > _SAME_LENGTH_S or one.triangles.keys() != other.triangles.keys():
        return False
    return bool(one.triangles) and all(_are_alike(rows, other.triangles[bus]) for bus, rows in one.triangles.items())


def _are_alike(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> bool:
    """Return whether two triangles are of the same features, by those that neither weights nor gains change.

    They are the first row, relative to its first value; in condition 3 only what is constant in a song, in dB.
    """
    if len(one) != len(other) or not one[0][0] or not other[0][0]:
        return False
    is_balance = len(one) == len(balance.NAMES) + 1
    n_features = len(balance.OF_SONG) if is_balance else len(one) - 1
    first, second = (np.array(rows[0][1:n_features]) / rows[0][0] for rows in (one, other))
    rtol, atol = (0.0, _SAME_FEATURE_DB) if is_balance else (_SAME_SHARE, 0.0)
    return bool(np.allclose(first, second, rtol=rtol, atol=atol))


EDITS = " (edits)"
"""Ends the title under which a model keeps the edits of a song's mix, next to the song."""


def songs_in_words(titles: Iterable[str]) -> str:
    """Return how many songs a model has; a song and the edits of its mix are one.

    Examples
    --------
    >>> songs_in_words(["Rain"]), songs_in_words(["Rain", "Rain (edits)", "Snow"])
    ('1 song', '2 songs (1 with edits)')
    """
    kept = list(titles)
    n_songs = len({title.removesuffix(EDITS) for title in kept})
    n_edited = sum(title.endswith(EDITS) for title in kept)
    return count(n_songs, "song") + (f" ({n_edited} with edits)" if n_edited else "")


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
    """A learned model.

    Attributes
    ----------
    name : the model's name.
    preset : ``"paper"`` or ``"default"``.
    feature_set : ``"condition1"``, ``"condition2"`` or ``"condition3"``.
    songs : what it was learned from, sorted by title.
    made_by : the program and version that wrote it.
    prior : its prior (condition 3 only): a shipped model, or None for `core.models.balance.WRITTEN`.
    """

    name: str
    preset: str
    feature_set: str
    songs: tuple[TrainingSong, ...] = ()
    made_by: str = ""
    prior: BalancePrior | None = None

    @property
    def buses(self) -> tuple[str, ...]:
        """The buses of its songs."""
        return roles.in_order({bus for song in self.songs for bus in song.triangles})

    def coefficients(self, bus: str) -> FloatArray:
        """Return the coefficients of `bus`, shape (n_features,), in the order of `FEATURE_NAMES`.

        Raises
        ------
        ModelError
            No song has this bus, and the model has no prior.
        """
        if self.feature_set == "condition3":
            return self.balance_fit.coefficients_of([bus])[0]
        triangles = [song.weighted_triangles()[bus] for song in self.songs if bus in song.triangles]
        if not triangles:
            raise ModelError(f"model {self.name} has no song with the bus {bus}", remedy="learn such a song")
        return non_negative(triangles)

    @cached_property
    def balance_fit(self) -> BalanceFit:
        """The fitted balance of a model of condition 3."""
        return fit_balance([song.evidence() for song in self.songs], self.prior or WRITTEN)

    def as_prior(self) -> BalancePrior:
        """Return a model of condition 3 as the prior of another one that starts from it."""
        fit, prior = self.balance_fit, self.prior or WRITTEN
        habits = dict(zip(fit.habits.roles, fit.habits.offsets_db.tolist(), strict=True))
        shared = dict(zip(balance.NAMES[len(balance.OF_SONG) :], fit.moment_coefficients.tolist(), strict=True))

        def with_habits(offsets: Mapping[str, float]) -> dict[str, float]:
            return {bus: offsets.get(bus, 0.0) + habits.get(bus, 0.0) for bus in {**offsets, **habits}}

        return msgspec.structs.replace(
            prior,
            name=self.name,
            offsets={bus: value for bus, value in with_habits(prior.offsets).items() if bus == roles.bus_of(bus)},
            track_offsets=with_habits(prior.track_offsets),
            shared={**prior.shared, **shared},
            offset_strength=OF_ONE_ENGINEER,
            song_deviation_db=fit.song_deviation_db,
            moment_deviation_db=fit.moment_deviation_db,
            output_lufs=fit.output_lufs,
            output_deviation_db=fit.output_deviation_db,
        )

    def named_coefficients(self) -> dict[str, dict[str, float]]:
        """Return the coefficients of every bus of its songs, by feature name."""
        names = FEATURE_NAMES[self.feature_set]
        if self.feature_set == "condition3":
            rows = self.balance_fit.coefficients_of(self.buses)
            return {bus: dict(zip(names, row.tolist(), strict=True)) for bus, row in zip(self.buses, rows, strict=True)}
        return {bus: dict(zip(names, self.coefficients(bus).tolist(), strict=True)) for bus in self.buses}

    def track_habits_db(self) -> dict[str, float]:
        """Return how its songs set each role of a single track against the default rule, dB, less the roles' median."""
        if self.feature_set != "condition3":
            return {}
        names = sorted({name for song in self.songs for name in song.tracks or {}})
        habits_db = self.balance_fit.habits_of(names)
        return dict(zip(names, (habits_db - np.median(habits_db)).tolist(), strict=True)) if names else {}

    def against_db(self, other: Model) -> dict[str, float]:
        """Return how it sets each bus of its songs compared with another model, dB, less the buses' median.

        The buses that songs and edits leave alone are then near 0. Empty where one of the models is not of condition 3.
        """
        if not self.buses or {self.feature_set, other.feature_set} != {"condition3"}:
            return {}
        offsets_db, others_db = (model.balance_fit.coefficients_of(self.buses)[:, 0] for model in (self, other))
        changes_db = offsets_db - others_db
        return dict(zip(self.buses, (changes_db - np.median(changes_db)).tolist(), strict=True))

    def next_song_percent(self) -> float:
        """Return roughly how far one more song would move the balance to its own; 0 without songs of condition 3.

        It is over all buses: what a single bus moves by depends on the other songs, and on how unusual it is.
        """
        if self.feature_set != "condition3" or not self.songs:
            return 0.0
        correlation = self.balance_fit.habits.correlation
        return 100.0 * correlation / (1.0 + correlation * sum(song.weight for song in self.songs))

    def with_song(self, song: TrainingSong) -> Model:
        """Return the model with `song` added; a song of the same title is replaced."""
        others = [known for known in self.songs if known.title != song.title]
        return replace(self, songs=tuple(sorted([*others, song], key=lambda s: s.title)))

    def without_song(self, title: str) -> Model:
        """Return the model without the song `title`.

        Raises
        ------
        ModelError
            The model has no such song.
        """
        others = tuple(song for song in self.songs if song.title != title)
        if len(others) == len(self.songs):
            known = ", ".join(song.title for song in self.songs) or "none"
            raise ModelError(f"model {self.name} has no song {title!r}", remedy=f"its songs: {known}")
        return replace(self, songs=others)

    def save(self, path: Path) -> None:
        """Write the model to `path`, completely or not at all; an existing file is renamed."""
        content = _ModelFile(
            format=FORMAT,
            version=VERSION,
            name=self.name,
            preset=self.preset,
            features=self.feature_set,
            made_by=self.made_by,
            buses={bus: _BusFile(coefficients=_short(named)) for bus, named in self.named_coefficients().items()},
            songs=list(self.songs),
            prior=self.prior,
        )
        write_text(path, msgspec.json.format(msgspec.json.encode(content), indent=1).decode() + "\n")


def _short(coefficients: Mapping[str, float]) -> dict[str, float]:
    """Return coefficients without the digits that differ between computers; a file has them for its readers only."""
    return {name: float(f"{value:.7g}") for name, value in coefficients.items()}


def load(path: Path) -> Model:
    """Return the model in `path`.

    Raises
    ------
    ModelError
        The file is missing, not a model, damaged, or of an unknown version.
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
    except undecodable() as error:
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
    """Return a model of condition 3 from an earlier version in the present format.

    Version 2 lowered each of n buses that share a place by 10 log10(n) instead of `balance.SHARING_DB`, and did not
    bound the departure from equal levels. Version 3 had one deviation for all buses and no rule for tracks.
    """
    _require_triangles(path, content.songs, len(FEATURE_NAMES["condition3"]) + 1)
    songs, prior = content.songs, content.prior
    if content.version < 3:
        songs = [msgspec.structs.replace(song, triangles=_with_present_sharing(song.triangles)) for song in songs]
    if prior is not None:
        follows_rule = bool(prior.shared.get("tone"))
        prior = msgspec.structs.replace(
            prior,
            track_offsets=dict(TRACK_OFFSETS_DB) if follows_rule else {},
            departure_db=DEPARTURE_DB if follows_rule and content.version < 3 else prior.departure_db,
            song_deviation_db=prior.song_deviation_db * WRITTEN.song_deviation_db / _SONG_DEVIATION_OF_VERSION_3_DB,
        )
    return msgspec.structs.replace(content, songs=songs, prior=prior)


def _with_present_sharing(triangles: Mapping[str, list[list[float]]]) -> dict[str, list[list[float]]]:
    changes_db = (balance.SHARING_DB - 10.0) * np.log10(roles.sharing(list(triangles)))
    upgraded = {}
    for (bus, rows), change_db in zip(triangles.items(), changes_db, strict=True):
        triangle = np.array(rows)
        triangle[:, -1] += change_db * triangle[:, 0]
        upgraded[bus] = triangle.tolist()
    return upgraded


def _require_known_version(path: Path, text: bytes) -> None:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError("is not a model file", path=path, remedy="give one that `faderwise learn` wrote") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError("is not a model file", path=path, remedy="give one that `faderwise learn` wrote")
    version = content.get("version")
    if version == 1 and content.get("features") == "condition3" and content.get("songs"):
        titles = ", ".join(str(song.get("title")) for song in content["songs"] if isinstance(song, dict))
        raise ModelError(
            "was created by an earlier version, which stored only levels",
            path=path,
            remedy=f"learn its songs again ({titles})",
        )
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ModelError(
            f"is a model of version {version}, and this program supports 1 to {VERSION}",
            path=path,
            remedy="update Faderwise, or learn the model again",
        )


def _require_sound(path: Path, model: Model) -> None:
    names = FEATURE_NAMES.get(model.feature_set)
    if names is None or model.preset not in ("paper", "default"):
        raise ModelError("has an unknown feature set or preset", path=path, remedy="update Faderwise")
    _require_triangles(path, model.songs, len(names) + 1)
    if model.prior is not None and not model.prior.is_valid():
        raise ModelError("its prior is damaged", path=path, remedy="export it again")


def _require_triangles(path: Path, songs: Sequence[TrainingSong], size: int) -> None:
    for song in songs:
        for bus, rows in {**song.triangles, **(song.tracks or {})}.items():
            is_square = [len(row) for row in rows] == [size] * size
            if not is_square or not (np.abs(np.array(rows)) < _LARGEST_SUM).all():
                raise ModelError(
                    f"the sums of {bus} in {song.title!r} are damaged", path=path, remedy="export it again"
                )
