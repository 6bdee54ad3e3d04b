"""Train from a REAPER project's faders or mixdown."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import msgspec
import numpy as np

from analysis_server.presets import measured, taught
from analysis_server.sources.project import opened_session
from analysis_server.sources.session import ProjectParts, Session
from analysis_server.training.folders import LearnedSong
from core.analysis.measure import ACTIVE_RMS, Measurement, sounding
from core.decibels import FloatArray
from core.errors import InputError
from core.gains.curves import GainCurves
from core.models.model import TrainingSong
from core.models.train import training_song
from core.progress import ProgressCallback, no_progress, part_of
from core.rpp.faders import gains_at, moves_apart


class SessionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How a project is learned from: `parts` says how it becomes a song, `truth` where its true gains come from."""

    preset: str
    feature_set: str
    truth: Literal["mixdown", "faders", "edits"] = "mixdown"
    mixdown: str | None = None
    parts: ProjectParts = ProjectParts()


def learned_session(path: str, settings: SessionSettings, progress: ProgressCallback = no_progress) -> LearnedSong:
    """Return what a model keeps of the project at `path`, and what the user should know of it.

    Raises
    ------
    InputError
        The project or its media cannot be read, no bus was found, or the mixdown is missing.
    """
    from_faders = settings.truth == "faders"
    with opened_session(path, progress, settings.parts, mixdown=settings.mixdown, for_writing=False) as session:
        song, notes = (_from_faders if from_faders else _from_mixdown)(session, settings, session.left(progress))
    return LearnedSong(song=song, warnings=[f"{session.title}: {note}" for note in (*session.notes, *notes)])


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
        gains_raw=gains,
        active=measurement.rms > ACTIVE_RMS if as_paper else sounding(measurement.rms),
        fit=np.ones(len(gains)),
    )


def _from_faders(
    session: Session, settings: SessionSettings, progress: ProgressCallback
) -> tuple[TrainingSong, tuple[str, ...]]:
    session, notes = _with_tracks_alone(session)
    as_paper = settings.preset == "paper"
    progress = part_of(progress, 0.0, 1.0, f"Learning {session.title}")
    measurement = measured(session.song, settings.preset, settings.feature_set, progress)
    curves = fader_curves(session, measurement, as_paper=as_paper)
    tracks = {bus: session.tracks[bus] for bus in measurement.buses}
    notes = (*notes, *moves_apart(session.project, tracks, measurement.time_s + session.start_s))
    kept = training_song(
        session.song,
        measurement,
        curves,
        feature_set=settings.feature_set,
        domain="faders",
        fit=1.0,
        source="faders",
    )
    return kept, (*notes, *measurement.notes)


def _with_tracks_alone(session: Session) -> tuple[Session, tuple[str, ...]]:
    """Return the session without its mixdown, and without stems that no track's fader belongs to."""
    stems = {role: file for role, file in session.song.stems.items() if role in session.tracks}
    without = tuple(f"the {role} have no fader and were left out" for role in session.song.stems if role not in stems)
    return replace(session, song=replace(session.song, stems=stems, mixdown=None)), without


def _from_mixdown(
    session: Session, settings: SessionSettings, progress: ProgressCallback
) -> tuple[TrainingSong, tuple[str, ...]]:
    if session.song.mixdown is None:
        raise InputError(
            "no mixdown found where it was rendered to, or beside it",
            path=session.project.path,
            remedy="name it with --mixdown, or learn from the session's own faders with --from faders",
        )
    progress = part_of(progress, 0.0, 1.0, f"Learning {session.title}")
    found, kept = taught(session.song, settings.preset, settings.feature_set, progress)
    return kept, (f"the mixdown is {session.song.mixdown.path}", *found.warnings)
