"""The parts of the figures: names for files, and the panels' lines, which show the numbers they were given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis_server.report.evaluate import file_names, gain_panels, save, sheet, spectrum_panels
from core.automation.render import MixSpectra
from core.models.evaluate import EvaluationSong


def test_a_plain_title_is_its_own_name() -> None:
    assert file_names(["The So So Glos - Emergency"]) == ["The So So Glos - Emergency"]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("AC/DC", "AC_DC"),
        ("..\\up", "_up"),
        ("../../etc", "_.._etc"),
        ("what?*<>|", "what_"),
        ("a\nb\0c", "a_b_c"),
        ("...", "song"),
        ("", "song"),
        ("Straße 歌", "Straße 歌"),
    ],
)
def test_no_title_names_another_folder_or_a_name_some_system_refuses(title: str, name: str) -> None:
    (found,) = file_names([title])
    assert found == name
    assert Path(found).name == found


def test_no_two_songs_share_a_name_in_any_case() -> None:
    names = file_names(["a/b", "a:b", "A_B", "a_b-2"])
    assert len({name.casefold() for name in names}) == 4
    assert names[0] == "a_b"


def test_a_long_title_is_shortened_for_the_suffix() -> None:
    (name,) = file_names(["歌" * 300])
    assert 100 < len(name.encode()) <= 120


def song() -> EvaluationSong:
    rng = np.random.default_rng(0)
    return EvaluationSong(
        title="Ca$h_$1",
        buses=("drums", "my own bus"),
        features={},
        gains=rng.random((30, 2)),
        rms=rng.random((30, 2)),
    )


def test_a_gain_panel_shows_truth_in_black_and_prediction_in_red() -> None:
    one = song()
    predicted = one.gains * 3.0
    figure = gain_panels(one, predicted, {"drums": 0.5, "my own bus": 12.25})
    assert len(figure.axes) == 2
    for i, axes in enumerate(figure.axes):
        truth, prediction = axes.lines
        assert (truth.get_color(), prediction.get_color()) == ("#000000", "#d62728")
        np.testing.assert_allclose(truth.get_ydata(), 20.0 * np.log10(one.gains[:, i]))
        np.testing.assert_allclose(prediction.get_ydata(), 20.0 * np.log10(predicted[:, i]))
        np.testing.assert_allclose(truth.get_xdata(), 0.5 + 0.25 * np.arange(30))
        assert axes.get_ylim()[1] > 20.0 * np.log10(predicted.max())
    assert figure.axes[0].get_title(loc="left") == "drums: MSE 0.5000"
    assert figure.axes[1].get_title(loc="left") == "my own bus: MSE 12.2500"
    assert figure.axes[1].get_xlabel() == "time (s)"
    assert figure.axes[0].get_ylabel() == "gain (dB)"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "true gain (from the mixdown)",
        "predicted gain",
    ]


def test_a_silent_bus_has_no_curve_and_does_not_widen_the_scale() -> None:
    one = song()
    one.gains[10:20, 0], one.rms[10:20, 0] = 0.0, 0.0
    figure = gain_panels(one, one.gains, {"drums": 0.0, "my own bus": 0.0})
    assert np.isnan(figure.axes[0].lines[0].get_ydata()[10:20]).all()
    assert figure.axes[0].get_ylim()[0] > -90.0


def test_spectra_stand_over_a_log_axis_with_their_difference_below() -> None:
    frequency_hz = np.fft.rfftfreq(4096, 1.0 / 44_100)
    human = 1.0 / (1.0 + frequency_hz)
    figure = spectrum_panels("a", MixSpectra(frequency_hz=frequency_hz, human=human, automatic=human * 2.0))
    above, below = figure.axes
    assert above.get_xscale() == below.get_xscale() == "log"
    assert "Hz" in below.get_xlabel()
    for line in below.lines[1:]:
        np.testing.assert_allclose(line.get_ydata(), 20.0 * np.log10(2.0), atol=1e-9)
    assert len(figure.legends) == 1


def test_silent_mixes_can_be_drawn(tmp_path: Path) -> None:
    frequency_hz = np.fft.rfftfreq(4096, 1.0 / 8_000)
    silence = np.zeros_like(frequency_hz)
    figure = spectrum_panels("a", MixSpectra(frequency_hz=frequency_hz, human=silence, automatic=silence))
    assert all(path.stat().st_size > 1000 for path in save(figure, tmp_path / "silent"))


@pytest.mark.parametrize("title", ["$", "$\\frac$", "a\nb", "ꙮ 歌 🎛", "x" * 500, "_^{}%#&"])
def test_any_title_can_be_written_on_a_figure(tmp_path: Path, title: str) -> None:
    png, pdf = save(sheet(title, 4.0, 2.0), tmp_path / "figure")
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert pdf.read_bytes()[:4] == b"%PDF"


def test_one_frame_is_a_figure_too(tmp_path: Path) -> None:
    one = EvaluationSong(title="short", buses=("bass",), features={}, gains=np.zeros((1, 1)), rms=np.zeros((1, 1)))
    assert save(gain_panels(one, np.zeros((1, 1)), {"bass": 0.0}), tmp_path / "short")
