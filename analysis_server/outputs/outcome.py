"""The outcome of mix and match: all that is known when writing starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis_server.report.content import Figure
from analysis_server.report.mix import ReportText
from core.analysis.measure import Measurement
from core.audio.io import AudioFile
from core.audio.song import Song
from core.automation.points import Automation
from core.automation.render import MixFigures, RenderedMix
from core.gains.curves import GainCurves
from core.models.explain import Explanation


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
