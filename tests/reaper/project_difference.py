"""Compare two projects: an independent way to the changes that the worker's instructions describe."""

from __future__ import annotations

from analysis_server.reaper.job_file import Points
from core.automation.points import Point
from core.rpp.project import Project
from core.runs.store import SECTION, ext_state

PointValues = tuple[float, float, int, float]


def changed_envelopes(before: Project, after: Project) -> dict[str, list[PointValues]]:
    """Return, by GUID, the points of each volume envelope whose lines differ."""
    pairs = zip(before.tracks, after.tracks, strict=True)
    return {
        new.guid: values_of(new.envelopes["VOLENV2"].points)
        for old, new in pairs
        if lines_of(before, old.index) != lines_of(after, new.index)
    }


def values_of(points: tuple[Point, ...]) -> list[PointValues]:
    return [(point.time_s, point.gain, point.shape, point.tension) for point in points]


def lines_of(project: Project, index: int) -> str | None:
    """Return the volume envelope of a track as a state chunk, or None."""
    envelope = project.tracks[index].envelopes.get("VOLENV2")
    if envelope is None or envelope.block is None:
        return None
    lines = project.document.lines[envelope.block.first : envelope.block.last + 1]
    return "".join(line.decode("utf-8", "replace").strip() + "\n" for line in lines)


def applied(points: tuple[Point, ...], write: Points) -> list[PointValues]:
    """Return an envelope's points after the bridge has followed the instruction."""
    start_s, end_s = write.start_s, write.end_s
    if start_s is None or end_s is None:
        return write.points
    kept = [point for point in values_of(points) if not start_s <= point[0] <= end_s]
    return sorted([*kept, *write.points], key=lambda point: point[0])


def changed_state(before: Project, after: Project) -> tuple[dict[str, str], set[str]]:
    """Return the keys of run records that were set, with their values, and those that were deleted."""
    old, new = ext_state(before.document, SECTION), ext_state(after.document, SECTION)
    runs = {key: value for key, value in new.items() if key.startswith("RUN_")}
    return (
        {key: value for key, value in runs.items() if old.get(key) != value},
        {key for key in old if key.startswith("RUN_") and key not in runs},
    )
