"""A prediction applied again in a project, up to the top of the envelope."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from core.automation.points import EnvelopePoints, Point
from core.rpp.faders import fader_stage
from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from core.runs import record, store
from core.runs.edit import ReApplied, basis_of, reapply, reapply_points
from core.runs.record import to_steps
from tests.expected_errors import raises_error

TIMES = np.arange(1.0, 19.0, 0.5)


def session(highest_gain: float, range_s: tuple[float, float] | None = None) -> Project:
    """Two tracks that a run set to +3 and -3 dB."""
    levels = {"drums": 3.0, "bass": -3.0}
    blocks, tracks, buses = [], [], []
    for number, (role, level_db) in enumerate(levels.items(), start=1):
        gain = 10 ** (level_db / 20)
        blocks += [f"  <TRACK {{{number}}}", f"    NAME {role}", "    VOLPAN 1 0 -1", "    <VOLENV2", "      ACT 1 -1"]
        blocks += [f"      PT 0 {gain:.8f} 0", "    >", "  >"]
        written = [Point(0.0, round(gain, 8))]
        tracks.append(
            record.TrackRun(
                guid=f"{{{number}}}", number=number, name=role, role=role, scale=1.0, before=None, written=written
            )
        )
        steps = to_steps(np.full(80, level_db), 0.01)
        buses.append(record.BusRun(role=role, predicted_cdb=steps, level_lufs=[-20] + [0] * 79))
    run = record.RunRecord(
        number=1, action="mix", made_at="2026", made_by="us", title="Song", buses=buses, tracks=tracks, duration_s=20.0
    )
    run = record.with_id(msgspec.structs.replace(run, highest_gain=highest_gain, range_s=range_s))
    content = "\n".join(['<REAPER_PROJECT 0.1 "7.0/linux" 1', *blocks, ">", ""]).encode()
    document = parse(content, Path("song.rpp"))
    return project_of(parse(document.edited(store.edits_to_add(document, run)), document.path))


def heard_db(project: Project) -> np.ndarray:
    return np.array([20 * np.log10(fader_stage(project, track).gain_at(TIMES)).mean() for track in project.tracks])


@pytest.mark.parametrize(("highest_gain", "top_db", "lowered_db"), [(2.0, 6.02, 4.98), (4.0, 11.0, 0.0)])
def test_an_edit_above_the_envelope_top_of_the_run_lowers_all_buses_and_reports_it(
    highest_gain: float, top_db: float, lowered_db: float
) -> None:
    project = session(highest_gain)
    done, written = reapply(project, {"offset_db": {"drums": 8.0}})
    after = heard_db(project_of(parse(written.content, project.path)))
    np.testing.assert_allclose(after, [top_db, -3.0 - lowered_db], atol=0.02)
    assert bool(done.notes) == (highest_gain == 2.0)
    assert done.record.highest_gain == highest_gain


def test_replacing_an_edit_with_a_range_is_reported() -> None:
    project = session(2.0)
    for changes in ({"range_s": (5.0, 10.0), "depth_percent": 0.0}, {"offset_db": {"bass": 1.0}}):
        done, written = reapply(project, changes)
        run = record.with_id(msgspec.structs.replace(done.record, made_at="2026"))
        content = written.with_edits(store.edits_to_add(project.document, run)).content
        project = project_of(parse(content, project.path))
    assert done.notes == ("the edit from 5 to 10 s was replaced",)
    assert done.settings.depth_percent == 100.0
    np.testing.assert_allclose(heard_db(project), [3.0, -2.0], atol=0.1)


def test_an_edit_of_a_run_with_a_range_changes_the_intersection() -> None:
    project = session(4.0, range_s=(5.0, 15.0))
    _, written = reapply(project, {"range_s": (10.0, 18.0), "offset_db": {"drums": 6.0}})
    after = project_of(parse(written.content, project.path))
    gain_db = 20.0 * np.log10(fader_stage(after, after.tracks[0]).gain_at(TIMES))
    np.testing.assert_allclose(gain_db[(TIMES < 9.9) | (TIMES > 15.1)], 3.0, atol=0.01)
    np.testing.assert_allclose(gain_db[(TIMES > 10.6) & (TIMES < 14.4)], 9.0, atol=0.01)


def test_a_range_outside_the_range_of_the_run_is_refused() -> None:
    with raises_error(option="--range 15:18", facts=("5:15",)):
        reapply(session(2.0, range_s=(5.0, 15.0)), {"range_s": (15.0, 18.0)})


def test_written_points_are_reported_per_track() -> None:
    _, written = reapply(session(4.0), {"offset_db": {"bass": 1.0}})
    found = [(one.track.name, one.role, one.scale) for one in written.envelopes]
    assert found == [("drums", "drums", 1.0), ("bass", "bass", 1.0)]
    gains_db = [20.0 * np.log10([point.gain for point in one.points]) for one in written.envelopes]
    np.testing.assert_allclose(np.concatenate(gains_db), np.repeat([3.0, -2.0], [len(g) for g in gains_db]), atol=0.01)


def test_a_track_without_its_envelope_is_reported_and_the_others_are_edited() -> None:
    whole = session(2.0)
    lost = whole.document.to_bytes().replace(b"<VOLENV2", b"<VOLENV9", 1)
    project = project_of(parse(lost, whole.path))
    done, written = reapply(project, {"offset_db": {"bass": 1.0}})
    assert done.notes == ("track 1 'drums' no longer has a volume envelope, so it was not changed",)
    assert [one.role for one in written.envelopes] == ["bass"]


# A song without a project


def folder_of(gains_db: dict[str, float]) -> dict[str, EnvelopePoints]:
    return {bus: EnvelopePoints(np.array([0.0]), np.array([gain_db])) for bus, gain_db in gains_db.items()}


def gains_db(of: ReApplied) -> dict[str, list[float]]:
    return {edit.run.role: [20.0 * np.log10(point.gain) for point in edit.merged.points] for edit in of.tracks}


def test_an_edit_of_a_folder_equals_an_edit_of_a_project() -> None:
    run = store.read_history(session(2.0))[0]
    done = reapply_points([run], folder_of({"drums": 3.0, "bass": -3.0}), {"offset_db": {"bass": 1.0}})
    assert gains_db(done) == {"drums": [pytest.approx(3.0, abs=0.01)], "bass": [pytest.approx(-2.0, abs=0.01)]}
    assert (done.record.number, done.record.action, done.record.of) == (2, "edit", run.id)
    assert [(track.role, track.before) for track in done.record.tracks] == [("drums", None), ("bass", None)]
    assert done.settings.offset_db == {"bass": 1.0}
    assert done.notes == ()


def test_an_edit_of_a_folder_skips_frozen_buses_and_buses_without_points() -> None:
    runs = store.read_history(session(2.0))
    whole = folder_of({"drums": 3.0, "bass": -3.0})
    assert list(gains_db(reapply_points(runs, whole, {"freeze": ["drums"]}))) == ["bass"]
    assert list(gains_db(reapply_points(runs, folder_of({"drums": 3.0}), {}))) == ["drums"]


def test_an_edit_of_a_folder_starts_from_the_last_edit_by_default() -> None:
    run = store.read_history(session(2.0))[0]
    stands = folder_of({"drums": 3.0, "bass": -3.0})
    first = reapply_points([run], stands, {"offset_db": {"bass": 1.0}})
    edited = record.with_id(msgspec.structs.replace(first.record, made_at="2026"))
    stands = {edit.run.role: EnvelopePoints.of(edit.merged.points) for edit in first.tracks}
    for from_prediction, bass_db in ((False, -2.0), (True, -3.0)):
        done = reapply_points([run, edited], stands, {"offset_db": {"drums": -1.0}}, from_prediction=from_prediction)
        assert gains_db(done)["bass"] == [pytest.approx(bass_db, abs=0.01)]
        assert gains_db(done)["drums"] == [pytest.approx(2.0, abs=0.01)]
        assert (done.record.number, done.record.of) == (3, run.id)


def test_a_point_that_the_user_set_in_a_folder_is_kept() -> None:
    runs = store.read_history(session(2.0))
    by_hand = EnvelopePoints(np.array([0.0, 9.0, 10.0, 11.0]), np.array([3.0, 3.0, -5.0, 3.0]))
    done = reapply_points(runs, {**folder_of({"bass": -3.0}), "drums": by_hand}, {"offset_db": {"bass": 1.0}})
    drums = next(edit for edit in done.tracks if edit.run.role == "drums")
    kept = {point.time_s: 20.0 * np.log10(point.gain) for point in drums.merged.points}
    assert kept[10.0] == pytest.approx(-5.0)


def test_an_edit_of_a_folder_reports_the_edit_that_it_replaces() -> None:
    run = store.read_history(session(2.0))[0]
    stands = folder_of({"drums": 3.0, "bass": -3.0})
    first = reapply_points([run], stands, {"range_s": (5.0, 10.0), "depth_percent": 0.0}).record
    done = reapply_points([run, first], stands, {"offset_db": {"bass": 1.0}})
    assert done.notes == ("the edit from 5 to 10 s was replaced",)


@pytest.mark.parametrize("start_s", [0.0, 3.0])
def test_an_edit_of_a_part_keeps_the_moves_around_it(start_s: float) -> None:
    plain = store.read_history(session(2.0))[0]
    fall = EnvelopePoints(np.array([0.0, 20.0]) + start_s, np.array([0.0, -20.0]))
    wrote = list(fall.points())
    track = msgspec.structs.replace(plain.tracks[0], written=wrote)
    frames_s = 0.5 + 0.25 * np.arange(80)
    bus = msgspec.structs.replace(plain.buses[0], predicted_cdb=to_steps(-np.minimum(frames_s, 20.0), 0.01))
    run = msgspec.structs.replace(plain, tracks=[track], buses=[bus], start_s=start_s)
    done = reapply_points([run], {"drums": fall}, {"range_s": (5.0, 10.0), "offset_db": {"drums": 3.0}})
    (edit,) = done.tracks
    found_db = EnvelopePoints.of(edit.merged.points).at(frames_s + start_s)
    outside, raised = np.abs(frames_s - 7.5) > 2.6, np.abs(frames_s - 7.5) < 2.4
    np.testing.assert_allclose(found_db[outside], -np.minimum(frames_s, 20.0)[outside], atol=0.02)
    np.testing.assert_allclose(found_db[raised], 3.0 - frames_s[raised], atol=0.11)


@pytest.mark.parametrize("n_runs", [0, 1])
def test_a_folder_without_a_prediction_is_refused(n_runs: int) -> None:
    edit = msgspec.structs.replace(store.read_history(session(2.0))[0], buses=[])
    with raises_error(path=("the folder", "Song")[n_runs]):
        reapply_points([edit][:n_runs], {}, {})


# What cannot be edited


def test_an_edit_of_a_bus_that_was_never_predicted_is_refused() -> None:
    runs = store.read_history(session(2.0))
    odd = [msgspec.structs.replace(track, role="horns") for track in runs[0].tracks]
    edit = msgspec.structs.replace(runs[0], number=2, action="edit", of=runs[0].id, buses=[], tracks=odd)
    with raises_error(path="song.rpp", facts=("run 1", "horns")):
        basis_of([*runs, edit], "song.rpp")


def test_damaged_settings_of_an_edit_are_refused() -> None:
    run = store.read_history(session(2.0))[0]
    edit = msgspec.structs.replace(run, number=2, of=run.id, buses=[], settings={"ignore_s": 0})
    with raises_error(path="song.rpp", facts=("run 2",)):
        basis_of([run, edit], "song.rpp")


def test_a_project_without_a_run_is_refused() -> None:
    project = session(2.0)
    plain = parse(project.document.edited(store.edits_to_remove(project.document, 1)), project.path)
    with raises_error(path="song.rpp"):
        reapply(project_of(plain), {})
