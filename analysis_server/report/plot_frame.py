"""What surrounds a plot's SVG: tick labels and axis names as HTML, which keep their size on any screen."""

from __future__ import annotations

from collections.abc import Sequence

from analysis_server.report.axes import Axis, Tick
from analysis_server.report.charts import percent
from analysis_server.report.wording import escape


def plot_frame(plot: str, *, left: Axis, bottom: Axis, names: tuple[str, str, str], right: Axis | None = None) -> str:
    """Return a chart: the `plot` element with its axes.

    Parameters
    ----------
    plot : the plot's own element, with the drawing inside.
    left, bottom, right : the axes whose ticks are written; `right` may be missing.
    names : what the left, the bottom and the right axis show, with units; empty where it goes without saying.
    """
    sides = f'<div class="ticks left">{_upward(left.ticks)}</div>{plot}'
    sides += f'<div class="ticks right">{_upward(right.ticks if right else ())}</div>'
    below = f'<p class="axis-names below" aria-hidden="true">{escape(names[1])}</p>' if names[1] else ""
    return (
        f'<div class="chart"><div class="axis-names" aria-hidden="true"><span>{escape(names[0])}</span>'
        f'<span>{escape(names[2])}</span></div><div class="frame">{sides}'
        f'<div class="ticks bottom">{_sideways(bottom.ticks)}</div></div>{below}</div>'
    )


def _upward(ticks: Sequence[Tick]) -> str:
    return "".join(_label(tick, f"top:{percent(1 - tick.at)}") for tick in ticks)


def _sideways(ticks: Sequence[Tick]) -> str:
    return "".join(_label(tick, f"left:{percent(tick.at)}") for tick in ticks)


def _label(tick: Tick, place: str) -> str:
    """Return one tick's label; the charts' tables say the same to a screen reader."""
    name = ' class="fine"' if tick.fine else ""
    return f'<span{name} style="{place}" aria-hidden="true">{escape(tick.text)}</span>'


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a folded-away table of plain text, the first column as row headers."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(_row(row) for row in rows)
    title = escape(caption)
    return (
        f'<details class="data"><summary>{title}</summary>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
        f'<table><caption class="unseen">{title}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
    )


def _row(cells: Sequence[str]) -> str:
    first, *others = (escape(cell) for cell in cells)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in others)}</tr>'
