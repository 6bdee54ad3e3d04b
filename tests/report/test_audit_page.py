"""An audit's page: curves, explanations and tables, and the read-out at the pointer."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from analysis_server.report.content import MINUS
from analysis_server.report.mix import terms_of
from analysis_server.report.page import render_report

HOSTILE = "</script><script>hit=1</script><img src=x onerror=hit=1>"
PAGE_UP = (
    "document.querySelector('.plot[data-bus]')"
    ".dispatchEvent(new KeyboardEvent('keydown', { key: 'PageUp', bubbles: true }))"
)


def read_out_of(page):
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL).group(1))


def test_an_audit_shows_its_curves_reasons_and_tables(make_audit):
    page = render_report(make_audit())
    for mark in ("predicted", "curve", "now", "edited"):
        assert page.count(f'<path class="{mark}" d="M') >= 5  # four charts and the key
    assert "Nothing was edited by hand." in page
    assert "Predicted, written, now" in page
    assert page.count('data-shows="now"') == 4
    buses = read_out_of(page)["buses"]
    assert set(buses[0]) == {"time", "gain", "level", "written", "now", "terms", "why"}
    assert [len(column) for column in buses[0]["why"]] == [len(buses[0]["time"])] * 2


def test_terms_that_round_to_zero_are_not_shown(make_audit, make_audited_bus):
    bus = make_audited_bus()
    small = np.stack([bus.terms_db[:, 0], np.full(len(bus.time_s), 0.04)], axis=1)
    page = render_report(replace(make_audit(), buses=(replace(bus, terms_db=small),)))
    assert page.count('<li class="quiet"><b></b> <span>as all buses</span></li>') == 1


def test_small_reasons_of_a_model_are_one_line_with_their_sum():
    terms_db = {name: np.full(3, value) for name, value in {"level": -2.0, "role": 0.14, "sessions": -0.2}.items()}
    terms, values_db = terms_of({**terms_db, "common": np.full(3, 0.1)})
    assert [term.label for term in terms] == ["its own level", "the whole mix", "smaller reasons"]
    np.testing.assert_allclose(values_db[0], [-2.0, 0.1, -0.1])
    alone, _ = terms_of({"level": np.full(3, -2.0), "role": np.full(3, 0.14)})
    assert [term.label for term in alone] == ["its own level", "its place in the mix"]


def test_small_reasons_are_summed_as_a_record_stores_them():
    terms_db = {"level": np.full(3, -2.04), "role": np.full(3, 0.06), "tone": np.full(3, -0.02)}
    _, values_db = terms_of(terms_db)
    np.testing.assert_allclose(values_db[0], [-2.0, 0.1])


def test_the_band_of_an_audit_is_around_the_predicted_gain(make_audit, make_audited_bus):
    page = render_report(replace(make_audit(), buses=(make_audited_bus(),)))
    bus = make_audited_bus()
    places = {
        mark: float(re.search(rf'class="{mark}" style="left:([0-9.]+)%', page)[1])
        for mark in ("zero-mark", "band-mark", "fader-mark")
    }
    width = float(re.search(r'class="band-mark" style="left:[0-9.]+%;width:([0-9.]+)%', page)[1])
    per_db = width / 1.6  # the band is ±0.8 dB
    for place, gain_db in (
        (places["band-mark"] + width / 2, bus.gain_db),
        (places["fader-mark"], bus.audit.now_gain_db),
    ):
        assert (place - places["zero-mark"]) / per_db == pytest.approx(np.median(gain_db[bus.active]), abs=0.02)


def test_a_report_without_an_audit_does_not_mention_one(make_report):
    page = render_report(make_report())
    assert "Predicted, written, now" not in page
    assert 'class="predicted"' not in page


def test_the_text_of_a_term_cannot_leave_its_place(make_audit, make_audited_bus):
    bus = make_audited_bus(HOSTILE)
    page = render_report(replace(make_audit(), buses=(bus,)))
    assert "<script>hit=1" not in page


def test_an_audit_explains_the_moment_selected_by_keyboard(browser, tmp_path, make_audit, make_audited_bus):
    page = tmp_path / "audit.html"
    page.write_text(render_report(make_audit()), encoding="utf-8")
    browser.open(page)
    plot = "document.querySelector('.plot[data-bus]')"
    browser.run(f"{plot}.focus()")
    for _ in range(8):
        browser.run(PAGE_UP)
    bus = make_audited_bus()
    frame = int(np.abs(bus.time_s - 48.0).argmin())
    moment = bus.terms_db[frame, 0]
    words = browser.run(f"{plot}.getAttribute('aria-valuetext')")
    assert words.startswith("0:48.0, now \N{MINUS SIGN}4.0 dB, edited, written ")
    amount = f"{'+' if moment >= 0 else MINUS}{abs(moment):.1f} dB"
    assert f"{amount} it is {'quieter' if moment >= 0 else 'louder'} than usual" in words
    assert words.endswith("+1.0 dB as all buses")
    shown = browser.run("[...document.querySelectorAll('[data-why=\"0\"] li')].map((line) => line.textContent)")
    assert len(shown) == 2
    assert shown[0].startswith(amount)
    assert browser.run("document.querySelector('[data-why] h4').textContent") == "Why, at 0:48.0"
    assert browser.problems() == []


def test_an_hour_of_an_audit_follows_the_pointer_at_once(browser, tmp_path, make_audit, make_audited_bus):
    buses = tuple(make_audited_bus(f"bus {number}", n_frames=14_400, duration_s=3600.0) for number in range(8))
    page = tmp_path / "hour.html"
    page.write_text(render_report(replace(make_audit(), buses=buses, duration_s=3600.0)))
    assert page.stat().st_size < 4_000_000
    browser.open(page)
    frame_ms = browser.run(
        "(async () => { const next = () => new Promise((done) => requestAnimationFrame(done)); await next();"
        "const start = performance.now(); for (let i = 0; i < 40; i++) await next();"
        "return (performance.now() - start) / 40; })()"
    )
    took_ms = browser.run(
        "(async () => { const plot = document.querySelector('.plot[data-bus]');"
        "const box = plot.getBoundingClientRect();"
        "const next = () => new Promise((done) => requestAnimationFrame(done)); await next();"
        "const start = performance.now();"
        "for (let i = 0; i < 40; i++) { plot.dispatchEvent(new PointerEvent('pointermove',"
        "{ clientX: box.left + (box.width * i) / 40, clientY: box.top + 20, bubbles: true })); await next(); }"
        "return performance.now() - start; })()"
    )
    assert took_ms / 40 < 20 * frame_ms, f"{took_ms / 40:.0f} ms a move, {frame_ms:.0f} ms an idle frame"
