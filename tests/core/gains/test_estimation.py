"""Known gains are recovered from a mixdown, also after usual processing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from core.analysis.measure import Measurement, measure
from core.audio.song import Song, open_song
from core.gains import estimate
from core.gains.estimate import estimate_as_paper
from tests.conftest import FaderMoves
from tests.core.conftest import Array, Estimator, by_bus, errors_db

GOLDEN_SONGS = ("caesium_a", "caesium_b", "falcon69", "kira_dynamic", "mdn_funk", "sodium", "trackswitch")


# A mixdown that is a sum


def test_faders_of_a_linear_mixdown_are_recovered_to_a_hundredth_of_a_db(
    recovered: Estimator, moves: FaderMoves
) -> None:
    found = recovered(moves.mixdown)
    error_db = np.abs(found.curves.gains_db - moves.gain_db(found.curves.time_s))
    for bus in range(len(moves.buses)):
        assert np.median(error_db[found.curves.active[:, bus], bus]) <= 0.01
    assert errors_db(found, moves).max() <= 0.25
    assert (found.domain, found.lag_samples, found.warnings) == ("complex", 0, ())
    assert found.fit == pytest.approx(1.0, abs=1e-4)
    assert not found.limiter.any()
    assert (found.measurement.gram, found.measurement.moments) == (None, None)
    assert "a sum of the stems" in found.reason


@pytest.mark.parametrize("lag", [137, -64, 4000, 3 * 44_100])
def test_the_lag_of_a_mixdown_is_found_exactly_and_compensated(
    recovered: Estimator, moves: FaderMoves, lag: int
) -> None:
    silence = np.zeros((max(lag, 0), 2))
    found = recovered(np.concatenate([silence, moves.mixdown[max(-lag, 0) :]]))
    assert found.lag_samples == lag
    assert np.median(errors_db(found, moves)) <= 0.03


def test_a_late_mixdown_that_ends_with_the_stems_is_estimated_equally_well(
    recovered: Estimator, moves: FaderMoves
) -> None:
    found = recovered(np.concatenate([np.zeros((137, 2)), moves.mixdown])[: len(moves.mixdown)])
    assert found.lag_samples == 137
    assert np.median(errors_db(found, moves)) <= 0.03
    assert found.fit > 0.999


def test_a_quiet_mixdown_has_the_same_moves_at_a_lower_level(recovered: Estimator, moves: FaderMoves) -> None:
    plain, quiet = recovered(moves.mixdown).curves, recovered(moves.mixdown / 10.0).curves
    np.testing.assert_allclose(plain.gains_db[plain.active] - 20.0, quiet.gains_db[plain.active], atol=0.01)


def test_noise_under_the_mixdown_widens_the_deviation(recovered: Estimator, moves: FaderMoves) -> None:
    noise = np.random.default_rng(0).normal(size=moves.mixdown.shape) * 0.003
    clean, noisy = recovered(moves.mixdown), recovered(moves.mixdown + noise)
    assert np.median(errors_db(noisy, moves)) <= 0.03
    assert clean.curves.deviation_db is not None
    assert noisy.curves.deviation_db is not None
    assert np.median(noisy.curves.deviation_db) > 3.0 * np.median(clean.curves.deviation_db)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_80_percent_interval_contains_the_truth_about_as_often(
    recovered: Estimator, moves: FaderMoves, noise: float
) -> None:
    added = np.random.default_rng(1).normal(size=moves.mixdown.shape) * noise
    curves = recovered(moves.mixdown + added).curves
    assert curves.deviation_db is not None
    inside = np.abs(curves.gains_db - moves.gain_db(curves.time_s)) <= 1.2816 * curves.deviation_db
    assert 0.65 <= inside[curves.active].mean() <= 1.0
    assert np.median(curves.deviation_db) < 1.5


@pytest.mark.parametrize("limit", ["soft", "hard"])
def test_the_80_percent_interval_includes_a_limiter(recovered: Estimator, moves: FaderMoves, limit: str) -> None:
    peak = np.percentile(np.abs(moves.mixdown), 99.9)
    soft, hard = np.tanh(1.5 * moves.mixdown / peak) * peak, np.clip(2.0 * moves.mixdown, -peak, peak) / 2.0
    curves = recovered(soft / 1.5 if limit == "soft" else hard).curves
    assert curves.deviation_db is not None
    inside = np.abs(curves.gains_db - moves.gain_db(curves.time_s)) <= 1.2816 * curves.deviation_db
    assert inside[curves.active].mean() >= 0.8


def test_a_mixdown_at_48_khz_works_with_stems_at_44(recovered: Estimator, moves: FaderMoves) -> None:
    found = recovered(soxr.resample(moves.mixdown, 44_100, 48_000, quality="VHQ"), sample_rate=48_000)
    assert np.median(errors_db(found, moves)) <= 0.03
    assert any("resampled from 48000 to 44100 Hz" in warning for warning in found.warnings)


@pytest.mark.parametrize("domain", ["complex", "power"])
def test_a_mono_mixdown_is_fitted_by_the_mean_of_the_stems_channels(
    recovered: Estimator, moves: FaderMoves, domain: str
) -> None:
    found = recovered(moves.mixdown.mean(axis=1), domain=domain)
    assert np.median(errors_db(found, moves)) <= {"complex": 0.03, "power": 0.5}[domain]
    assert any("the mixdown is mono" in warning for warning in found.warnings)


def test_a_mono_mixdown_in_a_stereo_file_is_recognised(recovered: Estimator, moves: FaderMoves) -> None:
    found = recovered(np.repeat(moves.mixdown.mean(axis=1)[:, None], 2, axis=1))
    assert np.median(errors_db(found, moves)) <= 0.03
    assert any("the mixdown is mono" in warning for warning in found.warnings)


def test_a_mixdown_that_becomes_stereo_is_not_a_mono_mixdown(recovered: Estimator, moves: FaderMoves) -> None:
    mixdown = np.repeat(moves.mixdown.mean(axis=1)[:, None], 2, axis=1)
    late = slice(7 * len(mixdown) // 8, None)
    mixdown[late] = moves.mixdown[late]
    assert not any("the mixdown is mono" in warning for warning in recovered(mixdown).warnings)


def test_mono_stems_work_with_a_stereo_mixdown(recovered_from: Estimator, moves: FaderMoves) -> None:
    mono = {bus: stem.mean(axis=1) for bus, stem in by_bus(moves).items()}
    mixdown = np.repeat(moves.moved_stems().mean(axis=2).sum(axis=0)[:, None], 2, axis=1)
    found = recovered_from(mono, mixdown)
    assert np.median(errors_db(found, moves)) <= 0.03
    assert not any("mixdown is mono" in warning for warning in found.warnings)


def test_gains_are_held_after_the_end_of_a_short_mixdown(recovered: Estimator, moves: FaderMoves) -> None:
    found = recovered(moves.mixdown[: 12 * 44_100])
    curves = found.curves
    assert np.median(errors_db(found, moves, until_s=12.0)) <= 0.03
    after = curves.time_s > 13.0
    last = curves.gains_db[curves.time_s <= 11.5][-1]
    np.testing.assert_allclose(curves.gains_db[after], np.broadcast_to(last, curves.gains_db[after].shape), atol=0.3)
    assert curves.deviation_db is not None
    assert np.median(curves.deviation_db[after]) > 10.0 * np.median(curves.deviation_db[~after])
    assert np.isnan(curves.fit[after]).all()
    assert found.fit > 0.999
    assert any("12.0 s shorter" in warning for warning in found.warnings)


def test_a_mixdown_longer_than_its_stems_is_used_up_to_their_end(recovered: Estimator, moves: FaderMoves) -> None:
    found = recovered(np.concatenate([moves.mixdown, moves.mixdown[: 6 * 44_100]]))
    assert np.median(errors_db(found, moves)) <= 0.03
    assert any("6.0 s longer" in warning for warning in found.warnings)


def test_a_single_bus_is_recovered(recovered_from: Estimator, moves: FaderMoves) -> None:
    curves = recovered_from({"drums": moves.stems[0]}, moves.moved_stems()[0]).curves
    error_db = np.abs(curves.gains_db[:, 0] - moves.gain_db(curves.time_s)[:, 0])
    assert curves.buses == ("drums",)
    assert np.median(error_db[curves.active[:, 0]]) <= 0.03


# Silence, likeness, polarity


def test_the_gain_of_a_silent_part_is_interpolated_and_uncertain(recovered_from: Estimator, moves: FaderMoves) -> None:
    sounds = np.ones(moves.stems.shape[1])
    sounds[8 * 44_100 : 16 * 44_100] = 0.0
    stems = by_bus(moves) | {"vocals": moves.stems[3] * sounds[:, None]}
    moved = moves.moved_stems()
    curves = recovered_from(stems, moved[:3].sum(axis=0) + moved[3] * sounds[:, None]).curves
    gap = (curves.time_s > 8.5) & (curves.time_s < 15.5)
    edges_db = moves.gain_db(np.array([8.0, 16.0]))[:, 3]
    assert curves.deviation_db is not None
    assert not curves.active[gap, 3].any()
    assert curves.gains_db[gap, 3].min() > edges_db.min() - 1.0
    assert curves.gains_db[gap, 3].max() < edges_db.max() + 1.0
    assert np.abs(np.diff(curves.gains_db[gap, 3])).max() < 0.5
    middle = int(np.argmin(np.abs(curves.time_s - 12.0)))
    assert curves.deviation_db[middle, 3] > 10.0 * np.median(curves.deviation_db[curves.active[:, 3], 3])
    error_db = np.abs(curves.gains_db - moves.gain_db(curves.time_s))
    assert np.median(error_db[curves.active]) <= 0.03


def test_a_silent_stem_keeps_0_db_and_is_reported_as_unknown(recovered_from: Estimator, moves: FaderMoves) -> None:
    stems = by_bus(moves) | {"vocals": np.zeros_like(moves.stems[3])}
    found = recovered_from(stems, moves.moved_stems()[:3].sum(axis=0))
    assert found.curves.deviation_db is not None
    np.testing.assert_allclose(found.curves.gains_db[:, 3], 0.0, atol=1e-6)
    assert found.curves.deviation_db[:, 3].min() > 20.0
    assert found.warnings == ("vocals.wav is silent throughout; its gain is held",)
    assert np.median(errors_db(found, moves)) <= 0.03


def test_two_similar_stems_have_a_certain_sum_and_uncertain_parts(recovered_from: Estimator, moves: FaderMoves) -> None:
    rng = np.random.default_rng(0)
    double = moves.stems[2] + rng.normal(size=moves.stems[2].shape) * 1e-5
    gains = 10.0 ** (moves.gain_db(np.arange(len(double)) / 44_100) / 20.0)
    mixdown = moves.moved_stems()[:3].sum(axis=0) + double * gains[:, 3:]
    found = recovered_from(by_bus(moves) | {"vocals": double}, mixdown + rng.normal(size=mixdown.shape) * 1e-3)
    curves = found.curves
    true = 10.0 ** (moves.gain_db(curves.time_s) / 20.0)
    of_sum_db = 20.0 * np.log10(curves.gains[:, 2:].sum(axis=1) / true[:, 2:].sum(axis=1))
    assert np.abs(of_sum_db[curves.active[:, 2]]).max() <= 0.1
    assert curves.deviation_db is not None
    assert (np.median(curves.deviation_db[:, 2:], axis=0) > 3.0).all()
    assert (np.median(curves.deviation_db[:, :2], axis=0) < 0.5).all()
    assert any("melody and vocals" in warning for warning in found.warnings)


def test_the_same_stem_twice_shares_its_gain_evenly(recovered_from: Estimator, moves: FaderMoves) -> None:
    stems = {"melody": moves.stems[2], "vocals": moves.stems[2]}
    curves = recovered_from(stems, moves.moved_stems()[2]).curves
    np.testing.assert_allclose(curves.gains[:, 0], curves.gains[:, 1], rtol=0.05)


@pytest.mark.parametrize("stem", [0, 2])
def test_a_stem_of_inverted_polarity_is_corrected_and_reported(
    recovered: Estimator, moves: FaderMoves, stem: int
) -> None:
    moved = moves.moved_stems()
    moved[stem] *= -1.0
    found = recovered(moved.sum(axis=0))
    (warning,) = found.warnings
    assert moves.buses[stem] in warning
    assert np.median(errors_db(found, moves)) <= 0.03


def test_a_plain_sum_is_measured_once(recovered: Estimator, moves: FaderMoves, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[bool] = []

    def counting(*arguments: Any, with_powers: bool, **options: Any) -> Measurement:
        measured.append(with_powers)
        return measure(*arguments, with_powers=with_powers, **options)

    monkeypatch.setattr(estimate, "measure", counting)
    recovered(moves.mixdown)
    assert measured == [False]


# The paper's estimate


@pytest.mark.parametrize("title", GOLDEN_SONGS)
def test_raw_and_smoothed_gains_of_the_paper_preset_equal_the_original(shared: Path, title: str) -> None:
    curves = estimate_as_paper(open_song(shared / "songs" / title)).curves
    with np.load(shared / "reference" / "golden" / f"{title}.npz") as golden:
        columns = [curves.buses.index(bus) for bus in golden["buses"]]
        np.testing.assert_allclose(curves.gains_raw[:, columns], golden["gains_raw"], atol=1e-6, rtol=0.0)
        np.testing.assert_allclose(curves.gains[:, columns], golden["gains"], atol=1e-6, rtol=0.0)


def test_gains_of_the_bundled_song_in_the_paper_preset_equal_the_original(
    caesium: Song, golden: dict[str, Array]
) -> None:
    curves = estimate_as_paper(caesium).curves
    columns = [curves.buses.index(str(bus)) for bus in golden["buses"]]
    found = curves.gains_raw[: len(golden["gains_raw"]), columns]
    np.testing.assert_allclose(found, golden["gains_raw"], atol=1e-6, rtol=0.0)


def test_the_gate_of_the_paper_preset_opens_above_an_rms_of_a_hundredth(caesium: Song) -> None:
    found = estimate_as_paper(caesium)
    assert (found.domain, found.lag_samples) == ("magnitude", 0)
    np.testing.assert_array_equal(found.curves.active, found.measurement.rms > 0.01)
    assert 0.0 < found.curves.active.mean() < 1.0


def test_smoothing_of_the_paper_preset_keeps_the_first_frame_and_starts_at_zero(caesium: Song) -> None:
    curves = estimate_as_paper(caesium).curves
    np.testing.assert_array_equal(curves.gains[0], curves.gains_raw[0])
    np.testing.assert_allclose(curves.gains[1], 0.1 * curves.gains_raw[1])
    np.testing.assert_allclose(curves.gains[2], 0.9 * curves.gains[1] + 0.1 * curves.gains_raw[2])
