"""Long songs: the page stays small, and short events remain visible."""

from __future__ import annotations

import json
import re

import numpy as np

from analysis_server.report.page import render_report


def read_out_of(page):
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S).group(1))


def test_tables_are_thinned(make_report, make_bus):
    page = render_report(make_report(buses=(make_bus(n_frames=5000),), spectra=(), figures=()))
    rows = page.count('<th scope="row">')
    assert 30 <= rows <= 41  # one is in the overview


def test_an_hour_of_sixteen_buses_stays_small(make_report, make_bus):
    buses = tuple(make_bus(f"bus {number}", n_frames=144_000, duration_s=3600.0) for number in range(16))
    content = make_report(duration_s=3600.0, buses=buses, players=())
    page = render_report(content)
    assert len(page) < 3_000_000
    drawn = [len(path.replace("M", " ").split()) // 2 for path in re.findall(r'<path class="[^"]*" d="([^"]*)"', page)]
    assert 1400 <= max(drawn) <= 1510
    assert max(len(bus["time"]) for bus in read_out_of(page)["buses"]) <= 1500


def test_a_short_dip_survives_an_hour(make_report, make_bus):
    gain = np.zeros(144_000)
    gain[77_777] = -9.0
    bus = make_bus(n_frames=144_000, duration_s=3600.0, gain_db=gain)
    values = read_out_of(render_report(make_report(duration_s=3600.0, buses=(bus,))))["buses"][0]
    dip = values["gain"].index(-900)
    assert values["time"][dip] == round(100 * bus.time_s[77_777])
