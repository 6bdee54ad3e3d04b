"""Gains of single tracks: every track is an instrument, and a drum kit's microphones are one together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis_server import models
from core.analysis.measure import measure
from core.audio.song import Song
from core.decibels import gain_to_db
from core.errors import ModelError
from core.models.balance import SHARING_DB, TRACK_OFFSETS_DB, WRITTEN, StemLevels, levels_of
from core.models.model import Model
from core.models.predict import KIT_DEVIATION_DB, KIT_GROWTH_DB, KIT_LEVELS_DB, predict_balance, predict_tracks


def test_single_tracks_follow_the_rule_for_tracks(caesium: Song) -> None:
    model, measurement = models.find("default"), measure(caesium)
    levels = levels_of(measurement)
    expected = predict_balance(model, caesium.buses, levels, tracks=True)
    found = predict_tracks(model, measurement, caesium.buses)
    difference_db = (found.curves.gains_db - expected.balance_db)[levels.active.all(axis=1)]
    np.testing.assert_allclose(difference_db - difference_db[:, :1], 0.0, atol=1e-9)
    assert found.curves.deviation_db is not None
    np.testing.assert_allclose(found.curves.deviation_db[0], expected.deviation_db)


@pytest.mark.parametrize("n_vocals", [1, 3])
def test_a_track_is_as_loud_whether_its_bus_has_one_track_or_several(n_vocals: int) -> None:
    levels = flat_levels([-20.0] * (n_vocals + 2))
    buses = ["bass", "guitars", *["vocals"] * n_vocals]
    balance_db = predict_balance(rule_of_tracks(), buses, levels, tracks=True).balance_db[0]
    expected = TRACK_OFFSETS_DB["vocals"] - SHARING_DB * np.log10(n_vocals)
    np.testing.assert_allclose(balance_db[2:] - balance_db[0], expected)


def test_a_kit_is_one_instrument_among_the_tracks() -> None:
    buses = ["drums", "drums", "drums", "bass"]
    levels = flat_levels([-20.0, -14.0, -30.0, -18.0])
    roles = ("kick", "snare", "hihat", "bass")
    balance_db = predict_balance(rule_of_tracks(), buses, levels, tracks=True, track_roles=roles).balance_db[0]
    output_db = balance_db + levels.loudness_lufs
    np.testing.assert_allclose(output_db[:3] - output_db[0], [KIT_LEVELS_DB[role] for role in roles[:3]])
    kit_db = 10.0 * np.log10((10.0 ** (output_db[:3] / 10.0)).sum())
    expected = TRACK_OFFSETS_DB["drums"] + KIT_GROWTH_DB * np.log10(3)
    assert kit_db - output_db[3] == pytest.approx(expected)


def test_a_single_drum_is_not_a_kit() -> None:
    levels = flat_levels([-20.0, -18.0])
    plain = predict_balance(rule_of_tracks(), ["drums", "bass"], levels, tracks=True)
    as_kick = predict_balance(rule_of_tracks(), ["drums", "bass"], levels, tracks=True, track_roles=("kick", "bass"))
    np.testing.assert_allclose(as_kick.balance_db, plain.balance_db)
    np.testing.assert_allclose(as_kick.deviation_db, plain.deviation_db)


def test_a_gain_is_the_sum_of_its_terms_and_the_louder_of_two_tracks_is_lowered(caesium: Song) -> None:
    model, measurement = models.find("default"), measure(caesium)
    louder = 4.0
    doubled = replace(
        measurement,
        buses=(*caesium.buses, "copy"),
        rms=np.hstack([measurement.rms, louder * measurement.rms[:, :1]]),
        step_power=np.hstack([measurement.step_power, louder**2 * measurement.step_power[:, :1]]),
        band_power=np.hstack([measurement.band_power, louder**2 * measurement.band_power[:, :1]]),
        onset_rms=None
        if measurement.onset_rms is None
        else np.hstack([measurement.onset_rms, louder * measurement.onset_rms[:, :1]]),
    )
    found = predict_tracks(model, doubled, [*caesium.buses, caesium.buses[0]])
    sums = sum(found.terms_db.values())
    np.testing.assert_allclose(sums, gain_to_db(found.curves.gains), atol=1e-6)
    assert list(found.terms_db)[-1] == "common"
    difference_db = gain_to_db(found.curves.gains[:, -1] / found.curves.gains[:, 0])[
        levels_of(measurement).active[:, 0]
    ]
    np.testing.assert_allclose(difference_db, -gain_to_db(np.array(louder)), atol=1e-6)


def test_a_model_of_the_papers_features_has_no_rule_for_tracks(caesium: Song) -> None:
    paper = replace(models.find("default"), feature_set="condition1")
    with pytest.raises(ModelError) as caught:
        predict_tracks(paper, measure(caesium), caesium.buses)
    assert caught.value.option == "--level tracks"


def test_microphones_of_a_kit_follow_rules_of_thumb_with_a_wide_band(caesium: Song) -> None:
    model, measurement = models.find("default"), measure(caesium)
    kit = ("kick", "snare", "hihat", "hihat")
    found = predict_tracks(model, measurement, ["drums"] * 4, kit)
    plain = predict_tracks(model, measurement, ["drums"] * 4)
    moved_db = found.curves.gains_db - plain.curves.gains_db
    moved_db = (moved_db - moved_db[:, :1])[levels_of(measurement).active.all(axis=1)]
    expected = [0.0, 0.0, *[KIT_LEVELS_DB["hihat"] - 10.0 * np.log10(2.0)] * 2]
    np.testing.assert_allclose(moved_db, np.broadcast_to(expected, moved_db.shape), atol=1e-6)
    np.testing.assert_allclose(sum(found.terms_db.values()), gain_to_db(found.curves.gains), atol=1e-6)
    assert found.curves.deviation_db is not None
    assert found.curves.deviation_db.min() > KIT_DEVIATION_DB


def rule_of_tracks() -> Model:
    return Model(name="rule", preset="default", feature_set="condition3", prior=WRITTEN)


def test_only_microphones_of_a_kit_have_the_term_of_the_kit() -> None:
    levels = flat_levels([-20.0, -25.0, -22.0, -19.0])
    balance = predict_balance(
        Model(name="rule", preset="default", feature_set="condition3"),
        ["drums", "drums", "bass", "vocals"],
        levels,
        tracks=True,
        track_roles=["kick", "snare", "bass", "vocals"],
    )
    assert balance.terms["kit"][0, :2].all()
    assert not balance.terms["kit"][:, 2:].any()


def flat_levels(loudness_lufs: list[float]) -> StemLevels:
    loudness, n_tracks = np.array(loudness_lufs), len(loudness_lufs)
    return StemLevels(
        loudness_lufs=loudness,
        tone_db=np.zeros(n_tracks),
        covered_db=np.zeros(n_tracks),
        presence=np.ones(n_tracks),
        frame_lufs=loudness[None],
        active=np.ones((1, n_tracks), bool),
    )
