"""An 80 % band contains the true gain about 80 % of the time, on songs that were not learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.accuracy import coverage_on_rock
from core.models.balance import NAMES, OF_ONE_ENGINEER, BalancePrior
from core.models.fit import SongEvidence, fit_balance
from core.models.train import load_matrices

ROCK = Path(__file__).resolve().parents[2] / "golden" / "rock_condition1.npz"
BUSES = ("drums", "bass", "melody", "vocals")


def songs_that_differ_by(deviation_db: float, n_songs: int) -> list[SongEvidence]:
    """Return songs whose buses differ from equal levels at random."""
    rng = np.random.default_rng(3)
    size = len(NAMES) + 1
    songs = []
    for _ in range(n_songs):
        triangles = {bus: np.zeros((size, size)) for bus in BUSES}
        for triangle in triangles.values():
            triangle[0, 0], triangle[0, -1] = 1.0, -20.0 + rng.normal(0.0, deviation_db)
        songs.append(SongEvidence(r_factors=triangles))
    return songs


def test_the_band_contains_the_truth_of_songs_left_out() -> None:
    assert 0.75 <= coverage_on_rock(load_matrices(ROCK)) <= 0.85


def test_the_band_narrows_for_a_consistent_engineer_and_widens_for_an_inconsistent_one() -> None:
    prior = BalancePrior(offsets={}, offset_strength=OF_ONE_ENGINEER)
    unknown, consistent, inconsistent = (
        fit_balance(songs, prior).song_deviation_db
        for songs in ([], songs_that_differ_by(0.5, 40), songs_that_differ_by(6.0, 40))
    )
    assert consistent < 1.0 < unknown < 5.0 < inconsistent < 8.0


def test_vocals_have_a_narrower_band_than_melody() -> None:
    fit = fit_balance([], BalancePrior())
    vocals, melody = fit.prior.rule_for(BUSES).deviations_of(("vocals", "melody"))
    assert vocals < 0.7 * melody
