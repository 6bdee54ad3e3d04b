"""The outcome of mix and match: all that is known when writing starts, and the bus of every file or track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from analysis_server.report.content import Figure
from analysis_server.report.mix import ReportText
from analysis_server.sources.session import Session
from core.analysis.measure import Measurement
from core.audio.io import AudioFile
from core.audio.song import Song
from core.automation.points import Automation
from core.automation.render import MixFigures, RenderedMix
from core.gains.curves import GainCurves
from core.models.explain import Explanation
from core.rpp.buses import match_tracks
from core.rpp.faders import reached
from core.rpp.project import Track


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that is known when the writing starts.

    Attributes
    ----------
    song, measurement, curves, automation : the song and what was found for it.
    before, after : figures of what the automated mix is compared with, and of that mix.
    reference : what it is compared with: the mixdown's file, or None for the plain sum of the stems.
    verb, preset, model, range_s : what was asked for.
    file_gain_db : how much louder `mix.wav` is than the automation makes it (0 unless a peak or a target asks).
    rendered, moved_db : the mix with the automation before `moved_db` was added to all its points.
    text : the texts of the report.
    explanation : the terms of the gains, where they are known.
    further_figures : further figures of the mix, by name with unit.
    assignment : a row per file or track for the report: name, bus and reason.
    stems_in_report : whether the report contains an excerpt of every stem, for solo and mute.
    """

    song: Song
    measurement: Measurement
    curves: GainCurves
    automation: Automation
    before: MixFigures
    after: MixFigures
    reference: AudioFile | None
    verb: str
    preset: str
    model: str | None
    range_s: tuple[float, float] | None
    file_gain_db: float
    rendered: RenderedMix
    text: ReportText
    moved_db: float = 0.0
    explanation: Explanation | None = None
    further_figures: Mapping[str, float] = field(default_factory=dict)
    assignment: tuple[Figure, ...] = ()
    stems_in_report: bool = False

    @property
    def labels(self) -> tuple[str, str]:
        """The labels of the two compared mixes."""
        return ("Before", "After") if self.reference is None else ("Mixdown", "Recovered")


class Assigned(msgspec.Struct, frozen=True, kw_only=True):
    """A file or track, its bus or None, and why."""

    name: str
    bus: str | None
    reason: str


def assignment_of(song: Song, session: Session | None) -> list[Assigned]:
    """Return the bus of every audio file of a song folder, or of every track of a project, and why.

    Parameters
    ----------
    song : the song that is mixed or matched.
    session : the session it was made from, where a project was named.
    """
    return _of_files(song) if session is None else _of_tracks(session)


def assignment_rows(assignment: list[Assigned]) -> tuple[Figure, ...]:
    """Return the rows of a report's table of files or tracks."""
    return tuple(Figure(label=row.name, value=row.bus or "none", means=row.reason) for row in assignment)


def _of_files(song: Song) -> list[Assigned]:
    rows = [Assigned(name=found.path.name, bus=found.bus, reason=found.reason) for found in song.assignment]
    listed = {found.path for found in song.assignment}
    for bus, file in song.stems.items():
        files = [part.path for part in file.parts or (file,)]
        rows += [Assigned(name=path.name, bus=bus, reason="--bus") for path in files if path not in listed]
    if song.mixdown is not None and song.mixdown.path not in listed:
        rows.append(Assigned(name=song.mixdown.path.name, bus=None, reason="it is the mixdown"))
    return rows


def _of_tracks(session: Session) -> list[Assigned]:
    project = session.project
    bus_of = session.song.bus_of
    bus_tracks = {track.index: bus_of.get(name, name) for name, tracks in session.tracks.items() for track in tracks}
    through: dict[int, Track] = {}
    for tracks in session.tracks.values():
        for track in tracks:
            through.update((part.index, track) for part in reached(project, track) if part.index not in bus_tracks)
    rows = []
    for track, match in zip(project.tracks, match_tracks(project), strict=True):
        bus, reason = bus_tracks.get(track.index), match.reason
        if bus is not None and match.bus != bus:
            reason = "it was chosen for this bus"
        elif track.index in through:
            bus = bus_tracks[through[track.index].index]
            reason = f"it is heard through {through[track.index].title}"
        elif bus is None and match.bus is not None:
            reason = "it is muted, silent, or heard through another track"
        if track.is_muted:
            reason += "; it is muted"
        rows.append(Assigned(name=f"{track.number} {track.name}".strip(), bus=bus, reason=reason))
    return rows
