"""Get training data from song folders, training matrices, REAPER projects and edited runs, also on a dask cluster.

A dask worker is sent a folder's path and settings, and sends back bytes: a song's QR factors (a few KiB) for `learn`,
its features and gains (a few KiB a second) for `evaluate`. No audio is sent, so every worker must see the songs under
the same paths.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from analysis_server.paths import is_project
from analysis_server.presets import learn_song, measure_song
from analysis_server.runs import run_folder
from analysis_server.runs.run_folder import audit_target
from analysis_server.runs.run_stems import song_of
from analysis_server.sources.folder import open_song_folder, with_paper_buses
from analysis_server.sources.project import Assigned, Level, ProjectParts, Session, assignment_of, opened_session
from core import roles
from core.analysis.measure import ACTIVE_RMS, Measurement, sounding
from core.audio.song import Song
from core.decibels import FloatArray, db_to_gain
from core.errors import FaderwiseError, InputError
from core.gains.curves import GainCurves
from core.matching import match_name
from core.models.evaluate import EvaluationSong
from core.models.model import EDITS, TrainingSong
from core.models.train import load_matrices, matrices_song, track_triangles, training_song
from core.progress import ProgressCallback, no_progress, part_of
from core.rpp.buses import match_tracks
from core.rpp.faders import gains_at, moves_apart, static_gain
from core.runs.audit import Audited

Named = TypeVar("Named")
OfSong = TypeVar("OfSong")

_ANSWER_S = 10.0
_POLL_S = 0.05


class SongSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a song is learned from.

    Attributes
    ----------
    preset, feature_set : what is measured.
    buses : files that play a role, by role.
    mixdown : the mixdown's path, of a single song; None for the one in its folder.
    paper_buses : whether all buses are merged into the paper's four.
    with_measurement : whether the measurement and the gains are returned as well, as `evaluate` needs them.
    """

    preset: str
    feature_set: str
    buses: dict[str, str | list[str]] = {}
    mixdown: str | None = None
    paper_buses: bool = False
    with_measurement: bool = False

    def open(self, folder: Path) -> Song:
        """Return the song in `folder`.

        Raises
        ------
        InputError
            The song cannot be read.
        """
        song = open_song_folder(str(folder), self.buses, self.mixdown)
        return with_paper_buses(song) if self.paper_buses else song


class LearnedSong(msgspec.Struct, frozen=True, kw_only=True):
    """The training data of a song, the bus of each file or track, and sentences for the user.

    The measurement and the gains (n_frames, n_buses) are there if `SongSettings.with_measurement` asked for them.
    """

    song: TrainingSong
    warnings: list[str] = []
    notes: list[str] = []
    assignment: list[Assigned] = []
    measurement: Measurement | None = None
    gains: FloatArray | None = None

    def evaluation_song(self) -> EvaluationSong:
        """Return the song as predictors see it."""
        measured, gains = self.measurement, self.gains
        assert measured is not None and gains is not None  # noqa: S101 - evaluate asks for them
        return EvaluationSong(
            title=measured.title,
            buses=measured.buses,
            features=measured.features,
            gains=gains,
            rms=measured.rms,
        )


def learned_folder(folder: Path, settings: SongSettings, progress: ProgressCallback = no_progress) -> LearnedSong:
    """Return what a model keeps of the song in `folder`.

    Raises
    ------
    InputError
        The song cannot be read or has no mixdown.
    """
    song = settings.open(folder)
    doing = "Estimating" if settings.with_measurement else "Learning"
    progress = part_of(progress, 0.0, 1.0, f"{doing} {song.title}")
    found, kept = learn_song(song, settings.preset, settings.feature_set, progress)
    return LearnedSong(
        song=kept,
        warnings=[f"{song.title}: {warning}" for warning in found.warnings],
        notes=[f"{song.title}: {note}" for note in song.notes()],
        assignment=assignment_of(song, None),
        measurement=replace(found.measurement, gram=None, moments=None) if settings.with_measurement else None,
        gains=found.curves.gains if settings.with_measurement else None,
    )


def learn_folders(
    folders: Sequence[Path], settings: SongSettings, dask: str | None, progress: ProgressCallback
) -> list[LearnedSong]:
    """Return what a model keeps of the songs in `folders`.

    Parameters
    ----------
    folders : the folders of the songs.
    settings : how to learn from them.
    dask : the address of a dask scheduler whose workers learn them; None to learn them in this process.

    Raises
    ------
    InputError
        A song cannot be read, or no scheduler answers.
    FaderwiseError
        A worker of the cluster was lost.
    """
    if dask is None:
        return in_turn(lambda folder, part: learned_folder(folder, settings, part), folders, progress)
    with closing(_connected(dask)) as client:
        arguments = msgspec.msgpack.encode(settings)
        futures = [client.submit(_learned, str(folder.resolve()), arguments, pure=False) for folder in folders]
        try:
            while pending := [future for future in futures if not future.done()]:
                progress(1.0 - len(pending) / len(futures), "Waiting for the cluster")
                time.sleep(_POLL_S)
            answers = [_answer(future, folder) for future, folder in zip(futures, folders, strict=True)]
        finally:
            client.cancel(futures)
    return [msgspec.msgpack.decode(answer, type=LearnedSong, dec_hook=_unpacked_array) for answer in answers]


def _learned(folder: str, settings: bytes) -> bytes:
    """Return a song learned on a worker of a cluster, as MessagePack without loss."""
    song = learned_folder(Path(folder), msgspec.msgpack.decode(settings, type=SongSettings))
    return msgspec.msgpack.encode(song, enc_hook=_packed_array)


def _packed_array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        plain = np.ascontiguousarray(value)
        return [plain.dtype.str, list(plain.shape), plain.tobytes()]
    raise NotImplementedError(f"{type(value)} is not sent")


def _unpacked_array(_kind: type, value: Any) -> Any:
    dtype, shape, content = value
    return np.frombuffer(content, dtype=np.dtype(dtype)).reshape(shape).copy()


def _connected(address: str) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        remedy = f"install it with: {sys.executable} -m pip install 'faderwise[dask]'"
        raise InputError("dask is not installed", option="--dask", remedy=remedy) from error
    try:
        return Client(address, timeout=_ANSWER_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise InputError(
            f"no dask scheduler answers there ({error})",
            option=f"--dask {address}",
            remedy="start one, or omit the option",
        ) from error


def _answer(future: Any, folder: Path) -> bytes:
    try:
        answer: bytes = future.result()
    except FaderwiseError:
        raise
    except Exception as error:  # the end of a worker, or any error of a task
        raise FaderwiseError(f"failed on the cluster ({type(error).__name__}: {error})", path=folder) from error
    return answer


def in_turn(
    of_song: Callable[[Named, ProgressCallback], OfSong], songs: Sequence[Named], progress: ProgressCallback
) -> list[OfSong]:
    """Return the result of `of_song` for each of `songs`, each with its share of the progress."""
    share = 1.0 / max(len(songs), 1)
    return [of_song(song, part_of(progress, number * share, (number + 1) * share)) for number, song in enumerate(songs)]


_HELD = (("paper", "condition1"), ("default", "condition3"))
"""The presets' feature sets that matrices hold: the paper's condition 1, and the levels of condition 3."""


def is_matrices(path: str) -> bool:
    """Return whether `path` names training matrices rather than a folder of songs."""
    return path.lower().endswith(".npz")


def matrices_songs(path: str, preset: str, feature_set: str) -> list[tuple[EvaluationSong, TrainingSong]]:
    """Return each song of the matrices in `path`: as predictors see it, and what a model keeps of it.

    Raises
    ------
    InputError
        They cannot be read, or do not hold the features that are asked for.
    """
    if (preset, feature_set) not in _HELD:
        raise InputError(
            "matrices hold the paper's condition 1, and the levels of condition 3",
            path=path,
            remedy="use --preset paper --features condition1, or --preset default",
        )
    return [(song, matrices_song(song, Path(path), feature_set)) for song in load_matrices(Path(path))]


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to learn from a project.

    `parts` is how it is opened as a song, `truth` the source of its true gains, and `level` says whether its faders are
    those of buses or of single tracks.
    """

    preset: str
    feature_set: str
    truth: Literal["mixdown", "faders", "edits"] = "mixdown"
    mixdown: str | None = None
    level: Level = "buses"
    parts: ProjectParts = ProjectParts()


def learned_session(path: str, settings: SessionSettings, progress: ProgressCallback = no_progress) -> LearnedSong:
    """Return the training data of the project at `path`, and notes for the user.

    Raises
    ------
    InputError
        The project or its media cannot be read, no bus was found, or the mixdown is missing.
    """
    from_faders = settings.truth == "faders"
    with opened_session(
        path, progress, settings.parts, mixdown=settings.mixdown, for_writing=False, level=settings.level
    ) as session:
        mixdown = session.song.mixdown
        song, notes = (_from_faders if from_faders else _from_mixdown)(session, settings, session.left(progress))
        return LearnedSong(
            song=song,
            warnings=[f"{session.title}: {note}" for note in (*session.notes, *notes)],
            notes=[f"{session.title}: the mixdown is {mixdown.path}"] if mixdown and not from_faders else [],
            assignment=assignment_of(session.song, session),
        )


def fader_curves(session: Session, measurement: Measurement, *, as_paper: bool) -> GainCurves:
    """Return the gains that the session's own faders and envelopes make: exact, where an estimate is not."""
    tracks = {bus: session.tracks[bus] for bus in measurement.buses}
    gains = gains_at(session.project, tracks, measurement.time_s + session.start_s)
    return true_curves(measurement, gains, as_paper=as_paper)


def true_curves(measurement: Measurement, gains: FloatArray, *, as_paper: bool) -> GainCurves:
    """Return gains, shape (n_frames, n_buses), that are known exactly as a measured song's curves."""
    return GainCurves(
        title=measurement.title,
        buses=measurement.buses,
        time_s=measurement.time_s,
        gains=gains,
        active=measurement.rms > ACTIVE_RMS if as_paper else sounding(measurement.rms),
    )


def _from_faders(
    session: Session, settings: SessionSettings, progress: ProgressCallback
) -> tuple[TrainingSong, tuple[str, ...]]:
    session, notes = _with_tracks_alone(session)
    as_paper = settings.preset == "paper"
    progress = part_of(progress, 0.0, 1.0, f"Learning {session.title}")
    measurement = measure_song(session.song, settings.preset, settings.feature_set, progress)
    curves = fader_curves(session, measurement, as_paper=as_paper)
    tracks = {bus: session.tracks[bus] for bus in measurement.buses}
    notes = (*notes, *moves_apart(session.project, tracks, measurement.time_s + session.start_s))
    if session.weights is not None:
        folders = [1.0 / session.weights[track.index] for (track,) in tracks.values()]
        curves = replace(curves, gains=curves.gains * np.array(folders))
    training = training_song if session.weights is None else _training_song_of_tracks
    kept = training(
        session.song,
        measurement,
        curves,
        feature_set=settings.feature_set,
        domain="faders",
        fit=1.0,
        source="faders",
    )
    return kept, (*notes, *measurement.warnings)


def _with_tracks_alone(session: Session) -> tuple[Session, tuple[str, ...]]:
    """Return the session without its mixdown, and without stems that no track's fader belongs to."""
    stems = {role: file for role, file in session.song.stems.items() if role in session.tracks}
    without = tuple(f"the bus {role} has no fader and was left out" for role in session.song.stems if role not in stems)
    return replace(session, song=replace(session.song, stems=stems, mixdown=None)), without


def _from_mixdown(
    session: Session, settings: SessionSettings, progress: ProgressCallback
) -> tuple[TrainingSong, tuple[str, ...]]:
    progress = part_of(progress, 0.0, 1.0, f"Learning {session.title}")
    found, kept = learn_song(session.song, settings.preset, settings.feature_set, progress)
    return kept, found.warnings


EDITS_WEIGHT = 3.0
"""How many songs an edited one counts as, because a person corrected the prediction."""
LEFT_ALONE = 0.25
"""Weight of a frame that the user did not edit, relative to an edited one."""


def learned_edits(path: str, settings: SessionSettings, progress: ProgressCallback = no_progress) -> LearnedSong:
    """Return what a model keeps of the edits in a project, or in a folder that `mix` or `match` wrote.

    Raises
    ------
    InputError
        Nothing was edited by hand, or the stems cannot be read.
    """
    audited = audit_target(path)
    if not audited.is_edited:
        raise InputError(
            f"nothing was edited by hand since run {audited.basis.root.number}, so there is nothing to learn",
            path=path,
            remedy="use --from faders to learn from the whole automation"
            if is_project(path)
            else "change points in its automation.csv or automation.json first",
        )
    if _is_of_tracks(audited) and settings.feature_set != "condition3":
        raise InputError(
            f"run {audited.basis.root.number} balanced single tracks, which the paper's features have no rule for",
            path=path,
            remedy="use --preset default",
        )
    return (_of_project if is_project(path) else _of_folder)(path, audited, settings, progress)


def _of_folder(path: str, audited: Audited, settings: SessionSettings, progress: ProgressCallback) -> LearnedSong:
    song = song_of(audited.basis.root)
    if song is None:
        raise InputError(
            "the stems of its mix were moved or deleted", path=path, remedy="put them back, or mix the song again"
        )
    now = {track.role: track.now for track in audited.tracks if track.now.time_s.size}
    without = [bus for bus in song.stems if bus not in now]
    if without:
        raise InputError(
            f"has no points for the {', '.join(without)}", path=path, remedy="put them back, or mix the song again"
        )
    measurement = _measured(song, settings, progress)
    columns = [db_to_gain(now[bus].at(measurement.time_s)) for bus in measurement.buses]
    curves = true_curves(measurement, np.stack(columns, axis=1), as_paper=settings.preset == "paper")
    return LearnedSong(
        song=_kept(song, measurement, curves, audited, settings),
        warnings=list(measurement.warnings),
        notes=song.notes(),
    )


def _of_project(path: str, audited: Audited, settings: SessionSettings, progress: ProgressCallback) -> LearnedSong:
    parts = settings.parts
    if not parts.tracks:
        tracks: dict[str, list[str]] = {}
        for then in audited.basis.tracks:
            tracks.setdefault(then.role, []).append(str(then.number))
        numbers = [number for bus in tracks.values() for number in bus]
        parts = msgspec.structs.replace(parts, tracks=tracks, only=numbers)  # no further tracks by their names
    with opened_session(path, progress, parts, for_writing=False) as session:
        stems = {role: file for role, file in session.song.stems.items() if role in session.tracks}
        song = replace(session.song, stems=stems, mixdown=None)
        measurement = _measured(song, settings, session.left(progress))
        curves = fader_curves(session, measurement, as_paper=settings.preset == "paper")
        if _is_of_tracks(audited):
            folders = _folder_gains(session)
            curves = replace(curves, gains=curves.gains * np.array([folders[name] for name in measurement.buses]))
        curves = curves.with_gain_db(_lowered_db(audited, measurement.buses))
        kept = _kept(song, measurement, curves, audited, settings)
        notes = (*session.notes, *measurement.warnings)
        return LearnedSong(
            song=kept,
            warnings=[f"{session.title}: {note}" for note in notes],
            assignment=assignment_of(session.song, session),
        )


def _lowered_db(audited: Audited, buses: Sequence[str]) -> list[float]:
    """Return by how many dB the top of its envelope lowered each bus; this is not an edit, so it is not learned."""
    top_db = {roles.canonical_role(track.role): track.terms_db.get("top", np.zeros(1)) for track in audited.tracks}
    return [-float(np.median(top_db.get(bus, 0.0))) for bus in buses]


def _is_of_tracks(audited: Audited) -> bool:
    return any(bus != roles.bus_of(bus) for bus in audited.basis.buses)


def _training_song_of_tracks(
    song: Song, measurement: Measurement, curves: GainCurves, *, feature_set: str, **fields: Any
) -> TrainingSong:
    """Return the training statistics of single tracks by role, and of the buses that they add up to."""
    if feature_set != "condition3":
        raise InputError(
            "the paper's features have no rule for single tracks",
            option="--level tracks",
            remedy="use --preset default",
        )
    buses = [roles.bus_of(name) for name in measurement.buses]
    tracks = track_triangles(measurement, curves, buses, [match_name(name).role for name in measurement.buses])
    kept = training_song(song, *_in_buses(measurement, curves), feature_set=feature_set, **fields)
    return msgspec.structs.replace(kept, tracks={name: rows.tolist() for name, rows in tracks.items()})


def _in_buses(measurement: Measurement, curves: GainCurves) -> tuple[Measurement, GainCurves]:
    """Return what was measured of single tracks, and their gains, as those of the buses that they add up to.

    Tracks are taken as uncorrelated, so that powers add up.
    """
    buses = roles.in_order({roles.bus_of(name) for name in measurement.buses})
    members = [[i for i, name in enumerate(measurement.buses) if roles.bus_of(name) == bus] for bus in buses]
    power = measurement.rms**2 + np.finfo(float).tiny

    def added(values: FloatArray) -> FloatArray:
        return np.stack([values[:, indices].sum(axis=1) for indices in members], axis=1)

    gains = np.sqrt(added(power * curves.gains**2) / added(power))
    rms = np.sqrt(added(measurement.rms**2))
    steps, bands, onset = measurement.step_power, measurement.band_power, measurement.onset_rms
    summed = replace(
        measurement,
        buses=buses,
        rms=rms,
        gram=None,
        moments=None,
        features={},
        step_power=None if steps is None else added(steps),
        band_power=None if bands is None else added(np.asarray(bands, dtype=np.float64)),
        onset_rms=None if onset is None else np.sqrt(added(onset**2)),
    )
    return summed, replace(true_curves(summed, gains, as_paper=False), fit=curves.fit)


def _folder_gains(session: Session) -> dict[str, float]:
    """Return the gain of the folders of its own bus around each single track."""
    project, matches = session.project, match_tracks(session.project)
    found = {}
    for name, (track, *_) in session.tracks.items():
        gain, parent = 1.0, track.parent
        while parent is not None:
            gain *= static_gain(project, project.tracks[parent]) if matches[parent].bus == roles.bus_of(name) else 1.0
            parent = project.tracks[parent].parent
        found[name] = gain
    return found


def _measured(song: Song, settings: SessionSettings, progress: ProgressCallback) -> Measurement:
    return measure_song(
        song, settings.preset, settings.feature_set, part_of(progress, 0.0, 1.0, f"Learning {song.title}")
    )


def _kept(
    song: Song, measurement: Measurement, curves: GainCurves, audited: Audited, settings: SessionSettings
) -> TrainingSong:
    """Return the training statistics: edited frames have weight 1, the others `LEFT_ALONE`."""
    times = measurement.time_s + audited.basis.root.start_s
    weighed = replace(curves, fit=np.where(_edited_at(audited, times), 1.0, LEFT_ALONE))
    training = _training_song_of_tracks if _is_of_tracks(audited) else training_song
    kept = training(
        song,
        measurement,
        weighed,
        feature_set=settings.feature_set,
        domain="edits",
        fit=1.0,
        source="edits",
        weight=EDITS_WEIGHT,
    )
    return msgspec.structs.replace(kept, title=f"{song.title.removesuffix(run_folder.COPY_SUFFIX)}{EDITS}")


def _edited_at(audited: Audited, times: FloatArray) -> npt.NDArray[np.bool_]:
    """Return in which frames any bus was edited, shape (n_frames,)."""
    edited = np.zeros(len(times), bool)
    for track in audited.tracks:
        for edit in track.edits.spans:
            edited |= (times >= edit.start_s) & (times <= edit.end_s)
        edited |= track.edits.lift != 1.0
    return edited
