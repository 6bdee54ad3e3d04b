"""Gains are recovered from mixdowns that are not plain sums, or a warning is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from core.audio.song import Song, open_song
from core.gains.alignment import align
from core.gains.estimate import estimate, estimate_as_paper, limiter_reduction_db
from tests.conftest import FaderMoves
from tests.core.conftest import Array, Estimator, errors_db
from tests.expected_errors import raises_error

# Limiters


LIMITERS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "arctan": lambda x: np.arctan(np.pi / 2.0 * x) * 2.0 / np.pi,
    "x/(1+|x|)": lambda x: x / (1.0 + np.abs(x)),
    "cubic": lambda x: np.where(np.abs(x) < 1.0, x - x**3 / 3.0, np.sign(x) * 2.0 / 3.0),
}
REACHED_DB = {"tanh": 0.02, "arctan": 0.03, "x/(1+|x|)": 0.3, "cubic": 0.03}


@pytest.mark.parametrize("name", LIMITERS)
def test_a_soft_limiter_is_distinguished_from_the_faders(recovered: Estimator, moves: FaderMoves, name: str) -> None:
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


def test_noise_is_not_mistaken_for_a_limiter(recovered: Estimator, moves: FaderMoves) -> None:
    noise = np.random.default_rng(2).normal(size=moves.mixdown.shape) * 0.003
    found = recovered(moves.mixdown + noise)
    assert not found.limiter.any()
    assert limiter_reduction_db(found.limiter, 1.0) == 0.0


# Mixdowns that are not a sum


def test_a_mixdown_with_other_phases_is_fitted_by_power_spectra(recovered: Estimator, moves: FaderMoves) -> None:
    all_pass = np.tile([-0.8, 1.0, 0.0, 1.0, -0.8, 0.0], (60, 1))
    found = recovered(scipy.signal.sosfilt(all_pass, moves.mixdown, axis=0))
    assert found.domain == "power"
    assert any("gains are approximate" in warning for warning in found.warnings)
    assert np.median(errors_db(found, moves)) <= 1.5
    assert found.curves.deviation_db is not None
    assert np.median(found.curves.deviation_db) > 1.0


@pytest.mark.parametrize("domain", ["complex", "power", "magnitude"])
def test_the_requested_domain_is_used(recovered: Estimator, moves: FaderMoves, domain: str) -> None:
    found = recovered(moves.mixdown, domain=domain)
    assert found.domain == domain
    assert np.median(errors_db(found, moves)) <= {"complex": 0.03, "power": 0.5, "magnitude": 2.0}[domain]


@pytest.mark.parametrize("foreign", ["noise", "played backwards"])
def test_a_mixdown_of_another_song_is_recognised(recovered: Estimator, moves: FaderMoves, foreign: str) -> None:
    noise = np.random.default_rng(3).normal(size=moves.mixdown.shape) * 0.1
    found = recovered(noise if foreign == "noise" else moves.mixdown[::-1])
    assert any("does not seem to come from these stems" in warning for warning in found.warnings)


def test_a_warning_reports_that_faders_explain_little_of_the_released_master(caesium: Song) -> None:
    found = estimate(caesium)
    assert found.domain == "power"
    explained = f"{100.0 * align(caesium).linear_fit:.0f} %"
    assert f"explains only {explained} of it" in found.reason
    assert f"{100.0 * found.fit:.0f} % of its power spectrum" in found.reason
    assert sum("gains are approximate" in warning for warning in found.warnings) == 1


@pytest.mark.parametrize("estimator", [estimate, estimate_as_paper])
def test_a_silent_mixdown_is_refused(moves: FaderMoves, tmp_path: Path, estimator: Estimator) -> None:
    soundfile.write(tmp_path / "drums.wav", moves.stems[0], 44_100)
    soundfile.write(tmp_path / "mix.wav", np.zeros_like(moves.mixdown), 44_100)
    with raises_error(path="mix.wav"):
        estimator(open_song(tmp_path))


@pytest.mark.parametrize("estimator", [estimate, estimate_as_paper])
def test_a_song_without_a_mixdown_is_refused(moves: FaderMoves, tmp_path: Path, estimator: Estimator) -> None:
    soundfile.write(tmp_path / "drums.wav", moves.stems[0], 44_100)
    with raises_error(path=tmp_path.name):
        estimator(open_song(tmp_path))


def test_an_error_in_progress_ends_the_work(caesium: Song) -> None:
    def stop(fraction: float, _stage: str = "") -> None:
        if fraction > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        estimate(caesium, progress=stop)


@pytest.mark.parametrize("preset", [estimate, estimate_as_paper])
def test_progress_rises_to_the_end_with_the_pass(caesium: Song, preset: Callable[..., object]) -> None:
    fractions: list[float] = []
    preset(caesium, progress=lambda fraction, _stage="": fractions.append(fraction))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert max(np.diff(fractions[1:])) < 0.5


def test_a_limiter_that_is_inactive_in_the_excerpts_is_found(recovered: Estimator, moves: FaderMoves) -> None:
    centres = len(moves.mixdown) * (np.arange(4) + 0.5) / 4
    spared = (np.abs(np.arange(len(moves.mixdown))[:, None] - centres) < 0.2 * 44_100).any(axis=1)
    found = recovered(np.where(spared[:, None], moves.mixdown, np.tanh(1.5 * moves.mixdown) / 1.5))
    assert found.limiter.any()
    assert np.median(errors_db(found, moves)) <= 0.6
