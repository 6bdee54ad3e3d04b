"""Gains are found although a mixdown is late by a fraction of a sample, band-limited, offset, inverted or swapped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
import soxr

from core.analysis.measure import measure
from core.audio.song import open_song
from core.gains.estimate import Estimate, estimate

Array = npt.NDArray[np.float64]

RATE = 44_100
N_SAMPLES = 8 * RATE
GAINS_DB = {"drums": -2.0, "bass": 1.0, "vocals": 3.0}
BANDS_HZ = {"drums": (40.0, 15_000.0), "bass": (40.0, 300.0), "vocals": (150.0, 8_000.0)}


def noise(low_hz: float, high_hz: float, seed: int) -> Array:
    """Return noise of a band that swells, shape (n_samples, 2)."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=(N_SAMPLES, 2)), axis=0)
    frequency_hz = np.fft.rfftfreq(N_SAMPLES, 1.0 / RATE)
    spectrum[(frequency_hz < low_hz) | (frequency_hz > high_hz)] = 0.0
    samples = np.fft.irfft(spectrum, N_SAMPLES, axis=0)
    samples *= (0.6 + 0.4 * np.sin(2.0 * np.pi * np.arange(N_SAMPLES) / RATE * (0.3 + 0.1 * seed)))[:, None]
    return np.asarray(0.07 * samples / np.sqrt(np.mean(samples**2)))


@pytest.fixture(scope="module")
def stems() -> dict[str, Array]:
    return {bus: noise(*band, seed) for seed, (bus, band) in enumerate(BANDS_HZ.items())}


def mixed(stems: Mapping[str, Array]) -> Array:
    return np.asarray(sum(10.0 ** (GAINS_DB[bus] / 20.0) * stem for bus, stem in stems.items()))


def delayed(samples: Array, delay_samples: float) -> Array:
    spectrum = np.fft.rfft(samples, axis=0)
    turn = np.exp(-2j * np.pi * np.arange(len(spectrum)) * delay_samples / len(samples))
    return np.asarray(np.fft.irfft(spectrum * turn[:, None], len(samples), axis=0))


def estimated(folder: Path, stems: Mapping[str, Array], mixdown: Array, mixdown_rate: int = RATE) -> Estimate:
    for bus, stem in stems.items():
        soundfile.write(folder / f"{bus}.wav", stem, RATE, subtype="FLOAT")
    soundfile.write(folder / "mix.wav", mixdown, mixdown_rate, subtype="FLOAT")
    return estimate(open_song(folder))


def assert_gains(found: Estimate, tolerance_db: float = 0.02) -> None:
    assert found.domain == "complex"
    assert found.curves.median_gain_db() == pytest.approx(GAINS_DB, abs=tolerance_db)
    assert found.fit > 0.99


@pytest.mark.parametrize("delay_samples", [0.5, 123.3, -0.25])
def test_mixdown_late_by_a_fraction_of_a_sample(tmp_path: Path, stems: dict[str, Array], delay_samples: float) -> None:
    found = estimated(tmp_path, stems, delayed(mixed(stems), delay_samples))
    assert_gains(found)
    assert any(f"{delay_samples:.2f} samples" in warning for warning in found.warnings)


def test_mixdown_at_a_lower_rate(tmp_path: Path, stems: dict[str, Array]) -> None:
    found = estimated(tmp_path, stems, soxr.resample(mixed(stems), RATE, 22_050), 22_050)
    assert_gains(found)
    assert any("kHz" in warning for warning in found.warnings)


def test_the_bandwidth_of_the_mixdown_does_not_change_the_levels_of_the_stems(
    tmp_path: Path, stems: dict[str, Array]
) -> None:
    found = estimated(tmp_path, stems, soxr.resample(mixed(stems), RATE, 8_000), 8_000)
    stems_alone = measure(open_song(tmp_path))
    np.testing.assert_array_equal(found.measurement.step_power, stems_alone.step_power)
    np.testing.assert_array_equal(found.measurement.rms, stems_alone.rms)


def test_low_passed_mixdown_at_the_same_rate(tmp_path: Path, stems: dict[str, Array]) -> None:
    spectrum = np.fft.rfft(mixed(stems), axis=0)
    spectrum[np.fft.rfftfreq(N_SAMPLES, 1.0 / RATE) > 9_000.0] = 0.0
    assert_gains(estimated(tmp_path, stems, np.fft.irfft(spectrum, N_SAMPLES, axis=0)))


@pytest.mark.parametrize("offset", [0.01, -0.1])
def test_mixdown_with_a_constant_offset(tmp_path: Path, stems: dict[str, Array], offset: float) -> None:
    found = estimated(tmp_path, stems, mixed(stems) + offset)
    assert_gains(found)
    assert any("mix.wav has a constant offset" in warning for warning in found.warnings)


def test_stem_with_a_constant_offset(tmp_path: Path, stems: dict[str, Array]) -> None:
    found = estimated(tmp_path, {**stems, "bass": stems["bass"] + 0.05}, mixed(stems))
    assert_gains(found)
    assert any("bass.wav has a constant offset" in warning for warning in found.warnings)


def test_inverted_mixdown(tmp_path: Path, stems: dict[str, Array]) -> None:
    assert_gains(estimated(tmp_path, stems, -mixed(stems)))


def test_mixdown_with_swapped_channels(tmp_path: Path, stems: dict[str, Array]) -> None:
    found = estimated(tmp_path, stems, mixed(stems)[:, ::-1])
    assert_gains(found)
    assert any("swapped" in warning for warning in found.warnings)


@pytest.mark.parametrize("swapped", [("drums",), ("bass",), ("vocals", "bass")])
def test_stems_with_swapped_channels(tmp_path: Path, stems: dict[str, Array], swapped: tuple[str, ...]) -> None:
    given = {bus: stem[:, ::-1] if bus in swapped else stem for bus, stem in stems.items()}
    found = estimated(tmp_path, given, mixed(stems))
    assert_gains(found)
    assert any("swapped" in warning for warning in found.warnings)


@pytest.mark.parametrize("level", [1e-40, 1e-30, 1e-12])
def test_a_stem_of_denormal_numbers_changes_nothing(tmp_path: Path, stems: dict[str, Array], level: float) -> None:
    found = estimated(tmp_path, {**stems, "keys": level * stems["drums"][::-1]}, mixed(stems))
    gains_db = found.curves.median_gain_db()
    assert {bus: gains_db[bus] for bus in GAINS_DB} == pytest.approx(GAINS_DB, abs=0.05)
    assert found.fit > 0.99
    assert not any("swapped" in warning for warning in found.warnings)


def test_a_plain_sum_is_not_corrected(tmp_path: Path, stems: dict[str, Array]) -> None:
    found = estimated(tmp_path, stems, mixed(stems))
    assert_gains(found, 1e-3)
    assert found.warnings == ()
