"""An 80 % interval holds the truth about 80 % of the time, on songs that were not learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.accuracy import coverage_on_rock
from core.models.balance import NAMES
from core.models.fit import fit_balance
from core.models.matrices import load_matrices
from core.models.prior import OF_ONE_ENGINEER, BalancePrior

ROCK = Path(__file__).resolve().parents[2] / "golden" / "rock_condition1.npz"
BUSES = ("drums", "bass", "melody", "vocals")


def songs_that_differ_by(deviation_db: float, n_songs: int) -> list[dict[str, np.ndarray]]:
    """Return the triangles of songs whose buses differ from equal levels as chance has it."""
    rng = np.random.default_rng(3)
    size = len(NAMES) + 1
    songs = []
    for _ in range(n_songs):
        triangles = {bus: np.zeros((size, size)) for bus in BUSES}
        for triangle in triangles.values():
            triangle[0, 0], triangle[0, -1] = 1.0, -20.0 + rng.normal(0.0, deviation_db)
        songs.append(triangles)
    return songs


def test_the_interval_holds_the_truth_of_songs_left_out() -> None:
    assert 0.75 <= coverage_on_rock(load_matrices(ROCK)) <= 0.85


def test_an_engineer_who_is_consistent_narrows_the_interval_and_one_who_is_not_widens_it() -> None:
    prior = BalancePrior(offsets={}, offset_strength=OF_ONE_ENGINEER)
    nobody, consistent, wayward = (
        fit_balance(songs, BUSES, prior).song_deviation_db
        for songs in ([], songs_that_differ_by(0.5, 40), songs_that_differ_by(6.0, 40))
    )
    assert consistent < 1.0 < nobody < 5.0 < wayward < 7.5


def test_what_songs_differ_by_is_what_is_found() -> None:
    prior = BalancePrior(offsets={}, offset_strength=OF_ONE_ENGINEER)
    found = fit_balance(songs_that_differ_by(2.0, 400), BUSES, prior).song_deviation_db
    np.testing.assert_allclose(found, 2.0, rtol=0.1)
