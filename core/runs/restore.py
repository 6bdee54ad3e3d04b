"""Restore the automation that a run replaced.

A run whose envelope stands there unchanged is looked through, to what stood there before it, and so on. An envelope
that was changed since counts as the user's as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import InputError
from core.rpp.envelope import Envelope, read_envelope
from core.rpp.parser import Edit, parse
from core.rpp.project import Project, Track
from core.rpp.write import place_of_envelope
from core.runs.record import RunRecord, TrackRun
from core.runs.store import damaged_runs, read_history, removed


@dataclass(frozen=True)
class Restored:
    """A project's content before run `first`, the runs that were taken back, and what the user should know."""

    content: bytes
    runs: tuple[RunRecord, ...]
    notes: tuple[str, ...]


def restored(project: Project, first: int) -> Restored:
    """Return the project as it was before run `first`: its envelopes, and a history without that run and later ones.

    Raises
    ------
    InputError
        The project knows no such run, or its record is damaged.
    """
    runs = runs_from(project, first)
    edits, notes = removed(project.document, first), []
    for then in restored_tracks(runs):
        track = track_of(project, then)
        if track is None:
            notes.append(f"track {then.number} {then.name!r} is gone, so nothing was brought back on it")
        else:
            edits += _edits(project, track, then.before)
    return Restored(project.document.edited(edits), runs, tuple(notes))


def runs_from(project: Project, first: int) -> tuple[RunRecord, ...]:
    """Return run `first` and all later ones.

    Raises
    ------
    InputError
        There is no such run, or the record of one of them is damaged.
    """
    for number, error in damaged_runs(project).items():
        if number >= first:
            raise error
    runs = read_history(project)
    chosen = tuple(run for run in runs if run.number >= first)
    if not chosen or chosen[0].number != first:
        known = ", ".join(str(run.number) for run in runs) or "none"
        raise InputError(f"has no run {first} of Faderwise", path=project.path, remedy=f"its runs: {known}")
    return chosen


def restored_tracks(runs: Sequence[RunRecord]) -> tuple[TrackRun, ...]:
    """Return, for each track any of `runs` wrote on, the earliest one's record: its `before` is what stood there."""
    earliest: dict[tuple[str, int], TrackRun] = {}
    for run in runs:
        for track in run.tracks:
            earliest.setdefault((track.guid, 0 if track.guid else track.number), track)
    return tuple(earliest.values())


def track_of(project: Project, then: TrackRun) -> Track | None:
    """Return the track a record speaks of: by GUID, or by number where the project gives none."""
    if then.guid:
        return next((track for track in project.tracks if track.guid == then.guid), None)
    same = [track for track in project.tracks if track.number == then.number and not track.guid]
    return same[0] if same else None


def block_text(project: Project, track: Track) -> str | None:
    """Return the text of the track's VOLENV2 block, or None; bytes that are no UTF-8 survive `block_bytes`."""
    envelope = track.envelopes.get("VOLENV2")
    if envelope is None or envelope.block is None:
        return None
    block = envelope.block
    return as_kept(b"".join(project.document.lines[block.first : block.last + 1]))


def as_kept(raw: bytes) -> str:
    """Return bytes as text that any JSON can hold: UTF-8, or else Latin-1 behind a NUL, which no project file has."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "\0" + raw.decode("latin-1")


def block_bytes(text: str) -> bytes:
    """Return the bytes of a text from `as_kept`."""
    return text[1:].encode("latin-1") if text.startswith("\0") else text.encode("utf-8")


def _edits(project: Project, track: Track, before: str | None) -> list[Edit]:
    lines = () if before is None else (block_bytes(before),)
    envelope = track.envelopes.get("VOLENV2")
    if envelope is not None and envelope.block is not None:
        return [Edit(envelope.block.first, envelope.block.last + 1, lines)]
    at = place_of_envelope(project.document, track.block)
    return [Edit(at, at, lines)] if lines else []


_SAME_TIME_S, _SAME_GAIN = 1e-5, 1e-4


def own_moves(project: Project, track: Track) -> Envelope | None:
    """Return the envelope with the user's own moves, or None where there are none."""
    return _looked_through(project, track, track.envelopes.get("VOLENV2"), read_history(project))


def moves_before(project: Project, track: Track, run: RunRecord) -> Envelope | None:
    """Return the user's own moves that a run found on a track, or None where there were none."""
    then = next((one for one in run.tracks if track_of(project, one) == track), None)
    if then is None:
        return None
    earlier = [one for one in read_history(project) if one.number < run.number]
    return _looked_through(project, track, _envelope_in(then.before), earlier)


def _looked_through(
    project: Project, track: Track, envelope: Envelope | None, runs: Sequence[RunRecord]
) -> Envelope | None:
    for run in reversed(runs):
        then = next((one for one in run.tracks if track_of(project, one) == track), None)
        if then is not None:
            if envelope is None or not _is_as_written(envelope, then):
                break
            envelope = _envelope_in(then.before)
    return envelope


def _is_as_written(envelope: Envelope, then: TrackRun) -> bool:
    if len(envelope.points) != len(then.written):
        return False
    now = np.array([(point.time_s, point.gain, point.shape) for point in envelope.points])
    written = np.array([(point.time_s, point.gain, point.shape) for point in then.written])
    return bool((np.abs(now - written) <= (_SAME_TIME_S, _SAME_GAIN, 0.0)).all())


def _envelope_in(text: str | None) -> Envelope | None:
    if text is None:
        return None
    document = parse(b"<REAPER_PROJECT 0.1\n" + block_bytes(text) + b">\n", Path("history"))
    return read_envelope(document, document.root.blocks[0])
