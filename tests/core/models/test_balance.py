"""What condition 3 sees of stems: how they differ from each other, and nothing of how loud they came."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import roles
from core.analysis.loudness import FLOOR_LUFS
from core.analysis.spectra import N_BANDS
from core.models.balance import (
    LARGEST_DB,
    MOST_COVERED_DB,
    NAMES,
    StemLevels,
    at_equal_level_db,
    balance_features,
    covered_db,
    covered_throughout_db,
    levels_without_spectra,
    moving_part,
)

FloatArray = npt.NDArray[np.float64]
N_FRAMES = 120


def levels(seed: int, n_buses: int = 4) -> StemLevels:
    """Return stems of chance: levels, pauses and spectra."""
    rng = np.random.default_rng(seed)
    active = np.repeat(rng.random((N_FRAMES // 10, n_buses)) < 0.7, 10, axis=0)
    active[:10] = True
    lufs = np.where(active, -25.0 + np.cumsum(rng.normal(0.0, 0.7, active.shape), axis=0), FLOOR_LUFS)
    power = 10.0 ** (lufs[:, :, None] / 10.0) * rng.random((n_buses, N_BANDS))
    return StemLevels(
        loudness_lufs=rng.uniform(-35.0, -15.0, n_buses),
        tone_db=rng.normal(0.0, 2.0, n_buses),
        covered_db=covered_throughout_db(power, active),
        presence=active.mean(axis=0),
        frame_lufs=lufs,
        active=active,
        frame_covered_db=covered_db(power, active),
    )


# Features


@given(seed=st.integers(0, 30), n_buses=st.integers(1, 16))
def test_features_that_compare_buses_have_a_mean_of_zero(seed: int, n_buses: int) -> None:
    features = balance_features(levels(seed, n_buses))
    assert np.isfinite(features).all()
    of_song = [NAMES.index(name) for name in ("tone", "covered", "presence")]
    np.testing.assert_allclose(features[:, :, of_song].sum(axis=1), 0.0, atol=1e-9)


def test_a_silent_stem_has_no_features_and_does_not_affect_the_others() -> None:
    silent = levels(1, 4)
    silent.active[:, 3] = False
    silent.frame_lufs[:, 3] = FLOOR_LUFS
    assert silent.frame_covered_db is not None
    features = balance_features(silent)
    assert (features[:, 3] == 0.0).all()
    without = StemLevels(
        loudness_lufs=silent.loudness_lufs[:3],
        tone_db=silent.tone_db[:3],
        covered_db=silent.covered_db[:3],
        presence=silent.presence[:3],
        frame_lufs=silent.frame_lufs[:, :3],
        active=silent.active[:, :3],
        frame_covered_db=silent.frame_covered_db[:, :3],
    )
    np.testing.assert_allclose(features[:, :3], balance_features(without), atol=1e-9)


def test_features_from_levels_have_no_spectral_part() -> None:
    rms = np.random.default_rng(0).uniform(0.01, 0.2, (N_FRAMES, 3))
    features = balance_features(levels_without_spectra(rms, rms > 0.02))
    for name in ("tone", "covered", "covered_moment"):
        assert (features[:, :, NAMES.index(name)] == 0.0).all()
    assert features[:, :, NAMES.index("presence")].any()


@pytest.mark.parametrize(
    ("buses", "company"),
    [
        (("drums", "bass", "melody", "vocals"), (1, 1, 1, 1)),
        (("drums", "guitars", "keys", "vocals"), (1, 2, 2, 1)),
        (("melody", "zither", "strings", "backing vocals"), (3, 3, 3, 1)),
    ],
)
def test_instruments_share_the_place_of_a_melody(buses: tuple[str, ...], company: tuple[int, ...]) -> None:
    assert roles.sharing(buses) == list(company)
    song = levels(2)
    expected = -song.loudness_lufs - 2.0 * np.log10(company)
    np.testing.assert_allclose(at_equal_level_db(buses, song), expected)


# Covering


def power_in(*bands: list[int]) -> FloatArray:
    """Return one frame of buses that have power 1 in these bands each, shape (1, n_buses, N_BANDS)."""
    power = np.zeros((1, len(bands), N_BANDS))
    for bus, of_bus in enumerate(bands):
        power[0, bus, of_bus] = 1.0
    return power


def test_a_bus_with_separate_bands_is_not_covered_and_equal_ones_by_their_number() -> None:
    power, active = power_in([1, 2], [8, 9], [8, 9]), np.ones((1, 3), bool)
    of_song, of_moment = covered_throughout_db(power, active), covered_db(power, active)
    np.testing.assert_allclose(of_song, [0.0, 10.0 * np.log10(2.0), 10.0 * np.log10(2.0)], atol=1e-9)
    np.testing.assert_allclose(of_moment[0], of_song)


@given(seed=st.integers(0, 30))
def test_covering_is_never_negative_and_bounded(seed: int) -> None:
    song = levels(seed)
    assert song.frame_covered_db is not None
    for found in (song.covered_db, song.frame_covered_db):
        assert found.min() >= -1e-9
        assert found.max() <= MOST_COVERED_DB


# Moments


@given(seed=st.integers(0, 60))
def test_the_moment_is_constant_where_a_bus_is_silent(seed: int) -> None:
    song = levels(seed)
    moving = moving_part(song.frame_lufs, song.active, np.where(song.active, 1.0, 0.0))
    change = np.diff(moving, axis=0)
    assert (change[~song.active[1:]] == 0.0).all()
    assert np.abs(change).max() < 1.5  # 0.25 s apart


@given(seed=st.integers(0, 60))
def test_moments_are_bounded_and_have_no_mean(seed: int) -> None:
    song = levels(seed)
    values = 100.0 * np.sin(np.arange(N_FRAMES))[:, None] + song.frame_lufs
    moving = moving_part(values, song.active, np.where(song.active, 1.0, 0.0))
    assert np.abs(moving).max() <= 2.0 * LARGEST_DB
    for bus, on in zip(moving.T, song.active.T, strict=True):
        assert bus[on].mean() == pytest.approx(0.0, abs=1e-9)


def test_a_slow_swell_of_one_bus_is_its_moment() -> None:
    swell = 6.0 * np.sin(2.0 * np.pi * np.arange(400) / 400.0)
    values = np.stack([swell, np.zeros(400)], axis=1)
    moving = moving_part(values, np.ones((400, 2), bool), np.full((400, 2), 0.5))
    np.testing.assert_allclose(moving[:, 0], swell / 2.0, atol=0.3)
    np.testing.assert_allclose(moving[:, 1], -swell / 2.0, atol=0.3)


def test_a_bus_that_sounds_without_others_has_no_moment() -> None:
    values = np.random.default_rng(0).normal(0.0, 5.0, (60, 2))
    active = np.tile([True, False], (60, 1))
    assert np.abs(moving_part(values, active, active.astype(float))).max() < 1e-12
