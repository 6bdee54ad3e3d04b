"""The present and the written curves of runs, on the frames of the stems."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.automation.points import EnvelopePoints, Point
from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from core.runs import audit, record, store
from core.runs.audit import audit_points, audit_project
from core.runs.record import to_steps
from tests.expected_errors import raises_error

START_S = 3.0
STEMS_TIME_S = 0.5 + 0.25 * np.arange(80)
SOUNDING = STEMS_TIME_S < 15.0
FADERS = {"drums": 0.5, "bass": 1.0}


def gain(level_db: float) -> float:
    return float(10.0 ** (level_db / 20.0))


def run(number: int, levels_db: dict[str, float], start_s: float = 0.0) -> record.RunRecord:
    """A run that set each bus to a level, in a project where `start_s` is where its stems begin."""
    buses, tracks = [], []
    for place, (role, level_db) in enumerate(levels_db.items(), start=1):
        lufs = to_steps(np.where(SOUNDING | (role == "bass"), -20.0, -120.0), 1.0)
        buses.append(record.BusRun(role=role, predicted_cdb=to_steps(np.full(80, level_db), 0.01), level_lufs=lufs))
        written = [Point(0.0, gain(level_db) / FADERS[role])]
        tracks.append(
            record.TrackRun(
                guid=f"{{{role}}}",
                number=place,
                name=role,
                role=role,
                scale=FADERS[role],
                before=None,
                written=written,
            )
        )
    return record.with_id(
        record.RunRecord(
            number=number,
            action="mix",
            made_at="2026",
            made_by="us",
            title="Song",
            start_s=start_s,
            duration_s=20.0,
            buses=buses,
            tracks=tracks,
        )
    )


def session(levels_db: dict[str, float], *runs: record.RunRecord) -> Project:
    """A project on whose tracks these levels are heard now, rising by 1 dB a second from where the stems begin."""
    lines = ['<REAPER_PROJECT 0.1 "7.0/linux" 1']
    for role, level_db in levels_db.items():
        at = START_S + np.arange(0.0, 20.5, 0.125)
        points = [f"PT {time_s} {gain(level_db + time_s - START_S) / FADERS[role]:.9f} 0" for time_s in at]
        lines += [f"<TRACK {{{role}}}", f"NAME {role}", f"VOLPAN {FADERS[role]} 0 -1"]
        lines += ["<VOLENV2", "ACT 1 -1", *points, ">", ">"]
    document = parse("\n".join([*lines, ">", ""]).encode(), Path("song.rpp"))
    for one in runs:
        document = parse(document.edited(store.edits_to_add(document, one)), document.path)
    return project_of(document)


def test_current_curves_of_a_project_are_in_the_time_of_the_stems() -> None:
    levels_db = {"drums": -12.0, "bass": -15.0}
    found = audit.present_curves(audit_project(session(levels_db, run(1, levels_db, START_S))))
    assert found.buses == ("drums", "bass")
    np.testing.assert_allclose(found.time_s, STEMS_TIME_S)
    np.testing.assert_allclose(found.gains_db, STEMS_TIME_S[:, None] + [-12.0, -15.0], atol=1e-3)
    np.testing.assert_array_equal(found.active, np.column_stack([SOUNDING, np.ones(80, bool)]))


def test_current_curves_of_a_folder() -> None:
    stands = {
        "drums": EnvelopePoints(np.array([0.0, 20.0]), np.array([-20.0, 0.0])),
        "bass": EnvelopePoints(np.array([0.0]), np.array([-6.0])),
    }
    found = audit.present_curves(audit_points([run(1, {"drums": 0.0, "bass": 0.0})], stands))
    np.testing.assert_allclose(found.gains_db[:, 0], np.minimum(STEMS_TIME_S - 20.0, 0.0), atol=1e-6)
    np.testing.assert_allclose(found.gains_db[:, 1], -6.0)
    np.testing.assert_array_equal(found.active[:, 0], SOUNDING)


def test_a_run_without_any_envelope_is_refused() -> None:
    with raises_error(path="Song"):
        audit.present_curves(replace(audit_points([run(1, {"drums": 0.0})], {}), tracks=()))


def test_a_curve_whose_points_were_deleted_is_an_edit_and_at_0_db() -> None:
    audited = audit_points([run(1, {"drums": -3.0})], {})
    (drums,) = audited.tracks
    assert audited.is_edited and drums.edited.time_s.size == 0 and drums.deleted.time_s.size
    np.testing.assert_array_equal(drums.now_db, 0.0)
    assert len(audited.notes) == 1


@pytest.mark.parametrize("start_s", [0.0, START_S])
def test_written_curves_of_each_run(start_s: float) -> None:
    runs = [run(number, {"drums": -number, "bass": 2.0 * number}, start_s) for number in (1, 2, 3)]
    for number in (1, 2, 3):
        found = audit.curves_after_run(runs, number, "song.rpp")
        assert found.buses == ("drums", "bass")
        np.testing.assert_allclose(found.time_s, STEMS_TIME_S)
        np.testing.assert_allclose(found.gains_db, np.tile([-number, 2.0 * number], (80, 1)), atol=1e-6)
        np.testing.assert_array_equal(found.active, np.column_stack([SOUNDING, np.ones(80, bool)]))


def test_written_curves_are_in_the_time_of_the_stems() -> None:
    plain = run(1, {"bass": 0.0}, START_S)
    ramp = [Point(START_S + time_s, gain(-time_s)) for time_s in np.arange(0.0, 21.0)]
    moved = msgspec.structs.replace(plain, tracks=[msgspec.structs.replace(plain.tracks[0], written=ramp)])
    found = audit.curves_after_run([moved], 1, "song.rpp")
    np.testing.assert_allclose(found.gains_db[:, 0], -np.minimum(STEMS_TIME_S, 20.0), atol=1e-6)


def test_the_first_of_several_tracks_of_a_bus_is_used() -> None:
    plain = run(1, {"drums": -4.0})
    second = msgspec.structs.replace(plain.tracks[0], guid="{other}", number=2, written=[Point(0, 0.1)])
    found = audit.curves_after_run([msgspec.structs.replace(plain, tracks=[*plain.tracks, second])], 1, "song.rpp")
    np.testing.assert_allclose(found.gains_db[:, 0], -4.0, atol=1e-6)


def test_before_the_first_run_no_bus_has_a_curve() -> None:
    with raises_error(path="song.rpp"):
        audit.curves_after_run([run(2, {"drums": 0.0})], 1, "song.rpp")


def test_curves_of_selected_buses_have_those_columns_in_that_order() -> None:
    whole = audit.curves_after_run([run(1, {"drums": -1.0, "bass": -2.0})], 1, "song.rpp")
    found = whole.selected(("bass", "drums"), 80)
    assert found.buses == ("bass", "drums")
    np.testing.assert_array_equal(found.gains_db, whole.gains_db[:, ::-1])
    np.testing.assert_array_equal(found.active, whole.active[:, ::-1])
    np.testing.assert_array_equal(found.level_lufs, whole.level_lufs[:, ::-1])
    np.testing.assert_array_equal(found.time_s, whole.time_s)
    assert whole.selected(("bass",), 80).gains_db.shape == (80, 1)


def test_curves_can_be_cut_to_their_first_frames() -> None:
    whole = audit.curves_after_run([run(1, {"drums": -1.0, "bass": -2.0})], 1, "song.rpp")
    found = whole.selected(whole.buses, 70)
    for part in ("time_s", "gains_db", "active", "level_lufs"):
        np.testing.assert_array_equal(getattr(found, part), getattr(whole, part)[:70])
    assert found.buses == whole.buses
