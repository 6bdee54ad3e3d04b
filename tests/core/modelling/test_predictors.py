"""Condition 3's predictor in an evaluation: smoothed as the truth it is measured against, or not at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from core.modelling.balance import StemLevels, levels_without_spectra
from core.modelling.evaluation import EvaluationSong
from core.modelling.predictors import BalanceRegression

FloatArray = npt.NDArray[np.float64]
N_FRAMES = 60


def song(drums: FloatArray) -> EvaluationSong:
    """A song with drums of these levels, and a bass at 0.2."""
    rms = np.column_stack([drums, np.full(N_FRAMES, 0.2)])
    return EvaluationSong(title="a", buses=("drums", "bass"), features={}, gains=np.ones_like(rms), rms=rms)


def predicted(one: EvaluationSong, levels: StemLevels | None = None) -> FloatArray:
    return BalanceRegression({}, {one.title: levels} if levels else {})(one, [])


def test_a_song_of_training_matrices_is_predicted_with_the_originals_smoothing() -> None:
    found = predicted(song(np.full(N_FRAMES, 0.1)))
    np.testing.assert_allclose(found[:, 0] / found[:, 1], 2.0)  # equal levels
    faded = 1.0 - 0.9 ** np.arange(N_FRAMES)
    np.testing.assert_allclose(found[1:], found[0] * faded[1:, None])


def test_where_a_stem_of_training_matrices_is_silent_its_gain_fades_as_the_originals_does() -> None:
    half = N_FRAMES // 2
    found = predicted(song(np.repeat([0.1, 0.0], half)))[:, 0]
    np.testing.assert_allclose(found[half:], found[half - 1] * 0.9 ** np.arange(1, half + 1))


def test_a_song_whose_audio_was_measured_is_predicted_as_it_is() -> None:
    one = song(np.full(N_FRAMES, 0.1))
    found = predicted(one, levels_without_spectra(one.rms, one.active))
    np.testing.assert_allclose(found, np.tile(predicted(one)[0], (N_FRAMES, 1)))
