"""Compare gain curves on the same stems.

Conventions: gains in dB, shape (n_frames, n_buses) on the frames both have. A common gain is not a difference of
balance: the mean over the buses of the differences of their levels (medians while they sound) is taken out first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.automation.points import EnvelopePoints
from core.decibels import FloatArray, gain_to_db
from core.errors import InputError
from core.gains.curves import GainCurves
from core.runs.audit import Audited, AuditedTrack, heard_level_lufs
from core.runs.edit import basis_of
from core.runs.record import RunRecord, frame_times_s
from core.runs.store import restored_tracks


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
        """Return the curves of `buses` only, in that order."""
        columns = [self.buses.index(bus) for bus in buses]
        parts = (self.gain_db[:, columns], self.sounding[:, columns], self.level_lufs[:, columns])
        return Curves(tuple(buses), self.time_s, *parts)

    def until(self, n_frames: int) -> Curves:
        """Return the first `n_frames` frames."""
        parts = (self.gain_db[:n_frames], self.sounding[:n_frames], self.level_lufs[:n_frames])
        return Curves(self.buses, self.time_s[:n_frames], *parts)


def curves_of_prediction(curves: GainCurves, level_lufs: FloatArray) -> Curves:
    """Return curves that are of no run: a prediction, or an estimate; `level_lufs` (n_frames, n_buses) is the stems."""
    return Curves(curves.buses, curves.time_s, curves.gains_db, curves.active, level_lufs)


def present_curves(audited: Audited) -> Curves:
    """Return the present gains of a run's tracks; of several tracks of one bus the first counts.

    Raises
    ------
    InputError
        No track has an envelope.
    """
    if not audited.tracks:
        raise InputError("no track of the run still has a volume envelope", path=audited.basis.root.title)
    first: dict[str, AuditedTrack] = {}
    for track in audited.tracks:
        first.setdefault(track.role, track)
    gains_db = np.stack([track.now_db for track in first.values()], axis=1)
    levels = np.stack([track.level_lufs for track in first.values()], axis=1)
    return Curves(tuple(first), audited.time_s - audited.basis.root.start_s, gains_db, np.isfinite(levels), levels)


def curves_after_run(runs: Sequence[RunRecord], number: int, where: str) -> Curves:
    """Return the gains as they were after run `number`.

    Parameters
    ----------
    runs : all runs, earliest first.
    number : the number of a run.
    where : the project or folder that an error names.

    Raises
    ------
    InputError
        No run up to it has a prediction.
    """
    up_to = [run for run in runs if run.number <= number]
    basis = basis_of(up_to, where)
    time_s = frame_times_s(basis.root)
    columns: dict[str, FloatArray] = {}
    for track in restored_tracks(list(reversed(up_to))):
        points = EnvelopePoints.of(track.written)
        level_db = points.at(time_s + basis.root.start_s) + float(gain_to_db(track.scale))
        columns.setdefault(track.role, level_db)
    levels = {bus.role: heard_level_lufs(bus) for bus in basis.root.buses}
    level_lufs = np.stack([levels[bus] for bus in columns], axis=1)
    gains_db = np.stack(list(columns.values()), axis=1)
    return Curves(tuple(columns), time_s, gains_db, np.isfinite(level_lufs), level_lufs)


@dataclass(frozen=True)
class ComparedBus:
    """One bus: its levels in both, their difference, and how far the moves are apart.

    `difference_db` is what is left of ``second - first`` after the common gain; `moves_db` the standard deviation of
    the difference over time; `largest_db` the largest difference beyond the common gain, at `largest_at_s`.
    """

    bus: str
    first_db: float
    second_db: float
    difference_db: float
    moves_db: float
    largest_db: float
    largest_at_s: float


@dataclass(frozen=True)
class Comparison:
    """The buses, the common gain between the two, and the mean distance of the balances, dB."""

    buses: tuple[ComparedBus, ...]
    common_db: float
    balance_db: float


def compare(
    buses: Sequence[str],
    time_s: FloatArray,
    first_db: FloatArray,
    second_db: FloatArray,
    sounding: npt.NDArray[np.bool_],
) -> Comparison:
    """Compare two sets of curves.

    Parameters
    ----------
    buses : the columns.
    time_s : the frames' centres, shape (n_frames,).
    first_db, second_db : gains, shape (n_frames, n_buses).
    sounding : where each bus sounds, same shape; a bus that never does counts in all frames.

    Examples
    --------
    >>> first, second = np.zeros((8, 2)), np.tile([3.0, 1.0], (8, 1))
    >>> found = compare(["drums", "bass"], np.arange(8.0), first, second, np.ones((8, 2), dtype=bool))
    >>> found.common_db, [bus.difference_db for bus in found.buses]
    (2.0, [1.0, -1.0])
    """
    heard = np.where(sounding.any(axis=0), sounding, True)
    apart = second_db - first_db
    levels = np.array([_levels_db(gain_db, heard) for gain_db in (first_db, second_db)])
    common_db = float((levels[1] - levels[0]).mean())
    compared = []
    for i, bus in enumerate(buses):
        beyond = np.where(heard[:, i], apart[:, i] - common_db, 0.0)
        worst = int(np.argmax(np.abs(beyond)))
        compared.append(
            ComparedBus(
                bus=bus,
                first_db=float(levels[0, i]),
                second_db=float(levels[1, i]),
                difference_db=float(levels[1, i] - levels[0, i] - common_db),
                moves_db=float(np.std(apart[heard[:, i], i])),
                largest_db=float(beyond[worst]),
                largest_at_s=float(time_s[worst]),
            )
        )
    balance_db = float(np.mean([abs(one.difference_db) for one in compared]))
    return Comparison(tuple(compared), common_db, balance_db)


def _levels_db(gain_db: FloatArray, heard: npt.NDArray[np.bool_]) -> list[float]:
    return [float(np.median(column[on])) for column, on in zip(gain_db.T, heard.T, strict=True)]
