"""One panel per bus: its name, its loudness, its chart and the same in a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis_server.report import audit_panel, compare_panel
from analysis_server.report.audit_panel import why
from analysis_server.report.axes import Axis, gain_axes, loudness_axis
from analysis_server.report.charts import bus_plot
from analysis_server.report.content import BusContent
from analysis_server.report.decimation import even_indices
from analysis_server.report.hues import hues_of
from analysis_server.report.plot_frame import plot_frame, table
from analysis_server.report.wording import change_text, clock_text, escape, gain_text, level_text

TABLE_ROWS = 40
_CELLS = (("At", "time"), ("Gain", "gain"), ("Level", "level"))
_INDEX_FROM = 6
"""With so many buses or more, the panels get an index."""


def buses_section(buses: Sequence[BusContent], time: Axis) -> str:
    """Return the section of all buses, or nothing without any."""
    if not buses:
        return ""
    hues = hues_of([bus.role for bus in buses])
    level = loudness_axis(buses)
    gains = gain_axes(buses)
    panels = "".join(
        bus_panel(number, bus, hues[number], (time, gains[number], level)) for number, bus in enumerate(buses)
    )
    return (
        '<section class="buses" id="buses" aria-labelledby="buses-title"><h2 id="buses-title">Faders</h2>'
        f"{_legend(buses)}{_index(buses, hues)}{panels}</section>"
    )


def bus_panel(number: int, bus: BusContent, hue: int, axes: tuple[Axis, Axis, Axis]) -> str:
    """Return one bus's panel; `axes` are those of time, gain and level."""
    time, gain, level = axes
    chart = plot_frame(
        _plot(number, bus, bus_plot(bus, time, gain, level)),
        left=gain,
        bottom=time,
        right=level,
        names=("gain, dB", "", "level, LUFS"),
    )
    return (
        f'<article class="bus hue-{hue}" id="bus-{number}" aria-labelledby="bus-{number}-name">'
        f'<header><h3 id="bus-{number}-name">{escape(bus.role)}</h3>{_loudness(bus)}{_read_out(number, bus)}'
        f"</header>{chart}{why(number, bus)}{_table(bus)}</article>"
    )


def _plot(number: int, bus: BusContent, drawing: str) -> str:
    """Return the plot's element; the script turns it from a picture into a slider over time."""
    role, title = escape(bus.role), escape(_description(bus))
    return (
        f'<div class="plot" data-bus="{number}" role="img" aria-label="{title}" '
        f'data-slider="Moment on {role}">{drawing}'
        '<div class="playhead"></div><div class="pointer"></div></div>'
    )


def _description(bus: BusContent) -> str:
    """Return the chart in one sentence."""
    known = bus.gain_db[np.isfinite(bus.gain_db)]
    if not known.size:
        return f"Gain curve of {bus.role}: no gain known"
    low, high = gain_text(float(known.min())), gain_text(float(known.max()))
    return f"Gain curve of {bus.role}, between {low} and {high}"


def _loudness(bus: BusContent) -> str:
    """Return the stem's integrated loudness without and with its gain, and the change; of a comparison, the gains."""
    if bus.compared is not None:
        return compare_panel.levels(bus.compared)
    before, after = bus.loudness_before_lufs, bus.loudness_after_lufs
    figures = (
        ("Before", level_text(before)),
        ("After", level_text(after)),
        ("Change", change_text(before, after)),
    )
    cells = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures)
    return f'<dl class="loudness" aria-label="Integrated loudness">{cells}</dl>'


def _read_out(number: int, bus: BusContent) -> str:
    """Return the empty read-out the script fills."""
    shown = audit_panel.CELLS if bus.audit else compare_panel.CELLS if bus.compared else _CELLS
    cells = "".join(
        f'<div><dt>{name}</dt><dd data-shows="{quantity}">\N{EM DASH}</dd></div>' for name, quantity in shown
    )
    return f'<dl class="read-out" data-read-out="{number}" aria-label="At the moment pointed at" hidden>{cells}</dl>'


def _table(bus: BusContent) -> str:
    """Return the panel's values at no more than `TABLE_ROWS` moments."""
    gains = bus.gain_curves
    rows = [
        (
            clock_text(float(bus.time_s[frame]), 1),
            *(gain_text(float(gain_db[frame])) for gain_db in gains.values()),
            level_text(float(bus.level_lufs[frame])),
            "yes" if bus.active[frame] else "no",
        )
        for frame in even_indices(bus.time_s.size, TABLE_ROWS)
    ]
    return table(f"Values of {bus.role}", ("Time", *gains, "Level", "Sounds"), rows)


def _legend(buses: Sequence[BusContent]) -> str:
    """Return the key to the marks that occur on this page."""
    banded = any(bus.uncertainty_db is not None for bus in buses)
    silent = any(not bus.active.all() for bus in buses)
    marks = [
        ("curve", "gain"),
        ("points", "automation point"),
        ("band", "80 % band"),
        ("level", "level before the fader"),
    ]
    audits = [bus.audit for bus in buses if bus.audit]
    if audits:
        marks[0] = ("curve", "written")
        marks += [("predicted", "predicted"), ("now", "now, edited"), ("edited", "edited point")]
    compares = any(bus.compared for bus in buses)
    if compares:
        marks[:1] = [("predicted", "A"), ("curve", "B, as a whole as loud as A")]
    marks.append(("silence", "silent"))
    of_audit = {"predicted"} if audits or compares else set()
    of_audit |= {"now", "edited"} if any(audit.is_edited for audit in audits) else set()
    shown = of_audit | {"curve", "level"} | ({"band"} if banded else set()) | ({"silence"} if silent else set())
    shown |= {"points"} if any(bus.point_time_s.size for bus in buses) else set()
    items = "".join(f"<li>{_sample(mark)}{text}</li>" for mark, text in marks if mark in shown)
    return f'<ul class="legend" aria-label="Key to the charts">{items}</ul>'


def _sample(mark: str) -> str:
    """Return a small drawing of one mark."""
    shapes = {
        "curve": '<path class="curve" d="M0 7h26"/>',
        "points": '<path class="points" d="M13 7h0"/>',
        "predicted": '<path class="predicted" d="M0 7h26"/>',
        "now": '<path class="now" d="M0 7h26"/>',
        "edited": '<path class="edited" d="M13 7h0"/>',
        "band": '<path class="band" d="M0 2h26v10h-26z"/>',
        "level": '<path class="level" d="M0 13v-5l6-4 7 3 7-5 6 4v7z"/>',
        "silence": '<rect class="silence" width="26" height="14"/>',
    }
    opening = '<svg class="sample" width="26" height="14" aria-hidden="true" focusable="false">'
    return f"{opening}{shapes[mark]}</svg>"


def _index(buses: Sequence[BusContent], hues: Sequence[int]) -> str:
    """Return links to the panels where there are many."""
    if len(buses) < _INDEX_FROM:
        return ""
    links = "".join(
        f'<li class="hue-{hues[number]}"><a href="#bus-{number}">{escape(bus.role)}</a></li>'
        for number, bus in enumerate(buses)
    )
    return f'<nav class="index" aria-label="Buses"><ul>{links}</ul></nav>'
