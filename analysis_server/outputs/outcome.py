"""The outcome of mix and match: all that is known when writing starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis_server.report.mix import Story
from core.analysis.measure import Measurement
from core.audio.io import AudioFile
from core.audio.song import Song
from core.automation.points import Automation
from core.automation.render import MixFigures, headroom_db
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
    story : the words and numbers of the report.
    explanation : what the curves are made of, where that is known.
    further_figures : what else is known of the mix, by name with unit.
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
    story: Story
    explanation: Explanation | None = None
    further_figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, str]:
        """What the two compared mixes are called."""
        return ("Before", "After") if self.reference is None else ("Mixdown", "Rebuilt from the stems")

    @property
    def file_figures(self) -> tuple[MixFigures, MixFigures]:
        """What the two files measure that are listened to: the plain sum is turned down where its peaks would clip."""
        turned_db = min(0.0, headroom_db(self.before)) if self.reference is None else 0.0
        return self.before.with_gain_db(turned_db), self.after
