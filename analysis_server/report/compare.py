"""Comparison results and their report content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from analysis_server import MADE_BY
from analysis_server.report.content import (
    BusComparison,
    BusContent,
    Figure,
    FigureTable,
    ReportContent,
    clock_text,
    decimal_text,
    gain_text,
    headline,
)
from core.decibels import LOWEST_DB
from core.runs.audit import ComparedBus, Comparison, Curves


@dataclass(frozen=True)
class Side:
    """One operand of a comparison.

    Attributes
    ----------
    name, kind : what it is called, and whether it is a ``"model"``, a ``"run"`` or a ``"mixdown"``.
    curves, figures : its gains, and what else is known of it, by name with unit.
    warnings : warnings about the origin of the gains.
    songs : the titles that a model has learned; None if the operand is not a model.
    """

    name: str
    kind: str
    curves: Curves
    figures: Mapping[str, float]
    warnings: Sequence[str] = ()
    songs: Sequence[str] | None = None


class SideResult(msgspec.Struct, frozen=True, kw_only=True):
    """One operand: its name and kind, the buses and songs that only it has, and further figures."""

    name: str
    kind: str
    buses_alone: list[str]
    figures: dict[str, float]
    songs_alone: list[str]


class CompareResult(msgspec.Struct, frozen=True, kw_only=True):
    """The differences; the overall level difference `common_db` is removed from each bus's difference."""

    first: SideResult
    second: SideResult
    buses: list[ComparedBus]
    common_db: float
    balance_db: float
    files: dict[str, str]
    warnings: list[str]


def result_of(first: Side, second: Side, found: Comparison) -> CompareResult:
    """Return a comparison's result."""
    apart_s = abs(float(first.curves.time_s[-1]) - float(second.curves.time_s[-1]))
    notes = [f"the lengths differ by {apart_s:.1f} s; only the common part was compared"] if apart_s > 1.0 else []
    return CompareResult(
        first=_side_result(first, second),
        second=_side_result(second, first),
        buses=list(found.buses),
        common_db=found.common_db,
        balance_db=found.balance_db,
        files={},
        warnings=list(dict.fromkeys([*first.warnings, *second.warnings, *notes])),
    )


def _side_result(side: Side, other: Side) -> SideResult:
    alone = (
        [] if side.songs is None or other.songs is None else [song for song in side.songs if song not in other.songs]
    )
    return SideResult(
        name=side.name,
        kind=side.kind,
        buses_alone=[bus for bus in side.curves.buses if bus not in other.curves.buses],
        figures=dict(side.figures),
        songs_alone=alone,
    )


_FIGURES: Mapping[str, tuple[str, str]] = {
    "songs": ("Songs learned", ""),
    "fit": ("Fit", "share of the mixdown's energy that the gains explain"),
    "loudness_lufs": ("Loudness", "gated, BS.1770"),
    "true_peak_dbtp": ("True peak", "highest level between samples, BS.1770"),
    "loudness_before_lufs": ("Loudness before", "of the plain sum of the stems, or of a matched mixdown"),
    "loudness_after_lufs": ("Loudness as written", "of the run's mix"),
    "true_peak_before_dbtp": ("True peak before", "of the plain sum of the stems, or of a matched mixdown"),
    "true_peak_after_dbtp": ("True peak as written", "of the run's mix"),
}


def page_of(result: CompareResult, first: Curves, second: Curves) -> ReportContent:
    """Return the page's content; `first` and `second` are the curves that were compared, of the same frames."""
    return ReportContent(
        title=f"{result.first.name} and {result.second.name}",
        verb="compare",
        headline=headline({bus.bus: bus.difference_db for bus in result.buses}, prefix="B against A"),
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
        f"balances differ by {decimal_text(result.balance_db)} dB on average. Overall level difference of B against A "
        f"(removed from everything below): {gain_text(result.common_db)}."
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
    return FigureTable("Only in one", ("Side", "What", "Which"), tuple(rows), "")


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
