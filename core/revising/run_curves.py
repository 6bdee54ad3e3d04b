"""Curves to compare: a run's, as they stand now or as some run wrote them, or a prediction that is of no run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.curves import GainCurves
from core.decibels import FloatArray, gain_to_db
from core.errors import InputError
from core.history.record import RunRecord, frame_times_s
from core.history.restoring import restored_tracks
from core.revising.auditing import Audited, AuditedTrack, heard_level_lufs
from core.revising.lanes import as_bus_points
from core.revising.re_applying import basis_of
from core.rpp.envelope import Point


@dataclass(frozen=True)
class Curves:
    """Gains of some buses.

    Attributes
    ----------
    buses : the columns.
    time_s : the frames' centres in the stems' time, shape (n_frames,).
    gain_db : the gains, shape (n_frames, n_buses).
    sounding : where each bus sounds, same shape.
    level_lufs : how loud its stem is, same shape; minus infinity where it is silent.
    """

    buses: tuple[str, ...]
    time_s: FloatArray
    gain_db: FloatArray
    sounding: npt.NDArray[np.bool_]
    level_lufs: FloatArray

    def of(self, buses: Sequence[str]) -> Curves:
        """Return the curves of `buses` alone, in that order."""
        columns = [self.buses.index(bus) for bus in buses]
        parts = (self.gain_db[:, columns], self.sounding[:, columns], self.level_lufs[:, columns])
        return Curves(tuple(buses), self.time_s, *parts)

    def until(self, n_frames: int) -> Curves:
        """Return the first `n_frames` frames."""
        parts = (self.gain_db[:n_frames], self.sounding[:n_frames], self.level_lufs[:n_frames])
        return Curves(self.buses, self.time_s[:n_frames], *parts)


def as_predicted(curves: GainCurves, level_lufs: FloatArray) -> Curves:
    """Return curves that are of no run: a prediction, or an estimate; `level_lufs` (n_frames, n_buses) is the stems."""
    return Curves(curves.buses, curves.time_s, curves.gains_db, curves.active, level_lufs)


def as_it_stands(audited: Audited) -> Curves:
    """Return what stands on a run's tracks now; of several tracks of one bus the first counts.

    Raises
    ------
    InputError
        None of them has an envelope any more.
    """
    if not audited.tracks:
        raise InputError(f"{audited.basis.root.title}: no track of the run has an envelope any more")
    first: dict[str, AuditedTrack] = {}
    for track in audited.tracks:
        first.setdefault(track.role, track)
    gains_db = np.stack([track.now_db for track in first.values()], axis=1)
    levels = np.stack([track.level_lufs for track in first.values()], axis=1)
    return Curves(tuple(first), audited.time_s - audited.basis.root.start_s, gains_db, np.isfinite(levels), levels)


def as_written(runs: Sequence[RunRecord], number: int, where: str) -> Curves:
    """Return what stood there when run `number` was done.

    Raises
    ------
    InputError
        There is no run with a prediction up to it.
    """
    up_to = [run for run in runs if run.number <= number]
    basis = basis_of(up_to, where)
    time_s = frame_times_s(basis.root)
    columns: dict[str, FloatArray] = {}
    for track in restored_tracks(list(reversed(up_to))):
        points = as_bus_points([Point(*point) for point in track.written])
        level_db = points.at(time_s + basis.root.start_s) + float(gain_to_db(track.scale))
        columns.setdefault(track.role, level_db)
    levels = {bus.role: heard_level_lufs(bus) for bus in basis.root.buses}
    level_lufs = np.stack([levels[bus] for bus in columns], axis=1)
    gains_db = np.stack(list(columns.values()), axis=1)
    return Curves(tuple(columns), time_s, gains_db, np.isfinite(level_lufs), level_lufs)
