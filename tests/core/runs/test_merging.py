"""Merge of a user's points and a re-applied prediction: edited spans keep the user's points, conflicts are reported."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.automation.points import Point
from core.rpp.envelope import Envelope
from core.runs.merge import Merged, edits_between, merge


def points(*pairs: tuple[float, float]) -> tuple[Point, ...]:
    return tuple(Point(time_s, 10 ** (gain_db / 20)) for time_s, gain_db in pairs)


BASE = points((0, 0), (4, -3), (8, 2), (12, -1), (16, 0))
NEW = points((0, 1), (5, -6), (9, 4), (13, -2), (16, 1))
linear_in_db = Envelope((), scaling="db").gain_of
TIMES = np.arange(0.0, 16.0, 0.05)


def played(of: Sequence[Point], times: np.ndarray = TIMES) -> np.ndarray:
    return 20 * np.log10(linear_in_db(of, times))


def merged(now: Sequence[Point], new: Sequence[Point] = NEW) -> Merged:
    return merge(BASE, tuple(now), new, linear_in_db)


def edited(index: int, **change: float) -> tuple[Point, ...]:
    moved = list(BASE)
    moved[index] = moved[index]._replace(**change)
    return tuple(sorted(moved, key=lambda point: point.time_s))


def test_without_edits_the_new_points_are_used_and_nothing_is_reported() -> None:
    done = merged(BASE)
    assert (done.points, done.conflicts, done.edits.are_none) == (NEW, (), True)


def test_a_dragged_point_is_kept_exactly_and_the_rest_is_new() -> None:
    now = edited(2, gain=0.5)
    done = merged(now)
    (span,) = done.edits.spans
    assert (span.start_s, span.end_s, span.added) == (4.0, 12.0, (now[2],))
    assert now[2] in done.points
    outside = (TIMES <= 4.0) | (TIMES >= 12.0)
    np.testing.assert_allclose(played(done.points)[outside], played(NEW)[outside], atol=1e-9)
    assert [point for point in done.points if 4.0 < point.time_s < 12.0] == [now[2]]


def test_a_point_beyond_any_session_is_unchanged() -> None:
    far = Point(1e308, 0.5)
    done = merged((*BASE, far))
    assert far in done.points
    assert all(np.isfinite(conflict.wanted_db) for conflict in done.conflicts)


def test_a_conflict_is_reported_where_both_changed() -> None:
    done = merged(edited(2, gain=0.5))
    (conflict,) = done.conflicts
    at_s = BASE[2].time_s
    assert (conflict.start_s, conflict.end_s, conflict.points_s, conflict.at_s) == (4.0, 12.0, (at_s,), at_s)
    assert conflict.kept_db == pytest.approx(20 * np.log10(0.5))
    assert conflict.wanted_db == pytest.approx(float(np.interp(at_s, TIMES, played(NEW))))


def test_a_conflict_names_the_point_that_differs_most() -> None:
    now = sorted([*edited(2, gain=0.5), Point(10.0, 0.1)], key=lambda point: point.time_s)
    (conflict,) = merged(tuple(now)).conflicts
    assert conflict.points_s == (BASE[2].time_s, 10.0) and conflict.at_s == 10.0


def test_a_conflict_with_deleted_points_names_a_time_in_their_span() -> None:
    (conflict,) = merged((*BASE[:2], *BASE[3:])).conflicts
    assert conflict.points_s == () and 4.0 < conflict.at_s < 12.0


def test_no_conflict_where_the_prediction_is_unchanged() -> None:
    done = merged(edited(2, gain=0.5), BASE)
    assert done.conflicts == ()
    assert done.points == edited(2, gain=0.5)


def test_a_deleted_point_is_not_restored() -> None:
    done = merged([*BASE[:2], *BASE[3:]])
    (span,) = done.edits.spans
    assert (span.added, span.removed) == ((), (BASE[2],))
    assert not [point for point in done.points if 4.0 < point.time_s < 12.0]


def test_added_and_moved_points_are_kept() -> None:
    extra = Point(6.0, 0.25, 2)
    now = tuple(sorted([*edited(0, gain=0.9), extra], key=lambda point: point.time_s))
    done = merged(now)
    assert {extra, now[0]} <= set(done.points)
    assert [edit.start_s for edit in done.edits.spans] == [-math.inf, 4.0]


def test_the_shift_of_a_whole_curve_is_applied_to_the_new_one() -> None:
    now = tuple(point._replace(gain=point.gain * 10 ** (2 / 20)) for point in BASE)
    done = merged(now)
    assert done.edits.lift_db == pytest.approx(2.0)
    assert done.edits.spans == ()
    np.testing.assert_allclose(played(done.points), played(NEW) + 2.0, atol=1e-9)


def test_a_shift_and_a_dragged_point_are_distinguished() -> None:
    now = [point._replace(gain=point.gain * 10 ** (2 / 20)) for point in BASE]
    now[3] = now[3]._replace(gain=0.3)
    done = merged(now)
    assert done.edits.lift_db == pytest.approx(2.0)
    assert [span.added for span in done.edits.spans] == [(now[3],)]


def test_rounding_by_reaper_is_not_an_edit() -> None:
    now = [point._replace(time_s=point.time_s + 1e-6, gain=point.gain * 1.0001) for point in BASE]
    assert edits_between(BASE, now).are_none


def test_an_edit_of_an_edit_finds_the_same_points() -> None:
    now = edited(2, gain=0.5)
    first = merged(now)
    again = edits_between(first.ours, first.points)
    (span,) = again.spans
    assert (span.start_s, span.end_s, span.added) == (4.0, 12.0, (now[2],))
    second = merge(first.ours, first.points, BASE, linear_in_db)
    assert now[2] in second.points
    outside = (TIMES <= 4.0) | (TIMES >= 12.0)
    np.testing.assert_allclose(played(second.points)[outside], played(BASE)[outside], atol=1e-9)


@pytest.mark.parametrize("count", [4, 400])
def test_the_number_of_curve_evaluations_does_not_grow_with_the_points(count: int) -> None:
    base = tuple(Point(float(place), 1.0) for place in range(count))
    now = tuple(point._replace(gain=0.5) if place % 2 else point for place, point in enumerate(base))
    calls = []

    def counted(of: Sequence[Point], times: np.ndarray) -> np.ndarray:
        calls.append(len(times))
        return linear_in_db(of, times)

    done = merge(base, now, [Point(0.0, 2.0), Point(float(count), 2.0)], counted)
    assert len(done.conflicts) == len(done.edits.spans) == count // 2
    assert [point for point in done.points if point.gain == 0.5] == list(now[1::2])
    assert len(calls) <= 4


def test_points_of_a_fader_scaled_envelope_are_unchanged_outside_the_edits() -> None:
    plays = Envelope((), scaling="fader").gain_of
    done = merge(BASE, edited(2, gain=0.5), NEW, plays)
    outside = (TIMES <= 4.0) | (TIMES >= 12.0)
    np.testing.assert_allclose(plays(done.points, TIMES)[outside], plays(NEW, TIMES)[outside], atol=1e-6)


GRID = st.lists(
    st.tuples(st.integers(0, 60), st.floats(-20, 6)), min_size=1, max_size=12, unique_by=lambda pair: pair[0]
)


def curve(pairs: list[tuple[int, float]]) -> tuple[Point, ...]:
    return points(*sorted((time * 0.5, gain_db) for time, gain_db in pairs))


@given(GRID, GRID, GRID)
def test_every_point_of_the_user_is_kept(
    base: list[tuple[int, float]], now: list[tuple[int, float]], new: list[tuple[int, float]]
) -> None:
    done = merge(curve(base), curve(now), curve(new), linear_in_db)
    for edit in done.edits.spans:
        assert set(edit.added) <= set(done.points)
    times = [point.time_s for point in done.points]
    assert times == sorted(times)
    untouched = np.array(
        [t for t in np.arange(0, 31, 0.25) if not any(edit.start_s <= t <= edit.end_s for edit in done.edits.spans)]
    )
    if untouched.size:
        wanted = played(curve(new), untouched) + done.edits.lift_db
        np.testing.assert_allclose(played(done.points, untouched), np.maximum(wanted, -60.0), atol=1e-6)
