"""The rule on songs with known balance: never much worse than equal levels, and better on average."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import accuracy_page as page
from benchmarks.balance_songs import Balanced, error_db, facts, output_db, rock
from core.models.balance import WRITTEN
from core.roles import PAPER_BUSES

SONGS = [*facts(), *rock()]


def gained_db(song: Balanced) -> float:
    return error_db(song, np.zeros(len(song.buses))) - error_db(song, output_db(WRITTEN, song))


def test_the_facts_are_plausible() -> None:
    assert len({song.title for song in SONGS}) >= 40
    assert len({song.producer for song in SONGS}) >= 26
    for song in SONGS:
        assert len(song.buses) == len(set(song.buses)) >= 2
        assert ((song.loudness_lufs > -80.0) & (song.loudness_lufs < 5.0)).all()


@pytest.mark.parametrize("song", SONGS, ids=lambda song: f"{song.kind}: {song.title}")
def test_no_mix_of_four_buses_is_half_a_decibel_worse_than_equal_levels(song: Balanced) -> None:
    if set(song.buses) <= set(PAPER_BUSES):
        assert gained_db(song) > -0.5


def test_the_gain_over_equal_levels_is_significant() -> None:
    """Separated stems are left out: their quiet stems are leakage."""
    by_producer: dict[str, list[float]] = {}
    for song in SONGS:
        if song.kind not in ("separated", "all buses"):
            by_producer.setdefault(song.producer, []).append(gained_db(song))
    low, high = page.interval(np.array([np.mean(gained) for gained in by_producer.values()]))
    assert 0.0 < low < high < 0.4
