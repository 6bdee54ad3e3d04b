"""Conversions between decibels, gains and powers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.decibels import FLOOR_DB, LOWEST_DB, db_to_gain, db_to_power, gain_to_db, heard_db, median, power_to_db


@given(st.floats(-149.0, 60.0))
def test_gains_and_powers_survive_a_round_trip(level_db: float) -> None:
    assert float(gain_to_db(db_to_gain(level_db))) == pytest.approx(level_db, abs=1e-9)
    assert float(power_to_db(db_to_power(level_db))) == pytest.approx(level_db, abs=1e-9)


@given(st.floats(0.0, 100.0))
def test_a_single_gain_is_converted_like_an_array(gain: float) -> None:
    assert heard_db(gain) == pytest.approx(float(np.maximum(gain_to_db(gain), LOWEST_DB)), abs=1e-9)


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_the_median_is_that_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    assert median(values) == np.median(values)
    assert math.isnan(median([*values, math.nan]))


def test_a_power_is_a_gain_squared() -> None:
    assert float(db_to_power(6.0)) == pytest.approx(float(db_to_gain(6.0)) ** 2)
    assert float(power_to_db(4.0)) == pytest.approx(20.0 * math.log10(2.0))


def test_a_closed_fader_is_the_lowest_level_and_converts_back_to_zero() -> None:
    assert float(gain_to_db(0.0)) == FLOOR_DB
    assert float(db_to_gain(FLOOR_DB)) == 0.0
    assert heard_db(0.0) == heard_db(1e-3) == LOWEST_DB


def test_any_array_is_converted_in_double_precision_and_keeps_its_shape() -> None:
    third = np.full((2, 3), 1.0 / 3.0, np.float32)
    for convert, factor in ((gain_to_db, 20.0), (power_to_db, 10.0)):
        found = convert(third)
        assert (found.shape, found.dtype) == ((2, 3), np.float64)
        np.testing.assert_allclose(found, factor * np.log10(np.float64(third[0, 0])), rtol=1e-14)
    assert db_to_gain(third).dtype == np.float64
