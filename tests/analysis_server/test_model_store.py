"""Models by name: the shipped one, the user's own in one folder, and nothing ever lost."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from analysis_server import models
from core.errors import ModelError
from core.models.fit import fold
from core.models.model import Model, TrainingSong, load
from tests.expected_errors import raises_error

SHIPPED = ["default", "equal-level"]


def model(name: str, title: str = "a song") -> Model:
    features = np.random.default_rng(len(title)).random((30, 3))
    song = TrainingSong(
        title=title,
        source="mixdown",
        hashes={},
        duration_s=7.5,
        n_frames=30,
        domain="complex",
        fit=1.0,
        triangles={"drums": fold(features, features @ np.array([1.0, 2.0, 3.0])).tolist()},
    )
    return Model(name=name, preset="paper", feature_set="condition1", songs=(song,))


def keep(name: str, title: str = "a song") -> Path:
    path = models.path_of(name)
    model(name, title).save(path)
    return path


# Where models are


def test_models_are_stored_in_faderwise_home(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep("mine") == own_home / "models" / "mine.json"
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "elsewhere"))
    assert models.names() == SHIPPED
    with raises_error(ModelError, facts=("mine",), remedy_facts=tuple(SHIPPED)):
        models.find("mine")


@pytest.mark.skipif(os.name == "nt", reason="a home folder is found otherwise there")
def test_faderwise_home_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FADERWISE_HOME", "~/faders")
    assert models.folder() == tmp_path / "faders" / "models"


@pytest.mark.parametrize("name", ["mine", "My Model 2", "v1.2", "rock+pop", "a-b_c", "größer", "歌", "x" * 100])
def test_a_name_of_letters_digits_and_a_few_signs_is_kept_and_found(name: str) -> None:
    keep(name)
    assert models.find(name).name == name
    assert name in models.names()


@pytest.mark.parametrize(
    "name", ["", " mine", ".hidden", "-mine", "a:b", "a*b", "what?", "a\nb", "a\0b", "a|b", '"a"', "<a>", "x" * 101]
)
def test_a_name_that_a_file_system_might_refuse_is_refused(name: str) -> None:
    with raises_error(ModelError):
        models.path_of(name)


@pytest.mark.parametrize("path", ["models/mine.json", "/models/mine.json", "mine.json", "..\\mine"])
def test_what_looks_like_a_file_is_taken_as_one(path: str) -> None:
    assert models.path_of(path) == Path(path)


# Finding


def test_the_shipped_model_is_there_and_levels_every_bus(own_home: Path) -> None:
    shipped = models.find(models.DEFAULT_MODEL)
    assert (shipped.preset, shipped.feature_set) == ("default", "condition3")
    assert len(shipped.songs) >= 8
    assert models.is_shipped(models.DEFAULT_MODEL)
    assert not own_home.exists()


def test_the_users_model_comes_before_the_shipped_one_of_that_name() -> None:
    keep(models.DEFAULT_MODEL)
    assert not models.is_shipped(models.DEFAULT_MODEL)
    assert models.find(models.DEFAULT_MODEL).preset == "paper"
    assert models.names() == SHIPPED


def test_a_model_that_hides_a_bundled_one_is_reported_with_both_files() -> None:
    assert models.hidden_model_warnings(models.DEFAULT_MODEL) == []
    keep("mine")
    keep(models.DEFAULT_MODEL)
    assert models.hidden_model_warnings("mine") == []
    (warning,) = models.hidden_model_warnings(models.DEFAULT_MODEL)
    assert str(models.path_of(models.DEFAULT_MODEL)) in warning
    assert str(Path("shipped_models", "default.json")) in warning


def test_an_unknown_model_is_refused_with_the_available_ones() -> None:
    keep("mine")
    with raises_error(ModelError, facts=("yours",), remedy_facts=("default", "equal-level", "mine")):
        models.find("yours")


def test_a_model_is_found_by_its_file(tmp_path: Path) -> None:
    model("far away").save(tmp_path / "folder" / "far.json")
    assert models.find(str(tmp_path / "folder" / "far.json")).name == "far away"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with raises_error(ModelError, path="nowhere.json"):
        models.find(str(tmp_path / "nowhere.json"))


# Removing, and taking in


def test_a_removed_model_is_kept_and_can_be_restored() -> None:
    path = keep("mine")
    before = path.read_bytes()
    aside = models.remove("mine")
    assert not path.exists()
    assert models.names() == SHIPPED
    assert aside.read_bytes() == before
    assert models.take_in(aside, None) == path
    assert path.read_bytes() == before


def test_removing_a_second_model_of_a_name_keeps_the_first_one_too() -> None:
    first = keep("mine", "first song").read_bytes()
    models.remove("mine")
    second = keep("mine", "second song").read_bytes()
    models.remove("mine")
    assert sorted(path.read_bytes() for path in models.folder().iterdir()) == sorted([first, second])


def test_removing_one_model_leaves_one_whose_name_begins_alike() -> None:
    keep("v1.2"), keep("v1")
    models.remove("v1.2")
    models.remove("v1")
    assert len(list(models.folder().iterdir())) == 2


def test_a_users_model_with_the_name_of_a_bundled_one_can_be_removed() -> None:
    keep(models.DEFAULT_MODEL)
    assert models.bundled_default().preset == "default"
    models.remove(models.DEFAULT_MODEL)
    assert models.is_shipped(models.DEFAULT_MODEL)


@pytest.mark.parametrize("name", [*SHIPPED, "Default"])
def test_a_model_is_not_imported_under_the_name_of_a_bundled_one(tmp_path: Path, name: str) -> None:
    model(name).save(tmp_path / "file.json")
    for given in (None, name):
        with raises_error(ModelError, option="--name", remedy_facts=("another name",)):
            models.take_in(tmp_path / "file.json", given)
    assert models.names() == SHIPPED


def test_the_shipped_model_cannot_be_removed() -> None:
    with raises_error(ModelError, facts=(models.DEFAULT_MODEL,)):
        models.remove(models.DEFAULT_MODEL)
    assert models.find(models.DEFAULT_MODEL)


def test_a_model_that_is_not_there_cannot_be_removed() -> None:
    with raises_error(ModelError, facts=("mine",), remedy_facts=("default", "equal-level")):
        models.remove("mine")


def test_a_model_is_imported_under_its_name_or_another(tmp_path: Path) -> None:
    model("theirs").save(tmp_path / "file.json")
    assert models.take_in(tmp_path / "file.json", None).name == "theirs.json"
    assert models.take_in(tmp_path / "file.json", "ours").name == "ours.json"
    assert models.find("ours").name == "ours"
    assert models.find("ours").songs == models.find("theirs").songs


def test_taking_in_a_model_of_a_known_name_sets_the_known_one_aside(tmp_path: Path) -> None:
    before = keep("mine", "first song").read_bytes()
    model("mine", "second song").save(tmp_path / "file.json")
    models.take_in(tmp_path / "file.json", None)
    assert models.find("mine").songs[0].title == "second song"
    assert before in [path.read_bytes() for path in models.folder().iterdir()]


def test_earlier_versions_are_listed_separately_and_can_be_restored() -> None:
    before = keep("mine", "first song").read_bytes()
    keep("mine", "second song")
    keep("mine", "third song")
    assert models.names() == [*SHIPPED, "mine"]
    earlier = models.earlier_versions()
    assert len(earlier) == 2
    (first,) = [path for path in earlier if path.read_bytes() == before]
    assert models.take_in(first, None) == models.path_of("mine")
    assert models.path_of("mine").read_bytes() == before


@pytest.mark.parametrize("name", ["my model/2", "mine.txt/", "a\\b", "models/mine.txt"])
def test_a_new_model_file_needs_the_suffix_of_models(name: str) -> None:
    with raises_error(ModelError, option="--model", remedy_facts=(models.SUFFIX,)):
        models.refuse_unusable(name, "--model")
    models.refuse_unusable(f"{name.rstrip('/')}.json", "--model")


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "escaped.json", "a\\b"])
def test_an_imported_model_cannot_be_stored_outside_the_folder(tmp_path: Path, name: str) -> None:
    model(name).save(tmp_path / "file.json")
    with raises_error(ModelError):
        models.take_in(tmp_path / "file.json", None)
    assert not list(tmp_path.rglob("*escaped*"))


def test_files_that_are_not_models_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text("{}")
    with raises_error(ModelError, path="file.json"):
        models.take_in(tmp_path / "file.json", "mine")
    assert not models.folder().exists()


def test_the_shipped_model_is_a_file_like_any_other(tmp_path: Path) -> None:
    models.find(models.DEFAULT_MODEL).save(tmp_path / "copy.json")
    assert load(tmp_path / "copy.json") == models.find(models.DEFAULT_MODEL)
