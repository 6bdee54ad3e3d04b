"""Gains of single tracks: the balance inside each bus, then that of the buses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis_server import models
from core.analysis.measure import measure
from core.audio.song import Song
from core.decibels import gain_to_db
from core.errors import ModelError
from core.models.balance import levels_of
from core.models.predict import KIT_DEVIATION_DB, KIT_LEVELS_DB, predict_explained, predict_tracks


def test_one_track_a_bus_is_the_prediction_of_the_buses(caesium: Song) -> None:
    model, measurement = models.find("default"), measure(caesium)
    of_buses, of_tracks = predict_explained(model, measurement), predict_tracks(model, measurement, caesium.buses)
    np.testing.assert_allclose(of_tracks.curves.gains, of_buses.curves.gains, rtol=1e-6)


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
    sums = found.explanation.contributions_db.sum(axis=2)
    np.testing.assert_allclose(sums, gain_to_db(found.curves.gains), atol=1e-6)
    assert found.explanation.terms[-1] == "common"
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
    np.testing.assert_allclose(
        found.explanation.contributions_db.sum(axis=2), gain_to_db(found.curves.gains), atol=1e-6
    )
    assert found.curves.deviation_db is not None
    assert found.curves.deviation_db.min() > KIT_DEVIATION_DB
