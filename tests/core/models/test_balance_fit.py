"""Fitted output levels, for songs whose figures can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from core.models.balance import NAMES, BalancePrior
from core.models.fit import BalanceFit, SongEvidence, fit_balance, fold

BUSES = ("drums", "vocals")


def song(output_lufs: float, n_frames: int = 40) -> SongEvidence:
    """Return a song both of whose buses are at `output_lufs` throughout."""
    features = np.zeros((n_frames, len(NAMES)))
    features[:, 0] = 1.0
    weights = np.full(n_frames, 1.0 / n_frames)
    return SongEvidence(r_factors={bus: fold(features, np.full(n_frames, output_lufs), weights) for bus in BUSES})


def fitted(*outputs_lufs: float, **prior: float) -> BalanceFit:
    return fit_balance([song(lufs) for lufs in outputs_lufs], BalancePrior(**prior))


@pytest.mark.parametrize("outputs_lufs", [(-20.0, -26.0), (-20.0, -26.0, -17.0, -21.0, -24.0)])
def test_the_next_songs_output_level_varies_like_the_songs_and_their_mean(
    outputs_lufs: tuple[float, ...],
) -> None:
    found = fitted(*outputs_lufs)
    assert found.output_lufs == pytest.approx(np.mean(outputs_lufs))
    of_mean = 1.0 + 1.0 / len(outputs_lufs)
    assert found.output_deviation_db == pytest.approx(np.std(outputs_lufs, ddof=1) * np.sqrt(of_mean))


def test_the_spread_of_one_song_is_the_priors() -> None:
    found = fitted(-21.0, output_lufs=-25.0, output_deviation_db=3.0)
    assert found.output_lufs == pytest.approx(-21.0)
    assert found.output_deviation_db == pytest.approx(3.0 * np.sqrt(2.0))


def test_without_songs_the_output_level_is_the_priors() -> None:
    found = fitted(output_lufs=-25.0, output_deviation_db=3.0)
    assert (found.output_lufs, found.output_deviation_db) == (-25.0, 3.0)
