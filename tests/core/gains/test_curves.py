"""Gain curves: their figures, and their files."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage

from core.gains.curves import GainCurves, gaussian
from tests.expected_errors import raises_error


@pytest.fixture
def curves() -> GainCurves:
    gains = np.array([[1.0, 0.5], [2.0, 0.0], [4.0, 0.5]])
    return GainCurves(
        title="a song",
        buses=("drums", "lead, left"),
        time_s=np.array([0.5, 0.75, 1.0]),
        gains=gains,
        gains_raw=gains * 2.0,
        active=np.array([[True, False], [True, False], [False, False]]),
        fit=np.array([1.0, np.nan, 0.5]),
        deviation_db=np.full((3, 2), 0.25),
    )


def test_gains_in_db_have_a_lower_limit(curves: GainCurves) -> None:
    np.testing.assert_allclose(curves.gains_db[:, 0], [0.0, 6.0206, 12.0412], atol=1e-4)
    assert curves.gains_db[1, 1] == -150.0


def test_the_median_is_over_sounding_frames_or_over_all_frames_of_a_silent_bus(curves: GainCurves) -> None:
    assert curves.median_gain_db() == pytest.approx({"drums": 3.0103, "lead, left": -6.0206}, abs=1e-4)


def test_scaling_changes_only_gains_and_raw_gains(curves: GainCurves) -> None:
    louder = curves.with_gain_db(6.0206)
    np.testing.assert_allclose(louder.gains, curves.gains * 2.0, rtol=1e-5)
    np.testing.assert_allclose(louder.gains_raw, curves.gains_raw * 2.0, rtol=1e-5)
    np.testing.assert_array_equal(louder.time_s, curves.time_s)
    np.testing.assert_array_equal(louder.active, curves.active)


def test_an_npz_has_everything_without_pickle(curves: GainCurves, tmp_path: Path) -> None:
    curves.save(tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz", allow_pickle=False) as kept:
        assert set(kept) == {"time_s", "gains", "gains_raw", "active", "buses", "fit", "deviation_db"}
        np.testing.assert_array_equal(kept["gains"], curves.gains)
        np.testing.assert_array_equal(kept["gains_raw"], curves.gains_raw)
        np.testing.assert_array_equal(kept["active"], curves.active)
        np.testing.assert_array_equal(kept["fit"], curves.fit)
        assert tuple(kept["buses"]) == curves.buses
        assert kept["active"].dtype == bool


def test_the_same_curves_are_written_as_the_same_bytes(curves: GainCurves, tmp_path: Path) -> None:
    curves.save(tmp_path / "c.npz")
    with zipfile.ZipFile(tmp_path / "c.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    curves.save(tmp_path / "c.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]


def test_an_unknown_deviation_is_left_out(curves: GainCurves, tmp_path: Path) -> None:
    replace(curves, deviation_db=None).save(tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz") as kept:
        assert "deviation_db" not in kept


def test_a_csv_has_the_times_and_one_column_per_bus_in_full_precision(curves: GainCurves, tmp_path: Path) -> None:
    exact = replace(curves, gains=curves.gains / 3.0)
    exact.save(tmp_path / "c.CSV")
    with (tmp_path / "c.CSV").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head == ["time_s", "drums", "lead, left"]
    np.testing.assert_array_equal(np.array(rows, dtype=float)[:, 0], exact.time_s)
    np.testing.assert_array_equal(np.array(rows, dtype=float)[:, 1:], exact.gains)


def test_another_file_name_extension_is_refused(curves: GainCurves, tmp_path: Path) -> None:
    with raises_error(path="c.xlsx", facts=(".csv", ".npz")):
        curves.save(tmp_path / "c.xlsx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(200,), (200, 3), (5,)])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 8.0])
def test_gaussian_smoothing_agrees_with_scipy(shape: tuple[int, ...], sigma: float) -> None:
    curve = np.random.default_rng(0).standard_normal(shape)
    expected = scipy.ndimage.gaussian_filter1d(curve, sigma, axis=0, mode="nearest")
    np.testing.assert_allclose(gaussian(curve, sigma), expected, atol=1e-12)
