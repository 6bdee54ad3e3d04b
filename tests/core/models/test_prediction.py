"""Predicted gains: properties of a balance at any stem levels, and the paper's exact results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.analysis.measure import Measurement
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP
from core.errors import ModelError
from core.gains.curves import GainCurves
from core.models.balance import BalancePrior
from core.models.explain import TERM_MEANINGS
from core.models.fit import fold
from core.models.model import Model, TrainingSong
from core.models.predict import MOMENT_LIMIT_DB, SONG_LIMIT_DB, predict_explained
from tests.expected_errors import raises_error

FloatArray = npt.NDArray[np.float64]
BUSES = ("drums", "bass", "melody", "vocals")
N_FRAMES = 80
RULE = Model(name="equal-level", preset="default", feature_set="condition3", prior=BalancePrior(offsets={}, shared={}))


def predict(model: Model, measurement: Measurement) -> GainCurves:
    return predict_explained(model, measurement).curves


def measured(levels_db: FloatArray, buses: tuple[str, ...] = BUSES) -> Measurement:
    """Return the measurement of stems at `levels_db`, one row a 50 ms step."""
    power = 10.0 ** (levels_db / 10.0)
    n_steps = STEPS_PER_HOP * HOPS_PER_FRAME
    frames = np.lib.stride_tricks.sliding_window_view(power, n_steps, axis=0)[::STEPS_PER_HOP]
    return Measurement(
        title="song", buses=buses, sample_rate=44_100, rms=np.sqrt(frames.mean(axis=-1)), step_power=power
    )


def steady(*levels_db: float) -> Measurement:
    n_steps = (N_FRAMES + HOPS_PER_FRAME - 1) * STEPS_PER_HOP
    return measured(np.tile(np.array(levels_db), (n_steps, 1)), BUSES[: len(levels_db)])


def lively(seed: int = 0) -> Measurement:
    """Return stems whose levels wander by some dB."""
    rng = np.random.default_rng(seed)
    n_steps = (N_FRAMES + HOPS_PER_FRAME - 1) * STEPS_PER_HOP
    wander = np.cumsum(rng.normal(0.0, 0.4, (n_steps, 4)), axis=0)
    return measured(rng.uniform(-30.0, -10.0, 4) + np.clip(wander, -10.0, 10.0))


def louder(measurement: Measurement, gain_db: FloatArray | float) -> Measurement:
    factor = 10.0 ** (np.asarray(gain_db) / 20.0)
    assert measurement.step_power is not None
    return replace(measurement, rms=measurement.rms * factor, step_power=measurement.step_power * factor**2)


def reordered(measurement: Measurement, order: list[int]) -> Measurement:
    assert measurement.step_power is not None
    return replace(
        measurement,
        buses=tuple(measurement.buses[i] for i in order),
        rms=measurement.rms[:, order],
        step_power=measurement.step_power[:, order],
    )


def total_energy(measurement: Measurement, gains: FloatArray) -> float:
    assert measurement.step_power is not None
    n_steps = STEPS_PER_HOP * HOPS_PER_FRAME
    frames = np.lib.stride_tricks.sliding_window_view(measurement.step_power, n_steps, axis=0)[::STEPS_PER_HOP]
    return float((frames.mean(axis=-1) * gains**2).sum())


def believing(offsets: dict[str, float], **shared: float) -> Model:
    """Return a model of these offsets and coefficients, without learned songs."""
    return replace(RULE, prior=BalancePrior(offsets=offsets, shared=shared))


# A balance


def test_the_rule_brings_steady_stems_to_one_level() -> None:
    levels_db = np.array([-12.0, -20.0, -31.0, -17.0])
    gains_db = predict(RULE, steady(*levels_db)).gains_db
    mixed_db = levels_db + gains_db
    np.testing.assert_allclose(mixed_db, np.broadcast_to(mixed_db[0, 0], mixed_db.shape), atol=1e-9)


@given(seed=st.integers(0, 50), bus=st.integers(0, 3), up_db=st.floats(-10.0, 10.0))
def test_a_stem_that_is_louder_gets_as_much_less(seed: int, bus: int, up_db: float) -> None:
    song = lively(seed)
    change_db = np.where(np.arange(4) == bus, up_db, 0.0)
    before, after = predict(RULE, song).gains_db, predict(RULE, louder(song, change_db)).gains_db
    limited = [np.abs(gains_db - gains_db.mean(axis=1, keepdims=True)).max() for gains_db in (before, after)]
    assume(max(limited) < SONG_LIMIT_DB - 0.1)
    against_mean = after - before - (after - before).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(against_mean, np.broadcast_to(-(change_db - change_db.mean()), after.shape), atol=1e-6)


@given(seed=st.integers(0, 50), gain_db=st.floats(-20.0, 20.0))
def test_a_common_gain_of_all_stems_changes_nothing(seed: int, gain_db: float) -> None:
    song = lively(seed)
    np.testing.assert_allclose(predict(RULE, louder(song, gain_db)).gains, predict(RULE, song).gains, rtol=1e-9)


@given(seed=st.integers(0, 50), order=st.permutations(range(4)))
def test_the_order_of_the_buses_is_irrelevant(seed: int, order: list[int]) -> None:
    song = lively(seed)
    shuffled = predict(RULE, reordered(song, order))
    assert shuffled.buses == tuple(BUSES[i] for i in order)
    np.testing.assert_allclose(shuffled.gains, predict(RULE, song).gains[:, order], rtol=1e-9)


@given(seed=st.integers(0, 50))
def test_the_total_energy_does_not_change(seed: int) -> None:
    song = lively(seed)
    gains = predict(RULE, song).gains
    assert total_energy(song, gains) == pytest.approx(total_energy(song, np.ones_like(gains)), rel=1e-9)


@pytest.mark.parametrize("silent", [0, 2])
def test_a_silent_bus_is_held_at_0_db_and_does_not_affect_the_others(silent: int) -> None:
    levels_db = np.array([-12.0, -20.0, -31.0, -17.0])
    levels_db[silent] = -300.0
    gains_db = predict(RULE, steady(*levels_db)).gains_db
    assert (gains_db[:, silent] == 0.0).all()
    heard = np.arange(4) != silent
    mixed_db = (levels_db + gains_db)[:, heard]
    np.testing.assert_allclose(mixed_db, np.broadcast_to(mixed_db[0, 0], mixed_db.shape), atol=1e-9)


def test_a_silent_song_gets_no_gain() -> None:
    curves = predict(RULE, steady(-300.0, -300.0, -300.0, -300.0))
    assert (curves.gains == 1.0).all()
    assert not curves.active.any()


def test_a_single_stem_gets_no_gain() -> None:
    np.testing.assert_allclose(predict(RULE, steady(-20.0)).gains_db, 0.0, atol=1e-9)


def test_no_bus_is_moved_further_than_the_limit() -> None:
    levels_db = np.array([0.0, 0.0, 0.0, -60.0])
    gains_db = predict(RULE, steady(*levels_db)).gains_db
    assert gains_db[0, 3] - gains_db[0, 0] == pytest.approx(SONG_LIMIT_DB + 15.0)


@given(seed=st.integers(0, 50))
def test_the_moving_part_stays_within_its_limit(seed: int) -> None:
    wild = believing({}, moment=40.0)
    gains_db = predict(wild, lively(seed)).gains_db[:, 0]
    assert gains_db.max() - gains_db.min() <= 2.0 * MOMENT_LIMIT_DB + 1e-9


def test_a_bus_gets_the_learned_balance() -> None:
    levels_db = np.array([-12.0, -20.0, -31.0, -17.0])
    model = believing({"vocals": 4.0})
    mixed_db = levels_db + predict(model, steady(*levels_db)).gains_db
    np.testing.assert_allclose(mixed_db[:, 3] - mixed_db[:, 0], 4.0, atol=1e-6)
    np.testing.assert_allclose(mixed_db[:, 1] - mixed_db[:, 0], 0.0, atol=1e-6)


@given(seed=st.integers(0, 50), offset_db=st.floats(-40.0, 40.0), moment=st.floats(-2.0, 2.0))
def test_the_terms_add_up_to_the_gain_exactly(seed: int, offset_db: float, moment: float) -> None:
    model = believing({"vocals": offset_db}, tone=-0.7, presence=3.0, moment=moment)
    prediction = predict_explained(model, lively(seed))
    assert {term.shape for term in prediction.terms_db.values()} == {(N_FRAMES, 4)}
    np.testing.assert_allclose(sum(prediction.terms_db.values()), prediction.curves.gains_db, atol=1e-9)


@pytest.mark.parametrize("silent", [0, 2])
def test_a_silent_bus_has_no_explanation(silent: int) -> None:
    levels_db = np.array([-12.0, -20.0, -31.0, -17.0])
    levels_db[silent] = -300.0
    prediction = predict_explained(RULE, steady(*levels_db))
    assert all((term[:, silent] == 0.0).all() for term in prediction.terms_db.values())


def test_the_paper_explains_its_gain_by_itself() -> None:
    rng = np.random.default_rng(0)
    features = {bus: rng.random((20, 3)) for bus in BUSES}
    gains = rng.random((20, 4))
    model = Model(name="m", preset="paper", feature_set="condition1", songs=(paper_song("a", features, gains),))
    song = Measurement(title="b", buses=BUSES, sample_rate=44_100, rms=np.ones((20, 4)), features=features)
    prediction = predict_explained(model, song)
    assert list(prediction.terms_db) == ["paper"]
    np.testing.assert_array_equal(prediction.terms_db["paper"], prediction.curves.gains_db)


def test_the_mean_of_all_gains_is_the_common_term() -> None:
    prediction = predict_explained(RULE, lively()).with_gain_db(-4.5)
    plain = predict_explained(RULE, lively())
    np.testing.assert_allclose(prediction.terms_db["common"] - plain.terms_db["common"], -4.5)
    np.testing.assert_allclose(sum(prediction.terms_db.values()), prediction.curves.gains_db)


def test_every_term_has_a_sentence() -> None:
    assert set(predict_explained(RULE, lively()).terms_db) <= set(TERM_MEANINGS)
    role = TERM_MEANINGS["role"]
    assert role.sentence("vocals", 1.52) == "vocals 1.5 dB up: its kind is usually louder than the others"
    assert role.sentence("bass", -2.0) == "bass 2.0 dB down: its kind is usually quieter than the others"


def test_a_balance_has_a_standard_deviation() -> None:
    curves = predict(RULE, lively())
    assert curves.deviation_db is not None
    assert curves.deviation_db.shape == curves.gains.shape
    assert (curves.deviation_db > 0.0).all()


def test_predicted_curves_have_times_and_no_fit() -> None:
    song = lively()
    curves = predict(RULE, song)
    assert (curves.title, curves.buses) == ("song", BUSES)
    np.testing.assert_allclose(curves.time_s[:3], [0.5, 0.75, 1.0])
    assert curves.fit is None


# The paper's


def paper_song(title: str, features: dict[str, FloatArray], gains: FloatArray) -> TrainingSong:
    return TrainingSong(
        title=title,
        source="mixdown",
        hashes={},
        duration_s=len(gains) / 4.0,
        n_frames=len(gains),
        domain="magnitude",
        fit=1.0,
        triangles={bus: fold(values, gains[:, i]).tolist() for i, (bus, values) in enumerate(features.items())},
    )


def test_a_bus_that_is_not_in_the_paper_model_is_refused_by_name() -> None:
    rng = np.random.default_rng(0)
    features = {bus: rng.random((20, 3)) for bus in BUSES}
    model = Model(
        name="pop",
        preset="paper",
        feature_set="condition1",
        songs=(paper_song("a", {"drums": features["drums"]}, np.ones((20, 1))),),
    )
    song = Measurement(title="b", buses=BUSES, sample_rate=44_100, rms=np.ones((20, 4)), features=features)
    with raises_error(ModelError, facts=("pop", "bass", "melody", "vocals", "drums")):
        predict(model, song)


@pytest.mark.parametrize("condition", [1, 2])
@pytest.mark.parametrize("title", ["caesium_a", "caesium_b", "falcon69", "sodium"])
def test_the_papers_prediction_is_the_originals(shared: Path, title: str, condition: int) -> None:
    songs = {}
    for name in ("caesium_a", "caesium_b", "falcon69", "sodium"):
        with np.load(shared / "reference" / "golden" / f"{name}.npz") as arrays:
            songs[name] = dict(arrays)
    features = {
        name: {str(bus): golden[f"features{condition}_{bus}"] for bus in golden["buses"]}
        for name, golden in songs.items()
    }
    others = [paper_song(name, features[name], golden["gains"]) for name, golden in songs.items() if name != title]
    model = Model(name="m", preset="paper", feature_set=f"condition{condition}", songs=tuple(others))
    measurement = Measurement(
        title=title,
        buses=tuple(features[title]),
        sample_rate=44_100,
        rms=np.ones_like(songs[title]["gains"]),
        features=features[title],
    )
    expected = songs[title][f"predicted{condition}"]
    np.testing.assert_allclose(predict(model, measurement).gains, expected, rtol=1e-6, atol=1e-9)
