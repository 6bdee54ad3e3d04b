"""From a comparison to what its page shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from analysis_server import MADE_BY
from analysis_server.report.content import BusComparison, BusContent, Figure, FigureTable, ReportContent
from analysis_server.report.wording import clock_text, decimal_text, gain_text
from analysis_server.showing.compare_result import CompareResult, SideResult
from core.decibels import LOWEST_DB
from core.revising.comparing import ComparedBus
from core.revising.run_curves import Curves

_FIGURES: Mapping[str, tuple[str, str]] = {
    "songs": ("Songs learned", ""),
    "fit": ("Fit", "of the mixdown's energy the gains explain"),
    "loudness_lufs": ("Loudness", "gated, BS.1770"),
    "true_peak_dbtp": ("True peak", "the highest the waveform goes between samples"),
    "loudness_before_lufs": ("Loudness before", "of the mix without the automation"),
    "loudness_after_lufs": ("Loudness as written", "of the run's mix"),
    "true_peak_before_dbtp": ("True peak before", "of the mix without the automation"),
    "true_peak_after_dbtp": ("True peak as written", "of the run's mix"),
}


def page_of(result: CompareResult, first: Curves, second: Curves) -> ReportContent:
    """Return the page's content; `first` and `second` are the curves that were compared, of the same frames."""
    return ReportContent(
        title=f"{result.first.name} and {result.second.name}",
        verb="compare",
        summary=_summary(result),
        duration_s=float(first.time_s[-1]) if len(first.time_s) else 0.0,
        buses=tuple(_bus(bus, i, result, first, second) for i, bus in enumerate(result.buses)),
        spectra=(),
        players=(),
        figures=(*_figures("A", result.first), *_figures("B", result.second)),
        warnings=tuple(result.warnings),
        made_by=MADE_BY,
        tables=(_differences(result), _alone(result)),
    )


def _summary(result: CompareResult) -> str:
    return (
        f"A is the {result.first.kind} {result.first.name}, B the {result.second.kind} {result.second.name}. Their "
        f"balances are {decimal_text(result.balance_db)} dB apart on average. B as a whole is "
        f"{gain_text(result.common_db)} against A, which is no difference of balance: it is taken out of everything "
        "shown here."
    )


def _bus(bus: ComparedBus, index: int, result: CompareResult, first: Curves, second: Curves) -> BusContent:
    return BusContent(
        role=bus.bus,
        time_s=first.time_s,
        gain_db=np.maximum(first.gain_db[:, index], LOWEST_DB),
        level_lufs=first.level_lufs[:, index],
        active=first.sounding[:, index] & second.sounding[:, index],
        uncertainty_db=None,
        point_time_s=np.empty(0),
        point_gain_db=np.empty(0),
        compared=BusComparison(
            second_gain_db=np.maximum(second.gain_db[:, index], LOWEST_DB) - result.common_db,
            first_db=bus.first_db,
            second_db=bus.second_db - result.common_db,
        ),
    )


def _differences(result: CompareResult) -> FigureTable:
    rows = [
        Figure(
            label=bus.bus,
            value=gain_text(bus.difference_db),
            means=f"moves {decimal_text(bus.moves_db)} dB apart; at most {gain_text(bus.largest_db)}, "
            f"at {clock_text(bus.largest_at_s)}",
        )
        for bus in sorted(result.buses, key=lambda bus: -abs(bus.difference_db))
    ]
    heads = ("Bus", "B \N{MINUS SIGN} A", "Over time")
    return FigureTable("Differences of balance", heads, tuple(rows), "The two have no bus in common.")


def _alone(result: CompareResult) -> FigureTable:
    rows = [
        Figure(label=letter, value=what, means=", ".join(names))
        for letter, side in (("A", result.first), ("B", result.second))
        for what, names in (("buses", side.buses_alone), ("songs", side.songs_alone))
        if names
    ]
    return FigureTable("In one alone", ("Side", "What", "Which"), tuple(rows), "Both have the same.")


def _figures(letter: str, side: SideResult) -> list[Figure]:
    return [
        Figure(label=f"{letter}: {label}", value=_value(name, side.figures[name]), means=means or side.name)
        for name, (label, means) in _FIGURES.items()
        if name in side.figures
    ]


def _value(name: str, value: float) -> str:
    if name == "songs":
        return f"{value:.0f}"
    if name == "fit":
        return f"{decimal_text(100.0 * value)} %"
    return f"{decimal_text(value)} {'LUFS' if name.endswith('_lufs') else 'dBTP'}"
