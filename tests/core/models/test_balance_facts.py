"""On every song whose balance is known: never far from equal levels, and as a whole nearer to what producers did."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from benchmarks import accuracy_page as page
from benchmarks.balance_songs import Balanced, error_db, facts, output_db, rock
from core.models.prior import OF_ONE_ENGINEER, WRITTEN

SONGS = [*facts(), *rock()]


def gained_db(song: Balanced) -> float:
    return error_db(song, np.zeros(len(song.buses))) - error_db(song, output_db(WRITTEN, song))


def test_the_facts_are_songs_of_several_buses_from_many_producers() -> None:
    assert len({song.title for song in SONGS}) >= 40
    assert len({song.producer for song in SONGS}) >= 26
    for song in SONGS:
        assert len(song.buses) == len(set(song.buses)) >= 2
        assert ((song.loudness_lufs > -80.0) & (song.loudness_lufs < 5.0)).all()


@pytest.mark.parametrize("song", SONGS, ids=lambda song: f"{song.kind}: {song.title}")
def test_no_song_is_balanced_half_a_decibel_worse_than_by_equal_levels(song: Balanced) -> None:
    assert gained_db(song) > -0.5


@pytest.mark.parametrize("n_learned", [1, 5, 12])
def test_nor_is_it_after_learning_songs_of_others(n_learned: int) -> None:
    engineer = msgspec.structs.replace(WRITTEN, offset_strength=OF_ONE_ENGINEER)
    rng = np.random.default_rng(n_learned)
    known = [song for song in SONGS if song.kind != "all buses"]
    for song in known:
        others = [other for other in known if other.producer != song.producer]
        learned = [others[index] for index in rng.permutation(len(others))[:n_learned]]
        lost_db = error_db(song, output_db(engineer, song, learned)) - error_db(song, np.zeros(len(song.buses)))
        assert lost_db < 0.5


def test_the_gain_over_equal_levels_is_more_than_chance() -> None:
    """The interval over producers, separated stems left aside: their quiet stems are leakage."""
    by_producer: dict[str, list[float]] = {}
    for song in SONGS:
        if song.kind not in ("separated", "all buses"):
            by_producer.setdefault(song.producer, []).append(gained_db(song))
    low, high = page.interval(np.array([np.mean(gained) for gained in by_producer.values()]))
    assert 0.0 < low < high < 0.4
