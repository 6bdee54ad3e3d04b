"""`faderwise learn`: a model from finished mixes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import msgspec

from analysis_server import MADE_BY, models
from analysis_server.paths import is_project, locked
from analysis_server.presets import FeatureSet, Preset, feature_set_of
from analysis_server.sources.folder import require_mixdowns, require_titles_apart, song_folders
from analysis_server.sources.project import Assigned, Level, ProjectParts, require_mixdown_of
from analysis_server.training import (
    LearnedSong,
    SessionSettings,
    SongSettings,
    in_turn,
    is_matrices,
    learn_folders,
    learned_edits,
    learned_session,
    matrices_songs,
)
from core.errors import InputError, ModelError
from core.files import require_writable_folder
from core.matching import new_bus_notes
from core.models.model import EDITS, Model, have_same_stems
from core.progress import ProgressCallback, no_progress, part_of
from core.rpp.project import read_project


class LearnRequest(ProjectParts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Learn from `songs` and keep the result as `model`; where the model exists already, the songs are added to it.

    Attributes
    ----------
    songs : SONG_DIRs, DATASET_DIRs, matrices in an NPZ, REAPER projects; of edits also folders that `mix` wrote.
    model : the model's name or file.
    preset, features : what the model is made of.
    buses : files of a SONG_DIR by role.
    fresh : replace a model of that name.
    dry_run : write nothing.
    dask : the address of a dask scheduler whose workers see the songs under the same paths.
    truth : whether a project's true gains come from its `mixdown`, or exactly from its `faders`, or are what was made
        of a run's prediction by hand (`edits`).
    mixdown : the project's mixdown, if it is not next to the project.
    level : whether a project's faders are those of its buses or of its single tracks; edits are of what they edit.
    album : the album of these songs; songs of one album are related, so together they count less than unrelated ones.
    mixed_by : ``"others"`` where the songs may have different engineers, such as an artist's records.
    """

    songs: list[str]
    model: str
    preset: Preset = "default"
    features: FeatureSet | None = None
    buses: dict[str, str | list[str]] = msgspec.field(default_factory=dict)
    fresh: bool = False
    dry_run: bool = False
    dask: str | None = None
    truth: Literal["mixdown", "faders", "edits"] = "mixdown"
    mixdown: str | None = None
    level: Level = "buses"
    album: str = ""
    mixed_by: Literal["me", "others"] = "me"


class LearnResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned: the model's file, its songs, its coefficients, and what one more song would count.

    Attributes
    ----------
    model, file : the model's name and file.
    preset, features : what it is made of.
    learned, songs : titles of the songs learned now, and of all songs.
    replaced : titles of the songs learned now that the model had learned before.
    coefficients : by bus and feature.
    tracks_db : how the songs with single tracks set each role of a track, such as "drums: snare", against the rule, dB,
        relative to the median of these roles.
    against_default_db : how the model sets each bus compared with the default model, relative to the median.
    next_song_percent : how far one more song would move a bus towards its own level; 0 for the paper's features.
    assignment : the bus of each file or track of the songs that were learned now, by title.
    warnings, notes : sentences for the user: what may be a problem, and information.
    """

    model: str
    file: str
    preset: str
    features: str
    learned: list[str]
    songs: list[str]
    coefficients: dict[str, dict[str, float]]
    assignment: dict[str, list[Assigned]]
    warnings: list[str]
    notes: list[str] = []
    against_default_db: dict[str, float] = {}
    next_song_percent: float = 0.0
    replaced: list[str] = []
    tracks_db: dict[str, float] = {}


def check(request: LearnRequest) -> str:
    """Check everything about a request that can be checked without opening a song; return the feature set.

    Raises
    ------
    InputError
        The model's name cannot be used, it is made of other features, or an option does not apply.
    """
    models.refuse_unusable(request.model, "--model")
    require_writable_folder(models.path_of(request.model).parent)
    feature_set = feature_set_of(request.preset, request.features)
    for option, is_given in {"--album": bool(request.album), "--mixed-by": request.mixed_by != "me"}.items():
        if is_given and feature_set != "condition3":
            raise InputError(
                "the paper's regression does not use this", option=option, remedy="leave it out, or use condition3"
            )
    if request.level == "tracks" and request.truth == "mixdown":
        raise InputError(
            "single tracks are learned from faders or edits, not from a mixdown",
            option="--level tracks",
            remedy="add --from faders, or omit it",
        )
    _new_bus_notes(request, _starting_model(request, feature_set))
    if request.truth != "edits":
        _sources(request)
    return feature_set


def run(request: LearnRequest, progress: ProgressCallback = no_progress) -> LearnResult:
    """Learn and write.

    Raises
    ------
    InputError
        As `check`; or a song cannot be read or has no mixdown.
    """
    feature_set = check(request)
    learned = _learned_songs(request, feature_set, progress)
    by_others = request.mixed_by == "others"
    songs = [msgspec.structs.replace(one.song, album=request.album, by_others=by_others) for one in learned]
    titles = [song.title for song in songs]
    require_titles_apart(titles)
    file = models.path_of(request.model)
    with nullcontext() if request.dry_run else locked(file):
        model = _starting_model(request, feature_set)  # another process may have changed it in the meantime
        new_buses = _new_bus_notes(request, model)
        replaced = [song.title for song in model.songs if song.title in titles]
        for song in songs:
            model = model.with_song(song)
        if not request.dry_run:
            model.save(file)
    return LearnResult(
        model=model.name,
        file=str(file),
        preset=model.preset,
        features=model.feature_set,
        learned=titles,
        songs=[song.title for song in model.songs],
        coefficients=model.named_coefficients(),
        against_default_db=models.against_default_db(model),
        next_song_percent=model.next_song_percent(),
        tracks_db=model.track_habits_db(),
        assignment={one.song.title: one.assignment for one in learned if one.assignment},
        replaced=replaced,
        warnings=[*(warning for one in learned for warning in one.warnings), *_copies(model, titles)],
        notes=[*new_buses, *(note for one in learned for note in one.notes)],
    )


def _copies(model: Model, learned: Sequence[str]) -> list[str]:
    """Return a warning for each song learned now that has the stems of another one under another name."""
    warnings = []
    for index, song in enumerate(model.songs):
        for other in model.songs[:index]:
            is_new = song.title in learned or other.title in learned
            is_own_edit = song.title.removesuffix(EDITS) == other.title.removesuffix(EDITS)
            if is_new and not is_own_edit and have_same_stems(song, other):
                copy, kept = (song.title, other.title) if song.title in learned else (other.title, song.title)
                remedy = f"faderwise models remove {shlex.quote(model.name)} --song {shlex.quote(copy)}"
                warnings.append(f"{copy} has the same stems as {kept}, so the song counts twice; to keep one: {remedy}")
    return warnings


def _new_bus_notes(request: LearnRequest, model: Model) -> list[str]:
    gain = "the model learns its gain for later songs that have a bus of this name"
    return new_bus_notes((*request.buses, *request.tracks), model.buses, gain)


def _starting_model(request: LearnRequest, feature_set: str) -> Model:
    file = models.path_of(request.model)
    if request.fresh or not file.is_file():
        prior = models.shipped_prior() if feature_set == "condition3" else None
        return Model(name=file.stem, preset=request.preset, feature_set=feature_set, made_by=MADE_BY, prior=prior)
    model = models.find(request.model)
    if (model.preset, model.feature_set) != (request.preset, feature_set):
        raise ModelError(
            f"is made of preset {model.preset}, {model.feature_set}",
            path=file,
            remedy="learn under another name, or with --fresh",
        )
    return model


def _learned_songs(request: LearnRequest, feature_set: str, progress: ProgressCallback) -> list[LearnedSong]:
    of_project = SessionSettings(
        preset=request.preset,
        feature_set=feature_set,
        truth=request.truth,
        mixdown=request.mixdown,
        level=request.level,
        parts=request,
    )
    if request.truth == "edits":
        return in_turn(lambda path, part: learned_edits(path, of_project, part), request.songs, progress)
    matrices, sessions, folders = _sources(request)
    settings = SongSettings(
        preset=request.preset, feature_set=feature_set, buses=request.buses, mixdown=request.mixdown
    )
    share = len(folders) / max(len(folders) + len(sessions), 1)
    return [
        *(LearnedSong(song=kept) for path in matrices for _, kept in matrices_songs(path, request.preset, feature_set)),
        *learn_folders(folders, settings, request.dask, part_of(progress, 0.0, share)),
        *in_turn(lambda path, part: learned_session(path, of_project, part), sessions, part_of(progress, share, 1.0)),
    ]


def _sources(request: LearnRequest) -> tuple[list[str], list[str], list[Path]]:
    """Return the matrices, projects and song folders of a request, for which its options must apply."""
    matrices = list(filter(is_matrices, request.songs))
    sessions = list(filter(is_project, request.songs))
    folders = song_folders([path for path in request.songs if path not in (*matrices, *sessions)])
    require_titles_apart([folder.resolve().name for folder in folders])
    others = [*matrices, *map(str, folders)]
    if request.truth == "faders" and others:
        raise InputError(
            "is not a REAPER project (.RPP)", path=others[0], option="--from faders", remedy="use --from mixdown"
        )
    if request.stems and len(sessions) != 1:
        raise InputError("is for a single REAPER project", option="--stems", remedy="learn from one project at a time")
    has_one_song = len(sessions) + len(folders) == 1
    if request.mixdown and not has_one_song:
        raise InputError("is for a single song", option="--mixdown", remedy="learn from one song at a time")
    if request.truth == "mixdown":
        require_mixdowns(folders, request.buses, request.mixdown, has_option=has_one_song)
        remedy = "name it with --mixdown, or learn from the session's own faders with --from faders"
        for path in sessions if request.rendered is None else ():
            require_mixdown_of(read_project(Path(path)), request.mixdown, request.stems, remedy)
    return matrices, sessions, folders
