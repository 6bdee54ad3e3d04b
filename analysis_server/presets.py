"""The two presets: their features, and how each measures, estimates, learns and predicts.

`paper` is Zafrin & Chudwick (2015) as their implementation does it; `default` is what a user gets.
Their differences: docs/reference/method.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from core.analysis.measure import Domain, Measurement, measure
from core.audio.song import Song
from core.errors import InputError
from core.matching.matcher import match_name
from core.models.explain import Prediction
from core.models.model import Model
from core.models.predict import predict_explained, predict_tracks
from core.progress import ProgressCallback, part_of

if TYPE_CHECKING:
    from core.gains.estimate import Estimate
    from core.models.model import TrainingSong

Preset = Literal["default", "paper"]
FeatureSet = Literal["condition1", "condition2", "condition3"]
DEFAULT_SET: Mapping[str, FeatureSet] = {"paper": "condition1", "default": "condition3"}


def feature_set_of(preset: str, asked: str | None) -> str:
    """Return the feature set a preset uses, or the one that was asked for.

    Raises
    ------
    InputError
        The paper preset was asked for a set it does not have.
    """
    chosen = asked or DEFAULT_SET[preset]
    if preset == "paper" and chosen == "condition3":
        raise InputError(
            "the paper has only conditions 1 and 2", option="--features condition3", remedy="use --preset default"
        )
    return chosen


def measure_song(song: Song, preset: str, feature_set: str, progress: ProgressCallback) -> Measurement:
    """Return the measurement of the stems of `song` in either preset; its mixdown is not read."""
    if preset == "paper":
        from core.analysis.paper import measure_as_paper

        return measure_as_paper(song, feature_set=feature_set, with_mixdown=False, progress=progress)
    return measure(song, feature_set=feature_set, progress=progress)


def estimate_song(
    song: Song,
    preset: str,
    domain: Domain | None,
    feature_set: str | None,
    progress: ProgressCallback,
) -> Estimate:
    """Return the estimate of `song` in either preset, with features of `feature_set` measured in the same pass.

    Raises
    ------
    InputError
        The paper preset was asked for another domain than its own.
    """
    from core.gains.estimate import estimate, estimate_as_paper

    if preset == "default":
        return estimate(song, domain=domain, feature_set=feature_set or "condition3", progress=progress)
    if domain not in (None, "magnitude"):
        raise InputError(
            "the paper preset compares magnitudes",
            option=f"--domain {domain}",
            remedy="omit --domain, or --preset paper",
        )
    return estimate_as_paper(song, feature_set=feature_set, progress=progress)


def learn_song(song: Song, preset: str, feature_set: str, progress: ProgressCallback) -> tuple[Estimate, TrainingSong]:
    """Return the estimate of `song`, and what a model keeps of it."""
    from core.models.train import training_song

    found = estimate_song(song, preset, None, feature_set, progress)
    return found, training_song(
        song, found.measurement, found.curves, feature_set=feature_set, domain=found.domain, fit=found.fit
    )


def predict_song(song: Song, model: Model, progress: ProgressCallback) -> tuple[Measurement, Prediction]:
    """Return the default preset's measurement, which every report shows, and the model's curves."""
    if song.bus_of:
        measurement = measure(song, progress=progress)
        roles = [match_name(name).role for name in song.buses]
        return measurement, predict_tracks(model, measurement, [song.bus_of[name] for name in song.buses], roles)
    if model.preset == "paper":
        from core.analysis.paper import measure_as_paper

        features = measure_as_paper(
            song, feature_set=model.feature_set, with_mixdown=False, progress=part_of(progress, 0.0, 0.5)
        )
        return measure(song, progress=part_of(progress, 0.5, 1.0)), predict_explained(model, features)
    measurement = measure(song, feature_set=model.feature_set, progress=progress)
    return measurement, predict_explained(model, measurement)
