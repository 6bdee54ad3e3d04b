"""Thinned curves stay within their bound, with few points."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from core.analysis.measure import measure
from core.audio.song import Song, open_song
from core.automation.points import EDGE_S, TOLERANCE_DB, EnvelopePoints, thin, thin_curves, to_csv
from core.decibels import LOWEST_DB
from core.gains.curves import GainCurves
from core.gains.estimate import estimate
from core.models.model import Model
from core.models.predict import predict_explained

Array = npt.NDArray[np.float64]


def frame_times(n_frames: int) -> Array:
    return np.arange(n_frames) * 0.25 + 0.5


def curves(gains: Array, *buses: str) -> GainCurves:
    n_frames, n_buses = gains.shape
    return GainCurves(
        title="a song",
        buses=buses or tuple(f"bus {i}" for i in range(n_buses)),
        time_s=frame_times(n_frames),
        gains=gains,
        active=np.ones(gains.shape, bool),
    )


values = arrays(np.float64, st.integers(1, 80), elements=st.floats(-60.0, 12.0))
wavy = arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.3, 0.3)).map(np.cumsum)


@settings(max_examples=50)
@given(st.one_of(values, wavy), st.sampled_from([0.01, 0.1, 1.0]))
def test_the_chords_stay_within_the_tolerance_at_every_frame(value: Array, tolerance: float) -> None:
    time_s = frame_times(len(value))
    kept = thin(time_s, value, tolerance)
    assert kept == sorted(set(kept))
    assert np.abs(np.interp(time_s, time_s[kept], value[kept]) - value).max() <= tolerance + 1e-9


@settings(max_examples=50)
@given(values)
def test_the_first_and_the_last_value_are_kept_unless_one_point_is_enough(value: Array) -> None:
    kept = thin(frame_times(len(value)), value, 0.1)
    assert kept[0] == 0
    assert kept[-1] == len(value) - 1 or len(kept) == 1


@pytest.mark.parametrize("wiggle_db", [0.0, 0.09])
def test_a_level_curve_is_one_point(wiggle_db: float) -> None:
    value = -3.0 + wiggle_db * np.sin(np.arange(400))
    assert thin(frame_times(400), value, 0.1) == [0]


def test_a_ramp_is_two_points_however_long_it_is() -> None:
    assert thin(frame_times(5000), np.linspace(-20.0, 3.0, 5000), 0.1) == [0, 4999]


def test_a_step_is_four_points() -> None:
    value = np.where(np.arange(100) < 50, -6.0, 0.0)
    assert thin(frame_times(100), value, 0.1) == [0, 49, 50, 99]


def test_a_smooth_curve_takes_few_points() -> None:
    time_s = frame_times(960)
    slow = 3.0 * np.sin(2.0 * np.pi * time_s / 20.0)
    assert len(thin(time_s, slow, 0.1)) <= len(slow) / 6


def test_a_single_frame_is_a_single_point() -> None:
    points = thin_curves(curves(np.array([[0.5]])))["bus 0"]
    np.testing.assert_allclose(points.gain_db, [-6.0206], atol=1e-4)
    np.testing.assert_array_equal(points.time_s, [0.5])


def test_before_the_first_and_after_the_last_point_the_gain_is_held() -> None:
    points = EnvelopePoints(np.array([0.5, 2.5]), np.array([-6.0, 2.0]))
    np.testing.assert_allclose(points.at(np.array([0.0, 0.5, 1.5, 2.5, 99.0])), [-6.0, -6.0, -2.0, 2.0, 2.0])


def test_a_gain_of_zero_is_the_lowest_level_of_an_envelope() -> None:
    gains = np.where(np.arange(40) < 20, 1.0, 0.0)[:, None]
    points = thin_curves(curves(gains))["bus 0"]
    np.testing.assert_allclose(points.at(np.array([0.5, 5.0, 5.6, 9.0])), [0.0, 0.0, LOWEST_DB, LOWEST_DB], atol=1e-9)
    assert points.gain_db.min() == LOWEST_DB


def test_shifting_in_level_moves_every_point_and_no_time() -> None:
    points = EnvelopePoints(np.array([0.5, 2.5]), np.array([-6.0, 2.0]))
    np.testing.assert_array_equal(points.with_gain_db(-1.5).gain_db, [-7.5, 0.5])
    np.testing.assert_array_equal(points.with_gain_db(-1.5).time_s, points.time_s)


@settings(max_examples=50)
@given(
    arrays(np.float64, st.integers(2, 60), elements=st.floats(0.001, 4.0)), st.floats(0.0, 14.0), st.floats(0.005, 14.0)
)
def test_a_range_leaves_everything_outside_it_at_0_db(gains: Array, start_s: float, length_s: float) -> None:
    end_s = start_s + length_s
    whole = curves(gains[:, None])
    points = thin_curves(whole, span_s=(start_s, end_s))["bus 0"]
    assert (np.diff(points.time_s) > 0.0).all()
    assert (points.time_s[0], points.time_s[-1]) == (start_s, end_s)
    np.testing.assert_array_equal(points.at(np.array([start_s - 1.0, start_s, end_s, end_s + 1.0])), 0.0)
    inside = (whole.time_s > start_s + EDGE_S) & (whole.time_s < end_s - EDGE_S)
    error_db = np.abs(points.at(whole.time_s) - whole.gains_db[:, 0])[inside]
    assert error_db.max(initial=0.0) <= TOLERANCE_DB + 1e-9


def test_a_ranges_edges_take_a_fiftieth_of_a_second() -> None:
    points = thin_curves(curves(np.full((40, 1), 0.5)), span_s=(2.0, 6.0))["bus 0"]
    np.testing.assert_allclose(
        points.at(np.array([2.0, 2.02, 4.0, 5.98, 6.0])), [0, -6.0206, -6.0206, -6.0206, 0], atol=1e-3
    )


def test_points_of_a_span_have_0_db_at_its_edges() -> None:
    points = EnvelopePoints(np.array([0.5, 1.0, 2.0, 4.0, 7.0]), np.array([-9.0, -6.0, -12.0, -3.0, 1.0]))
    inside = points.within((1.0, 6.0))
    assert (inside.time_s[0], inside.time_s[-1]) == (1.0, 6.0)
    np.testing.assert_array_equal(inside.gain_db[[0, -1]], 0.0)
    time_s = np.linspace(1.0 + EDGE_S, 6.0 - EDGE_S, 50)
    np.testing.assert_allclose(inside.at(time_s), points.at(time_s), atol=1e-9)


def test_shifted_and_scaled_points_are_the_same_otherwise() -> None:
    points = EnvelopePoints(np.array([0.5, 2.0]), np.array([-3.0, 1.0]))
    for found, time_s, gain_db in (
        (points.shifted(4.0), [4.5, 6.0], [-3, 1]),
        (points.with_gain_db(2.0), [0.5, 2], [-1, 3]),
    ):
        np.testing.assert_array_equal(found.time_s, time_s)
        np.testing.assert_array_equal(found.gain_db, gain_db)


def test_each_bus_has_its_own_points() -> None:
    gains = np.stack([np.full(40, 0.5), np.linspace(0.2, 2.0, 40)], axis=1)
    automation = thin_curves(curves(gains, "drums", "vocals"))
    assert list(automation) == ["drums", "vocals"]
    assert len(automation["drums"].time_s) == 1 < len(automation["vocals"].time_s)


def test_the_csv_has_one_line_per_point() -> None:
    automation = thin_curves(curves(np.linspace(0.2, 2.0, 40)[:, None], "lead vox"))
    rows = list(csv.DictReader(io.StringIO(to_csv(automation))))
    points = automation["lead vox"]
    assert list(rows[0]) == ["bus", "time_s", "gain_db", "shape"]
    assert {(row["bus"], row["shape"]) for row in rows} == {("lead vox", "linear")}
    np.testing.assert_allclose([float(row["time_s"]) for row in rows], points.time_s, atol=1e-6)
    np.testing.assert_allclose([float(row["gain_db"]) for row in rows], points.gain_db, atol=1e-4)


def test_a_bus_name_with_a_comma_stays_one_field() -> None:
    automation = thin_curves(curves(np.ones((4, 1)), 'ad-libs, "left"'))
    assert [row["bus"] for row in csv.DictReader(io.StringIO(to_csv(automation)))] == ['ad-libs, "left"']


def is_thin_enough(found: GainCurves) -> None:
    automation = thin_curves(found)
    for bus, gain_db in zip(found.buses, found.gains_db.T, strict=True):
        points = automation[bus]
        assert len(points.time_s) <= len(found.time_s) / 4
        assert np.abs(points.at(found.time_s) - np.maximum(gain_db, LOWEST_DB)).max() <= TOLERANCE_DB + 1e-9


def test_a_mix_of_the_bundled_song_has_at_most_a_quarter_of_the_frames_as_points(caesium: Song) -> None:
    model = Model(name="rule", preset="default", feature_set="condition3")
    is_thin_enough(predict_explained(model, measure(caesium)).curves)


def test_a_match_of_the_bundled_song_has_at_most_a_quarter_of_the_frames_as_points(
    caesium: Song, moves: Any, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "made.wav", moves.mixdown, moves.sample_rate, subtype="FLOAT")
    folder = caesium.stems["drums"].path.parent
    is_thin_enough(estimate(open_song(folder, mixdown=tmp_path / "made.wav")).curves)
