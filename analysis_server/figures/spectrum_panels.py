"""The paper's second figure: average spectra of the human and the automatic mix, and their difference."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from analysis_server.figures.canvas import PREDICTION, QUIET, TRUTH, add_legend, dress, sheet
from core.automating.mix_spectra import MixSpectra
from core.automating.spectrum import in_bands
from core.decibels import FloatArray, gain_to_db

_LOWEST_HZ, _HIGHEST_HZ = 20.0, 20_000.0
_TICKS_HZ = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
_SHOWN_DB = 100.0
"""How far below the loudest frequency the axis goes at most."""


def spectrum_panels(title: str, spectra: MixSpectra) -> Figure:
    """Return both average magnitude spectra over a log axis, and below it how much louder the automatic mix is."""
    figure = sheet(title, 8.0, 5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    audible = (spectra.frequency_hz >= _LOWEST_HZ) & (spectra.frequency_hz <= _HIGHEST_HZ)
    frequency_hz = spectra.frequency_hz[audible]
    human_db, automatic_db = gain_to_db(spectra.human[audible]), gain_to_db(spectra.automatic[audible])
    above.plot(frequency_hz, human_db, color=TRUTH, linewidth=1.0, label="human mix (the mixdown)")
    above.plot(frequency_hz, automatic_db, color=PREDICTION, linewidth=1.0, label="automatic mix")
    loudest_db = max(human_db.max(), automatic_db.max())
    above.set_ylim(max(min(human_db.min(), automatic_db.min()), loudest_db - _SHOWN_DB) - 3.0, loudest_db + 3.0)
    dress(above, x_label="", y_label="magnitude (dBFS)")
    _draw_difference(below, frequency_hz, automatic_db - human_db, spectra)
    figure.align_ylabels([above, below])
    add_legend(figure, above)
    return figure


def _draw_difference(axes: Axes, frequency_hz: FloatArray, difference_db: FloatArray, spectra: MixSpectra) -> None:
    centres_hz, automatic_db = in_bands(spectra.frequency_hz, spectra.automatic)
    _, human_db = in_bands(spectra.frequency_hz, spectra.human)
    axes.axhline(0.0, color=QUIET, linewidth=0.8)
    axes.plot(frequency_hz, difference_db, color=QUIET, linewidth=0.5, alpha=0.6)
    axes.plot(centres_hz, automatic_db - human_db, color=TRUTH, linewidth=1.3)
    title = "difference, and in bold its level in sixths of an octave"
    dress(axes, x_label="frequency (Hz)", y_label="automatic - human (dB)", title=title)
    axes.set_xscale("log")
    axes.set_xlim(_LOWEST_HZ, min(_HIGHEST_HZ, float(spectra.frequency_hz[-1])))
    axes.xaxis.set_major_locator(FixedLocator(_TICKS_HZ))
    axes.xaxis.set_major_formatter(lambda hz, _: f"{hz / 1000:g}k" if hz >= 1000 else f"{hz:g}")
    axes.xaxis.set_minor_locator(NullLocator())
