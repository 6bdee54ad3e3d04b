"""Roles of names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import suggestion
from core.matching import by_bus, new_bus_notes, new_buses
from core.roles import MIXDOWN_NAMES, PAPER_BUSES, SYNONYMS, canonical_role, in_order, is_mixdown, role_of, sharing
from tests.expected_errors import raises_error


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("drums", "drums"),
        ("Vox", "vocals"),
        ("VOICE", "vocals"),
        ("other", "melody"),
        ("music", "melody"),
        ("Lead_Vocals", "vocals"),
        ("lead-vox", "vocals"),
        ("  Bass ", "bass"),
        ("backing vocals", "backing vocals"),
        ("gtr", "guitars"),
        ("tambourine left", None),
        ("mix", None),
        ("", None),
    ],
)
def test_role_of_a_name(name: str, role: str | None) -> None:
    assert role_of(name) == role


@pytest.mark.parametrize(
    ("name", "role"), [("Vox", "vocals"), ("  LEAD  vox ", "vocals"), ("Tape  Loops", "tape loops")]
)
def test_a_chosen_role_is_a_known_role_or_the_name_itself(name: str, role: str) -> None:
    assert canonical_role(name) == role


@pytest.mark.parametrize("name", ["", "  ", "Mix", " MASTER "])
def test_a_bus_cannot_have_an_empty_name_or_that_of_a_mixdown(name: str) -> None:
    with raises_error(option=f"--bus {name}=..."):
        canonical_role(name)


def test_every_known_name_has_one_role_and_none_is_a_mixdown() -> None:
    names = [name for listed in SYNONYMS.values() for name in listed]
    assert len(names) == len(set(names))
    assert not set(names) & set(MIXDOWN_NAMES)
    assert all(role_of(role) == role for role in SYNONYMS)


@pytest.mark.parametrize("name", ["mix", "Mixture", "MASTER", "mixdown"])
def test_names_of_mixdowns(name: str) -> None:
    assert is_mixdown(name)
    assert role_of(name) is None


def test_buses_of_the_paper_come_first_then_known_ones_then_the_alphabet() -> None:
    assert in_order(["zither", "fx", "vocals", "alphorn", "bass", "keys", "drums", "melody"]) == (
        *PAPER_BUSES,
        "keys",
        "fx",
        "alphorn",
        "zither",
    )


@given(st.permutations([*SYNONYMS, "zither", "alphorn"]))
def test_the_order_does_not_depend_on_the_input_order(roles: list[str]) -> None:
    assert in_order(roles) == in_order(sorted(roles))


def test_an_unknown_role_is_treated_like_the_melody() -> None:
    assert sharing(["drums", "melody", "zither", "vocals"]) == [1, 2, 2, 1]


@pytest.mark.parametrize(
    ("name", "bus"),
    [
        ("vocls", "vocals"),
        ("Drms", "drums"),
        ("gitars", "guitars"),
        ("key", "keys"),
    ],
)
def test_a_misspelled_bus_is_refused_with_the_one_that_was_meant(name: str, bus: str) -> None:
    with raises_error(option=f"--bus {name}=...", facts=(name,), remedy_facts=(bus,)):
        by_bus([(name, "take.wav")])


@pytest.mark.parametrize(
    "name", ["foo", "zither", "kick", "vocals 2", "gtr2", "harmonica", "bvox", "one", "Tape  Loops", "a=b"]
)
def test_other_names_are_new_buses(name: str) -> None:
    assert list(by_bus([(name, "take.wav")])) == new_buses([name]) == [" ".join(name.split()).casefold()]


def test_names_of_listed_buses_are_not_new() -> None:
    chosen = {"Vox": ["a.wav"], "vocals": "b.wav", "drum": ["c.wav"], "none": ["d.wav"]}
    assert by_bus(chosen.items()) == {"vocals": ["a.wav", "b.wav"], "drums": ["c.wav"], "none": ["d.wav"]}
    assert new_buses(chosen) == []


def test_the_buses_of_a_model_are_not_new_and_are_suggested() -> None:
    assert new_buses(["Theremin"], ["theremin: left", "drums"]) == []
    with raises_error(option="--bus thermin=...", remedy_facts=("theremin",)):
        new_buses(["thermin"], ["theremin"])


def test_the_note_on_a_new_bus_names_the_bus_of_such_files() -> None:
    assert new_bus_notes(["foo", "kick", "vocals"], (), "its gain") == [
        "foo is a new bus: its gain",
        "kick is a new bus (files of that name are otherwise in the drums: --bus drums=FILE): its gain",
    ]


@pytest.mark.parametrize(("word", "meant"), [("comapre", "compare"), ("eval", "evaluate"), ("Mixx", "mix")])
def test_the_most_similar_name_is_suggested(word: str, meant: str) -> None:
    assert suggestion(word, ["mix", "evaluate", "compare"]) == f"did you mean {meant}? "


def test_nothing_is_suggested_for_a_word_like_no_name() -> None:
    assert suggestion("xyzzy", ["mix", "evaluate", "compare"]) == ""
