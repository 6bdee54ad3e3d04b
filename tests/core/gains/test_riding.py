"""Fader riding on speech-like and sung signals with known level steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.models.controls import LIMIT_DB, ride_db

FloatArray = npt.NDArray[np.float64]
N_FRAMES = 240
STEPS_PER_FRAME, STEPS_PER_HOP = 20, 5


def frames_of(step_power: FloatArray) -> FloatArray:
    """Return the loudness per frame of power per 50 ms step, shape (n_frames,)."""
    windows = np.lib.stride_tricks.sliding_window_view(step_power, STEPS_PER_FRAME)[::STEPS_PER_HOP]
    return np.asarray(10.0 * np.log10(np.maximum(windows.mean(axis=1), 1e-12)))


def steps(kind: str) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return relative power per 50 ms step of a voice, and where it sounds."""
    n_steps = STEPS_PER_HOP * (N_FRAMES + 3)
    rng = np.random.default_rng(4)
    time_s = 0.05 * np.arange(n_steps)
    if kind == "sung":
        vibrato_db = 2.0 * np.sin(2.0 * np.pi * 5.5 * time_s)
        phrase = (time_s % 6.0) < 4.5
        return np.where(phrase, 10.0 ** (vibrato_db / 10.0), 1e-7), phrase
    syllables = np.abs(np.sin(2.0 * np.pi * 2.0 * time_s)) ** 2 * 10.0 ** (rng.normal(0.0, 2.0, n_steps) / 10.0)
    phrase = (time_s % 5.0) < 3.5
    return np.where(phrase, syllables + 1e-3, 1e-7), phrase


def voice(kind: str, level_db: FloatArray) -> FloatArray:
    """Return the loudness per frame of a voice whose level follows `level_db` per step."""
    power, _ = steps(kind)
    return frames_of(power * 10.0 ** ((level_db - 20.0) / 10.0))


def stepped(sizes_db: tuple[float, ...]) -> FloatArray:
    n_steps = STEPS_PER_HOP * (N_FRAMES + 3)
    return np.repeat(sizes_db, -(-n_steps // len(sizes_db)))[:n_steps]


def with_others(own: FloatArray) -> FloatArray:
    return np.column_stack([own, np.full(len(own), -18.0), np.full(len(own), -24.0)])


@pytest.mark.parametrize("kind", ["speech", "sung"])
@pytest.mark.parametrize("sizes_db", [(0.0, -6.0, 3.0), (0.0, 8.0, 0.0, -4.0)])
def test_a_full_ride_recovers_known_steps(kind: str, sizes_db: tuple[float, ...]) -> None:
    gain_db = ride_db(with_others(voice(kind, stepped(sizes_db))), 0, 100.0)
    plateaus = np.array_split(np.arange(N_FRAMES), len(sizes_db))
    found = np.array([np.median(gain_db[frames[14:-14]]) for frames in plateaus])
    np.testing.assert_allclose(-(found - found[0]), np.array(sizes_db) - sizes_db[0], atol=1.0)


@pytest.mark.parametrize("kind", ["speech", "sung"])
def test_a_steady_voice_is_barely_moved(kind: str) -> None:
    gain_db = ride_db(with_others(voice(kind, stepped((0.0,)))), 0, 100.0)
    assert np.abs(gain_db).max() < 1.5


def test_half_a_ride_moves_half_as_far() -> None:
    levels = with_others(voice("sung", stepped((0.0, -6.0))))
    whole, half = (ride_db(levels, 0, percent) for percent in (100.0, 50.0))
    assert np.ptp(half) == pytest.approx(0.5 * np.ptp(whole), rel=0.05)
    assert (ride_db(levels, 0, 0.0) == 0.0).all()


def test_a_ride_is_bounded_and_smooth() -> None:
    gain_db = ride_db(with_others(voice("sung", stepped((0.0, -40.0, 10.0)))), 0, 100.0)
    assert np.abs(gain_db).max() <= LIMIT_DB
    assert np.abs(np.diff(gain_db)).max() < 5.0  # dB per 0.25 s, for a step of far more than a bound


def test_silence_and_noise_between_phrases_are_not_pulled_up() -> None:
    own = np.full(N_FRAMES, -20.0)
    own[80:160] = -55.0  # breath and bleed
    gain_db = ride_db(with_others(own), 0, 100.0)
    assert np.abs(gain_db).max() < 0.1
    own[80:160] = -np.inf
    assert np.abs(ride_db(with_others(own), 0, 100.0)).max() < 0.1


def test_a_gain_moves_in_one_direction_through_a_pause() -> None:
    own = np.concatenate([np.full(80, -20.0), np.full(80, -100.0), np.full(80, -26.0)])
    gain_db = ride_db(with_others(own), 0, 100.0)
    assert (np.diff(gain_db[85:155]) >= -1e-9).all()


def test_a_voice_follows_the_others() -> None:
    others = np.concatenate([np.full(120, -18.0), np.full(120, -14.0)])
    gain_db = ride_db(np.column_stack([np.full(240, -20.0), others]), 0, 100.0)
    assert gain_db[200] - gain_db[40] == pytest.approx(4.0, abs=0.3)


def test_a_ride_keeps_the_energy_of_its_bus() -> None:
    levels = with_others(voice("speech", stepped((0.0, -6.0, 3.0))))
    before, after = (10.0 ** (own / 10.0) for own in (levels[:, 0], levels[:, 0] + ride_db(levels, 0, 100.0)))
    assert 10.0 * np.log10(after.sum() / before.sum()) == pytest.approx(0.0, abs=0.2)


def test_a_silent_bus_is_not_changed() -> None:
    assert (ride_db(with_others(np.full(N_FRAMES, -np.inf)), 0, 100.0) == 0.0).all()
