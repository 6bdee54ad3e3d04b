"""Training matrices are read from a file, or refused with its path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from core.models.train import load_matrices
from tests.expected_errors import raises_error

Arrays = dict[str, Any]
ROCK = Path(__file__).resolve().parents[2] / "golden" / "rock_condition1.npz"


@pytest.fixture
def arrays() -> Arrays:
    """Two songs of two buses, 5 and 7 frames long."""
    rng = np.random.default_rng(0)
    return {
        "buses": np.array(["drums", "bass"]),
        "songs": np.array(["first", "second"]),
        "song_starts": np.array([0, 5, 12]),
        "gains": rng.random((12, 2)),
        "features_drums": rng.random((12, 3)),
        "features_bass": rng.random((12, 3)),
    }


def saved(folder: Path, arrays: Arrays) -> Path:
    np.savez(folder / "matrices.npz", **arrays)
    return folder / "matrices.npz"


def test_each_song_has_its_own_rows(tmp_path: Path, arrays: Arrays) -> None:
    first, second = load_matrices(saved(tmp_path, arrays))
    assert (first.title, second.title) == ("first", "second")
    assert first.buses == second.buses == ("drums", "bass")
    np.testing.assert_array_equal(second.gains, arrays["gains"][5:])
    np.testing.assert_array_equal(second.features["bass"], arrays["features_bass"][5:])


def test_the_second_feature_is_the_stems_level(tmp_path: Path, arrays: Arrays) -> None:
    first, _ = load_matrices(saved(tmp_path, arrays))
    np.testing.assert_array_equal(first.rms, np.stack([arrays["features_drums"], arrays["features_bass"]], 1)[:5, :, 1])


def test_the_authors_rock_songs_are_seven_of_four_buses() -> None:
    songs = load_matrices(ROCK)
    assert len(songs) == 7
    assert sum(len(song.gains) for song in songs) == 7791
    assert {song.buses for song in songs} == {("drums", "bass", "melody", "vocals")}


def _without_gains(arrays: Arrays) -> None:
    del arrays["gains"]


def _without_a_bus(arrays: Arrays) -> None:
    del arrays["features_bass"]


def _short_gains(arrays: Arrays) -> None:
    arrays["gains"] = arrays["gains"][:9]


def _no_numbers(arrays: Arrays) -> None:
    arrays["features_drums"][3, 1] = np.nan


def _complex_gains(arrays: Arrays) -> None:
    arrays["gains"] = arrays["gains"] + 1j


def _two_features(arrays: Arrays) -> None:
    arrays["features_drums"] = arrays["features_drums"][:, :2]


def _bounds_past_the_end(arrays: Arrays) -> None:
    arrays["song_starts"] = np.array([0, 5, 13])


def _bounds_that_fall(arrays: Arrays) -> None:
    arrays["song_starts"] = np.array([0, 12, 5])


def _an_empty_song(arrays: Arrays) -> None:
    arrays["song_starts"] = np.array([0, 0, 12])


def _too_few_bounds(arrays: Arrays) -> None:
    arrays["song_starts"] = np.array([0, 12])


def _bounds_in_words(arrays: Arrays) -> None:
    arrays["song_starts"] = np.array(["0", "5", "12"])


def _one_title_twice(arrays: Arrays) -> None:
    arrays["songs"] = np.array(["first", "first"])


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_without_gains, "lacks gains"),
        (_without_a_bus, "lacks features_bass"),
        (_short_gains, "has shape"),
        (_two_features, "features_drums has shape"),
        (_no_numbers, "features_drums contains values that are not numbers"),
        (_complex_gains, "gains contains values that are not numbers"),
        (_bounds_past_the_end, "song_starts should rise"),
        (_bounds_that_fall, "song_starts should rise"),
        (_an_empty_song, "song_starts should rise"),
        (_too_few_bounds, "song_starts should be 3 whole numbers"),
        (_bounds_in_words, "song_starts should be 3 whole numbers"),
        (_one_title_twice, "songs should be a list of names"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    tmp_path: Path, arrays: Arrays, damage: Callable[[Arrays], None], problem: str
) -> None:
    damage(arrays)
    path = saved(tmp_path, arrays)
    with pytest.raises(InputError) as refused:
        load_matrices(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"PK\x03\x04 and then nothing", b"\x93NUMPY\x01\x00"], ids=repr
)
def test_a_file_that_is_not_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "matrices.npz"
    path.write_bytes(content)
    with raises_error(path="matrices.npz"):
        load_matrices(path)


def test_a_single_array_is_not_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "matrices.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with raises_error(path="matrices.npz"):
        load_matrices(path)


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.99])
def test_a_truncated_file_is_refused(tmp_path: Path, arrays: Arrays, kept: float) -> None:
    path = saved(tmp_path, arrays)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with raises_error(path="matrices.npz"):
        load_matrices(path)


def test_pickled_objects_are_never_loaded(tmp_path: Path, arrays: Arrays) -> None:
    path = saved(tmp_path, {**arrays, "songs": np.array(["first", {}], dtype=object)})
    with raises_error(path="matrices.npz"):
        load_matrices(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with raises_error(path="nowhere.npz"):
        load_matrices(tmp_path / "nowhere.npz")
