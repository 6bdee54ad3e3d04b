"""The curves of a run, on the frames of its prediction: as they stand now, or as some run wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.automating.automation import BusPoints
from core.decibels import FloatArray, gain_to_db
from core.errors import InputError
from core.history.record import LEVEL_STEP_LU, RunRecord, frame_times_s, from_steps
from core.history.restoring import restored_tracks
from core.measuring.loudness import ABSOLUTE_GATE_LUFS
from core.revising.auditing import Audited, audited_points, audited_project
from core.revising.lanes import as_bus_points
from core.revising.re_applying import basis_of
from core.rpp.envelope import Point
from core.rpp.project import Project


@dataclass(frozen=True)
class Curves:
    """Gains of some buses: `time_s` (n_frames,) in the stems' time, `gain_db` and `sounding` (n_frames, n_buses)."""

    buses: tuple[str, ...]
    time_s: FloatArray
    gain_db: FloatArray
    sounding: npt.NDArray[np.bool_]

    def of(self, buses: Sequence[str]) -> Curves:
        """Return the curves of `buses` alone, in that order."""
        columns = [self.buses.index(bus) for bus in buses]
        return Curves(tuple(buses), self.time_s, self.gain_db[:, columns], self.sounding[:, columns])


def of_project(project: Project) -> Curves:
    """Return what stands on a project's tracks now; of several tracks of one bus the first counts.

    Raises
    ------
    InputError
        It has no run of ours.
    """
    return _now(audited_project(project))


def of_points(runs: Sequence[RunRecord], now: Mapping[str, BusPoints]) -> Curves:
    """Return what stands in a folder's automation files now.

    Raises
    ------
    InputError
        There is no run with a prediction.
    """
    return _now(audited_points(runs, now))


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
    sounding = {bus.role: from_steps(bus.level_lufs, LEVEL_STEP_LU) > ABSOLUTE_GATE_LUFS for bus in basis.root.buses}
    return _curves(columns, sounding, time_s)


def _now(audited: Audited) -> Curves:
    if not audited.tracks:
        raise InputError(f"{audited.basis.root.title}: no track of the run has an envelope any more")
    columns: dict[str, FloatArray] = {}
    sounding = {}
    for track in audited.tracks:
        columns.setdefault(track.role, track.now_db)
        sounding[track.role] = np.isfinite(track.level_lufs)
    return _curves(columns, sounding, audited.time_s - audited.basis.root.start_s)


def _curves(
    columns: Mapping[str, FloatArray], sounding: Mapping[str, npt.NDArray[np.bool_]], time_s: FloatArray
) -> Curves:
    buses = tuple(columns)
    return Curves(
        buses,
        time_s,
        np.stack([columns[bus] for bus in buses], axis=1),
        np.stack([sounding[bus] for bus in buses], axis=1),
    )
