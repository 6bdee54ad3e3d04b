"""Run records with levels and deviations that follow the curves of a match."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.decibels import FloatArray
from core.rpp.write import Written
from core.runs import store
from core.runs.record import BusRun, RunRecord, to_steps


def match_record(curves_db: Mapping[str, FloatArray], written: Written) -> RunRecord:
    """Return the record of a match that found these curves, shape (n_frames,), and wrote `written`."""
    return RunRecord(
        number=1,
        action="match",
        made_at="2026-01-02T03:04:05+00:00",
        made_by="test",
        title="Song",
        buses=[
            BusRun(
                role=name,
                predicted_cdb=to_steps(curve, 0.01),
                level_lufs=to_steps(curve - 20.0, 1.0),
                deviation_cdb=to_steps(np.abs(curve) / 5.0, 0.01),
            )
            for name, curve in curves_db.items()
        ],
        tracks=store.track_runs(written),
    )
