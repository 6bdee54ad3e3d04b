"""A part of the work tells its own share of the whole."""

from __future__ import annotations

import pytest

from core.progress import part_of


def test_a_parts_start_and_end_are_its_place_in_the_whole() -> None:
    told: list[float] = []
    part = part_of(told.append, 0.25, 0.75)
    for fraction in (0.0, 0.5, 1.0):
        part(fraction)
    assert told == pytest.approx([0.25, 0.5, 0.75])


def test_parts_of_parts_add_up() -> None:
    told: list[float] = []
    part_of(part_of(told.append, 0.5, 1.0), 0.0, 0.5)(1.0)
    assert told == pytest.approx([0.75])
