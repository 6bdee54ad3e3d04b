"""The average spectra: all in one chart, and what the last changed against the first in another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis_server.report.axes import (
    HIGHEST_HZ,
    LOWEST_HZ,
    Axis,
    difference_axis,
    frequency_axis,
    spectrum_axis,
)
from analysis_server.report.charts import difference_db, difference_plot, spectra_plot, spectrum_style
from analysis_server.report.content import FloatArray, Spectrum
from analysis_server.report.decimation import even_indices
from analysis_server.report.plot_frame import plot_frame, table
from analysis_server.report.wording import decimal_text, escape, gain_text

TABLE_ROWS = 40


def spectra_section(spectra: Sequence[Spectrum]) -> str:
    """Return the section of the average spectra, or nothing without any."""
    if not spectra:
        return ""
    frequency = frequency_axis()
    charts = _spectra_chart(spectra, frequency)
    if len(spectra) > 1:
        charts += _difference_chart(spectra[0], spectra[-1], frequency)
    tables = "".join(_table(spectrum) for spectrum in spectra)
    return (
        '<section class="spectra" aria-labelledby="spectra-title">'
        '<h2 id="spectra-title">Average spectrum</h2>'
        f'<div class="pair">{charts}</div>{tables}</section>'
    )


def _spectra_chart(spectra: Sequence[Spectrum], frequency: Axis) -> str:
    level = spectrum_axis(spectra)
    names = ", ".join(spectrum.label for spectrum in spectra)
    plot = _plot(f"Average spectra of {names}; the values are in the tables", spectra_plot(spectra, frequency, level))
    chart = plot_frame(plot, left=level, bottom=frequency, names=("level, dB", "frequency, Hz", ""))
    return f'<figure class="wide"><figcaption>{_legend(spectra)}</figcaption>{chart}</figure>'


def _difference_chart(first: Spectrum, last: Spectrum, frequency: Axis) -> str:
    difference = difference_db(first, last)
    level = difference_axis(difference)
    drawing = difference_plot(last.frequency_hz, difference, frequency, level)
    chart = plot_frame(
        _plot(_description(first, last, last.frequency_hz, difference), drawing),
        left=level,
        bottom=frequency,
        names=("difference, dB", "frequency, Hz", ""),
    )
    caption = f"{escape(last.label)} minus {escape(first.label)}"
    return f"<figure><figcaption>{caption}</figcaption>{chart}</figure>"


def _description(first: Spectrum, last: Spectrum, frequency_hz: FloatArray, difference: FloatArray) -> str:
    """Return the difference in one sentence: where it is largest."""
    title = f"{last.label} minus {first.label}"
    audible = np.isfinite(difference) & (frequency_hz >= LOWEST_HZ) & (frequency_hz <= HIGHEST_HZ)
    if not audible.any():
        return f"{title}: no difference known"
    band = int(np.where(audible, np.abs(np.nan_to_num(difference)), -1.0).argmax())
    return f"{title}, largest {gain_text(float(difference[band]))} at {frequency_hz[band]:.0f} Hz"


def _plot(description: str, drawing: str) -> str:
    return f'<div class="plot" role="img" aria-label="{escape(description)}">{drawing}</div>'


def _legend(spectra: Sequence[Spectrum]) -> str:
    """Return the key to the lines, each drawn as it is in the chart."""
    items = "".join(
        f'<li><svg class="sample" width="40" height="14" aria-hidden="true" focusable="false">'
        f'<path class="spectrum style-{spectrum_style(number, len(spectra))}" d="M1 7h38"/></svg>'
        f"{escape(spectrum.label)}</li>"
        for number, spectrum in enumerate(spectra)
    )
    return f'<ul class="legend" aria-label="Key to the spectra">{items}</ul>'


def _table(spectrum: Spectrum) -> str:
    """Return one spectrum at no more than `TABLE_ROWS` frequencies."""
    rows = [
        (f"{spectrum.frequency_hz[band]:.0f} Hz", _decibels(float(spectrum.level_db[band])))
        for band in even_indices(spectrum.frequency_hz.size, TABLE_ROWS)
        if np.isfinite(spectrum.frequency_hz[band])
    ]
    return table(f"Average spectrum of {spectrum.label}", ("Frequency", "Level"), rows)


def _decibels(level_db: float) -> str:
    return f"{decimal_text(level_db)} dB" if np.isfinite(level_db) else gain_text(level_db)
