"""Models of condition 3: prior, weights of songs, and file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ModelError
from core.models.balance import NAMES, TRACK_OFFSETS_DB, WRITTEN, BalancePrior
from core.models.fit import fold
from core.models.model import Model, TrainingSong, load
from tests.expected_errors import raises_error


def test_a_balance_model_without_songs_is_its_prior() -> None:
    rule = Model(name="rule", preset="default", feature_set="condition3")
    prior = BalancePrior()
    assert rule.coefficients("melody").tolist() == [0.0, *prior.coefficients]
    assert rule.coefficients("vocals").tolist() == [prior.offsets["vocals"], *prior.coefficients]


def test_a_bus_that_is_a_single_instrument_follows_the_rule_for_tracks() -> None:
    fit = Model(name="rule", preset="default", feature_set="condition3").balance_fit
    for buses in (("drums", "guitars", "vocals"), ("vocals", "fx")):
        coefficients = fit.coefficients_of(buses)
        assert (coefficients[:, NAMES.index("tone")] == 0.0).all()
        assert coefficients[buses.index("vocals"), 0] == TRACK_OFFSETS_DB["vocals"]


def balance_song(title: str, buses: tuple[str, ...] = ("drums", "vocals"), **others: Any) -> TrainingSong:
    rng = np.random.default_rng(sum(map(ord, title)))
    rows = {bus: np.column_stack([np.ones(40), rng.normal(size=(40, len(NAMES)))]) for bus in buses}
    song = TrainingSong(
        title=title,
        source="mixdown",
        hashes={"mixdown": "sha256:00"},
        duration_s=20.75,
        n_frames=40,
        domain="complex",
        fit=0.93,
        triangles={bus: fold(values[:, :-1], values[:, -1]).tolist() for bus, values in rows.items()},
    )
    return msgspec.structs.replace(song, **others)


def test_a_model_that_starts_from_another_predicts_like_it() -> None:
    shipped = Model(name="shipped", preset="default", feature_set="condition3").with_song(balance_song("Blue"))
    own = replace(shipped, name="own", songs=(), prior=shipped.as_prior())
    for bus in ("drums", "vocals", "an unknown bus"):
        np.testing.assert_allclose(own.coefficients(bus), shipped.coefficients(bus), atol=1e-12)


@given(n_songs=st.integers(1, 5), weight=st.floats(0.1, 10.0))
def test_a_heavier_song_pulls_every_offset_further(n_songs: int, weight: float) -> None:
    prior = Model(name="m", preset="default", feature_set="condition3")
    songs = tuple(balance_song(str(number)) for number in range(n_songs))
    light = replace(prior, songs=tuple(msgspec.structs.replace(song, weight=weight) for song in songs))
    heavy = replace(prior, songs=tuple(msgspec.structs.replace(song, weight=100.0 * weight) for song in songs))
    moved = [abs(model.coefficients("drums") - prior.coefficients("drums")).max() for model in (light, heavy)]
    assert moved[1] > moved[0]


def test_an_invalid_weight_is_refused(tmp_path: Path) -> None:
    Model(name="m", preset="default", feature_set="condition3", songs=(balance_song("Blue"),)).save(tmp_path / "m.json")
    content = json.loads((tmp_path / "m.json").read_text())
    for weight in (0.0, -1.0, 1e9, None):
        content["songs"][0]["weight"] = weight
        (tmp_path / "m.json").write_text(json.dumps(content))
        with raises_error(ModelError, path="m.json"):
            load(tmp_path / "m.json")


def test_a_balance_model_comes_back_too(tmp_path: Path) -> None:
    shipped = Model(name="shipped", preset="default", feature_set="condition3")
    songs = (balance_song("Blue"), balance_song("Red", source="edits", weight=2.0))
    model = replace(shipped, name="mine", songs=songs, prior=shipped.as_prior())
    model.save(tmp_path / "mine.json")
    assert load(tmp_path / "mine.json") == model


# Models of version 2


def as_version_2(path: Path, model: Model) -> Path:
    model.save(path)
    content = json.loads(path.read_text())
    content["version"] = 2
    for song in content["songs"]:
        del song["album"]
    if content["prior"]:
        del content["prior"]["departure_db"], content["prior"]["track_offsets"]
    path.write_text(json.dumps(content))
    return path


def test_an_earlier_balance_loads_and_stays_near_equal_levels(tmp_path: Path) -> None:
    shipped = Model(name="shipped", preset="default", feature_set="condition3")
    prior = shipped.as_prior()
    model = replace(shipped, name="mine", songs=(balance_song("Blue"),), prior=prior)
    deviation_db = prior.song_deviation_db * WRITTEN.song_deviation_db / 2.6
    upgraded = msgspec.structs.replace(prior, song_deviation_db=deviation_db)
    assert load(as_version_2(tmp_path / "mine.json", model)) == replace(model, prior=upgraded)


def test_the_equal_level_rule_of_an_earlier_version_has_no_offsets_for_tracks(tmp_path: Path) -> None:
    rule = BalancePrior(name="equal-level", offsets={}, shared={}, track_offsets={})
    model = Model(name="m", preset="default", feature_set="condition3", prior=rule)
    prior = load(as_version_2(tmp_path / "m.json", model)).prior
    assert prior is not None
    assert prior.track_offsets == {}
    assert prior.departure_db is None


def test_an_earlier_songs_buses_keep_their_level_where_they_share_a_place(tmp_path: Path) -> None:
    """They were held 3 dB apart for sharing, and are held 0.6 dB apart now: their output level is 2.4 dB less."""
    song = balance_song("Blue", ("drums", "guitars", "keys"))
    model = Model(name="m", preset="default", feature_set="condition3", songs=(song,))
    (loaded,) = load(as_version_2(tmp_path / "m.json", model)).songs
    for bus, change_db in {"drums": 0.0, "guitars": -8.0 * np.log10(2.0), "keys": -8.0 * np.log10(2.0)}.items():
        before, after = np.array(song.triangles[bus]), np.array(loaded.triangles[bus])
        np.testing.assert_allclose(after[0, -1] - before[0, -1], change_db * before[0, 0])
        np.testing.assert_allclose(after[:, :-1], before[:, :-1])
