"""Songs that agree show a habit; songs that each differ in a way of their own show none, however few or many."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.train_default import MATRICES
from core.models.balance import levels_without_spectra
from core.models.evaluate import BalanceRegression, balance_error_db, baselines
from core.models.fit import DB_A_SONG, FIRST_SONGS, Deviations, agreement
from core.models.matrices import load_matrices
from core.models.model import Model
from core.models.predict import predict_balance
from core.models.prior import DEPARTURE_DB, OF_ONE_ENGINEER, WRITTEN, BalancePrior
from core.models.train import matrices_song

FloatArray = npt.NDArray[np.float64]
BUSES = ("drums", "bass", "melody", "vocals")
HABIT_DB = np.array([1.0, -2.5, -1.5, 3.0])


def songs_like(habit_db: FloatArray, scatter_db: float, n_songs: int, seed: int = 0) -> list[Deviations]:
    rng = np.random.default_rng(seed)
    return [Deviations(BUSES, habit_db + rng.normal(0.0, scatter_db, 4), np.ones(4)) for _ in range(n_songs)]


def found(songs: list[Deviations]) -> tuple[float, float]:
    known = agreement(songs, deviation_db=2.6, strength=OF_ONE_ENGINEER)
    return known.habit_db, known.strength


def test_nothing_is_sure_without_songs() -> None:
    assert found([]) == (0.0, OF_ONE_ENGINEER)


@given(seed=st.integers(0, 300), n_songs=st.integers(1, 2), scatter_db=st.floats(0.0, 8.0))
def test_one_or_two_songs_are_no_habit(seed: int, n_songs: int, scatter_db: float) -> None:
    assert found(songs_like(HABIT_DB, scatter_db, n_songs, seed))[0] == 0.0


@given(seed=st.integers(0, 300), n_songs=st.integers(1, 12))
def test_a_habit_grows_by_so_much_a_song_at_most(seed: int, n_songs: int) -> None:
    habit_db, strength = found(songs_like(3.0 * HABIT_DB, 0.5, n_songs, seed))
    assert 0.0 <= habit_db <= DB_A_SONG * max(n_songs - FIRST_SONGS, 0.0) + 1e-9
    assert 0.0 < strength <= OF_ONE_ENGINEER


def test_songs_of_different_producers_hardly_ever_show_a_habit() -> None:
    habits = [found(songs_like(np.zeros(4), 2.6, 5, seed))[0] for seed in range(1000)]
    assert np.mean(np.array(habits) > 0.1) < 0.02


def test_an_engineer_whose_songs_agree_is_followed_within_a_few_songs() -> None:
    for n_songs, least_db in ((4, 0.5), (8, 1.2)):
        assert np.median([found(songs_like(HABIT_DB, 0.5, n_songs, seed))[0] for seed in range(50)]) > least_db
    assert found(songs_like(HABIT_DB, 0.5, 8))[1] < 1.0


def test_a_bus_that_some_songs_lack_is_compared_with_the_others_they_have() -> None:
    with_all = songs_like(HABIT_DB, 0.0, 6)
    some = [Deviations(song.buses[:3], song.deviations_db[:3], np.ones(3)) for song in with_all[:3]] + with_all[3:]
    assert found(some)[0] == pytest.approx(found(with_all)[0], abs=0.3)


def test_a_song_that_counts_for_more_than_one_is_taken_at_its_word() -> None:
    (plain,) = songs_like(HABIT_DB, 0.0, 1)
    heavy = Deviations(plain.buses, plain.deviations_db, 3.0 * plain.weights)
    assert found([plain])[0] == 0.0
    assert found([heavy])[0] >= 2.0 * 3.0 / (3.0 + OF_ONE_ENGINEER)  # the habit is 2 dB, mean over the buses


def test_songs_that_are_just_as_believed_show_no_habit() -> None:
    assert found(songs_like(np.zeros(4), 0.0, 5)) == (0.0, OF_ONE_ENGINEER)


def test_many_songs_know_a_small_habit_as_well_as_it_stands_out_of_their_scatter() -> None:
    habit = np.array([0.3, -0.3, 0.3, -0.3])
    scatter_db = 0.6 * np.sqrt(np.sum(habit**2) / 3.0)
    _, strength = found(songs_like(habit, scatter_db, 3000))
    assert strength == pytest.approx(0.36, rel=0.2)  # the scatter's variance over the habit's


# What comes of it: a balance that is never far from equal levels without good reason


def regression() -> BalanceRegression:
    return BalanceRegression(
        {song.title: matrices_song(song, MATRICES, "condition3") for song in load_matrices(MATRICES)}
    )


@pytest.mark.parametrize("n_learned", [0, 1, 3, 6])
def test_no_song_is_balanced_much_worse_than_by_equal_levels(n_learned: int) -> None:
    songs = load_matrices(MATRICES)
    ours = regression()
    equal = baselines()["equal level"]
    for index, song in enumerate(songs):
        others = [other for other in songs if other is not song]
        learned = [others[(index + step) % len(others)] for step in range(n_learned)]
        ours_db = balance_error_db(song, 10.0 ** (ours.balance(song, learned).balance_db / 20.0))
        assert ours_db <= balance_error_db(song, equal(song, others)) + DEPARTURE_DB + 0.05


def test_as_a_whole_the_balance_is_nearer_than_equal_levels() -> None:
    songs = load_matrices(MATRICES)
    ours = regression()
    equal = baselines()["equal level"]
    gained = []
    for song in songs:
        others = [other for other in songs if other is not song]
        ours_db = balance_error_db(song, 10.0 ** (ours.balance(song, others).balance_db / 20.0))
        gained.append(balance_error_db(song, equal(song, others)) - ours_db)
    assert np.mean(gained) > 0.05


def test_a_prior_without_a_limit_departs_as_far_as_it_says() -> None:
    song = load_matrices(MATRICES)[0]
    levels = levels_without_spectra(song.rms, song.active)
    distances = []
    for limit_db in (None, DEPARTURE_DB):
        prior = BalancePrior(offsets={"vocals": 8.0}, shared=WRITTEN.shared, departure_db=limit_db)
        model = Model(name="m", preset="default", feature_set="condition3", prior=prior)
        terms = predict_balance(model, song.buses, levels).terms
        distances.append(float(np.abs(terms["role"] + terms["limit"])[0].mean()))
    assert distances == pytest.approx([3.0, DEPARTURE_DB], abs=1e-6)
