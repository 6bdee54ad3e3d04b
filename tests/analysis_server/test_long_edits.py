"""Edits of long runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from analysis_server.verbs.edit import compute_edit
from core.rpp.project import Project, project_of, read_project
from core.runs import record, store
from core.runs.record import to_steps


def long_session(copy: Path, seconds: float) -> Project:
    """Return the session with a run of that length, whose curves move all the time."""
    project = read_project(copy)
    (run,) = store.read_history(project)
    n_frames = round(4 * seconds)
    walk = np.cumsum(np.random.default_rng(7).normal(size=(n_frames, 4)) * 0.3, axis=0) % 6.0
    buses = [
        record.BusRun(role=bus.role, predicted_cdb=to_steps(walk[:, i], 0.01), level_lufs=[-20] + [0] * (n_frames - 1))
        for i, bus in enumerate(run.buses)
    ]
    long = msgspec.structs.replace(run, buses=buses, duration_s=seconds)
    return project_of(document_with(project, long))


def document_with(project: Project, run: record.RunRecord) -> Any:
    from core.rpp.parser import parse

    plain = parse(project.document.edited(store.edits_to_remove(project.document, 1)), project.path)
    return parse(plain.edited(store.edits_to_add(plain, record.with_id(run))), project.path)


def test_a_run_of_five_minutes_is_edited_again_and_again(copy: Path) -> None:
    project = long_session(copy, 300.0)
    for depth in (50.0, 120.0, 80.0):
        result, written, _ = compute_edit(
            project, {"depth_percent": depth, "smooth_s": 1.0, "offset_db": {"vocals": 1.0}}
        )
        assert len(written.content) > 10_000
        assert min(track.n_points for track in result.tracks) > 50
