"""Comparison of two sets of curves: a common gain does not count as a difference."""

from __future__ import annotations

import numpy as np
import pytest

from core.runs.audit import compare

BUSES = ("drums", "bass", "vocals")
TIME_S = 0.5 + 0.25 * np.arange(200)
SOUNDING = np.ones((200, 3), bool)
FIRST = np.array([1.0, -2.0, 4.0]) + np.sin(TIME_S)[:, None]


def test_an_overall_level_difference_is_not_a_balance_difference() -> None:
    found = compare(BUSES, TIME_S, FIRST, FIRST + 5.0, SOUNDING)
    assert found.common_db == pytest.approx(5.0)
    assert found.balance_db == pytest.approx(0.0, abs=1e-9)
    assert [bus.difference_db for bus in found.buses] == pytest.approx([0.0] * 3, abs=1e-9)


def test_the_bus_that_is_louder_is_identified() -> None:
    found = compare(BUSES, TIME_S, FIRST, FIRST + np.array([3.0, 0.0, 0.0]), SOUNDING)
    assert [bus.difference_db for bus in found.buses] == pytest.approx([2.0, -1.0, -1.0])
    assert found.balance_db == pytest.approx(4.0 / 3.0)
    assert found.buses[0].moves_db == pytest.approx(0.0, abs=1e-9)


def test_the_largest_move_is_found_with_its_time() -> None:
    second = FIRST.copy()
    second[80:90, 2] -= 6.0
    vocals = compare(BUSES, TIME_S, FIRST, second, SOUNDING).buses[2]
    assert vocals.largest_db == pytest.approx(-6.0, abs=0.1)
    assert TIME_S[80] <= vocals.largest_at_s <= TIME_S[89]
    assert vocals.moves_db > 1.0


def test_silent_frames_do_not_count() -> None:
    second, sounding = FIRST.copy(), SOUNDING.copy()
    second[:50, 1] += 20.0
    sounding[:50, 1] = False
    found = compare(BUSES, TIME_S, FIRST, second, sounding)
    assert found.balance_db == pytest.approx(0.0, abs=1e-9)
    assert found.buses[1].largest_db == pytest.approx(0.0, abs=1e-9)
