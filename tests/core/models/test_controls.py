"""Depth, kept buses, the balance of another session, and riding, applied to a prediction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from core.analysis.measure import Measurement
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP
from core.errors import InputError
from core.models.balance import frame_levels_lufs, gated_mean_lufs
from core.models.controls import with_balance_of, with_depth, with_kept, with_ride
from core.models.explain import TERM_MEANINGS, Prediction
from core.models.model import Model
from core.models.predict import predict_explained

FloatArray = npt.NDArray[np.float64]
BUSES = ("drums", "bass", "melody", "vocals")
MODEL = Model(name="m", preset="default", feature_set="condition3")


@pytest.fixture(scope="module")
def song() -> Measurement:
    rng = np.random.default_rng(0)
    n_steps = (160 + HOPS_PER_FRAME - 1) * STEPS_PER_HOP
    wander = np.repeat(rng.normal(0.0, 3.0, (n_steps // 40 + 1, 4)), 40, axis=0)[:n_steps]
    power = 10.0 ** ((np.array([-14.0, -26.0, -19.0, -22.0]) + wander) / 10.0)
    windows = np.lib.stride_tricks.sliding_window_view(power, STEPS_PER_HOP * HOPS_PER_FRAME, axis=0)[::STEPS_PER_HOP]
    rms = np.sqrt(windows.mean(axis=-1))
    return Measurement(title="song", buses=BUSES, sample_rate=44_100, rms=rms, step_power=power)


@pytest.fixture(scope="module")
def levels(song: Measurement) -> FloatArray:
    return frame_levels_lufs(song)


@pytest.fixture(scope="module")
def prediction(song: Measurement) -> Prediction:
    return predict_explained(MODEL, song)


def require_terms_that_add_up(prediction: Prediction) -> None:
    np.testing.assert_allclose(sum(prediction.terms_db.values()), prediction.curves.gains_db, atol=1e-9)
    assert set(prediction.terms_db) <= set(TERM_MEANINGS)
    assert list(prediction.terms_db)[-1] == ("placed" if prediction.kept else "common")


def total_energy(gains_db: FloatArray, levels: FloatArray) -> float:
    return float((10.0 ** ((levels + gains_db) / 10.0)).sum())


@pytest.mark.parametrize("percent", [0.0, 50.0, 100.0, 150.0])
def test_depth_scales_the_balance_and_keeps_the_loudness(
    prediction: Prediction, levels: FloatArray, percent: float
) -> None:
    changed = with_depth(prediction, percent, levels)
    require_terms_that_add_up(changed)
    for gains in (prediction.curves.gains_db, changed.curves.gains_db):
        assert total_energy(gains, levels) == pytest.approx(total_energy(np.zeros_like(gains), levels))
    before, after = (p.curves.gains_db - p.curves.gains_db.mean(axis=1, keepdims=True) for p in (prediction, changed))
    np.testing.assert_allclose(after, before * percent / 100.0, atol=1e-9)


def test_kept_buses_stay_and_the_others_are_placed_around_them(prediction: Prediction, levels: FloatArray) -> None:
    changed = with_kept(prediction, {"vocals": -3.0}, levels)
    require_terms_that_add_up(changed)
    np.testing.assert_allclose(changed.curves.gains_db[:, 3], -3.0)
    shift = changed.curves.gains_db[:, :3] - prediction.curves.gains_db[:, :3]
    np.testing.assert_allclose(shift, shift[0, 0])
    mean = 10.0 * np.log10(
        (10.0 ** ((levels[:, 3] + prediction.curves.gains_db[:, 3]) / 10.0)).sum()
        / (10.0 ** (levels[:, 3] / 10.0)).sum()
    )
    assert shift[0, 0] == pytest.approx(-3.0 - mean)


def test_the_reasons_of_a_kept_bus_are_that_it_is_kept(prediction: Prediction, levels: FloatArray) -> None:
    changed = with_kept(with_ride(prediction, {"vocals": 50.0}, levels), {"vocals": -3.0}, levels)
    assert changed.kept == ("vocals",)
    assert "common" not in changed.terms_db  # the loudness of the mix is not kept
    for name, term in changed.terms_db.items():
        np.testing.assert_array_equal(term[:, 3], -3.0 if name == "kept" else 0.0)
        assert name != "kept" or not term[:, :3].any()
    assert changed.curves.deviation_db is not None
    assert not changed.curves.deviation_db[:, 3].any()
    assert changed.curves.deviation_db[:, :3].all()


def test_a_more_certain_kept_bus_counts_more(prediction: Prediction, levels: FloatArray) -> None:
    placed = {}
    for high, low in (("vocals", "melody"), ("melody", "vocals")):
        gains = prediction.curves.median_gain_db()
        changed = with_kept(prediction, {high: gains[high] + 6.0, low: gains[low]}, levels)
        placed[high] = changed.curves.gains_db[0, 0] - prediction.curves.gains_db[0, 0]
    assert placed["vocals"] > 3.5
    assert 0.0 < placed["melody"] < 2.5


def test_an_unknown_kept_bus_is_refused(prediction: Prediction, levels: FloatArray) -> None:
    with pytest.raises(InputError) as refused:
        with_kept(prediction, {"strings": 0.0}, levels)
    assert refused.value.option == "--keep"


def test_nothing_kept_changes_nothing(prediction: Prediction, levels: FloatArray) -> None:
    assert with_kept(prediction, {}, levels) is prediction


def test_the_balance_of_another_session_is_applied(prediction: Prediction, levels: FloatArray) -> None:
    wanted = {"drums": -20.0, "bass": -27.0, "melody": -24.0, "vocals": -16.0, "strings": -3.0}
    changed = with_balance_of(prediction, wanted, levels)
    require_terms_that_add_up(changed)
    gained = levels + changed.curves.gains_db
    found = np.array([gated_mean_lufs(gained[:, i]) for i in range(4)])
    expected = np.array([wanted[bus] for bus in BUSES])
    np.testing.assert_allclose(found - found.mean(), expected - expected.mean(), atol=1e-6)


def test_buses_the_other_session_lacks_keep_the_models_level(prediction: Prediction, levels: FloatArray) -> None:
    changed = with_balance_of(prediction, {"drums": -20.0, "vocals": -14.0}, levels)
    before, after = (p.curves.gains_db[:, 1] - p.curves.gains_db[:, 2] for p in (prediction, changed))
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_a_session_without_common_buses_is_refused(prediction: Prediction, levels: FloatArray) -> None:
    with pytest.raises(InputError) as refused:
        with_balance_of(prediction, {"drums": -20.0, "strings": -14.0}, levels)
    assert refused.value.option == "--like"


def test_riding_is_a_separate_term_and_replaces_the_moment(prediction: Prediction, levels: FloatArray) -> None:
    changed = with_ride(prediction, {"vocals": 100.0}, levels)
    require_terms_that_add_up(changed)
    ride = changed.terms_db["ride"]
    assert np.ptp(ride[:, 3]) > 1.0
    assert (ride[:, :3] == 0.0).all()
    assert (changed.terms_db["moment"][:, 3] == 0.0).all()
    spread = [np.std((levels + p.curves.gains_db)[:, 3]) for p in (prediction, changed)]
    assert spread[1] < spread[0]


@pytest.mark.parametrize("percent", [-1.0, 101.0, float("nan")])
def test_a_percentage_out_of_range_is_refused(prediction: Prediction, levels: FloatArray, percent: float) -> None:
    with pytest.raises(InputError) as refused:
        with_ride(prediction, {"vocals": percent}, levels)
    assert refused.value.option == "--ride"
