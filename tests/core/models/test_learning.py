"""What a model learns of a song: the balance that made it, however loud its stems came."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from analysis_server.models import bundled_default, shipped_prior
from core.analysis.measure import Measurement
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP
from core.audio.song import Song
from core.decibels import LOWEST_DB
from core.gains.curves import GainCurves, exponential
from core.models.balance import NAMES, OF_ONE_ENGINEER, BalancePrior
from core.models.evaluate import EvaluationSong
from core.models.model import Model, TrainingSong
from core.models.predict import predict_explained
from core.models.train import matrices_song, measured_triangles, training_song
from tests.expected_errors import raises_error

FloatArray = npt.NDArray[np.float64]
BUSES = ("drums", "bass", "melody", "vocals")
ENGINEER_DB = np.array([1.0, -4.0, -2.0, 5.0])
"""How loud an engineer likes each bus in the mix, against their mean."""
N_FRAMES = 60
MOMENT = NAMES.index("moment")


def stems(levels_db: FloatArray, n_frames: int = N_FRAMES) -> Measurement:
    """Return the measurement of steady stems."""
    n_steps = (n_frames + HOPS_PER_FRAME - 1) * STEPS_PER_HOP
    gains = 10.0 ** (levels_db / 20.0)
    return Measurement(
        title="song",
        buses=BUSES,
        sample_rate=44_100,
        rms=np.tile(gains, (n_frames, 1)),
        step_power=np.tile(gains**2, (n_steps, 1)),
    )


def faders(measurement: Measurement, gains_db: FloatArray, fit: FloatArray | None = None) -> GainCurves:
    """Return steady true gains (n_buses,) or moving ones (n_frames, n_buses)."""
    n_frames = measurement.n_frames
    gains = 10.0 ** (np.broadcast_to(gains_db, (n_frames, len(BUSES))) / 20.0)
    return GainCurves(
        title=measurement.title,
        buses=BUSES,
        time_s=measurement.time_s,
        gains=gains,
        gains_raw=gains,
        active=np.ones(gains.shape, bool),
        fit=np.ones(n_frames) if fit is None else fit,
    )


def engineered(seed: int) -> tuple[Measurement, GainCurves]:
    """Return stems at levels of chance, and the faders of the engineer who likes `ENGINEER_DB`, at any loudness."""
    rng = np.random.default_rng(seed)
    levels_db = rng.uniform(-30.0, -12.0, 4)
    return stems(levels_db), faders(stems(levels_db), ENGINEER_DB - levels_db + rng.uniform(-10.0, 10.0))


def kept(title: str, measurement: Measurement, curves: GainCurves) -> TrainingSong:
    triangles = measured_triangles(measurement, curves)
    return TrainingSong(
        title=title,
        source="mixdown",
        hashes={},
        duration_s=measurement.n_frames / 4.0,
        n_frames=measurement.n_frames,
        domain="complex",
        fit=1.0,
        triangles={bus: triangle.tolist() for bus, triangle in triangles.items()},
    )


def model_of(*songs: TrainingSong) -> Model:
    """Return an engineer's own model, which begins with every bus equally loud."""
    prior = BalancePrior(offsets={}, offset_strength=OF_ONE_ENGINEER)
    return Model(name="m", preset="default", feature_set="condition3", songs=songs, prior=prior)


def test_an_engineers_balance_is_recovered_from_songs_of_any_level() -> None:
    model = model_of(*(kept(str(seed), *engineered(seed)) for seed in range(300)))
    levels_db = np.array([-14.0, -28.0, -17.0, -22.0])
    mixed_db = levels_db + predict_explained(model, stems(levels_db)).curves.gains_db[0]
    np.testing.assert_allclose(mixed_db - mixed_db.mean(), ENGINEER_DB - ENGINEER_DB.mean(), atol=0.2)


def test_one_song_moves_offsets_part_of_the_way() -> None:
    model = model_of(kept("0", *engineered(0)))
    offsets = np.array([model.coefficients(bus)[0] for bus in BUSES])
    share = offsets / (ENGINEER_DB - ENGINEER_DB.mean())
    np.testing.assert_allclose(share, share[0], atol=0.05)
    assert 0.3 < share[0] < 0.95


def test_the_more_songs_agree_the_further_offsets_move() -> None:
    models = [model_of(*(kept(str(seed), *engineered(seed)) for seed in range(count))) for count in (1, 4, 12, 40)]
    moved = [model.coefficients("vocals")[0] for model in models]
    assert sorted(moved) == moved
    assert moved[1] > 0.6 * (ENGINEER_DB[3] - ENGINEER_DB.mean())  # sooner than the prior's four songs would let it
    assert moved[-1] == pytest.approx(ENGINEER_DB[3] - ENGINEER_DB.mean(), abs=0.1)


def test_a_heavier_song_moves_offsets_further() -> None:
    song = kept("a", *engineered(1))
    light, heavy = (model_of(msgspec.structs.replace(song, weight=weight)) for weight in (1.0, 8.0))
    assert heavy.coefficients("vocals")[0] > light.coefficients("vocals")[0]


def test_a_moment_the_engineer_takes_back_is_learned() -> None:
    rng = np.random.default_rng(4)
    songs = []
    for number in range(150):
        levels_db = np.tile(rng.uniform(-25.0, -15.0, 4), ((N_FRAMES + 3) * STEPS_PER_HOP, 1))
        levels_db[:, 0] += np.repeat(rng.uniform(-5.0, 5.0, 9), 35)
        power = 10.0 ** (levels_db / 10.0)
        windows = np.lib.stride_tricks.sliding_window_view(power, STEPS_PER_HOP * HOPS_PER_FRAME, axis=0)
        rms = np.sqrt(windows[::STEPS_PER_HOP].mean(axis=-1))
        song = Measurement(title=str(number), buses=BUSES, sample_rate=44_100, rms=rms, step_power=power)
        songs.append(kept(str(number), song, faders(song, -20.0 * np.log10(rms))))
    assert model_of(*songs).coefficients("drums")[MOMENT] < model_of().coefficients("drums")[MOMENT] - 0.2


def test_the_mixdowns_loudness_sets_the_output_level_and_not_the_balance() -> None:
    measurement, curves = engineered(2)
    quiet, loud = (model_of(kept("s", measurement, given)) for given in (curves, curves.with_gain_db(12.0)))
    for bus in BUSES:
        np.testing.assert_allclose(loud.coefficients(bus), quiet.coefficients(bus), atol=1e-9)
    outputs = [model.balance_fit.output_lufs for model in (quiet, loud)]
    assert outputs[0] is not None
    assert outputs[1] == pytest.approx(outputs[0] + 12.0)


def test_a_long_song_has_the_same_weight_as_a_short_one() -> None:
    levels_db = np.array([-14.0, -28.0, -17.0, -22.0])
    short, long = stems(levels_db, 40), stems(levels_db, 400)
    of_short, of_long = (model_of(kept("s", song, faders(song, -levels_db))) for song in (short, long))
    for bus in BUSES:
        np.testing.assert_allclose(of_long.coefficients(bus), of_short.coefficients(bus), atol=1e-9)


def test_frames_that_the_gains_do_not_explain_are_ignored() -> None:
    measurement, curves = engineered(3)
    half = np.arange(N_FRAMES) < N_FRAMES // 2
    wrong_db = np.where(half[:, None], curves.gains_db, [30.0, -30.0, 0.0, 0.0])
    unexplained = faders(measurement, wrong_db, fit=np.where(half, 1.0, 0.0))
    learned, expected = model_of(kept("s", measurement, unexplained)), model_of(kept("s", measurement, curves))
    for bus in BUSES:
        np.testing.assert_allclose(learned.coefficients(bus), expected.coefficients(bus), atol=1e-9)


def test_frames_of_unknown_fit_are_ignored() -> None:
    measurement, curves = engineered(3)
    fit = np.where(np.arange(N_FRAMES) % 2, 1.0, np.nan)
    triangles = measured_triangles(measurement, faders(measurement, curves.gains_db, fit))
    assert all(np.isfinite(triangle).all() for triangle in triangles.values())


def test_a_silent_bus_is_not_learned() -> None:
    levels_db = np.array([-14.0, -28.0, -300.0, -22.0])
    song = stems(levels_db)
    assert set(measured_triangles(song, faders(song, np.zeros(4)))) == {"drums", "bass", "vocals"}


@pytest.mark.parametrize("levels_db", [[-20.0, -300.0, -300.0, -300.0], [-300.0] * 4])
def test_a_balance_needs_two_stems_that_sound(levels_db: list[float]) -> None:
    song = stems(np.array(levels_db))
    with raises_error(path="song"):
        measured_triangles(song, faders(song, np.zeros(4)))


def test_a_muted_bus_counts_as_minus_60_db() -> None:
    song = stems(np.array([-20.0, -20.0, -20.0, -20.0]))
    muted, quiet = (kept("s", song, faders(song, np.array([db, 0.0, 0.0, 0.0]))) for db in (-400.0, LOWEST_DB))
    assert model_of(muted).named_coefficients() == model_of(quiet).named_coefficients()


def test_a_level_is_the_energy_mean_of_a_moving_gain() -> None:
    song = stems(np.array([-20.0, -20.0, -20.0, -20.0]))
    gains = np.where(np.arange(N_FRAMES)[:, None] % 2, [3.0, 1.0, 1.0, 1.0], 1.0)
    moving = model_of(kept("s", song, faders(song, 20.0 * np.log10(gains))))
    steady = model_of(kept("s", song, faders(song, np.array([10.0 * np.log10(5.0), 0.0, 0.0, 0.0]))))
    assert moving.coefficients("drums")[0] == pytest.approx(steady.coefficients("drums")[0])


def test_the_originals_smoothing_does_not_bias_the_balance_of_matrices(tmp_path: Path) -> None:
    """The original's gains fade in where a stem begins, which must not make a bus of short phrases look quieter."""
    (tmp_path / "matrices.npz").write_bytes(b"their content")
    active = np.stack([np.ones(400, bool), np.arange(400) % 40 < 20], axis=1)
    rms = np.where(active, [0.1, 0.05], 0.0)
    gains = exponential(np.where(active, [0.5, 2.0], 0.0), keep_first=True)
    song = EvaluationSong(title="a", buses=("drums", "vocals"), features={}, gains=gains, rms=rms)
    model = model_of(matrices_song(song, tmp_path / "matrices.npz", "condition3"))
    offsets_db = [model.coefficients(bus)[0] for bus in song.buses]
    wanted_db = 20.0 * np.log10(2.0 * 0.05 / (0.5 * 0.1))
    assert 0.3 * wanted_db < offsets_db[1] - offsets_db[0] < wanted_db


def test_matrices_keep_their_songs_equations(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.array([2e-4, 0.5, 0.0])
    features = rng.uniform(0.5, 1.5, (90, 3)) * [2000.0, 0.1, 1e-4]
    (tmp_path / "matrices.npz").write_bytes(b"their content")
    song = EvaluationSong(
        title="a", buses=("bass",), features={"bass": features}, gains=(features @ truth)[:, None], rms=features[:, [1]]
    )
    kept_song = matrices_song(song, tmp_path / "matrices.npz")
    assert (kept_song.source, kept_song.n_frames, kept_song.duration_s) == ("matrices", 90, 22.5)
    assert kept_song.hashes["matrices"].startswith("sha256:")
    model = Model(name="m", preset="paper", feature_set="condition1", songs=(kept_song,))
    np.testing.assert_allclose(model.coefficients("bass"), truth, rtol=1e-6, atol=1e-12)


def test_a_song_is_kept_with_the_hashes_of_all_its_files(caesium: Song) -> None:
    measurement = stems(np.array([-14.0, -28.0, -17.0, -22.0]))
    song = training_song(
        caesium, measurement, faders(measurement, np.zeros(4)), feature_set="condition3", domain="complex", fit=0.8
    )
    assert set(song.hashes) == {*BUSES, "mixdown"}
    assert len(set(song.hashes.values())) == 5
    assert (song.title, song.source, song.domain, song.fit) == ("caesium", "mixdown", "complex", 0.8)
    assert set(song.triangles) == set(BUSES)


def test_the_papers_feature_sets_are_unchanged(caesium: Song) -> None:
    rng = np.random.default_rng(0)
    features = {bus: rng.random((N_FRAMES, 5)) for bus in BUSES}
    measurement = Measurement(
        title="song", buses=BUSES, sample_rate=44_100, rms=np.ones((N_FRAMES, 4)), features=features
    )
    curves = faders(measurement, np.array([0.0, -6.0, 3.0, 1.0]))
    song = training_song(caesium, measurement, curves, feature_set="condition2", domain="magnitude", fit=1.0)
    for bus, triangle in song.triangles.items():
        stacked = np.column_stack([features[bus], curves.gains[:, BUSES.index(bus)]])
        np.testing.assert_allclose(np.array(triangle).T @ triangle, stacked.T @ stacked, rtol=1e-9)


@pytest.mark.parametrize("n_songs", [1, 3, 5])
def test_one_more_song_moves_the_balance_roughly_as_far_as_the_model_states(n_songs: int) -> None:
    songs = bundled_default().songs
    empty = Model(name="mine", preset="default", feature_set="condition3", prior=shipped_prior())
    stated, products, squares = [], 0.0, 0.0
    for first in range(len(songs)):
        *known, further = [songs[(first + i) % len(songs)] for i in range(n_songs + 1)]
        model = empty
        for song in known:
            model = model.with_song(song)
        stated.append(model.next_song_percent() / 100.0)
        coefficients = model.balance_fit.coefficients_of(tuple(further.triangles))
        after = model.with_song(further).balance_fit.coefficients_of(tuple(further.triangles))
        factors = np.array(list(further.triangles.values()))
        means = np.einsum("br,brc->bc", factors[:, :, 0], factors) / (factors[:, :, 0] ** 2).sum(axis=1)[:, None]
        distance_db = centred(means[:, -1] - (means[:, :-1] * coefficients).sum(axis=1))
        products += float((centred(after[:, 0] - coefficients[:, 0]) * distance_db).sum())
        squares += float((distance_db**2).sum())
    assert 0.6 < products / squares / np.mean(stated) < 1.2


def centred(values: FloatArray) -> FloatArray:
    return values - values.mean()
