"""Assembles the report: one HTML page that holds all it needs and asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources
from string import Template

from analysis_server.report.audit_panel import AUDIT_READING
from analysis_server.report.axes import time_axis
from analysis_server.report.bus_panel import buses_section
from analysis_server.report.compare_panel import COMPARE_READING
from analysis_server.report.content import Figure, FigureTable, ReportContent
from analysis_server.report.listening import listening_section
from analysis_server.report.read_out import read_out_json
from analysis_server.report.spectrum_panel import spectra_section
from analysis_server.report.wording import clock_text, escape

_READING = {"audit": AUDIT_READING, "compare": COMPARE_READING}


def render_report(content: ReportContent) -> str:
    """Return the report as one self-contained HTML page.

    Parameters
    ----------
    content : what to show. Its texts are escaped; values that are not finite are left out of the drawings.

    Returns
    -------
    The whole page, to be written as UTF-8. It opens without a network and forbids itself to use one.
    """
    script = _stored("page.js")
    time = time_axis(content.duration_s, content.buses)
    return Template(_stored("page.html")).substitute(
        policy=escape(content_security_policy(script)),
        style=_stored("page.css"),
        script=script,
        data=read_out_json(content.buses, time),
        head_title=escape(f"{content.title} - Faderwise {content.verb}"),
        header=_header(content),
        warnings=_warnings(content.warnings),
        listening=listening_section(content.players, time),
        buses=buses_section(content.buses, time),
        spectra=spectra_section(content.spectra),
        tables="".join(_table(number, table) for number, table in enumerate(content.tables)),
        figures=_figures(content.figures),
        reading=_READING.get(content.verb, ""),
        made_by=escape(content.made_by),
    )


def content_security_policy(script: str) -> str:
    """Return the policy that lets the page run `script` alone and load nothing but what it embeds."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )


def _stored(name: str) -> str:
    """Return a text file that lies beside this module."""
    return resources.files("analysis_server.report").joinpath(name).read_text(encoding="utf-8")


def _header(content: ReportContent) -> str:
    """Return the title, what was done, and the particulars."""
    particulars = (
        ("Duration", clock_text(content.duration_s)),
        ("Buses", str(len(content.buses))),
        ("Made by", content.made_by),
    )
    items = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in particulars)
    return (
        f'<header class="masthead"><p class="kind">Faderwise {escape(content.verb)}</p>'
        f'<h1>{escape(content.title)}</h1><p class="summary">{escape(content.summary)}</p>'
        f'<dl class="particulars">{items}</dl></header>'
    )


def _warnings(warnings: Sequence[str]) -> str:
    """Return the warnings as a block in sight, or nothing without any."""
    if not warnings:
        return ""
    title = "Warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<div class="warnings" role="alert"><h2>{title}</h2><ul>{items}</ul></div>'


def _figures(figures: Sequence[Figure]) -> str:
    """Return the table of figures, or nothing without any."""
    if not figures:
        return ""
    return _section("figures-title", "Figures", _rows("figures-title", ("Figure", "Value", "Meaning"), figures))


def _table(number: int, table: FigureTable) -> str:
    """Return one of the further tables, or the sentence that says why it has no rows."""
    name = f"table-{number}"
    shown = _rows(name, table.heads, table.rows) if table.rows else f"<p>{escape(table.empty)}</p>"
    return _section(name, table.title, shown)


def _section(name: str, title: str, shown: str) -> str:
    return f'<section class="figures" aria-labelledby="{name}"><h2 id="{name}">{escape(title)}</h2>{shown}</section>'


def _rows(name: str, heads: Sequence[str], figures: Sequence[Figure]) -> str:
    rows = "".join(_figure(figure) for figure in figures)
    head = "".join(f'<th scope="col" role="columnheader">{escape(head)}</th>' for head in heads)
    return (
        f'<table role="table" aria-labelledby="{name}">'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>'
        f'<tbody role="rowgroup">{rows}</tbody></table>'
    )


def _figure(figure: Figure) -> str:
    """Return one row; the roles outlive the restyling of the table on narrow screens."""
    return (
        f'<tr role="row"><th scope="row" role="rowheader">{escape(figure.label)}</th>'
        f'<td role="cell" class="value">{escape(figure.value)}</td>'
        f'<td role="cell">{escape(figure.means)}</td></tr>'
    )
