"""A comparison's page: both curves of each bus, and the read-out at the pointer."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np

from analysis_server.report.content import BusComparison
from analysis_server.report.page import render_report


def comparison_of(report):
    """Return a report's content as a comparison's, B being 3 dB above A on every bus."""
    buses = tuple(
        replace(bus, compared=BusComparison(second_gain_db=bus.gain_db + 3.0, first_db=-1.0, second_db=2.0))
        for bus in report.buses
    )
    return replace(report, verb="compare", buses=buses)


def test_a_comparison_shows_both_curves_and_their_levels(make_report):
    content = comparison_of(make_report())
    page = render_report(content)
    for mark in ("predicted", "curve"):
        assert page.count(f'<path class="{mark}" d="M') == len(content.buses) + 1  # the charts and the key
    assert page.count("<dd>+3.00 dB</dd>") == len(content.buses)
    assert "</svg>B, overall level difference removed</li>" in page
    assert "is removed from B's curves and numbers" in page
    assert "Predicted, written, now" not in page


def test_the_difference_is_that_of_the_two_shown_levels(make_report):
    content = make_report()
    compared = BusComparison(second_gain_db=content.buses[0].gain_db, first_db=0.584, second_db=-0.284)
    page = render_report(replace(content, verb="compare", buses=(replace(content.buses[0], compared=compared),)))
    assert "<dd>\N{MINUS SIGN}0.86 dB</dd>" in page


def test_the_overview_of_a_comparison_has_both_gains_of_each_bus(make_report):
    content = comparison_of(make_report())
    page = render_report(content)
    assert page.count('class="fader-mark hollow"') == len(content.buses)
    assert page.count('class="fader-mark"') == len(content.buses)
    assert '<th scope="col">A</th><th scope="col">B</th>' in page


def test_a_comparison_reads_both_gains_out(make_report):
    content = comparison_of(make_report())
    data = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', render_report(content), re.DOTALL)
    bus = json.loads(data.group(1))["buses"][0]
    apart = [b - a for a, b in zip(bus["gain"], bus["second"], strict=True) if a is not None]
    np.testing.assert_allclose(apart, 300, atol=1)


def test_a_comparison_shows_both_gains_at_the_moment_selected_by_keyboard(browser, tmp_path, make_report):
    page = tmp_path / "compare.html"
    page.write_text(render_report(comparison_of(make_report())), encoding="utf-8")
    browser.open(page)
    plot = "document.querySelector('.plot[data-bus]')"
    browser.run(f"{plot}.focus()")
    browser.run(f"{plot}.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'PageUp', bubbles: true }}))")
    words = browser.run(f"{plot}.getAttribute('aria-valuetext')")
    assert re.match(r"0:\d\d\.\d, A [^,]+ dB, B [^,]+ dB, level ", words)
    assert browser.run("document.querySelector('[data-shows=\"second\"]').textContent").endswith(" dB")
    assert browser.problems() == []
