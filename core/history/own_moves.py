"""What moves on a track are the user's own: the envelope that stands there, less what our runs wrote.

A run whose envelope stands there unchanged is looked through, to what stood there before it, and so on. An envelope
that was changed since counts as the user's as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.history.in_project import read_history
from core.history.record import RunRecord, TrackRun
from core.history.restoring import block_bytes, track_of
from core.rpp.document import parse
from core.rpp.envelope import Envelope, read_envelope
from core.rpp.project import Project, Track

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
