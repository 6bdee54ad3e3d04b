"""Which method is better, in one sentence."""

from __future__ import annotations

import math

from analysis_server.verbs.evaluate import verdict


def test_a_clear_difference_is_significant() -> None:
    ours = {str(i): 1.0 + 0.01 * i for i in range(6)}
    rules = {"equal level": {title: value + 1.0 for title, value in ours.items()}, "unity": dict.fromkeys(ours, 9.0)}
    assert verdict(ours, rules).startswith(
        "The model is better than the best simple rule, 'equal level', by 1.00 dB of balance error on average over 6 "
        "songs, significant"
    )


def test_a_scattered_difference_is_not_significant() -> None:
    ours = {"a": 1.0, "b": 3.0, "c": 1.0, "d": 3.2}
    rules = {"equal level": {"a": 3.0, "b": 1.0, "c": 3.0, "d": 1.0}}
    assert "not significant" in verdict(ours, rules)


def test_a_better_rule_is_named_first_and_silent_songs_are_left_out() -> None:
    ours = {"a": 2.0, "b": 2.0, "c": math.nan}
    rules = {"equal level": {"a": 1.0, "b": 1.0, "c": math.nan}}
    sentence = verdict(ours, rules)
    assert sentence.startswith("The simple rule 'equal level' is better than the model by 1.00 dB")
    assert "over 2 songs; too few songs" in sentence


def test_without_errors_there_is_no_verdict() -> None:
    assert verdict({"a": math.nan}, {"equal level": {"a": 1.0}}) == "No song has a balance error to compare."


def test_the_oracle_is_not_a_rule_to_compare_with() -> None:
    ours = {"a": 1.0, "b": 1.1, "c": 1.2}
    rules = {"oracle (one gain a song)": dict.fromkeys(ours, 0.0), "equal level": dict.fromkeys(ours, 2.0)}
    assert verdict(ours, rules).startswith("The model is better than the best simple rule, 'equal level'")
