"""A new curve on top of the moves that an envelope makes already."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.automation.points import EnvelopePoints, Point
from core.decibels import gain_to_db
from core.rpp.envelope import BEZIER, FAST_START, LINEAR, SLOW, SQUARE, Envelope, Scaling
from core.rpp.write import combine

CURVE = EnvelopePoints(np.array([0.5, 10.0, 20.0]), np.array([-3.0, 2.0, -8.0]))


def test_without_moves_the_curve_is_unchanged() -> None:
    still = Envelope((Point(0.0, 0.3), Point(9.0, 0.3)))
    bypassed = Envelope((Point(0.0, 0.3), Point(9.0, 0.9)), is_active=False)
    assert [combine(CURVE, moves) for moves in (None, still, bypassed)] == [CURVE] * 3


@pytest.mark.parametrize("scaling", ["amplitude", "fader"])
@pytest.mark.parametrize("shape", [LINEAR, SLOW, FAST_START, BEZIER])
def test_the_product_is_heard_everywhere(shape: int, scaling: Scaling) -> None:
    points = (Point(2.0, 0.9, shape, 0.5), Point(6.0, 0.2, shape, -0.7), Point(7.0, 1.4, LINEAR))
    moves = Envelope(points, scaling=scaling)
    time_s = np.linspace(0.0, 25.0, 5001)
    product_db = CURVE.at(time_s) + gain_to_db(moves.gain_at(time_s))
    np.testing.assert_allclose(combine(CURVE, moves).at(time_s), product_db, atol=0.15)


def test_a_jump_is_preserved_within_a_millisecond() -> None:
    moves = Envelope((Point(0.0, 1.0, SQUARE), Point(5.0, 0.5, SQUARE)))
    heard = combine(EnvelopePoints(np.array([0.0]), np.array([-6.0])), moves)
    np.testing.assert_allclose(heard.at(np.array([4.998, 5.0, 30.0])), [-6.0, -12.02, -12.02], atol=0.03)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 2)), min_size=1, max_size=12))
def test_combined_points_are_in_order_of_time(pairs: list[tuple[float, float]]) -> None:
    moves = Envelope(tuple(Point(time_s, gain) for time_s, gain in sorted(pairs)))
    heard = combine(CURVE, moves)
    assert (np.diff(heard.time_s) >= 0).all()
    assert np.isfinite(heard.gain_db).all()
