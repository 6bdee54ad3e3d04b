"""The gains that were set come back out of the mixdown they made, whatever a mixdown usually goes through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pytest
import scipy.signal
import soundfile
import soxr

from core.errors import InputError
from core.estimation import Estimate, estimate, estimate_as_paper, limiter_reduction_db
from core.song import Song, open_song

Array = npt.NDArray[np.float64]
Estimator = Callable[..., Estimate]

GOLDEN_SONGS = ("caesium_a", "caesium_b", "falcon69", "kira_dynamic", "mdn_funk", "sodium", "trackswitch")


class FaderMoves(Protocol):
    """What the fixture `moves` gives."""

    buses: tuple[str, ...]
    stems: Array
    mixdown: Array
    sample_rate: int

    def gain_db(self, time_s: Array) -> Array: ...

    def moved_stems(self) -> Array: ...


@pytest.fixture
def recovered(caesium: Song, tmp_path: Path) -> Estimator:
    """Estimates the gains that turn the bundled stems into a mixdown given as samples."""
    folder = next(iter(caesium.stems.values())).path.parent

    def run(mixdown: Array, *, sample_rate: int = 44_100, **options: Any) -> Estimate:
        path = tmp_path / "made.wav"
        soundfile.write(path, mixdown, sample_rate, subtype="FLOAT")
        return estimate(open_song(folder, mixdown=path), **options)

    return run


@pytest.fixture
def recovered_from(tmp_path: Path) -> Estimator:
    """Estimates the gains that turn stems given as samples into a mixdown given as samples."""

    def run(stems: Mapping[str, Array], mixdown: Array, **options: Any) -> Estimate:
        for name, samples in {**stems, "mix": mixdown}.items():
            soundfile.write(tmp_path / f"{name}.wav", samples, 44_100, subtype="FLOAT")
        return estimate(open_song(tmp_path), **options)

    return run


def errors_db(found: Estimate, moves: FaderMoves, *, until_s: float = np.inf) -> Array:
    """Return the absolute errors over the frames in which each stem sounds."""
    curves = found.curves
    inside = curves.active & (curves.time_s < until_s - 0.5)[:, None]
    return np.abs(curves.gains_db - moves.gain_db(curves.time_s))[inside]


def by_bus(moves: FaderMoves) -> dict[str, Array]:
    return dict(zip(moves.buses, moves.stems, strict=True))


# A mixdown that is a sum


def test_a_linear_mixdowns_faders_are_recovered_to_a_hundredth_of_a_db(recovered: Estimator, moves: FaderMoves) -> None:
    found = recovered(moves.mixdown)
    error_db = np.abs(found.curves.gains_db - moves.gain_db(found.curves.time_s))
    for bus in range(len(moves.buses)):
        assert np.median(error_db[found.curves.active[:, bus], bus]) <= 0.01
    assert errors_db(found, moves).max() <= 0.25
    assert (found.domain, found.lag_samples, found.warnings) == ("complex", 0, ())
    assert found.fit == pytest.approx(1.0, abs=1e-4)
    assert not found.limiter.any()
    assert "linear sum" in found.reason


@pytest.mark.parametrize("lag", [137, -64, 4000, 3 * 44_100])
def test_a_mixdowns_lag_is_found_exactly_and_taken_out(recovered: Estimator, moves: FaderMoves, lag: int) -> None:
    silence = np.zeros((max(lag, 0), 2))
    found = recovered(np.concatenate([silence, moves.mixdown[max(-lag, 0) :]]))
    assert found.lag_samples == lag
    assert np.median(errors_db(found, moves)) <= 0.03


def test_a_late_mixdown_that_was_cut_at_the_stems_end_is_no_worse(recovered: Estimator, moves: FaderMoves) -> None:
    found = recovered(np.concatenate([np.zeros((137, 2)), moves.mixdown])[: len(moves.mixdown)])
    assert found.lag_samples == 137
    assert np.median(errors_db(found, moves)) <= 0.03
    assert found.fit > 0.999


def test_a_quiet_mixdown_has_the_same_moves_that_much_lower(recovered: Estimator, moves: FaderMoves) -> None:
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
def test_the_80_percent_interval_holds_the_truth_about_as_often(
    recovered: Estimator, moves: FaderMoves, noise: float
) -> None:
    added = np.random.default_rng(1).normal(size=moves.mixdown.shape) * noise
    curves = recovered(moves.mixdown + added).curves
    assert curves.deviation_db is not None
    inside = np.abs(curves.gains_db - moves.gain_db(curves.time_s)) <= 1.2816 * curves.deviation_db
    assert 0.65 <= inside[curves.active].mean() <= 1.0
    assert np.median(curves.deviation_db) < 1.0


def test_a_mixdown_at_48_khz_serves_stems_at_44(recovered: Estimator, moves: FaderMoves) -> None:
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


def test_a_mono_mixdown_in_a_stereo_file_is_a_mono_mixdown(recovered: Estimator, moves: FaderMoves) -> None:
    found = recovered(np.repeat(moves.mixdown.mean(axis=1)[:, None], 2, axis=1))
    assert np.median(errors_db(found, moves)) <= 0.03
    assert any("the mixdown is mono" in warning for warning in found.warnings)


def test_mono_stems_serve_a_stereo_mixdown(recovered_from: Estimator, moves: FaderMoves) -> None:
    mono = {bus: stem.mean(axis=1) for bus, stem in by_bus(moves).items()}
    mixdown = np.repeat(moves.moved_stems().mean(axis=2).sum(axis=0)[:, None], 2, axis=1)
    found = recovered_from(mono, mixdown)
    assert np.median(errors_db(found, moves)) <= 0.03
    assert not any("mixdown is mono" in warning for warning in found.warnings)


def test_a_mixdown_shorter_than_its_stems_says_nothing_of_what_comes_after(
    recovered: Estimator, moves: FaderMoves
) -> None:
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


# Limiters


LIMITERS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "arctan": lambda x: np.arctan(np.pi / 2.0 * x) * 2.0 / np.pi,
    "x/(1+|x|)": lambda x: x / (1.0 + np.abs(x)),
    "cubic": lambda x: np.where(np.abs(x) < 1.0, x - x**3 / 3.0, np.sign(x) * 2.0 / 3.0),
}
REACHED_DB = {"tanh": 0.02, "arctan": 0.03, "x/(1+|x|)": 0.3, "cubic": 0.03}


@pytest.mark.parametrize("name", LIMITERS)
def test_a_soft_limiter_is_told_apart_from_the_faders(recovered: Estimator, moves: FaderMoves, name: str) -> None:
    drive = 2.0
    limited = LIMITERS[name](moves.mixdown * drive) / drive
    peak = float(np.abs(moves.mixdown).max())
    taken_db = 20.0 * np.log10(peak / np.abs(limited).max())
    assert taken_db > 2.0
    found = recovered(limited)
    assert np.median(errors_db(found, moves)) <= REACHED_DB[name]
    assert limiter_reduction_db(found.limiter, peak) == pytest.approx(taken_db, abs=1.0)


@pytest.mark.parametrize("name", ["tanh", "x/(1+|x|)", "cubic"])
def test_even_a_limiter_that_is_driven_hard_costs_less_than_0_6_db(
    recovered: Estimator, moves: FaderMoves, name: str
) -> None:
    limited = LIMITERS[name](moves.mixdown * 4.0) / 4.0
    assert np.median(errors_db(recovered(limited), moves)) <= 0.6


def test_noise_is_not_taken_for_a_limiter(recovered: Estimator, moves: FaderMoves) -> None:
    noise = np.random.default_rng(2).normal(size=moves.mixdown.shape) * 0.003
    found = recovered(moves.mixdown + noise)
    assert not found.limiter.any()
    assert limiter_reduction_db(found.limiter, 1.0) == 0.0


# Silence, likeness, polarity


def test_where_a_stem_is_silent_its_gain_runs_from_before_to_after_and_is_unsure(
    recovered_from: Estimator, moves: FaderMoves
) -> None:
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


def test_a_stem_that_never_sounds_is_left_alone_and_said_to_be_unknown(
    recovered_from: Estimator, moves: FaderMoves
) -> None:
    stems = by_bus(moves) | {"vocals": np.zeros_like(moves.stems[3])}
    found = recovered_from(stems, moves.moved_stems()[:3].sum(axis=0))
    assert found.curves.deviation_db is not None
    np.testing.assert_allclose(found.curves.gains_db[:, 3], 0.0, atol=1e-6)
    assert found.curves.deviation_db[:, 3].min() > 20.0
    assert found.warnings == ("vocals.wav is silent throughout; its gain is held",)
    assert np.median(errors_db(found, moves)) <= 0.03


def test_two_stems_that_are_nearly_the_same_have_a_sure_sum_and_unsure_parts(
    recovered_from: Estimator, moves: FaderMoves
) -> None:
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
    assert any("melody and vocals cannot be told apart" in warning for warning in found.warnings)


def test_the_same_stem_twice_shares_its_gain_evenly(recovered_from: Estimator, moves: FaderMoves) -> None:
    stems = {"melody": moves.stems[2], "vocals": moves.stems[2]}
    curves = recovered_from(stems, moves.moved_stems()[2]).curves
    np.testing.assert_allclose(curves.gains[:, 0], curves.gains[:, 1], rtol=0.05)


@pytest.mark.parametrize("stem", [0, 2])
def test_a_stem_that_is_upside_down_in_the_mixdown_is_turned_back_and_told(
    recovered: Estimator, moves: FaderMoves, stem: int
) -> None:
    moved = moves.moved_stems()
    moved[stem] *= -1.0
    found = recovered(moved.sum(axis=0))
    assert found.warnings == (f"{moves.buses[stem]}'s polarity is flipped in the mixdown; it was turned back",)
    assert np.median(errors_db(found, moves)) <= 0.03


# Mixdowns that are no sum


def test_a_mixdown_with_other_phases_is_fitted_by_power_spectra(recovered: Estimator, moves: FaderMoves) -> None:
    all_pass = np.tile([-0.8, 1.0, 0.0, 1.0, -0.8, 0.0], (60, 1))
    found = recovered(scipy.signal.sosfilt(all_pass, moves.mixdown, axis=0))
    assert found.domain == "power"
    assert "no linear sum" in found.reason
    assert any("hardly follows from the faders" in warning for warning in found.warnings)
    assert np.median(errors_db(found, moves)) <= 1.5
    assert found.curves.deviation_db is not None
    assert np.median(found.curves.deviation_db) > 1.0


@pytest.mark.parametrize("domain", ["complex", "power", "magnitude"])
def test_a_domain_that_is_asked_for_is_taken(recovered: Estimator, moves: FaderMoves, domain: str) -> None:
    found = recovered(moves.mixdown, domain=domain)
    assert (found.domain, found.reason) == (domain, "it was asked for")
    assert np.median(errors_db(found, moves)) <= {"complex": 0.03, "power": 0.5, "magnitude": 2.0}[domain]


@pytest.mark.parametrize("foreign", ["noise", "played backwards"])
def test_a_mixdown_of_something_else_is_recognised(recovered: Estimator, moves: FaderMoves, foreign: str) -> None:
    noise = np.random.default_rng(3).normal(size=moves.mixdown.shape) * 0.1
    found = recovered(noise if foreign == "noise" else moves.mixdown[::-1])
    assert any("does not seem to come from these stems" in warning for warning in found.warnings)


def test_the_released_master_is_said_to_hardly_follow_from_the_faders(caesium: Song) -> None:
    found = estimate(caesium)
    assert found.domain == "power"
    assert any("hardly follows from the faders" in warning for warning in found.warnings)


@pytest.mark.parametrize("estimator", [estimate, estimate_as_paper])
def test_a_silent_mixdown_is_refused(moves: FaderMoves, tmp_path: Path, estimator: Estimator) -> None:
    soundfile.write(tmp_path / "drums.wav", moves.stems[0], 44_100)
    soundfile.write(tmp_path / "mix.wav", np.zeros_like(moves.mixdown), 44_100)
    with pytest.raises(InputError, match=r"mix\.wav: the mixdown is silent"):
        estimator(open_song(tmp_path))


@pytest.mark.parametrize("estimator", [estimate, estimate_as_paper])
def test_a_song_without_a_mixdown_is_refused(moves: FaderMoves, tmp_path: Path, estimator: Estimator) -> None:
    soundfile.write(tmp_path / "drums.wav", moves.stems[0], 44_100)
    with pytest.raises(InputError, match="no mixdown"):
        estimator(open_song(tmp_path))


def test_an_error_in_progress_ends_the_work(caesium: Song) -> None:
    def stop(fraction: float) -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        estimate(caesium, progress=stop)


# The paper's estimate


@pytest.mark.parametrize("title", GOLDEN_SONGS)
def test_the_papers_gains_raw_and_smoothed_are_the_originals(shared: Path, title: str) -> None:
    curves = estimate_as_paper(open_song(shared / "songs" / title)).curves
    with np.load(shared / "reference" / "golden" / f"{title}.npz") as golden:
        columns = [curves.buses.index(bus) for bus in golden["buses"]]
        np.testing.assert_allclose(curves.gains_raw[:, columns], golden["gains_raw"], atol=1e-6, rtol=0.0)
        np.testing.assert_allclose(curves.gains[:, columns], golden["gains"], atol=1e-6, rtol=0.0)


def test_the_papers_gains_of_the_bundled_song_are_the_originals(caesium: Song, golden: dict[str, Array]) -> None:
    curves = estimate_as_paper(caesium).curves
    columns = [curves.buses.index(str(bus)) for bus in golden["buses"]]
    found = curves.gains_raw[: len(golden["gains_raw"]), columns]
    np.testing.assert_allclose(found, golden["gains_raw"], atol=1e-6, rtol=0.0)


def test_the_papers_smoothing_keeps_the_first_frame_and_starts_the_next_from_nothing(caesium: Song) -> None:
    curves = estimate_as_paper(caesium).curves
    np.testing.assert_array_equal(curves.gains[0], curves.gains_raw[0])
    np.testing.assert_allclose(curves.gains[1], 0.1 * curves.gains_raw[1])
    np.testing.assert_allclose(curves.gains[2], 0.9 * curves.gains[1] + 0.1 * curves.gains_raw[2])
