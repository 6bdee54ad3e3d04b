"""How tracks flow into a bus: folders and sends, as far as they are simple.

Conventions: a track's signal is taken after its plug-ins and before its fader, which is also what a bus's stem is.
The pre-FX volume envelope counts, since it comes before. A muted track sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.rpp.faders import FaderStage, fader_stage
from core.rpp.project import POST_FADER, Project, Receive, Track


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
    under_way: dict[int, _UnderWay] = {}
    for track in tracks:
        waiting = [] if track.index in done else [track]
        while waiting:
            index = waiting[-1].index
            here = under_way.setdefault(index, _UnderWay(feeds_of(project, waiting[-1]), []))
            feed = next(here.feeds, None)
            if feed is None:
                done[index] = tuple(under_way.pop(index).taken)
                waiting.pop()
            elif feed.source.index not in under_way:
                here.taken.append(feed)
                waiting += [] if feed.source.index in done else [feed.source]
    return [(project.tracks[index], feeds) for index, feeds in done.items()]


@dataclass(frozen=True)
class _UnderWay:
    """A track whose feeds are being followed: those still to come, and those that were taken."""

    feeds: Iterator[Feed]
    taken: list[Feed]


def _received(project: Project, receive: Receive) -> Feed:
    source = project.tracks[receive.source]
    is_after = receive.mode == POST_FADER
    stage = fader_stage(project, source) if is_after else FaderStage(1.0)
    stage = FaderStage(stage.factor * receive.volume, stage.envelopes)
    pan = min(max(receive.pan + (source.pan if is_after else 0.0), -1.0), 1.0)
    return Feed(source, _with_polarity(stage, receive.is_flipped != source.is_flipped), pan, receive.is_mono)


def _with_polarity(stage: FaderStage, is_flipped: bool) -> FaderStage:
    return FaderStage(-stage.factor if is_flipped else stage.factor, stage.envelopes)
