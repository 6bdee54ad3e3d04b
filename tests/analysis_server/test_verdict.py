"""Which method is better, in one sentence."""

from __future__ import annotations

import math

from analysis_server.verbs.evaluate import verdict


def interval(sentence: str) -> tuple[float, float]:
    """Return the bounds of the interval in a verdict, dB."""
    low, high = sentence.partition("95 % interval ")[2].split(" dB")[0].split(" to ")
    return float(low), float(high)


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
    sentence = verdict(ours, rules)
    assert "within chance" in sentence
    low, high = interval(sentence)
    assert low < 0.0 < high


def test_the_interval_surrounds_the_difference_also_where_a_rule_is_better() -> None:
    ours = {"a": 2.0, "b": 3.5, "c": 4.0}
    for rules in ({"unity gain": {"a": 1.0, "b": 2.0, "c": 3.4}}, {"unity gain": {"a": 1.0, "b": 4.5, "c": 1.0}}):
        sentence = verdict(ours, rules)
        assert sentence.startswith("The simple rule 'unity gain' is better")
        low, high = interval(sentence)
        assert low < float(sentence.partition(" by ")[2].split()[0]) < high
        assert ("within chance" in sentence) == (low < 0.0)


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
