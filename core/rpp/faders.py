"""What a track's fader and envelopes do to its sound, and so the true gains of a session.

Conventions: in trim/read the fader multiplies the volume envelope; in the other modes the fader follows the
envelope, so the envelope alone counts. The trim envelope multiplies both. (From memory, to be checked by hand.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.decibels import FloatArray, gain_to_db
from core.errors import InputError
from core.rpp.envelope import Envelope
from core.rpp.project import Project, Track

BYPASS = 5
_SAME_DB = 0.1


@dataclass(frozen=True)
class FaderStage:
    """A constant factor and the envelopes that multiply it."""

    factor: float
    envelopes: tuple[Envelope, ...] = ()

    def gain_at(self, time_s: FloatArray) -> FloatArray:
        """Return the gain at `time_s`, same shape."""
        gain = np.full(np.shape(time_s), self.factor)
        for envelope in self.envelopes:
            gain = gain * envelope.gain_at(time_s)
        return gain


def mode_of(project: Project, track: Track) -> int:
    """Return the automation mode that counts: the project's, where it overrides the track's."""
    overridden = 0 <= project.global_automation < BYPASS
    return project.global_automation if overridden else track.automation_mode


def fader_stage(project: Project, track: Track) -> FaderStage:
    """Return what the fader, the volume envelope and the trim envelope make of a track's sound."""
    if project.global_automation == BYPASS:
        return FaderStage(track.volume)
    volume, trim = track.heard("VOLENV2"), track.heard("VOLENV3")
    factor = track.volume if volume is None or mode_of(project, track) == 0 else 1.0
    return FaderStage(factor, tuple(envelope for envelope in (volume, trim) if envelope))


def gains_at(project: Project, buses: Mapping[str, Sequence[Track]], time_s: FloatArray) -> FloatArray:
    """Return each bus's gain at `time_s`, shape (n_frames, n_buses).

    Raises
    ------
    InputError
        The tracks of one bus do not move together, so their sum has no one gain.
    """
    columns = []
    for role, tracks in buses.items():
        gains = np.array([fader_stage(project, track).gain_at(time_s) for track in tracks])
        if np.ptp(gain_to_db(gains), axis=0).max() > _SAME_DB:
            names = ", ".join(track.title for track in tracks)
            raise InputError(
                f"the {role} are {names}, whose faders differ, so there is no one gain to learn",
                path=project.path,
                remedy=f"put them in a folder, or choose one with --bus {role}=TRACK",
            )
        columns.append(gains[0])
    return np.stack(columns, axis=1)
