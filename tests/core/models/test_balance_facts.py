"""The rule on songs with known balance: never much worse than equal levels, and better on average."""

from __future__ import annotations

import shutil
from pathlib import Path

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


def test_tables_that_were_not_measured_stay_in_the_page(tmp_path: Path) -> None:
    accuracy = Path(__file__).resolve().parents[3] / "docs" / "reference" / "accuracy.md"
    copy = Path(shutil.copy(accuracy, tmp_path))
    page.write(copy, "new tables", page.ROCK)
    before, after = accuracy.read_text("utf-8"), copy.read_text("utf-8")
    assert "new tables" in after and "### Rock matrices, 7 songs" not in after
    assert before.partition(page.ROCK[1])[2] == after.partition(page.ROCK[1])[2]
    assert "### Following an engineer with habits" in after.partition(page.SCRAMBLED[0])[2]
