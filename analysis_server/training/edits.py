"""Train from what the user changed after a run."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import numpy.typing as npt

from analysis_server.paths import is_project
from analysis_server.presets import measured
from analysis_server.runs import project_copy
from analysis_server.runs.run_stems import song_of
from analysis_server.runs.targets import audited_target
from analysis_server.sources.project import opened_session
from analysis_server.training.folders import LearnedSong
from analysis_server.training.projects import SessionSettings, fader_curves, true_curves
from core import roles
from core.analysis.measure import Measurement
from core.audio.song import Song
from core.decibels import FloatArray, db_to_gain
from core.errors import InputError
from core.gains.curves import GainCurves
from core.models.model import TrainingSong
from core.models.train import training_song
from core.progress import ProgressCallback, no_progress, part_of
from core.runs.audit import Audited

EDITS_WEIGHT = 3.0
"""How many songs an edited one counts for: someone heard the prediction and said what was wrong with it."""
LEFT_ALONE = 0.25
"""Weight of a frame that the user did not edit, relative to an edited one."""


def learned_edits(path: str, settings: SessionSettings, progress: ProgressCallback = no_progress) -> LearnedSong:
    """Return what a model keeps of the edits in a project, or in a folder that `mix` or `match` wrote.

    Raises
    ------
    InputError
        Nothing was edited by hand, or the stems cannot be read.
    """
    audited = audited_target(path)
    if not audited.is_edited:
        raise InputError(
            f"nothing was edited by hand since run {audited.basis.root.number}, so there is nothing to learn",
            path=path,
            remedy="--from faders learns from all that stands there",
        )
    if any(bus != roles.bus_of(bus) for bus in audited.basis.buses):
        raise InputError(
            f"run {audited.basis.root.number} balanced single tracks, and a model learns from edits of buses",
            path=path,
            remedy="mix it with --level buses, or use --from faders",
        )
    return (_of_project if is_project(path) else _of_folder)(path, audited, settings, progress)


def _of_folder(path: str, audited: Audited, settings: SessionSettings, progress: ProgressCallback) -> LearnedSong:
    song = song_of(audited.basis.root)
    if song is None:
        raise InputError(
            "the stems of its mix are not where they were", path=path, remedy="put them back, or mix the song again"
        )
    now = {track.role: track.now for track in audited.tracks}
    without = [bus for bus in song.stems if bus not in now]
    if without:
        raise InputError(
            f"has no points for the {', '.join(without)}", path=path, remedy="put them back, or mix the song again"
        )
    measurement = _measured(song, settings, progress)
    columns = [db_to_gain(now[bus].at(measurement.time_s)) for bus in measurement.buses]
    curves = true_curves(measurement, np.stack(columns, axis=1), as_paper=settings.preset == "paper")
    return LearnedSong(song=_kept(song, measurement, curves, audited, settings), warnings=list(measurement.notes))


def _of_project(path: str, audited: Audited, settings: SessionSettings, progress: ProgressCallback) -> LearnedSong:
    parts = settings.parts
    if not parts.tracks:
        parts = msgspec.structs.replace(parts, tracks=_tracks(audited))
    with opened_session(path, progress, parts, for_writing=False) as session:
        stems = {role: file for role, file in session.song.stems.items() if role in session.tracks}
        song = replace(session.song, stems=stems, mixdown=None)
        measurement = _measured(song, settings, session.left(progress))
        curves = fader_curves(session, measurement, as_paper=settings.preset == "paper")
        kept = _kept(song, measurement, curves, audited, settings)
        notes = (*session.notes, *measurement.notes)
        return LearnedSong(song=kept, warnings=[f"{session.title}: {note}" for note in notes])


def _tracks(audited: Audited) -> dict[str, list[str]]:
    """Return the tracks of each bus, by number, as `--bus` gives them."""
    tracks: dict[str, list[str]] = {}
    for then in audited.basis.tracks:
        tracks.setdefault(then.role, []).append(str(then.number))
    return tracks


def _measured(song: Song, settings: SessionSettings, progress: ProgressCallback) -> Measurement:
    return measured(song, settings.preset, settings.feature_set, part_of(progress, 0.0, 1.0, f"Learning {song.title}"))


def _kept(
    song: Song, measurement: Measurement, curves: GainCurves, audited: Audited, settings: SessionSettings
) -> TrainingSong:
    """Return the training statistics: edited frames have weight 1, the others `LEFT_ALONE`."""
    times = measurement.time_s + audited.basis.root.start_s
    weighed = replace(curves, fit=np.where(_edited_at(audited, times), 1.0, LEFT_ALONE))
    kept = training_song(
        song,
        measurement,
        weighed,
        feature_set=settings.feature_set,
        domain="edits",
        fit=1.0,
        source="edits",
        weight=EDITS_WEIGHT,
    )
    return msgspec.structs.replace(kept, title=f"{song.title.removesuffix(project_copy.SUFFIX)} (edits)")


def _edited_at(audited: Audited, times: FloatArray) -> npt.NDArray[np.bool_]:
    """Return in which frames any bus was edited, shape (n_frames,)."""
    edited = np.zeros(len(times), bool)
    for track in audited.tracks:
        for edit in track.edits.spans:
            edited |= (times >= edit.span.start_s) & (times <= edit.span.end_s)
        edited |= track.edits.lift != 1.0
    return edited
