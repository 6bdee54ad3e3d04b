"""Learning an engineer's habits from few songs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.learning_curve import learning_curve, one_song_bound
from core.models.habits import OTHERS_WORK, DeviationsOfSong, VariancePrior, learn_habits, song_weight

ROLES = ("bass", "drums", "melody", "vocals")


def fixed(between_db: float, within_db: float) -> VariancePrior:
    return VariancePrior.fixed(between_db, within_db)


def songs_of(deviations: np.ndarray, **fields: object) -> list[DeviationsOfSong]:
    return [DeviationsOfSong(ROLES, row, **fields) for row in deviations]  # type: ignore[arg-type]


@pytest.mark.parametrize("n_songs", [1, 2, 3, 5, 8])
def test_with_known_deviations_a_habit_is_the_shrunk_mean(n_songs: int) -> None:
    deviations = np.random.default_rng(n_songs).normal(0.0, 3.0, (n_songs, 4))
    habits = learn_habits(songs_of(deviations), prior=fixed(2.2, 3.0), clip=np.inf)
    mean = deviations.mean(axis=0)
    expected = song_weight(n_songs, 2.2**2 / (2.2**2 + 3.0**2)) * (mean - mean.mean())
    np.testing.assert_allclose(habits.offsets_db, expected, atol=1e-9)


def test_songs_that_others_mixed_are_followed_as_far_as_artists_songs_agree() -> None:
    deviations = np.array([[-4.0, 3.0, 4.0, -3.0]])
    others = learn_habits(songs_of(deviations), prior=OTHERS_WORK)
    known = learn_habits(songs_of(deviations), prior=fixed(2.2, 3.0))
    own = learn_habits(songs_of(deviations))
    np.testing.assert_allclose(others.offsets_db, known.offsets_db, rtol=0.2)
    assert np.abs(own.offsets_db).max() > np.abs(others.offsets_db).max()


def test_a_gain_common_to_a_song_changes_nothing() -> None:
    deviations = np.random.default_rng(0).normal(0.0, 2.0, (3, 4))
    moved = deviations + np.array([[10.0], [-7.0], [2.0]])
    np.testing.assert_allclose(
        learn_habits(songs_of(moved)).offsets_db, learn_habits(songs_of(deviations)).offsets_db, atol=1e-6
    )


def test_songs_that_agree_are_followed_further_than_songs_that_differ() -> None:
    habit = np.array([-2.0, 0.0, -1.0, 3.0])
    noise = np.random.default_rng(1).normal(0.0, 1.0, (3, 4))
    noise -= noise.mean(axis=0)
    agreeing, differing = learn_habits(songs_of(habit + 0.2 * noise)), learn_habits(songs_of(habit + 4.0 * noise))
    assert agreeing.correlation > 0.9
    assert differing.correlation < 0.6
    assert agreeing.offset_of("vocals") > 2.8
    assert differing.offset_of("vocals") < 2.4


def test_a_consistent_habit_of_any_size_is_learned() -> None:
    habit = np.array([0.0, 0.0, 0.0, 18.0])
    noise = np.random.default_rng(2).normal(0.0, 0.5, (3, 4))
    habits = learn_habits(songs_of(habit + noise))
    assert habits.offset_of("vocals") - habits.offset_of("bass") > 16.0


def test_an_entry_far_outside_the_spread_of_songs_is_clipped() -> None:
    deviations = np.random.default_rng(3).normal(0.0, 0.5, (5, 4)) + np.array([-2.0, 0.0, -1.0, 3.0])
    clean = learn_habits(songs_of(deviations)).offsets_db
    deviations[2, 3] += 20.0
    clipped = np.abs(learn_habits(songs_of(deviations)).offsets_db - clean).max()
    unclipped = np.abs(learn_habits(songs_of(deviations), clip=np.inf).offsets_db - clean).max()
    assert clipped < 0.5
    assert clipped < 0.7 * unclipped


def test_sessions_of_one_album_count_less_than_unrelated_songs() -> None:
    deviations = np.tile([-2.0, 0.0, -1.0, 3.0], (4, 1))
    prior = fixed(2.2, 3.0)
    related = learn_habits(songs_of(deviations, album="first"), prior=prior).offset_of("vocals")
    unrelated = learn_habits(songs_of(deviations), prior=prior).offset_of("vocals")
    single = learn_habits(songs_of(deviations[:1]), prior=prior).offset_of("vocals")
    assert single < related < unrelated


def test_estimated_levels_count_less_than_known_ones() -> None:
    deviations = np.array([[-2.0, 0.0, -1.0, 3.0]])
    known = learn_habits(songs_of(deviations), prior=fixed(2.2, 1.0)).offset_of("vocals")
    estimated = learn_habits(songs_of(deviations, known_error_db=3.0), prior=fixed(2.2, 1.0)).offset_of("vocals")
    assert 0.0 < estimated < known


def test_a_song_of_weight_n_counts_as_n_songs() -> None:
    deviations = np.array([[-2.0, 0.0, -1.0, 3.0]])
    prior = fixed(2.2, 3.0)
    heavy = learn_habits(songs_of(deviations, weight=3.0), prior=prior, clip=np.inf).offsets_db
    repeated = learn_habits(songs_of(np.tile(deviations, (3, 1))), prior=prior, clip=np.inf).offsets_db
    np.testing.assert_allclose(heavy, repeated, atol=1e-9)


def test_without_songs_there_is_no_habit() -> None:
    habits = learn_habits([])
    assert habits.offset_of("vocals") == 0.0
    assert habits.roles == ()


@pytest.mark.parametrize("within_db", [3.0, 0.5])
def test_simulated_engineers_are_followed_almost_as_fast_as_by_the_oracle(within_db: float) -> None:
    ratio = learning_curve(within_db, 60, ROLES)["ratio"]
    assert ratio["0"] == 1.0
    assert all(ratio[n] < 1.05 for n in ("2", "3", "5", "8"))
    assert ratio["1"] < 1.1  # one song of four buses cannot show whether an engineer is consistent


def test_no_predictor_is_within_5_percent_of_the_oracle_after_one_song_of_four_buses() -> None:
    assert 1.055 < one_song_bound(4, 50_000) < 1.075
