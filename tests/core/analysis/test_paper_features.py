"""The paper's features are the original implementation's, digit for digit, quirks included."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal

from core.analysis import paper
from core.analysis.paper import measure_as_paper
from core.audio.song import Song

RATE = 44_100
SINGLE_IMPULSE_SLOPE = 1e-20
"""The spectrum of a single impulse is flat: its slope, near 1e-25, is rounding error."""
Golden = dict[str, npt.NDArray[np.float64]]


def sine(frequency_hz: float) -> npt.NDArray[np.float64]:
    return np.sin(2.0 * np.pi * frequency_hz * np.arange(RATE) / RATE)[None]


def test_condition_1_of_the_bundled_song_equals_the_original(caesium: Song, golden: Golden) -> None:
    measured = measure_as_paper(caesium, feature_set="condition1", with_mixdown=False)
    for bus in caesium.buses:
        expected = golden[f"features1_{bus}"]
        ours = measured.features[bus][: len(expected)]
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=SINGLE_IMPULSE_SLOPE, err_msg=bus)


def test_condition_2_of_the_bundled_song_equals_the_original_after_the_filter_settles(
    caesium: Song, golden: Golden
) -> None:
    measured = measure_as_paper(caesium, feature_set="condition2", with_mixdown=False)
    for bus in caesium.buses:
        expected = golden[f"features2_{bus}"]
        ours = measured.features[bus][: len(expected)]
        settled = slice(4, None)  # the original's filter ran through the 10 s before the excerpt
        np.testing.assert_allclose(ours[settled], expected[settled], rtol=1e-6, err_msg=bus)


def test_centroid_of_a_sine_is_its_frequency_on_the_axis_of_the_original() -> None:
    centroid, rms, _ = paper.condition1(sine(1_000.0), RATE)[0]
    assert centroid == pytest.approx(1_000.0 * RATE / (RATE - 1), rel=1e-6)
    assert rms == pytest.approx(np.sqrt(0.5))


def test_white_noise_has_its_centroid_at_half_of_nyquist_and_no_slope() -> None:
    noise = np.random.default_rng(0).standard_normal((40, RATE))
    centroid, rms, slope = paper.condition1(noise, RATE).mean(axis=0)
    assert centroid == pytest.approx(RATE / 4, rel=2e-3)
    assert rms == pytest.approx(1.0, rel=1e-2)
    assert abs(slope) < 1e-4


def test_a_sine_has_no_spread_and_crosses_zero_twice_a_period() -> None:
    frame = np.sin(2.0 * np.pi * 100.0 * (np.arange(RATE) + 0.5) / RATE)[None]
    _, spread, _, loudness, crossings = paper.condition2(frame, RATE)[0]
    assert spread == pytest.approx(0.0, abs=1.0)
    assert loudness == pytest.approx(0.691 * 10.0 * np.log10(0.5))
    assert crossings == 199


def test_a_sample_of_exactly_zero_has_a_third_sign() -> None:
    frame = np.ones((1, 1_000))
    frame[0, 500] = 0.0
    assert paper.condition2(frame, 1_000)[0, 4] == 2


def test_silence_has_features_and_they_are_zero() -> None:
    silence = np.zeros((2, RATE))
    assert not paper.condition1(silence, RATE).any()
    silent = paper.condition2(silence, RATE)
    assert not silent[:, [0, 1, 2, 4]].any()
    np.testing.assert_allclose(silent[:, 3], 6.91 * np.log10(np.finfo(float).eps))


def test_gain_scales_rms_and_slope_and_leaves_the_centroid() -> None:
    noise = np.random.default_rng(1).standard_normal((1, RATE))
    once, twice = paper.condition1(noise, RATE)[0], paper.condition1(2.0 * noise, RATE)[0]
    np.testing.assert_allclose(twice, once * [1.0, 2.0, 2.0])


def test_k_weighting_is_the_48_khz_filter_however_the_signal_is_cut() -> None:
    signal = np.random.default_rng(2).standard_normal(3_000)
    weighting = paper.KWeighting()
    pieces = np.concatenate([weighting(piece) for piece in np.split(signal, [1, 700, 1_900])])
    sections = np.array(
        [
            [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
            [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
        ]
    )
    np.testing.assert_allclose(pieces, scipy.signal.sosfilt(sections, signal), atol=1e-10)
