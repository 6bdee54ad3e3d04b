"""Measures and simple rules, on songs whose figures can be computed by hand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy

from core.models import evaluate
from core.models.evaluate import EvaluationSong, PaperRegression, Scores, balance_error_db, baselines, score
from core.models.fit import fold
from core.models.train import load_matrices
from tests.expected_errors import raises_error

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
FloatArray = npt.NDArray[np.float64]


def song(
    title: str, gains: Sequence[float], rms: Sequence[float], buses: tuple[str, ...] = ("drums", "vocals"), n: int = 8
) -> EvaluationSong:
    """Return a song whose gains and levels stand still."""
    return EvaluationSong(
        title=title,
        buses=buses,
        features={bus: np.full((n, 3), level) for bus, level in zip(buses, rms, strict=True)},
        gains=np.tile(np.asarray(gains, dtype=np.float64), (n, 1)),
        rms=np.tile(np.asarray(rms, dtype=np.float64), (n, 1)),
    )


def moving_songs(n_songs: int, n_frames: int) -> list[EvaluationSong]:
    rng = np.random.default_rng(3)
    return [
        EvaluationSong(
            title=f"song {number}",
            buses=("drums", "bass", "melody", "vocals"),
            features={bus: rng.random((n_frames, 3)) for bus in ("drums", "bass", "melody", "vocals")},
            gains=rng.random((n_frames, 4)),
            rms=rng.random((n_frames, 4)),
        )
        for number in range(n_songs)
    ]


def rule(name: str, one: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
    return baselines()[name](one, others)


# Measures


def test_mse_is_the_mean_square_of_the_linear_gains_difference() -> None:
    songs = [song("a", [1.0, 2.0], [0.1, 0.1]), song("b", [3.0, 0.5], [0.1, 0.1])]
    scores = score(lambda one, _: one.gains + np.array([0.5, -2.0]), songs)
    assert scores.mse["a"] == scores.mse["b"] == {"drums": pytest.approx(0.25), "vocals": pytest.approx(4.0)}


def test_silent_frames_count_in_the_mse_and_not_in_the_balance() -> None:
    one = song("a", [1.0, 1.0], [0.1, 0.1])
    one.rms[4:, 0] = 0.0
    predicted = one.gains.copy()
    predicted[4:, 0] = 5.0
    assert score(lambda *_: predicted, [one], [one]).mse["a"]["drums"] == pytest.approx(8.0)
    assert balance_error_db(one, predicted) == pytest.approx(0.0)


def test_a_louder_mix_has_the_same_balance() -> None:
    one = song("a", [1.0, 0.3], [0.1, 0.1])
    assert balance_error_db(one, one.gains * 4.0) == pytest.approx(0.0, abs=1e-12)


def test_one_bus_6_db_up_against_the_other_is_an_error_of_3_db() -> None:
    one = song("a", [1.0, 1.0], [0.1, 0.1])
    up_6_db = one.gains * [10.0 ** (6.0 / 20.0), 1.0]
    assert balance_error_db(one, up_6_db) == pytest.approx(3.0)


def test_the_balance_takes_energy_means_over_time() -> None:
    one = song("a", [1.0, 1.0], [0.1, 0.1], n=2)
    predicted = np.array([[np.sqrt(2.0), 1.0], [0.0, 1.0]])  # the same energy, all of it in the first frame
    assert balance_error_db(one, predicted) == pytest.approx(0.0, abs=1e-5)


def test_frames_whose_true_gain_is_zero_do_not_count_in_the_balance() -> None:
    one = song("a", [1.0, 1.0], [0.1, 0.1])
    one.gains[:6, 0] = 0.0
    predicted = np.ones_like(one.gains)
    predicted[:6, 0] = 7.0
    assert balance_error_db(one, predicted) == pytest.approx(0.0, abs=1e-12)


def test_a_predicted_gain_of_zero_counts_as_minus_60_db() -> None:
    one = song("a", [1.0, 1.0], [0.1, 0.1])
    assert balance_error_db(one, one.gains * [0.0, 1.0]) == pytest.approx(30.0)


def test_a_song_with_no_active_bus_has_no_balance_and_the_mean_leaves_it_out() -> None:
    silent, plain = song("silent", [1.0, 1.0], [0.0, 0.005]), song("plain", [1.0, 1.0], [0.1, 0.1])
    scores = score(lambda one, _: one.gains * [2.0, 1.0], [silent, plain])
    assert np.isnan(scores.balance_db["silent"])
    assert scores.mean_balance_db() == scores.balance_db["plain"] == pytest.approx(20.0 * np.log10(2.0) / 2.0)


def test_scores_of_only_silent_songs_have_no_mean_balance() -> None:
    assert np.isnan(Scores(mse={"a": {"drums": 1.0}}, balance_db={"a": float("nan")}).mean_balance_db())


def test_mean_and_spread_are_over_the_songs_that_have_the_bus() -> None:
    scores = Scores(mse={"a": {"drums": 1.0, "bass": 4.0}, "b": {"drums": 3.0}}, balance_db={"a": 1.0, "b": 4.0})
    assert scores.buses == ("drums", "bass")
    assert scores.mean_mse() == {"drums": 2.0, "bass": 4.0}
    assert scores.std_mse() == {"drums": pytest.approx(np.sqrt(2.0)), "bass": 0.0}
    assert scores.std_balance_db() == pytest.approx(np.sqrt(4.5))


# Leaving one out


def test_a_song_is_never_predicted_from_itself() -> None:
    songs = [song(title, [1.0, 1.0], [0.1, 0.1]) for title in "abc"]
    learned_from: dict[str, list[str]] = {}

    def spy(one: EvaluationSong, others: Sequence[EvaluationSong]) -> FloatArray:
        learned_from[one.title] = [other.title for other in others]
        return one.gains

    score(spy, songs)
    assert learned_from == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}


def test_songs_to_learn_from_may_be_others() -> None:
    train = [song("train", [0.5, 0.5], [0.1, 0.1])]
    test = [song("test", [1.0, 1.0], [0.1, 0.1])]
    scores = score(baselines()["mean gain"], test, train)
    assert scores.mse == {"test": {"drums": pytest.approx(0.25), "vocals": pytest.approx(0.25)}}


def test_a_single_song_cannot_be_left_out() -> None:
    with raises_error():
        score(baselines()["unity gain"], [song("a", [1.0, 1.0], [0.1, 0.1])])


@pytest.mark.parametrize("n_songs", [2, 6])
def test_leaving_each_song_out_folds_each_once_and_solves_small_problems(
    monkeypatch: pytest.MonkeyPatch, n_songs: int
) -> None:
    folded: list[int] = []
    solved: list[int] = []
    nnls = scipy.optimize.nnls

    def counting_fold(features: FloatArray, target: FloatArray) -> FloatArray:
        folded.append(len(features))
        return fold(features, target)

    def counting_nnls(matrix: FloatArray, target: FloatArray) -> tuple[FloatArray, float]:
        solved.append(len(matrix))
        return nnls(matrix, target)

    monkeypatch.setattr(evaluate, "fold", counting_fold)
    monkeypatch.setattr(scipy.optimize, "nnls", counting_nnls)
    an_hour = 3600 * 4 // n_songs
    score(PaperRegression(), moving_songs(n_songs, an_hour))
    assert folded == [an_hour] * (n_songs * 4)
    assert solved == [(n_songs - 1) * 4] * (n_songs * 4)


# Rules


def test_unity_gain_leaves_every_fader_at_0_db() -> None:
    one = song("a", [0.2, 0.4], [0.1, 0.1])
    assert (rule("unity gain", one, []) == 1.0).all()


def test_mean_gain_is_the_mean_in_db_of_the_others() -> None:
    others = [song("a", [0.1, 2.0], [0.1, 0.1]), song("b", [10.0, 2.0], [0.3, 0.3])]
    np.testing.assert_allclose(rule("mean gain", song("c", [5.0, 5.0], [0.2, 0.2]), others), [[1.0, 2.0]] * 8)


def test_level_per_bus_brings_each_bus_to_its_level_in_the_others() -> None:
    others = [song("a", [1.0, 2.0], [0.1, 0.2])]  # in the mix: 0.1 and 0.4
    np.testing.assert_allclose(rule("level per bus", song("b", [1.0, 1.0], [0.05, 0.8]), others), [[2.0, 0.5]] * 8)


def test_equal_level_brings_all_buses_to_one_level() -> None:
    others = [song("a", [1.0, 1.0], [0.1, 0.4])]  # mean in dB: 0.2
    np.testing.assert_allclose(rule("equal RMS level", song("b", [1.0, 1.0], [0.1, 0.8]), others), [[2.0, 0.25]] * 8)


def test_vocals_stand_6_db_above_the_rest() -> None:
    predicted = rule("vocals -18, rest -24 dB", song("a", [1.0, 1.0], [0.1, 0.1]), [])
    np.testing.assert_allclose(20.0 * np.log10(predicted[0] * 0.1), [-24.0, -18.0])


def test_the_oracle_uses_the_songs_true_gains() -> None:
    songs = [song("a", [0.3, 2.0], [0.1, 0.1]), song("b", [1.5, 0.7], [0.1, 0.1])]
    scores = score(baselines()["oracle (one gain a song)"], songs)
    assert max(max(row.values()) for row in scores.mse.values()) < 1e-20
    assert scores.mean_balance_db() == pytest.approx(0.0, abs=1e-9)


def test_a_gated_rule_is_silent_where_the_stem_is() -> None:
    one = song("a", [1.0, 1.0], [0.1, 0.1])
    one.rms[3:, 1] = 0.009
    gated = rule("unity gain, gated", one, [])
    assert (gated[:, 0] == 1.0).all()
    assert gated[:, 1].tolist() == [1.0] * 3 + [0.0] * 5


def test_a_bus_muted_in_one_mixdown_does_not_mute_every_song() -> None:
    others = [song("muted", [0.0, 1.0], [0.1, 0.1]), song("plain", [1.0, 1.0], [0.1, 0.1])]
    for name in ("mean gain", "level per bus", "equal RMS level"):
        predicted = rule(name, song("a", [1.0, 1.0], [0.1, 0.1]), others)
        assert (predicted > 0.03).all(), name


def test_a_bus_no_other_song_has_is_left_at_0_db_by_the_rules_and_at_0_by_the_paper() -> None:
    alone = song("a", [1.0, 1.0], [0.1, 0.1], ("drums", "vocals"))
    others = [song("b", [2.0, 2.0], [0.1, 0.1], ("drums", "bass"))]
    assert (rule("mean gain", alone, others)[:, 1] == 1.0).all()
    assert (PaperRegression()(alone, others)[:, 1] == 0.0).all()


def test_songs_that_are_silent_throughout_raise_no_warning() -> None:
    songs = [song(title, [1.0, 1.0], [0.0, 0.0]) for title in "ab"]
    for name, predictor in baselines().items():
        scores = score(predictor, songs)
        assert np.isfinite(list(scores.mean_mse().values())).all(), name


# The paper's regression


def test_the_papers_prediction_fades_in_over_its_smoothing() -> None:
    songs = [song(title, [0.6, 0.6], [0.1, 0.1], n=60) for title in "ab"]
    predicted = PaperRegression()(songs[0], [songs[1]])[:, 0]
    np.testing.assert_allclose(predicted, 0.6 * (1.0 - 0.9 ** np.arange(1, 61)), rtol=1e-9)


def test_the_papers_regression_has_no_intercept_and_no_negative_coefficient() -> None:
    rng = np.random.default_rng(2)
    level = rng.uniform(0.1, 1.0, (50, 1))
    falling = EvaluationSong(
        title="falling", buses=("drums",), features={"drums": level}, gains=5.0 - 10.0 * level, rms=level
    )
    rising = EvaluationSong(title="rising", buses=("drums",), features={"drums": level}, gains=2.0 * level, rms=level)
    assert (PaperRegression()(rising, [falling]) >= 0.0).all()
    settled = PaperRegression()(falling, [rising])
    np.testing.assert_allclose(settled[0], 0.1 * 2.0 * level[0])


def test_the_authors_rock_songs_give_the_originals_errors() -> None:
    expected = json.loads((GOLDEN / "evaluate.json").read_text())["rock_condition1"]
    scores = score(PaperRegression(), load_matrices(GOLDEN / "rock_condition1.npz"))
    assert set(scores.mse) == set(expected)
    for title, row in expected.items():
        assert scores.mse[title] == pytest.approx(row, rel=1e-6), title


def test_the_rules_errors_are_those_of_the_reference_script(shared: Path) -> None:
    script = shared / "reference" / "rock" / "baselines.py"
    printed = subprocess.run(  # noqa: S603 - this interpreter, on the reference material's own script
        [sys.executable, script, GOLDEN / "rock_condition1.npz"], capture_output=True, text=True, check=True
    ).stdout
    printed = printed.replace("equal level", "equal RMS level")  # the script's name of that rule
    expected = re.findall(r"^(.+?) +MSE [\d.]+ \[(.+?)\] +balance ([\d.]+) dB$", printed, re.MULTILINE)
    songs = load_matrices(GOLDEN / "rock_condition1.npz")
    ours = {**baselines(), "the paper's NNLS + EMA": PaperRegression()}
    assert {name for name, _, _ in expected} == set(ours)
    for name, mse, balance_db in expected:
        scores = score(ours[name], songs)
        np.testing.assert_allclose(list(scores.mean_mse().values()), [float(v) for v in mse.split()], atol=6e-4)
        assert scores.mean_balance_db() == pytest.approx(float(balance_db), abs=6e-3), name
