"""How tracks flow into a bus, and with which gains: faders, envelopes, folders and sends.

Conventions: in trim/read the fader multiplies the volume envelope; in the other modes the fader follows the envelope,
so only the envelope counts. The trim envelope multiplies both.

A track's signal is taken after its plug-ins and before its fader, which is also what a bus's stem is. The pre-FX volume
envelope counts, since it comes before. A muted track sends nothing.

A bus of several tracks is their sum, each weighted by its own fader against the loudest one, so that the balance inside
the bus stays: the bus's gain times the weight is the track's gain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.decibels import LOWEST_DB, FloatArray, db_to_gain, gain_to_db
from core.rpp.envelope import Envelope
from core.rpp.project import POST_FADER, Project, Receive, Track

BYPASS = 5
_APART_DB = 0.5
_MEDIAN_MOMENTS = 501
_VOLUME_LEAD, _VOLUME_FOLLOW, _VCA_LEAD, _VCA_FOLLOW = 0, 1, 20, 21
"""Places in GROUP_FLAGS, whose bits are the groups 1 to 32.

Sources: Ultraschall's documentation of the track state; lines that REAPER 6.69 saved, in a public reader's tests.
"""


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
    """Return the combined gain of the fader, the volume envelope and the trim envelope of a track."""
    if project.global_automation == BYPASS:
        return FaderStage(track.volume)
    volume, trim = track.heard("VOLENV2"), track.heard("VOLENV3")
    factor = track.volume if volume is None or mode_of(project, track) == 0 else 1.0
    return FaderStage(factor, tuple(envelope for envelope in (volume, trim) if envelope))


def bus_weights(project: Project, tracks: Sequence[Track], *, with_envelope: bool = True) -> dict[int, float]:
    r"""Return the weight of each of a bus's tracks, by index: its gain against the loudest of them, which has 1.

    Parameters
    ----------
    project : the project.
    tracks : the tracks of one bus.
    with_envelope : whether the median of the volume envelope counts as well as the fader and the trim envelope.

    Examples
    --------
    >>> from pathlib import Path
    >>> from core.rpp.parser import parse
    >>> from core.rpp.project import project_of
    >>> text = b"<REAPER_PROJECT 0.1\n<TRACK\nVOLPAN 0.5 0\n>\n<TRACK\nVOLPAN 0.25 0\n>\n>\n"
    >>> project = project_of(parse(text, Path("song.rpp")))
    >>> bus_weights(project, project.tracks)
    {0: 1.0, 1: 0.5}
    """
    gains = {track.index: static_gain(project, track, with_envelope=with_envelope) for track in tracks}
    loudest = max(gains.values(), default=0.0)
    return {index: gain / loudest if loudest > 0.0 else 1.0 for index, gain in gains.items()}


def static_gain(project: Project, track: Track, *, with_envelope: bool = True) -> float:
    """Return the gain of a track's fader and the medians of its envelopes; 0 where it is below `LOWEST_DB`.

    Parameters
    ----------
    project, track : the track and its project.
    with_envelope : whether the volume envelope is included.
    """
    stage = fader_stage(project, track)
    volume = track.envelopes.get("VOLENV2")
    gain = stage.factor if with_envelope or mode_of(project, track) == 0 else 1.0
    for envelope in stage.envelopes:
        if with_envelope or envelope is not volume:
            times = np.linspace(envelope.points[0].time_s, envelope.points[-1].time_s, _MEDIAN_MOMENTS)
            gain *= float(np.median(envelope.gain_at(times)))
    return gain if gain > db_to_gain(LOWEST_DB) else 0.0


def gains_at(project: Project, buses: Mapping[str, Sequence[Track]], time_s: FloatArray) -> FloatArray:
    """Return each bus's gain at `time_s`, shape (n_frames, n_buses).

    Where the tracks of a bus move against each other, the gain is the one that their weighted powers have together.

    Parameters
    ----------
    project : the project.
    buses : the tracks of each bus.
    time_s : times in seconds, shape (n_frames,).
    """
    columns = []
    for tracks in buses.values():
        weights = np.array(list(bus_weights(project, tracks).values()))
        gains = np.array([fader_stage(project, track).gain_at(time_s) for track in tracks])
        columns.append(np.sqrt((gains**2).sum(axis=0) / (weights**2).sum()))
    return np.stack(columns, axis=1)


def moves_apart(project: Project, buses: Mapping[str, Sequence[Track]], time_s: FloatArray) -> list[str]:
    """Return a sentence for each bus whose tracks move against each other at `time_s` (n_frames,).

    Parameters
    ----------
    project : the project.
    buses : the tracks of each bus.
    time_s : times in seconds, shape (n_frames,).
    """
    notes = []
    for role, tracks in buses.items():
        weights = bus_weights(project, tracks)
        audible = [track for track in tracks if weights[track.index] > 0.0]
        gains = [fader_stage(project, track).gain_at(time_s) / weights[track.index] for track in audible]
        if not gains:
            continue
        apart_db = float(np.ptp(gain_to_db(np.maximum(np.array(gains), db_to_gain(LOWEST_DB))), axis=0).max())
        if apart_db > _APART_DB:
            notes.append(
                f"the tracks of {role} move by up to {apart_db:.1f} dB relative to each other; the common gain is used"
            )
    return notes


def group_notes(project: Project, tracks: Sequence[Track]) -> list[str]:
    """Return a sentence for each VCA and volume group that one of `tracks` belongs to."""
    flags = {track.index: _group_flags(project, track) for track in project.tracks}
    notes = []
    for track in tracks:
        volume_lead, volume_follow, vca_lead, vca_follow = flags[track.index]
        for number in _numbers(vca_follow):
            leaders = [other.title for other in project.tracks if number in _numbers(flags[other.index][2])]
            notes.append(
                f"{track.title} follows VCA group {number}, led by {', '.join(leaders) or 'no track'}: the VCA's level "
                "is not part of the automation and comes on top of it"
            )
        notes += [
            f"{track.title} leads VCA group {number}: its level also moves the tracks that follow it"
            for number in _numbers(vca_lead)
        ]
        notes += [
            f"{track.title} is in volume group {number}: REAPER may move its fader together with others"
            for number in _numbers(volume_lead | volume_follow)
        ]
    return notes


def _group_flags(project: Project, track: Track) -> tuple[int, int, int, int]:
    """Return the groups a track leads and follows, volume and then VCA, as one bit per group from 1 to 64."""
    parts = [project.document.fields(track.block, name) for name in ("GROUP_FLAGS", "GROUP_FLAGS_HIGH")]

    def mask(place: int) -> int:
        low, high = (fields.whole(place) & 0xFFFFFFFF if fields is not None else 0 for fields in parts)
        return low | high << 32

    return mask(_VOLUME_LEAD), mask(_VOLUME_FOLLOW), mask(_VCA_LEAD), mask(_VCA_FOLLOW)


def _numbers(mask: int) -> list[int]:
    return [bit + 1 for bit in range(64) if mask >> bit & 1]


@dataclass(frozen=True)
class Feed:
    """What one track gives to another: `stage` on its signal, then `pan`."""

    source: Track
    stage: FaderStage
    pan: float
    is_mono: bool = False


def feeds_of(project: Project, track: Track) -> Iterator[Feed]:
    """Yield what flows into a track: the tracks in its folder, and simple receives."""
    for child in project.children(track):
        if child.sends_to_parent and not child.is_muted:
            yield Feed(child, _with_polarity(fader_stage(project, child), child.is_flipped), child.pan)
    for receive in track.receives:
        if carries_sound(project, receive) and receive.is_simple:
            yield _received(project, receive)


def carries_sound(project: Project, receive: Receive) -> bool:
    """Return whether a receive has a source, and neither is muted."""
    return (
        not receive.is_muted
        and 0 <= receive.source < len(project.tracks)
        and not project.tracks[receive.source].is_muted
    )


def reached(project: Project, track: Track) -> tuple[Track, ...]:
    """Return `track` and every track that flows into it, in the project's order."""
    found = {track.index}
    waiting = [track]
    while waiting:
        for feed in feeds_of(project, waiting.pop()):
            if feed.source.index not in found:
                found.add(feed.source.index)
                waiting.append(feed.source)
    return tuple(other for other in project.tracks if other.index in found)


def in_order(project: Project, tracks: Sequence[Track]) -> list[tuple[Track, tuple[Feed, ...]]]:
    """Return every track that flows into `tracks` with its feeds, after their sources; no way leads back."""
    done: dict[int, tuple[Feed, ...]] = {}
    under_way: dict[int, tuple[Iterator[Feed], list[Feed]]] = {}
    for track in tracks:
        waiting = [] if track.index in done else [track]
        while waiting:
            index = waiting[-1].index
            still_to_come, taken = under_way.setdefault(index, (feeds_of(project, waiting[-1]), []))
            feed = next(still_to_come, None)
            if feed is None:
                done[index] = tuple(taken)
                del under_way[index]
                waiting.pop()
            elif feed.source.index not in under_way:
                taken.append(feed)
                waiting += [] if feed.source.index in done else [feed.source]
    return [(project.tracks[index], feeds) for index, feeds in done.items()]


def _received(project: Project, receive: Receive) -> Feed:
    source = project.tracks[receive.source]
    is_after = receive.mode == POST_FADER
    stage = fader_stage(project, source) if is_after else FaderStage(1.0)
    stage = FaderStage(stage.factor * receive.volume, stage.envelopes)
    pan = min(max(receive.pan + (source.pan if is_after else 0.0), -1.0), 1.0)
    return Feed(source, _with_polarity(stage, receive.is_flipped != source.is_flipped), pan, receive.is_mono)


def _with_polarity(stage: FaderStage, is_flipped: bool) -> FaderStage:
    return FaderStage(-stage.factor if is_flipped else stage.factor, stage.envelopes)
