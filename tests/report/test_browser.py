"""The page in a real browser: layout, legibility, playback and read-outs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis_server.report.content import BusComparison, StemSound
from analysis_server.report.page import render_report
from tests.report.conftest import a_bus, a_tone, sixty_tracks

LAID_OUT = """
(() => {
  const said = [];
  const hidden = (element) => {
    for (let at = element; at; at = at.parentElement) {
      if (getComputedStyle(at).clipPath !== "none") return true;
    }
    return !element.checkVisibility();
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, holder = node.parentElement;
    if (!node.textContent.trim() || holder.closest("script, svg") || hidden(holder)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) texts.push({ holder, text: node.textContent.trim(), box });
  }
  for (const { text, box } of texts) {
    if (box.left < -0.5 || box.right > innerWidth + 0.5) said.push(`outside: ${text}`);
  }
  texts.forEach((one, index) => {
    for (const other of texts.slice(index + 1)) {
      const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const down = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      const sameBlock = one.holder.contains(other.holder) || other.holder.contains(one.holder);
      if (across > 1 && down > 2 && !sameBlock) said.push(`overlap: ${one.text} / ${other.text}`);
    }
  });
  const overflow = document.documentElement.scrollWidth - innerWidth;
  if (overflow > 0) said.push(`scrolls sideways by ${overflow}`);
  return { said, texts: texts.length, width: innerWidth };
})()
"""

CONTRAST = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const linear = numbers(colour).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((numbers(colour)[3] ?? 1) === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const ratio = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const faint = [];
  let count = 0;
  for (const element of document.body.querySelectorAll("*")) {
    const speaks = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    const style = getComputedStyle(element);
    const drawn = ["curve", "spectrum", "predicted", "now", "edited"].some((name) => element.classList.contains(name));
    if (drawn && ratio(style.stroke, ground(element)) < 3) faint.push(`line ${style.stroke}`);
    if (!speaks || element.closest("script, svg")) continue;
    count += 1;
    const found = ratio(style.color, ground(element));
    if (found < 4.5) faint.push(`${element.textContent.slice(0, 30)}: ${found.toFixed(2)}`);
  }
  return { faint, count, paper: light(getComputedStyle(document.body).backgroundColor) };
})()
"""

SETTLED = """
(async () => {
  const sounds = [...document.querySelectorAll("audio")];
  for (const sound of sounds) while (sound.readyState < 3) await new Promise((done) => setTimeout(done, 20));
  return sounds.length;
})()
"""

CLICK_AT = """
(() => {
  const box = document.querySelectorAll(".plot[data-bus]")[1].getBoundingClientRect();
  const at = { clientX: box.left + box.width * %s, clientY: box.top + 20, bubbles: true };
  document.querySelectorAll(".plot[data-bus]")[1].dispatchEvent(new MouseEvent("click", at));
})()
"""

STATE = """
(() => ({
  paused: [...document.querySelectorAll("audio")].map((sound) => sound.paused),
  at: [...document.querySelectorAll("audio")].map((sound) => sound.currentTime),
  pressed: [...document.querySelectorAll("[data-player]")].map((one) => one.getAttribute("aria-pressed")),
  play: document.querySelector(".play").getAttribute("aria-label"),
  playheads: [...document.querySelectorAll(".playhead")].map((line) => {
    const plot = line.parentElement.getBoundingClientRect();
    return (line.getBoundingClientRect().left - plot.left) / plot.width;
  }),
}))()
"""

CONTROLS = 'a[href], button, input, summary, audio[controls], [tabindex="0"]'  # all that a page of ours can have

COUNT_CONTROLS = f"""
(() => {{
  const shown = [...document.querySelectorAll('{CONTROLS}')].filter((one) => one.checkVisibility());
  shown.forEach((one, number) => (one.dataset.number = number));
  return shown.length;
}})()
"""

FOCUS = """
(() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const box = one.getBoundingClientRect(), style = getComputedStyle(one);
  return {
    number: Number(one.dataset.number),
    outlined: one.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    inView: box.bottom > 0 && box.top < innerHeight,
  };
})()
"""

WAIT = "new Promise((done) => setTimeout(done, %d))"


KEY_CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowRight": 39}


def press(browser, key, code=None):
    text = "\r" if key == "Enter" else key if len(key) == 1 else ""
    names = {"key": key, "code": code or key, "windowsVirtualKeyCode": KEY_CODES.get(key, 0)}
    browser.call("Input.dispatchKeyEvent", type="keyDown", text=text, **names)
    browser.call("Input.dispatchKeyEvent", type="keyUp", **names)


def compared_bus(role):
    bus = a_bus(role, uncertainty_db=None)
    return replace(bus, compared=BusComparison(second_gain_db=bus.gain_db + 2.0, first_db=1.0, second_db=3.0))


@pytest.fixture(scope="module")
def pages(tmp_path_factory, make_report, make_bus, make_audit):
    folder = tmp_path_factory.mktemp("pages")
    long_name = "backing vocals and the choir in the second chorus"
    contents = {
        "song": make_report(),
        "audit": make_audit(),
        "tracks": make_report(buses=sixty_tracks()),
        "many": make_report(
            title="Donaudampfschifffahrtsgesellschaftskapitänslied",
            buses=tuple(make_bus(long_name if number == 3 else f"bus {number}") for number in range(16)),
            duration_s=3600.0,
        ),
        "compared": make_report(verb="compare", buses=tuple(compared_bus(role) for role in ("drums", "bass"))),
        "bare": make_report(players=(), spectra=(), figures=(), warnings=()),
        "odd": make_report(
            duration_s=0.0,
            buses=(
                make_bus(n_frames=0),
                make_bus(n_frames=1),
                make_bus(gain_db=np.full(240, np.nan), level_lufs=np.full(240, -np.inf)),
                make_bus(time_s=np.full(240, np.nan)),
            ),
        ),
        "hostile": make_report(title="</title><script>window.hit=1</script><img src=x onerror=window.hit=1>"),
    }
    for name, content in contents.items():
        (folder / f"{name}.html").write_text(render_report(content), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in contents}


@pytest.mark.parametrize(
    ("width", "scheme"), [(360, "light"), (390, "dark"), (768, "light"), (1280, "dark"), (1600, "light")]
)
@pytest.mark.parametrize("name", ["song", "many", "odd", "audit", "tracks", "compared"])
def test_nothing_overlaps_or_overflows(browser, pages, name, width, scheme):
    browser.open(pages[name], width=width, scheme=scheme)
    browser.run(
        "document.querySelectorAll('details').forEach((one) => { one.open = one.matches('.reading, .group'); })"
    )
    browser.run("document.querySelector('.plot[data-bus]').focus()")
    browser.run("window.scrollTo(0, 0)")  # nothing is behind the sticky transport
    found = browser.run(LAID_OUT)
    assert found["width"] == width and found["texts"] > 80
    assert found["said"] == []
    assert browser.problems() == []


def test_layout_check_sees_an_overlap(browser, pages):
    browser.open(pages["song"], width=390)
    browser.run("document.querySelector('.summary').style.marginTop = '-2rem'")
    assert browser.run(LAID_OUT)["said"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("name", "least"), [("many", 300), ("audit", 100)])
def test_text_and_curves_stand_out(browser, pages, scheme, name, least):
    browser.open(pages[name], scheme=scheme)
    found = browser.run(CONTRAST)
    assert found["count"] > least
    assert (found["paper"] > 0.5) == (scheme == "light")
    assert found["faint"] == []


def test_a_page_requests_no_other_file(browser, pages):
    browser.open(pages["song"])
    browser.run(SETTLED)
    assert browser.requests() == [pages["song"].as_uri()]
    assert browser.problems() == []


def test_policy_stops_a_request_and_a_foreign_script(browser, pages):
    browser.open(pages["hostile"])
    assert browser.run("window.hit === undefined")
    refused = browser.run(
        "new Promise((done) => { const seen = [];"
        "document.addEventListener('securitypolicyviolation', (e) => seen.push(e.effectiveDirective));"
        "document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }));"
        "const script = Object.assign(document.createElement('script'), { textContent: 'window.hit = 2' });"
        "document.body.append(script);"
        "setTimeout(() => done(seen), 300); })"
    )
    assert "img-src" in refused and any(name.startswith("script-src") for name in refused)
    assert browser.run("window.hit === undefined")


def test_click_on_a_chart_seeks_and_every_playhead_follows(browser, pages):
    browser.open(pages["song"])
    browser.run(SETTLED)
    browser.run(CLICK_AT % 0.5)
    browser.run(WAIT % 200)
    state = browser.run(STATE)
    assert state["at"][0] == pytest.approx(30.0, abs=0.2)
    assert len(state["playheads"]) == 4
    np.testing.assert_allclose(state["playheads"], 0.5, atol=0.01)


def test_swap_keeps_the_position_and_only_one_sounds(browser, pages):
    browser.open(pages["song"])
    browser.run(SETTLED)
    browser.run(CLICK_AT % 0.25)
    browser.run("document.querySelector('.play').click()")
    browser.run(WAIT % 400)
    before = browser.run(STATE)
    assert before["paused"] == [False, True] and before["play"] == "Pause"
    browser.run("document.querySelector('.swap').click()")
    browser.run(WAIT % 200)
    after = browser.run(STATE)
    assert after["paused"] == [True, False] and after["pressed"] == ["false", "true"]
    assert 15.0 < after["at"][0] <= after["at"][1] < after["at"][0] + 2.0
    assert after["playheads"][0] > 0.25
    browser.run("document.querySelectorAll('audio')[0].play()")
    browser.run(WAIT % 200)
    assert browser.run(STATE)["paused"] == [False, True]


def test_keys_play_and_choose_until_they_are_switched_off(browser, pages):
    browser.open(pages["song"])
    browser.run(SETTLED)
    press(browser, "b")
    assert browser.run(STATE)["pressed"] == ["false", "true"]
    press(browser, " ", "Space")
    browser.run(WAIT % 200)
    assert browser.run(STATE)["paused"] == [True, False]
    press(browser, " ", "Space")
    browser.run(WAIT % 100)
    assert browser.run(STATE)["paused"] == [True, True]
    assert browser.run("scrollY") == 0
    browser.run("document.querySelector('.shortcuts input').click()")
    press(browser, "a")
    assert browser.run(STATE)["pressed"] == ["false", "true"]


def test_focused_button_keeps_the_space_key(browser, pages):
    browser.open(pages["song"])
    browser.run(SETTLED)
    browser.run("document.querySelector('.swap').focus()")
    press(browser, " ", "Space")
    browser.run(WAIT % 200)
    state = browser.run(STATE)
    assert state["paused"] == [True, True] and state["pressed"] == ["false", "true"]


@pytest.mark.parametrize("name", ["song", "audit", "tracks"])
def test_tab_reaches_every_control_and_shows_where_it_is(browser, pages, name):
    browser.open(pages[name])
    count = browser.run(COUNT_CONTROLS)
    reached = []
    for _ in range(count):
        press(browser, "Tab")
        focus = browser.run(FOCUS)
        assert focus["outlined"] and focus["inView"]
        reached.append(focus["number"])
    assert count > 15 and reached == list(range(count))


def test_controls_work_with_the_keyboard(browser, tmp_path, make_report):
    content = make_report()
    stems = tuple(
        StemSound(role=bus.role, mime="audio/wav", encoded=a_tone(220, 3.0), start_s=10.0) for bus in content.buses
    )
    page = tmp_path / "keys.html"
    page.write_text(render_report(replace(content, stems=stems)), encoding="utf-8")
    browser.open(page)
    browser.run(WAIT % 500)

    def pressed(selector, key, shown, code=None):
        browser.run(f"document.querySelector('{selector}').focus()")
        press(browser, key, code)
        browser.run(WAIT % 100)
        return browser.run(f"document.querySelector('{selector}').{shown}")

    assert pressed("details.data > summary", "Enter", "parentElement.open") is True
    assert pressed("details.data > summary", " ", "parentElement.open", "Space") is False
    assert pressed("[data-solo]", " ", "ariaPressed", "Space") == "true"
    assert pressed("[data-mute]", "Enter", "ariaPressed") == "true"
    assert pressed("[data-does=shortcuts]", " ", "checked", "Space") is False
    assert pressed(".swap", "Enter", "isConnected") and browser.run(STATE)["pressed"] == ["false", "true"]
    assert float(pressed(".position", "ArrowRight", "value")) > 0.0
    assert pressed(".plot[data-bus]", "End", "ariaValueNow") == "60.0"
    assert pressed(".plot[data-bus]", "Home", "ariaValueNow") == "0.0"
    assert float(pressed(".plot[data-bus]", "ArrowRight", "ariaValueNow")) == pytest.approx(0.6)
    assert browser.run("document.documentElement.classList.contains('pointing')")
    press(browser, "Escape")
    assert not browser.run("document.documentElement.classList.contains('pointing')")
    press(browser, "Enter")
    assert browser.run(STATE)["at"][1] < 1.0
    assert pressed('a[href^="#bus-"]', "Enter", "hash") == browser.run("location.hash")
    assert browser.problems() == []


def test_chart_is_a_slider_that_reads_out(browser, pages, make_bus):
    browser.open(pages["bare"])
    browser.run("document.querySelector('.plot[data-bus]').focus()")
    press(browser, "PageUp")
    plot = "document.querySelector('.plot[data-bus]')"
    assert browser.run(f"{plot}.getAttribute('role')") == "slider"
    bus = make_bus()
    frame = int(np.abs(bus.time_s - 6.0).argmin())
    level = f"{abs(bus.level_lufs[frame]):.1f}" if bus.active[frame] else "silent"
    words = browser.run(f"{plot}.getAttribute('aria-valuetext')")
    assert words.startswith("0:06.0, gain +") and level in words
    shown = browser.run("document.querySelector('[data-read-out] [data-shows=gain]').textContent")
    gain = float(shown.removesuffix(" dB"))
    assert gain == pytest.approx(bus.gain_db[frame], abs=0.1)


def test_pointing_reads_out_every_bus(browser, pages):
    browser.open(pages["song"], calm=True)
    browser.run("document.querySelector('.plot[data-bus]').scrollIntoView({ block: 'center' })")
    box = browser.run(
        "(({ left, top, width }) => ({ left, top, width }))"
        "(document.querySelector('.plot[data-bus]').getBoundingClientRect())"
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box["left"] + box["width"] / 2, y=box["top"] + 30)
    shown = browser.run("[...document.querySelectorAll('[data-read-out] [data-shows=time]')].map((c) => c.textContent)")
    assert len(shown) == 4 and set(shown) <= {"0:29.9", "0:30.0", "0:30.1"}
    assert browser.run("getComputedStyle(document.querySelector('.pointer')).display") == "block"


def test_the_louder_mix_is_attenuated_until_the_user_selects_true_levels(browser, tmp_path, make_report):
    content = make_report()
    players = tuple(replace(one, loudness_lufs=lufs) for one, lufs in zip(content.players, (-18.0, -12.0), strict=True))
    page = tmp_path / "levels.html"
    page.write_text(render_report(replace(content, players=players)), encoding="utf-8")
    browser.open(page)
    volumes = "[...document.querySelectorAll('audio')].map((sound) => sound.volume)"
    assert browser.run(volumes) == pytest.approx([1.0, 10 ** (-6 / 20)], abs=1e-3)
    browser.run("document.querySelector('[data-does=match-levels]').click()")
    assert browser.run(volumes) == [1.0, 1.0]


def test_the_whole_song_plays_from_the_file_next_to_the_page(browser, tmp_path, make_report):
    content = make_report()
    after = replace(content.players[1], encoded=a_tone(330, 5.0), start_s=20.0, whole="mix.wav")
    (tmp_path / "mix.wav").write_bytes(a_tone(330, 60.0))
    page = tmp_path / "whole.html"
    page.write_text(render_report(replace(content, players=(content.players[0], after))), encoding="utf-8")
    browser.open(page)
    browser.run("document.querySelector('[data-does=whole]').click()")
    browser.run(SETTLED)
    assert browser.run("document.querySelectorAll('audio')[1].duration") == pytest.approx(60.0, abs=0.1)


def test_a_missing_file_next_to_the_page_is_reported_and_the_excerpt_stays(browser, tmp_path, make_report):
    content = make_report()
    after = replace(content.players[1], encoded=a_tone(330, 5.0), start_s=20.0, whole="gone.wav")
    page = tmp_path / "gone.html"
    page.write_text(render_report(replace(content, players=(content.players[0], after))), encoding="utf-8")
    browser.open(page)
    browser.run("document.querySelector('[data-does=whole]').click()")
    browser.run(WAIT % 500)
    browser.run(SETTLED)
    assert browser.run("document.querySelectorAll('audio')[1].duration") == pytest.approx(5.0, abs=0.1)
    assert "not found" in browser.run("document.querySelector('[data-does=whole]').parentElement.textContent")


def test_a_link_to_a_track_opens_its_folded_group(browser, pages):
    browser.open(pages["tracks"])
    assert not browser.run("document.querySelector('#bus-5').checkVisibility()")
    browser.run("document.querySelector('a[href=\"#bus-5\"]').click()")
    browser.run(WAIT % 200)
    assert browser.run("document.querySelector('#bus-5').checkVisibility()")
    assert not browser.run("document.querySelector('#bus-4').checkVisibility()")


def test_print_shows_folded_tracks_and_no_controls(browser, pages):
    browser.open(pages["tracks"])
    folded = "document.querySelector('#bus-5').checkVisibility()"
    assert not browser.run(folded)
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.run(folded)
        assert browser.run("document.querySelector('.reading dd').checkVisibility()")
        assert not browser.run(
            "[...document.querySelectorAll('button, input, audio, .data')].some((one) => one.checkVisibility())"
        )
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", ["song", "bare", "compared"])
def test_the_scale_of_the_overview_is_below_its_marks(browser, pages, name, width):
    browser.open(pages[name], width=width)
    zeros = browser.run(
        "[...document.querySelectorAll('.zero-mark, .scale-ticks span')]"
        ".filter((one) => !one.textContent.match(/[1-9]/)).map((one) => one.getBoundingClientRect())"
        ".map((box) => box.left + box.width / 2)"
    )
    assert len(zeros) > 1
    assert np.ptp(zeros) < 1.0
    ends = browser.run(
        "['.track', '.scale-ticks .ticks'].map((name) => document.querySelector(name).getBoundingClientRect().width)"
    )
    assert ends[0] == pytest.approx(ends[1], abs=0.5)


def test_a_narrow_screen_keeps_the_zero_of_the_overview(browser, pages):
    browser.open(pages["song"], width=390)
    shown = browser.run(
        "[...document.querySelectorAll('.scale-ticks .ticks span')]"
        ".filter((one) => one.checkVisibility()).map((one) => one.textContent)"
    )
    assert "0" in shown
    browser.open(pages["song"], width=1280)
    assert len(shown) < browser.run("document.querySelectorAll('.scale-ticks .ticks span').length")


def test_stems_play_together_with_solo_and_mute(browser, tmp_path, make_report):
    content = make_report()
    stems = tuple(
        StemSound(role=bus.role, mime="audio/wav", encoded=a_tone(220 + 110 * number, 3.0), start_s=10.0)
        for number, bus in enumerate(content.buses)
    )
    players = tuple(replace(one, loudness_lufs=lufs) for one, lufs in zip(content.players, (-18.0, -12.0), strict=True))
    page = tmp_path / "stems.html"
    page.write_text(render_report(replace(content, players=players, stems=stems)), encoding="utf-8")
    browser.open(page)
    button = "document.querySelector('[data-mixer=play]').textContent"
    browser.run("document.querySelector('[data-mixer=play]').click()")
    browser.run(WAIT % 500)
    assert browser.run(button) == "Stop buses"
    browser.run("document.querySelector('[data-solo=\"1\"]').click()")
    assert browser.run("document.querySelector('[data-solo=\"1\"]').getAttribute('aria-pressed')") == "true"
    browser.run("document.querySelector('.play').click()")
    browser.run(WAIT % 200)
    assert browser.run(button) == "Play buses"
    press(browser, "c")  # the stems are not among the sounds that letters choose
    browser.run("document.querySelector('.swap').click()")
    browser.run("document.querySelector('.swap').click()")
    assert browser.run(STATE)["pressed"] == ["true", "false"]
    volumes = "[...document.querySelectorAll('.card audio')].map((sound) => sound.volume)"
    assert browser.run(volumes) == pytest.approx([1.0, 10 ** (-6 / 20)], abs=1e-3)
    assert browser.problems() == []
