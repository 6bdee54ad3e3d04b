"""Which method is closer to the producers' balance, in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest

from analysis_server.verbs.evaluate import DEFAULT, FIXED_RULE, LEARNED, Comparison, compared, verdict

Errors = Mapping[str, float]


def errors(*values: float) -> dict[str, float]:
    """Return an error for each of as many songs."""
    return {f"song {number}": value for number, value in enumerate(values)}


def judged(ours_db: Errors, **others_db: Errors) -> tuple[str, dict[str, Comparison]]:
    """Return the verdict and the comparisons; underscores in names are spaces."""
    by_name = {name.replace("_", " "): values for name, values in others_db.items()}
    comparisons = compared(ours_db, by_name)
    means_db = {name: float(np.nanmean(list(values.values()))) for name, values in by_name.items()}
    means_db[LEARNED] = float(np.nanmean(list(ours_db.values())))
    return " ".join(verdict(comparisons, means_db)), comparisons


OURS = errors(1.0, 1.1, 1.2, 0.9, 1.0, 1.1)
FAR = errors(2.1, 2.0, 2.3, 1.9, 2.2, 2.0)


def test_a_clear_difference_from_the_default_model_is_significant() -> None:
    sentence, comparisons = judged(OURS, default=FAR, equal_RMS_level=errors(4.0, 3.0, 4.0, 5.0, 3.0, 4.0))
    assert sentence.startswith(
        "Learning helps: the learned model is 1.05 dB from the producer's balance, mean of 6 songs"
    )
    assert "the default model is 2.08 dB from it, further away (+1.03 dB, 95 % interval +0.9" in sentence
    assert comparisons[DEFAULT].significant is True
    low, high = comparisons[DEFAULT].interval_db or (0.0, 0.0)
    assert 0.0 < low < comparisons[DEFAULT].closer_db < high


def test_a_difference_is_that_of_the_two_shown_errors() -> None:
    sentence, comparisons = judged(errors(0.944, 0.944), default=errors(2.966, 2.966), equal_RMS_level=errors(3.0, 3.0))
    assert "is 0.94 dB from" in sentence
    assert "is 2.97 dB from it, further away (+2.03 dB" in sentence
    assert comparisons[DEFAULT].closer_db == pytest.approx(2.022)


def test_a_model_that_is_further_away_does_not_help() -> None:
    sentence, comparisons = judged(FAR, default=OURS, equal_RMS_level=FAR)
    assert sentence.startswith("Learning does not help: ")
    assert "the default model is 1.05 dB from it, closer (-1.03 dB, 95 % interval -1.1" in sentence
    assert comparisons[DEFAULT].closer_db == pytest.approx(-1.0333, abs=1e-3)


def test_a_scattered_difference_is_not_significant() -> None:
    sentence, comparisons = judged(OURS, default=errors(3.0, 0.2, 2.6, 0.1, 2.0, 0.4), equal_RMS_level=FAR)
    assert sentence.startswith("These songs do not show whether learning helps")
    assert "which contains 0: not significant" in sentence
    assert comparisons[DEFAULT].significant is False


@pytest.mark.parametrize(("n_songs", "cases"), [(2, 2), (3, 4), (5, 16)])
def test_few_songs_are_not_tested_and_the_reason_is_given(n_songs: int, cases: int) -> None:
    ours, far = ({title: one[title] for title in list(one)[:n_songs]} for one in (OURS, FAR))
    sentence, comparisons = judged(ours, default=far, equal_RMS_level=far)
    assert "significant" not in sentence.replace("test of significance", "")
    assert f"give the same answer in 1 of {cases} cases" in sentence
    assert comparisons[DEFAULT].p_value is None and comparisons[DEFAULT].significant is None


def test_one_song_is_not_called_a_sample() -> None:
    sentence, _ = judged(errors(1.0), default=errors(2.0), equal_RMS_level=errors(3.0))
    assert "One song is too few" in sentence and "mean of" not in sentence


def test_the_same_difference_in_every_song_has_no_interval_and_no_test() -> None:
    sentence, comparisons = judged(
        dict.fromkeys(OURS, 3.43), default=dict.fromkeys(OURS, 4.0), equal_RMS_level=dict.fromkeys(OURS, 0.0)
    )
    assert comparisons[FIXED_RULE].interval_db is None and comparisons[FIXED_RULE].significant is None
    assert "the difference is the same in every song" in sentence
    assert "closer (-3.43 dB, not tested)" in sentence


def test_the_rule_of_the_verdict_is_fixed_and_closer_rules_are_listed() -> None:
    """Choosing the best of several rules on the tested songs would make it look better than it is."""
    better = {title: value - 0.2 for title, value in OURS.items()}
    halved = {title: 0.5 * value for title, value in OURS.items()}
    sentence, _ = judged(OURS, default=FAR, equal_RMS_level=FAR, mean_gain=better, level_per_bus=halved, unity_gain=FAR)
    assert "Equal RMS levels are 2.08 dB from it" in sentence
    listed = "'mean gain' (-0.20 dB, not tested), 'level per bus' (-0.52 dB, significant)"
    assert f"Simple rules that are closer than the model: {listed}." in sentence
    assert "'mean gain' repeats the gains of other songs" in sentence


def test_several_comparisons_are_corrected() -> None:
    barely = {
        title: value + extra for (title, value), extra in zip(OURS.items(), (0.0, 0.9, 0.1, 0.8, 0.2, 0.7), strict=True)
    }
    alone, several = (
        judged(OURS, **dict.fromkeys(names, barely))[1]
        for names in (["equal_RMS_level"], ["equal_RMS_level", "default", "unity_gain"])
    )
    assert alone[FIXED_RULE].significant is True
    assert several[FIXED_RULE].significant is False
    assert several[FIXED_RULE].p_value == pytest.approx(3.0 * (alone[FIXED_RULE].p_value or 0.0))


def test_oracles_and_gated_rules_are_not_compared_and_silent_songs_are_left_out() -> None:
    ours = {**OURS, "silent": math.nan}
    others = {
        "oracle (one gain a song)": dict.fromkeys(ours, 0.0),
        "equal RMS level, gated": {**FAR, "silent": math.nan},
    }
    comparisons = compared(ours, {**others, FIXED_RULE: {**FAR, "silent": math.nan}})
    assert set(comparisons) == {FIXED_RULE}
    assert comparisons[FIXED_RULE].n_songs == 6


def test_without_errors_there_is_no_verdict() -> None:
    assert verdict({}, {LEARNED: math.nan}) == ["No song has a balance error to compare."]
