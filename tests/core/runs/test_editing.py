"""A stored prediction bends: depth, moves, offsets, limits, smoothing, and passages that do not count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runs.edit import EditSettings, apply, check, describe, with_changes
from tests.expected_errors import raises_error

BUSES = ("drums", "bass", "melody", "vocals")
TIME_S = 0.5 + 0.25 * np.arange(400)
LEVELS = np.stack([np.full(400, level) for level in (-20.0, -26.0, -23.0, -18.0)], axis=1)
LEVELS[100:140, 3] = -90.0
OWN = np.array([2.0, -4.0, 1.0, -6.0])
MOVES = np.sin(TIME_S[:, None] / np.array([5.0, 7.0, 11.0, 13.0]))
PREDICTED = OWN + MOVES


def under(**settings: object) -> np.ndarray:
    chosen = EditSettings(**settings)  # type: ignore[arg-type]
    return apply(chosen, PREDICTED, levels_lufs=LEVELS, buses=BUSES, time_s=TIME_S)


def energy_db(gains_db: np.ndarray) -> float:
    power = np.where(LEVELS > -70, 10 ** (LEVELS / 10), 0.0)
    return float(10 * np.log10((power * 10 ** (gains_db / 10)).sum()))


def between_buses(gains_db: np.ndarray) -> np.ndarray:
    return gains_db - gains_db[:, :1]


def test_default_settings_leave_the_prediction_unchanged() -> None:
    np.testing.assert_allclose(under(), PREDICTED, atol=1e-9)


@given(st.floats(0.0, 200.0))
def test_depth_scales_every_difference_between_buses_and_keeps_the_loudness(percent: float) -> None:
    gains = under(depth_percent=percent)
    np.testing.assert_allclose(between_buses(gains), between_buses(PREDICTED) * percent / 100.0, atol=1e-9)
    assert energy_db(gains) == pytest.approx(energy_db(PREDICTED), abs=1e-9)


def test_depth_0_gives_every_bus_the_same_gain() -> None:
    gains = under(depth_percent=0.0)
    np.testing.assert_allclose(gains, gains[0, 0], atol=1e-9)


def test_moves_0_gives_a_static_mix_at_the_level_of_each_bus() -> None:
    gains = under(moves_percent=0.0)
    assert np.ptp(gains, axis=0).max() < 1e-9
    wanted = np.median(PREDICTED[:, :3], axis=0)
    np.testing.assert_allclose(np.diff(gains[0, :3]), np.diff(wanted), atol=1e-9)


def test_an_offset_moves_only_its_bus_by_exactly_that_much() -> None:
    moved = under(depth_percent=50.0, offset_db={"vocals": 1.5}) - under(depth_percent=50.0)
    np.testing.assert_allclose(moved, np.broadcast_to([0.0, 0.0, 0.0, 1.5], moved.shape), atol=1e-9)


@given(st.floats(0.0, 10.0))
def test_a_limit_keeps_every_bus_close_to_the_common_gain(limit_db: float) -> None:
    gains = under(limit_db=limit_db)
    assert np.abs(between_buses(gains)).max() <= 2 * limit_db + 1e-9
    assert energy_db(gains) == pytest.approx(energy_db(PREDICTED), abs=1e-9)


def test_smoothing_removes_short_moves_and_keeps_slow_ones() -> None:
    jitter = np.where(np.arange(400) % 4 < 2, 2.0, -2.0)
    shaky = PREDICTED + jitter[:, None] * np.array([1.0, 0.0, 0.0, 0.0])
    smooth = apply(EditSettings(smooth_s=3.0), shaky, levels_lufs=LEVELS, buses=BUSES, time_s=TIME_S)
    assert np.abs(np.diff(smooth[:, 0])).max() < 0.15
    assert np.abs(between_buses(smooth) - between_buses(PREDICTED))[20:-20].max() < 0.2


def test_an_ignored_passage_is_interpolated_and_the_rest_is_unchanged() -> None:
    plain, gains = between_buses(PREDICTED), between_buses(under(ignore_s=[(20.0, 30.0)]))
    inside = (TIME_S > 20.0) & (TIME_S < 30.0)
    np.testing.assert_allclose(gains[~inside], plain[~inside], atol=1e-9)
    assert np.abs(np.diff(gains[inside], n=2, axis=0)).max() < 1e-9
    assert np.abs(gains - plain)[inside].max() > 0.3


def test_a_silent_song_has_finite_gains() -> None:
    silent = np.full(PREDICTED.shape, -120.0)
    gains = apply(EditSettings(depth_percent=50.0), PREDICTED, levels_lufs=silent, buses=BUSES, time_s=TIME_S)
    assert np.isfinite(gains).all()


@pytest.mark.parametrize(
    ("settings", "option", "fact"),
    [
        ({"depth_percent": 201.0}, "--depth 201", "200"),
        ({"moves_percent": -1.0}, "--moves -1", "200"),
        ({"offset_db": {"guitars": 1.0}}, "--offset guitars", "drums, bass, melody, vocals"),
        ({"offset_db": {"bass": 30.0}}, "--offset bass=30", "24 dB"),
        ({"limit_db": -1.0}, "--limit", "0 dB"),
        ({"smooth_s": 61.0}, "--smooth 61", "60"),
        ({"freeze": ["fx"]}, "--freeze fx", "drums, bass, melody, vocals"),
        ({"range_s": (5.0, 4.0)}, "--range", "100.0 s"),
        ({"range_s": (5.0, float("inf"))}, "--range", "100.0 s"),
        ({"ignore_s": [(200.0, 210.0)]}, "--ignore", "100.0 s"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], option: str, fact: str) -> None:
    with raises_error(option=option, facts=(fact,)):
        check(EditSettings(**settings), BUSES, 100.0)  # type: ignore[arg-type]


def test_settings_at_the_limits_are_accepted() -> None:
    whole = [(0.0, 100.0)]
    check(EditSettings(range_s=whole[0], ignore_s=whole, limit_db=0.0, offset_db={"bass": -24.0}), BUSES, 100.0)
    check(EditSettings(depth_percent=200.0, moves_percent=0.0, smooth_s=60.0), BUSES, 100.0)


def test_settings_and_offsets_change_individually() -> None:
    first = with_changes(EditSettings(), {"depth_percent": 50.0, "offset_db": {"bass": 1.0}})
    second = with_changes(first, {"depth_percent": None, "offset_db": {"vocals": -2.0}, "freeze": ["drums"]})
    assert second.depth_percent == 50.0
    assert describe(second) == ["depth 50 %", "bass +1.0 dB", "vocals -2.0 dB", "drums frozen"]
    part = describe(with_changes(second, {"range_s": (5.0, 10.0)}))
    assert part[:-1] == describe(second)
    assert "only from 5 to 10 s" in part[-1]
