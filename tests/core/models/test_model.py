"""A model is one readable file: written and read without loss, exact when songs come and go, and hard to fool."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace
from scipy.optimize import nnls

from core.errors import ModelError
from core.models.fit import fold
from core.models.model import LARGEST_FILE_BYTES, Model, TrainingSong, have_same_stems, load
from tests.expected_errors import raises_error

FloatArray = npt.NDArray[np.float64]
Frames = dict[str, tuple[FloatArray, FloatArray]]
TITLES = ("Blue", "Amber", "Ünïcode 歌", "Cyan")


def frames_of(title: str, buses: tuple[str, ...] = ("drums", "vocals")) -> Frames:
    """Return features (centroid, RMS, slope) and gains of each of a song's buses."""
    rng = np.random.default_rng(sum(map(ord, title)))
    scales = np.array([2000.0, 0.1, -1e-4])
    return {bus: (rng.uniform(0.5, 1.5, (80, 3)) * scales, rng.uniform(0.2, 2.0, 80)) for bus in buses}


def training_song(title: str, buses: tuple[str, ...] = ("drums", "vocals")) -> TrainingSong:
    return TrainingSong(
        title=title,
        source="mixdown",
        hashes={"mixdown": "sha256:00"},
        duration_s=20.75,
        n_frames=80,
        domain="magnitude",
        fit=0.93,
        triangles={bus: fold(*frames).tolist() for bus, frames in frames_of(title, buses).items()},
    )


def model_of(*titles: str) -> Model:
    model = Model(name="mine", preset="paper", feature_set="condition1", made_by="a test")
    for title in titles:
        model = model.with_song(training_song(title))
    return model


def test_songs_of_the_same_stems_are_known_by_their_features_whatever_their_gains():
    def learned(title: str, gain: float) -> TrainingSong:
        triangles = {bus: fold(found, gain * gains).tolist() for bus, (found, gains) in frames_of(title).items()}
        return replace(training_song(title), triangles=triangles)

    assert have_same_stems(learned("Blue", 1.0), replace(learned("Blue", 0.3), title="Copy"))
    assert not have_same_stems(learned("Blue", 1.0), learned("Amber", 1.0))
    assert not have_same_stems(learned("Blue", 1.0), replace(learned("Blue", 1.0), duration_s=21.0))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model's file."""
    model_of(*TITLES).save(tmp_path / "mine.json")
    return tmp_path / "mine.json"


# Coefficients


def test_coefficients_are_those_of_all_songs_frames_together() -> None:
    features = np.concatenate([frames_of(title)["drums"][0] for title in TITLES])
    gains = np.concatenate([frames_of(title)["drums"][1] for title in TITLES])
    length = np.linalg.norm(features, axis=0)
    expected = nnls(features / length, gains)[0]
    np.testing.assert_allclose(model_of(*TITLES).coefficients("drums") * length, expected, atol=1e-9)


def test_adding_and_removing_a_song_leaves_no_trace() -> None:
    never = model_of("Blue", "Cyan")
    added_and_removed = never.with_song(training_song("Amber")).without_song("Amber")
    assert added_and_removed == never
    assert added_and_removed.named_coefficients() == never.named_coefficients()


def test_the_order_songs_came_in_does_not_matter() -> None:
    assert model_of(*TITLES) == model_of(*TITLES[::-1])


def test_a_song_of_the_same_title_takes_the_others_place() -> None:
    assert model_of("Blue", "Amber", "Blue") == model_of("Blue", "Amber")


def test_a_model_without_songs_has_no_bus() -> None:
    empty = model_of("Blue").without_song("Blue")
    assert (empty.songs, empty.buses, empty.named_coefficients()) == ((), (), {})
    with raises_error(ModelError, facts=("drums",)):
        empty.coefficients("drums")


def test_a_song_without_a_bus_does_not_change_that_bus() -> None:
    model = model_of("Blue")
    more = model.with_song(training_song("Amber", ("drums",)))
    assert more.coefficients("vocals").tolist() == model.coefficients("vocals").tolist()
    assert more.coefficients("drums").tolist() != model.coefficients("drums").tolist()


def test_buses_stand_in_the_usual_order() -> None:
    buses = ("zither", "vocals", "drums", "keys")
    model = Model(name="m", preset="paper", feature_set="condition1", songs=(training_song("Blue", buses),))
    assert model.buses == ("drums", "vocals", "keys", "zither")


def test_removing_an_unknown_song_lists_the_known_ones() -> None:
    with raises_error(ModelError, facts=("Violet",), remedy_facts=("Amber", "Blue")):
        model_of("Blue", "Amber").without_song("Violet")


# The file


def test_a_model_survives_a_round_trip(saved: Path) -> None:
    assert load(saved) == model_of(*TITLES)
    assert load(saved).coefficients("drums").tolist() == model_of(*TITLES).coefficients("drums").tolist()


def test_writing_what_was_read_changes_no_byte(saved: Path, tmp_path: Path) -> None:
    load(saved).save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == saved.read_bytes()


def test_a_person_can_read_the_file(saved: Path) -> None:
    text = saved.read_text(encoding="utf-8")
    assert "Ünïcode 歌" in text
    content = json.loads(text)
    assert content["features"] == "condition1"
    assert list(content["buses"]["drums"]["coefficients"]) == ["centroid", "rms", "slope"]
    assert [song["title"] for song in content["songs"]] == sorted(TITLES)
    assert len(text.splitlines()) > 50


def test_an_earlier_file_is_set_aside(saved: Path) -> None:
    before = saved.read_bytes()
    model_of("Blue").save(saved)
    (aside,) = (path for path in saved.parent.iterdir() if path != saved)
    assert aside.read_bytes() == before


# Older files


def test_a_file_of_the_first_version_still_loads(saved: Path) -> None:
    content = json.loads(saved.read_text(encoding="utf-8"))
    content["version"] = 1
    del content["prior"]
    for song in content["songs"]:
        del song["weight"]
    saved.write_text(json.dumps(content), encoding="utf-8")
    assert load(saved) == model_of(*TITLES)


def test_a_balance_of_the_first_version_names_the_songs_to_learn_again(saved: Path) -> None:
    content = json.loads(saved.read_text(encoding="utf-8"))
    content |= {"version": 1, "preset": "default", "features": "condition3"}
    saved.write_text(json.dumps(content), encoding="utf-8")
    with raises_error(ModelError, path="mine.json", remedy_facts=("Amber", "Blue", "Cyan")):
        load(saved)


# Damaged files


def _set(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content[key] = value

    return change


def _drop(key: str) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        del content[key]

    return change


def _triangle(value: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content["songs"][0]["triangles"]["drums"] = value

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_set("version", 5), "version 5, and this program supports 1 to 4; update Faderwise"),
        (_set("version", 0), "update Faderwise"),
        (_set("version", True), "update Faderwise"),
        (_set("prior", {"offsets": {"drums": 1e5}}), "its prior is damaged"),
        (_set("prior", {"song_deviation_db": -1.0}), "its prior is damaged"),
        (_set("prior", {"offsets": 1}), "is a damaged model"),
        (_set("version", "1"), "update Faderwise"),
        (_set("format", "another-model"), "is not a model file"),
        (_drop("format"), "is not a model file"),
        (_set("features", "condition4"), "unknown feature set"),
        (_set("preset", "mine"), "preset"),
        (_drop("songs"), "is a damaged model"),
        (_set("songs", [{"title": "Blue"}]), "is a damaged model"),
        (_set("extra", 1), "is a damaged model"),
        (_triangle([[1.0, 2.0], [3.0, 4.0]]), "the sums of drums in 'Amber' are damaged"),
        (_triangle([[0.0] * 4] * 3), "the sums of drums in 'Amber' are damaged"),
        (_triangle([[0.0] * 4] * 3 + [[0.0] * 5]), "the sums of drums in 'Amber' are damaged"),
        (_triangle([[0.0] * 4] * 4 + [[0.0]]), "the sums of drums in 'Amber' are damaged"),
        (_triangle([[1e200] * 4] * 4), "the sums of drums in 'Amber' are damaged"),
        (_triangle([]), "the sums of drums in 'Amber' are damaged"),
        (_triangle([[None] * 4] * 4), "is a damaged model"),
        (_triangle([[float("nan")] * 4] * 4), "is a damaged model"),
        (_triangle([[float("inf")] * 4] * 4), "is a damaged model"),
        (_triangle("abc"), "is a damaged model"),
    ],
)
def test_a_changed_file_is_refused_by_name(saved: Path, change: Callable[[dict[str, Any]], None], problem: str) -> None:
    content = json.loads(saved.read_text(encoding="utf-8"))
    change(content)
    saved.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ModelError) as refused:
        load(saved)
    assert str(refused.value).startswith(f"{saved}: ")
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"model", b"\x00\xff\xfe", b"[" * 100_000, b'{"format": 1e999}', b'"\\ud800"'],
    ids=lambda content: repr(content[:12]),
)
def test_garbage_is_not_a_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes(content)
    with raises_error(ModelError, path="mine.json"):
        load(path)


def test_a_model_in_another_encoding_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_text(encoding="utf-8").encode("utf-16"))
    with raises_error(ModelError, path="mine.json"):
        load(saved)


@pytest.mark.parametrize("kept", [0.01, 0.5, 0.99])
def test_a_truncated_model_is_refused(saved: Path, kept: float) -> None:
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(kept * len(whole))])
    with raises_error(ModelError, path="mine.json"):
        load(saved)


def test_a_file_above_the_size_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1)
    with raises_error(ModelError, path="mine.json"):
        load(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.json", tmp_path):
        with raises_error(ModelError, path=path.name):
            load(path)
