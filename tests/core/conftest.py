"""Estimators of gains from samples, and how far off what they found is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.audio.song import Song, open_song
from core.gains.estimate import Estimate, estimate
from tests.conftest import FaderMoves

Array = npt.NDArray[np.float64]
Estimator = Callable[..., Estimate]


@pytest.fixture
def recovered(caesium: Song, tmp_path: Path) -> Estimator:
    """Estimates the gains that turn the bundled stems into a mixdown given as samples."""
    folder = next(iter(caesium.stems.values())).path.parent

    def run(mixdown: Array, *, sample_rate: int = 44_100, **options: Any) -> Estimate:
        path = tmp_path / "made.wav"
        soundfile.write(path, mixdown, sample_rate, subtype="FLOAT")
        return estimate(open_song(folder, mixdown=path), **options)

    return run


@pytest.fixture
def recovered_from(tmp_path: Path) -> Estimator:
    """Estimates the gains that turn stems given as samples into a mixdown given as samples."""

    def run(stems: Mapping[str, Array], mixdown: Array, **options: Any) -> Estimate:
        for name, samples in {**stems, "mix": mixdown}.items():
            soundfile.write(tmp_path / f"{name}.wav", samples, 44_100, subtype="FLOAT")
        return estimate(open_song(tmp_path), **options)

    return run


def errors_db(found: Estimate, moves: FaderMoves, *, until_s: float = np.inf) -> Array:
    """Return the absolute errors over the frames in which each stem sounds."""
    curves = found.curves
    inside = curves.active & (curves.time_s < until_s - 0.5)[:, None]
    return np.abs(curves.gains_db - moves.gain_db(curves.time_s))[inside]


def by_bus(moves: FaderMoves) -> dict[str, Array]:
    return dict(zip(moves.buses, moves.stems, strict=True))
