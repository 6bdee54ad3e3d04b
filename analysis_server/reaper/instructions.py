"""Turn the changes in a project copy into instructions for the open project.

Conventions: a track's points that are the same before and after stay; the stretch between the first and the last that
differ is written anew. No point that stays has the time of a new one, so that their order cannot be mistaken.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis_server.reaper.job_file import ExtState, Points, Restoration, WriteOn
from core.rpp.envelope import Envelope, Point
from core.rpp.ext_state import ext_state
from core.rpp.project import Project, Track
from core.runs.store import SECTION


def points_to_write(before: Project, after: Project) -> list[WriteOn]:
    """Return, for each track whose volume envelope differs, the points to write."""
    changes = []
    for old, new in _pairs(before, after):
        envelope = new.envelopes.get("VOLENV2")
        if envelope is not None and _lines(before, old) != _lines(after, new):
            changes.append(_on(old, write=_difference(old.envelopes.get("VOLENV2"), envelope)))
    return changes


def envelopes_to_restore(before: Project, after: Project) -> list[WriteOn]:
    """Return, for each track whose volume envelope differs, the whole envelope as it is afterwards."""
    return [
        _on(old, restore=Restoration(chunk=_lines(after, new)))
        for old, new in _pairs(before, after)
        if _lines(before, old) != _lines(after, new)
    ]


def ext_state_to_change(before: Project, after: Project) -> ExtState:
    """Return the keys of our section that differ."""
    old, new = ext_state(before.document, SECTION), ext_state(after.document, SECTION)
    ours = {key: value for key, value in new.items() if key.startswith("RUN_")}
    return ExtState(
        set={key: value for key, value in ours.items() if old.get(key) != value},
        delete=[key for key in old if key.startswith("RUN_") and key not in ours],
    )


def _on(track: Track, *, write: Points | None = None, restore: Restoration | None = None) -> WriteOn:
    return WriteOn(guid=track.guid, name=track.title, write=write, restore=restore)


def _pairs(before: Project, after: Project) -> list[tuple[Track, Track]]:
    return list(zip(before.tracks, after.tracks, strict=True))


def _lines(project: Project, track: Track) -> str | None:
    """Return the envelope's block as a state chunk: LF, no indent."""
    envelope = track.envelopes.get("VOLENV2")
    if envelope is None or envelope.block is None:
        return None
    lines = project.document.lines[envelope.block.first : envelope.block.last + 1]
    return "".join(line.decode("utf-8", "replace").strip() + "\n" for line in lines)


def _difference(old: Envelope | None, new: Envelope) -> Points:
    if old is None:
        return _points(None, None, new.points)
    first, last = _same_at_start(old.points, new.points), _same_at_end(old.points, new.points)
    first = _apart_from_start(old.points, new.points, first)
    last = _apart_from_end(old.points, new.points, last)
    if first == 0 and last == 0:
        return _points(None, None, new.points)
    changed = new.points[first : len(new.points) - last]
    times = [point.time_s for point in (*changed, *old.points[first : len(old.points) - last])]
    if not times:  # the same points: it is only switched on
        return _points(None, None, new.points)
    return _points(min(times), max(times), changed)


def _points(start_s: float | None, end_s: float | None, points: Sequence[Point]) -> Points:
    listed = [(point.time_s, point.gain, point.shape, point.tension) for point in points]
    return Points(start_s=start_s, end_s=end_s, points=listed)


def _same_at_start(old: Sequence[Point], new: Sequence[Point]) -> int:
    count = 0
    while count < min(len(old), len(new)) and old[count] == new[count]:
        count += 1
    return count


def _same_at_end(old: Sequence[Point], new: Sequence[Point]) -> int:
    count = 0
    left = min(len(old), len(new)) - _same_at_start(old, new)
    while count < left and old[-1 - count] == new[-1 - count]:
        count += 1
    return count


def _apart_from_start(old: Sequence[Point], new: Sequence[Point], count: int) -> int:
    """Return how many points stay at the start, such that none of them has the time of one that does not."""

    def meets(points: Sequence[Point]) -> bool:
        return count < len(points) and points[count].time_s <= points[count - 1].time_s

    while count > 0 and (meets(old) or meets(new)):
        count -= 1
    return count


def _apart_from_end(old: Sequence[Point], new: Sequence[Point], count: int) -> int:
    """Return how many points stay at the end, such that none of them has the time of one that does not."""

    def meets(points: Sequence[Point]) -> bool:
        return count < len(points) and points[-count - 1].time_s >= points[-count].time_s

    while count > 0 and (meets(old) or meets(new)):
        count -= 1
    return count
