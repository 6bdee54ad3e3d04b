"""The self-contained HTML page that shows what a mix or a match did."""

from analysis_server.report.page import render_report

__all__ = ["render_report"]
