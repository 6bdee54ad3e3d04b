"""Condition 3's predictor in an evaluation: smoothed as the truth it is measured against, or not at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.models.balance import WRITTEN, StemLevels, levels_without_spectra
from core.models.evaluate import BalanceRegression, EvaluationSong
from core.models.model import Model
from core.models.predict import PredictedBalance, least_squares_gains, predict_balance

FloatArray = npt.NDArray[np.float64]
N_FRAMES = 60


def song(drums: FloatArray) -> EvaluationSong:
    """A song with drums of these levels, and a bass at 0.2."""
    rms = np.column_stack([drums, np.full(N_FRAMES, 0.2)])
    return EvaluationSong(title="a", buses=("drums", "bass"), features={}, gains=np.ones_like(rms), rms=rms)


def predicted(one: EvaluationSong, levels: StemLevels | None = None) -> FloatArray:
    return BalanceRegression({}, {one.title: levels} if levels else {})(one, [])


@pytest.mark.parametrize(
    ("deviation_db", "gain_db", "variance"), [(1e-6, -8.0, 0.0), (7.0, -4.0, 24.5), (1e6, 0.0, 49.0)]
)
def test_a_bus_comes_out_as_loud_as_the_mixdowns_learned_from_and_the_session_are_sure_to_be(
    deviation_db: float, gain_db: float, variance: float
) -> None:
    """A session's stems are 7 dB from the level they will have; a gain that unsure has a mean above its middle."""
    rms = np.full((N_FRAMES, 1), 0.1)
    levels = levels_without_spectra(rms, rms > 0.0)
    balance = PredictedBalance(
        terms={"level": np.zeros((N_FRAMES, 1))},
        deviation_db=np.zeros(1),
        output_lufs=float(levels.loudness_lufs[0]) - 8.0,
        output_deviation_db=deviation_db,
    )
    of_mean_db = 10.0 * np.log10(np.exp(variance * (np.log(10.0) / 20.0) ** 2 / 2.0)) * 2.0
    found_db = 20.0 * np.log10(least_squares_gains(balance, ["drums"], levels))
    np.testing.assert_allclose(found_db, gain_db + of_mean_db, atol=1e-4)


@pytest.mark.parametrize(
    ("buses", "below_db"), [(("drums", "bass", "fx"), 2.5), (("drums", "bass", "percussion"), 1.5)]
)
def test_supporting_tracks_are_lower(buses: tuple[str, ...], below_db: float) -> None:
    rms = np.full((N_FRAMES, 3), 0.1)
    model = Model(name="rule", preset="default", feature_set="condition3", prior=WRITTEN)
    found = predict_balance(model, buses, levels_without_spectra(rms, rms > 0.0))
    np.testing.assert_allclose(found.balance_db[:, 0] - found.balance_db[:, 2], below_db, atol=1e-9)


def test_a_song_of_training_matrices_is_predicted_with_the_originals_smoothing() -> None:
    found = predicted(song(np.full(N_FRAMES, 0.1)))
    np.testing.assert_allclose(found[:, 0] / found[:, 1], 2.0)  # equal levels
    faded = 1.0 - 0.9 ** np.arange(N_FRAMES)
    np.testing.assert_allclose(found[1:], found[0] * faded[1:, None])


def test_where_a_stem_of_training_matrices_is_silent_its_gain_fades_as_the_originals_does() -> None:
    half = N_FRAMES // 2
    found = predicted(song(np.repeat([0.1, 0.0], half)))[:, 0]
    np.testing.assert_allclose(found[half:], found[half - 1] * 0.9 ** np.arange(1, half + 1))


def test_a_measured_song_is_predicted_directly() -> None:
    one = song(np.full(N_FRAMES, 0.1))
    found = predicted(one, levels_without_spectra(one.rms, one.active))
    np.testing.assert_allclose(found, np.tile(predicted(one)[0], (N_FRAMES, 1)))
