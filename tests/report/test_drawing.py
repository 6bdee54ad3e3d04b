"""The parts a chart is made of: decimation, axes, paths, hues and the words for numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis_server.report.charts import (
    HUE_COUNT,
    band_path,
    difference_axis,
    difference_db,
    even_indices,
    extreme_indices,
    frequency_axis,
    gain_axis,
    hues_of,
    line_path,
    loudness_axis,
    runs_of,
    spectrum_axis,
    time_axis,
)
from analysis_server.report.content import (
    Spectrum,
    change_text,
    clock_text,
    decimal_text,
    gain_text,
    headline,
    level_text,
    printable,
)
from analysis_server.report.page import script_safe
from core.wording import count

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize("n_frames", [1501, 1502, 2999, 14_400, 144_001])
def test_decimation_keeps_every_extreme_and_both_ends(n_frames):
    values = np.random.default_rng(n_frames).normal(size=n_frames)
    chosen = extreme_indices(values)
    assert chosen.size <= 1500
    assert chosen[0] == 0 and chosen[-1] == n_frames - 1
    assert (np.diff(chosen) > 0).all()
    assert values[chosen].max() == values.max() and values[chosen].min() == values.min()


def test_decimation_keeps_each_of_many_peaks():
    values = np.zeros(30_000)
    values[500::1000] = np.arange(30) + 1.0
    assert set(values) == set(values[extreme_indices(values, 300)])


def test_decimation_prefers_finite_frames():
    values = np.full(10_000, np.nan)
    values[::50] = 1.0
    values[5000] = -np.inf
    chosen = extreme_indices(values, 100)
    assert np.isfinite(values[chosen]).mean() > 0.9


@pytest.mark.parametrize("n_frames", [0, 1, 2, 1500])
def test_short_curves_are_left_whole(n_frames):
    np.testing.assert_array_equal(extreme_indices(np.zeros(n_frames)), np.arange(n_frames))
    np.testing.assert_array_equal(even_indices(n_frames, 1500), np.arange(n_frames))


def test_runs():
    assert runs_of(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs_of(np.zeros(3, bool)) == [] and runs_of(np.zeros(0, bool)) == []


def test_line_is_broken_where_a_value_is_missing():
    across = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
    assert line_path(across, np.array([0.0, 1.0, np.nan, 0.5, 0.5])) == "M0 1000 2500 0M7500 500 10000 500"
    assert line_path(across, np.array([np.nan, 1.0, np.inf, np.nan, 0.5])) == "M2500 0h0M10000 500h0"
    assert line_path(np.empty(0), np.empty(0)) == ""


def test_the_band_is_drawn_along_its_top_and_back_along_its_bottom():
    across, lower, upper = np.array([0.0, 1.0]), np.array([0.0, 0.0]), np.array([1.0, 0.5])
    assert band_path(across, lower, upper) == "M0 0 10000 500 10000 1000 0 1000Z"


def test_the_gain_axis_covers_all_buses_and_0_db(make_bus):
    axis = gain_axis([make_bus(gain_db=np.linspace(*ends, 240)) for ends in ((-15, -4), (-7, -3))])
    assert axis.low <= -15 and axis.high >= 0
    assert any(tick.zero for tick in axis.ticks)
    assert 3 <= len(axis.ticks) <= 7


def test_the_gain_axis_ignores_gains_where_a_bus_is_silent(make_bus):
    active = np.arange(240) < 120
    axis = gain_axis([make_bus(gain_db=np.where(active, -3.0, -60.0), active=active)])
    assert axis.low >= -6


def test_the_gain_axis_ignores_a_closed_fader(make_bus):
    axis = gain_axis([make_bus(gain_db=np.where(np.arange(240) < 200, -3.0, -120.0), active=np.ones(240, bool))])
    assert axis.low >= -6


def test_flat_gain_is_not_blown_up(make_bus):
    axis = gain_axis([make_bus(gain_db=np.full(240, 0.01), point_gain_db=np.zeros(30), uncertainty_db=None)])
    assert axis.high - axis.low >= 3.0
    assert any(tick.zero and tick.text == "0" for tick in axis.ticks)


@pytest.mark.parametrize("duration_s", [0.0, 0.05, 1.0, 61.0, 3600.0, 40_000.0, 1e7, math.nan])
def test_time_ticks_are_few_distinct_and_in_order(duration_s):
    axis = time_axis(duration_s, [])
    texts = [tick.text for tick in axis.ticks]
    assert 1 <= len(texts) <= 12 and len(set(texts)) == len(texts)
    places = [tick.at for tick in axis.ticks]
    assert places == sorted(places) and 0 <= places[0] <= places[-1] <= 1 + 1e-9


def test_time_axis_reaches_the_last_frame(make_bus):
    assert time_axis(10.0, [make_bus(duration_s=60.0)]).high == pytest.approx(60.0 - 0.125)


def test_frequency_axis_is_logarithmic():
    axis = frequency_axis([])
    np.testing.assert_allclose(
        axis.place(np.array([20.0, 200.0, 2000.0, 20_000.0, 1.0])), [0, 1 / 3, 2 / 3, 1, 0], atol=1e-12
    )


def test_the_spectrum_axes_end_where_the_codec_cuts_off_and_ignore_inaudible_levels():
    frequency_hz = np.geomspace(20, 20_000, 100)
    level_db = np.where(frequency_hz < 16_000, -40.0, -140.0)
    spectrum = Spectrum(label="a", frequency_hz=frequency_hz, level_db=level_db)
    assert 15_000 < frequency_axis([spectrum]).high < 19_000
    assert spectrum_axis([spectrum]).low >= -60


def test_loudness_axis_starts_above_the_loudest_frame(make_bus):
    axis = loudness_axis([make_bus(level_lufs=np.array([-np.inf, -33.0, -12.0]))])
    assert (axis.low, axis.high) == (-60.0, -10.0)


def test_the_difference_covers_the_range_of_both_spectra():
    first = Spectrum(label="a", frequency_hz=np.array([50.0, 200.0]), level_db=np.array([-10.0, -20.0]))
    last = Spectrum(label="b", frequency_hz=np.array([20.0, 100.0, 200.0]), level_db=np.array([0.0, -12.0, -19.0]))
    np.testing.assert_allclose(difference_db(first, last), [np.nan, 3.0, 1.0])
    assert difference_axis(difference_db(first, last)).high >= 3.0


def test_the_difference_ends_below_the_cutoff_of_either_spectrum():
    frequency_hz = np.array([100.0, 1000.0, 8000.0, 9000.0, 10_000.0])
    cut = Spectrum(label="a", frequency_hz=frequency_hz, level_db=np.array([-20.0, -30.0, -40.0, -70.0, -120.0]))
    full = Spectrum(label="b", frequency_hz=frequency_hz, level_db=np.array([-21.0, -31.0, -41.0, -42.0, -43.0]))
    np.testing.assert_allclose(difference_db(cut, full), [-1.0, -1.0, -1.0, np.nan, np.nan])
    np.testing.assert_allclose(difference_db(full, cut), [1.0, 1.0, 1.0, np.nan, np.nan])
    assert difference_axis(difference_db(cut, full)).high <= 2.0


def test_known_roles_keep_their_hue_and_others_differ():
    alone = dict(zip(("vocals", "bass"), hues_of(("vocals", "bass")), strict=True))
    roles = (
        "guitar",
        "Bass",
        "piano",
        "vocals",
        "drums",
        "melody",
        *(f"bus {number}" for number in range(10)),
    )
    hues = hues_of(roles)
    assert hues[1] == alone["bass"] and hues[3] == alone["vocals"]
    assert sorted(hues) == list(range(HUE_COUNT))
    assert hues_of(roles) == hues


def test_words_for_numbers():
    assert decimal_text(-0.04) == "0.0" and decimal_text(-0.06) == f"{MINUS}0.1"
    assert gain_text(1.25) == "+1.2 dB" and gain_text(0.0) == "0.0 dB" and gain_text(-3.0) == f"{MINUS}3.0 dB"
    assert level_text(-math.inf) == "silent" and level_text(math.nan) == "\N{EM DASH}"
    assert change_text(-math.inf, -20.0) == "\N{EM DASH}" and change_text(-20.0, -20.0) == "0.0 LU"
    assert [clock_text(value) for value in (0.0, 59.6, 3725.0, -1.0)] == ["0:00", "1:00", "62:05", "0:00"]
    assert clock_text(61.25, 1) in {"1:01.2", "1:01.3"} and clock_text(math.inf) == "\N{EM DASH}"


def test_control_characters_are_replaced():
    assert printable("a\x00b\ud800") == "a\ufffdb\ufffd"
    assert printable("Ä 日本 \U0001f468\u200d\U0001f3a4") == "Ä 日本 \U0001f468\u200d\U0001f3a4"


def test_counts_are_singular_or_plural():
    assert (count(1, "point"), count(2, "point")) == ("1 point", "2 points")


def test_data_is_safe_inside_a_script_element():
    assert not set("<>&\u2028\u2029") & set(script_safe('"</script>&\u2028\u2029"'))


def test_the_headline_names_the_largest_moves_and_the_confidence():
    assert headline({"drums": -5.4, "bass": 0.1, "melody": 8.1}, [4.6, 2.9, 4.2, 3.2]) == (
        "Melody up 8.1 dB, drums down 5.4 dB; confidence low (±3.7 dB)."
    )
    assert "confidence medium (±2.5 dB)" in headline({"drums": 1.0}, [2.5])
    assert headline({"drums": 0.1}, [0.5]) == "No bus moves by 0.5 dB or more; confidence high (±0.5 dB)."
    assert headline({str(number): 3.0 for number in range(5)}).endswith("1 more bus.")
    assert headline({"drums: 03 OH L": -9.9, "drums: kick": -2.0}) == "03 OH L down 9.9 dB, kick down 2.0 dB."
    assert headline({"drums: Room": -9.9, "guitars: Room": -2.0}).startswith("Drums: Room down 9.9 dB, guitars: Room")
    assert headline({"drums": 1.0}, prefix="Recovered") == "Recovered: drums up 1.0 dB."
