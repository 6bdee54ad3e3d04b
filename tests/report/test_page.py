"""The page as text: content, valid markup, and isolation from network and scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from functools import lru_cache
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from analysis_server.report.content import Figure, Player, Spectrum
from analysis_server.report.page import render_report
from tests.report.conftest import sixty_tracks

VOID = {"meta", "input", "br", "hr", "img", "link"}
HOSTILE = "</script><script>hit=1</script><img src=x onerror=hit=1>\u2028\"'&]]>--><b>"
EMPTY = np.empty(0)


class Outline(HTMLParser):
    """Collects a page's elements and checks that they are closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes {self.open[-1]} at {self.getpos()}"
        self.open.pop()

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def text_of(self, tag):
        return "".join(text for where, text in self.texts if where == tag)

    def values(self, attribute):
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@lru_cache(maxsize=1)
def outline_of(page):
    """Return the outline of a page, parsed once for successive tests of the same page."""
    return Outline(page)


def read_out_of(page):
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.S).group(1))


def paths_of(page):
    return [attributes["d"] for tag, attributes in outline_of(page).elements if tag == "path"]


def not_finite(make_report, make_bus):
    nan, inf = np.nan, np.inf
    rotten = make_bus(n_frames=9, gain_db=np.array([nan, inf, -inf, 1.0, nan, 2.0, 1e300, -1e300, 0.0]))
    return make_report(
        duration_s=nan,
        buses=(
            replace(rotten, uncertainty_db=np.array([nan, inf, 1.0, inf, nan, 1.0, 1.0, 1.0, 1.0])),
            make_bus(gain_db=np.full(240, nan), level_lufs=np.full(240, nan), loudness_before_lufs=nan),
            make_bus(time_s=np.full(240, nan), point_time_s=np.full(30, inf)),
            make_bus(level_lufs=np.full(240, inf), loudness_after_lufs=inf),
        ),
        spectra=(
            Spectrum(
                label="a",
                frequency_hz=np.array([0.0, nan, 100.0, inf]),
                level_db=np.array([1.0, 2.0, nan, 4.0]),
            ),
            Spectrum(label="b", frequency_hz=np.array([0.0, 50.0, 100.0]), level_db=np.array([-inf, inf, 3.0])),
        ),
    )


def hostile(make_report, make_bus):
    return make_report(
        title=HOSTILE,
        verb=HOSTILE,
        summary=HOSTILE,
        made_by=HOSTILE,
        warnings=(HOSTILE, "\x00\x1b\ud800"),
        buses=(make_bus(HOSTILE),),
        figures=(Figure(label=HOSTILE, value=HOSTILE, means=HOSTILE),),
        players=(Player(label=HOSTILE, mime=f'audio/x"{HOSTILE}', encoded=b"sound", note=HOSTILE),) * 2,
        spectra=(Spectrum(label=HOSTILE, frequency_hz=np.array([50.0, 500.0]), level_db=np.array([-10.0, -20.0])),) * 2,
    )


def odd_contents(make_report, make_bus):
    inf = np.inf
    one = {"time_s": np.array([0.1]), "active": np.array([True]), "uncertainty_db": None}
    return {
        "everything": make_report(),
        "nothing": make_report(
            buses=(), spectra=(), players=(), figures=(), warnings=(), duration_s=0.0, title="", summary=""
        ),
        "one frame": make_report(
            duration_s=0.2,
            buses=(
                make_bus(
                    gain_db=np.array([1.0]),
                    level_lufs=np.array([-20.0]),
                    point_time_s=EMPTY,
                    point_gain_db=EMPTY,
                    **one,
                ),
            ),
        ),
        "no frame": make_report(buses=(make_bus(n_frames=0),)),
        "silence": make_report(
            buses=(
                make_bus(
                    level_lufs=np.full(240, -inf),
                    active=np.zeros(240, bool),
                    loudness_before_lufs=-inf,
                    loudness_after_lufs=-inf,
                ),
            )
        ),
        "not finite": not_finite(make_report, make_bus),
        "sixteen buses": make_report(buses=tuple(make_bus(f"bus {number}") for number in range(16))),
        "sixty tracks": make_report(buses=sixty_tracks(), assignment=(Figure(label="a", value="b", means=""),) * 60),
        "many players": make_report(
            players=tuple(Player(label="x", mime="audio/wav", encoded=b"", note="") for _ in range(28))
        ),
        "hostile": hostile(make_report, make_bus),
    }


KINDS = (
    "everything",
    "nothing",
    "one frame",
    "no frame",
    "silence",
    "not finite",
    "sixteen buses",
    "sixty tracks",
    "many players",
    "hostile",
)


@pytest.fixture(scope="module", params=KINDS)
def page(request, make_report, make_bus):
    return render_report(odd_contents(make_report, make_bus)[request.param])


def test_markup_is_balanced_and_ids_are_unique(page):
    outline = outline_of(page)
    assert outline.open == []
    ids = outline.values("id")
    assert ids and len(ids) == len(set(ids))


def test_every_reference_resolves(page):
    outline = outline_of(page)
    ids = set(outline.values("id"))
    references = [
        name
        for attribute in ("aria-labelledby", "aria-describedby", "aria-controls", "for", "href")
        for value in outline.values(attribute)
        for name in value.removeprefix("#").split()
    ]
    assert set(references) <= ids


def test_every_control_and_picture_has_a_name(page):
    for tag, attributes in outline_of(page).elements:
        if tag in {"audio", "section", "article", "nav"} or attributes.get("role") in {
            "img",
            "group",
            "region",
        }:
            assert attributes.get("aria-label") or attributes.get("aria-labelledby"), (tag, attributes)
        if tag == "svg" and "preserveaspectratio" not in attributes:
            assert attributes.get("aria-hidden") == "true"


def test_headings_descend_by_single_steps(page):
    ranks = [int(tag[1]) for tag, _ in outline_of(page).elements if re.fullmatch("h[1-6]", tag)]
    assert ranks[0] == 1 and ranks.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(ranks))


def test_no_number_is_missing_from_drawings_and_data(page):
    for path in paths_of(page):
        assert re.fullmatch(r"[MhvlLZz0-9 .\-]+", path), path
    for name in ("x", "y", "x1", "x2", "y1", "y2", "width", "height", "style", "max", "d"):
        values = " ".join(value or "" for value in outline_of(page).values(name))
        assert not re.search("nan|inf|None", values, re.I), name
    data = read_out_of(page)
    assert np.isfinite(data["duration"]) and data["duration"] > 0
    assert "NaN" not in json.dumps(data) and "Infinity" not in json.dumps(data)


def test_nothing_is_fetched(page):
    outline = outline_of(page)
    assert "http:" not in page and "https:" not in page and "@import" not in page
    assert {tag for tag, _ in outline.elements}.isdisjoint({"link", "iframe", "object", "embed", "base", "img"})
    assert all(value.startswith("data:") for value in outline.values("src"))
    assert re.findall(r"url\(([^)]*)\)", page) == ["#hatching"]


def test_policy_forbids_the_network_and_every_other_script(page):
    outline = outline_of(page)
    (policy,) = [a["content"] for tag, a in outline.elements if a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    script = re.search(r"<script>(.*?)</script>", page, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "data:"
    assert rules["media-src"] == "data: 'self' file:"
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_page_is_utf8_and_declares_it(page):
    assert '<meta charset="utf-8">' in page.encode("utf-8").decode("utf-8")[:200]
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')


def test_no_element_or_attribute_comes_from_a_name(make_report, make_bus):
    outline = Outline(render_report(odd_contents(make_report, make_bus)["hostile"]))
    names = {name for _, attributes in outline.elements for name in attributes}
    assert not any(name.startswith("on") for name in names)
    assert [tag for tag, _ in outline.elements].count("script") == 2
    assert {"b", "img"}.isdisjoint({tag for tag, _ in outline.elements})
    assert outline.text_of("h1") == HOSTILE


def test_title_summary_maker_duration_figures_and_warnings_are_shown(make_report):
    outline = Outline(render_report(make_report(duration_s=125.0)))
    assert outline.text_of("h1") == "Night Train"
    text = "".join(text for _, text in outline.texts)
    for shown in ("Four faders were set over one minute.", "Faderwise 1.0.0", "2:05", "-16.2 LUFS", "12 s."):
        assert shown in text
    assert [a for _, a in outline.elements if a.get("role") == "alert"]


def test_no_warning_block_without_warnings(make_report):
    assert 'role="alert"' not in render_report(make_report(warnings=()))


def test_bus_header_shows_both_loudnesses_and_their_difference(make_report, make_bus):
    page = render_report(make_report(buses=(make_bus(),)))
    minus = "\N{MINUS SIGN}"
    for shown in (f"{minus}23.4 LUFS", f"{minus}22.1 LUFS", "+1.3 LU"):
        assert f"<dd>{shown}</dd>" in page


def test_single_tracks_are_grouped_by_bus_and_folded(make_report):
    outline = Outline(render_report(make_report(buses=sixty_tracks())))
    groups = [attributes for _, attributes in outline.elements if attributes.get("id", "").startswith("group-")]
    assert len(groups) == 4
    assert not any("open" in attributes for attributes in groups)
    assert "drums, 15 tracks" in outline.text_of("h3")
    assert "Track 1" in outline.text_of("h4")
    assert "drums: " not in outline.text_of("h4")
    hues = {attributes["class"] for tag, attributes in outline.elements if tag == "article"}
    assert len(hues) == 4


def test_few_tracks_are_not_folded(make_report, make_bus):
    outline = Outline(render_report(make_report(buses=(make_bus("drums: Kick"), make_bus("drums: Snare")))))
    groups = [attributes for _, attributes in outline.elements if attributes.get("id", "").startswith("group-")]
    assert ["open" in attributes for attributes in groups] == [True]


def test_pages_of_a_match_name_recovered_gains_and_have_no_column_without_values(make_report, make_bus):
    buses = tuple(make_bus(role, uncertainty_db=None) for role in ("drums", "bass"))
    page = render_report(make_report(verb="match", recovers=True, buses=buses))
    assert "<dt>Recovered</dt>" in page
    assert "<dt>After</dt>" not in page
    assert "80 % band" not in page
    assert "80 % band" in render_report(make_report(verb="match", recovers=True))


def test_players_embed_their_sound(make_report):
    players = (Player(label="Before", mime="audio/mpeg", encoded=b"\x00\xffsound", note=""),)
    sources = Outline(render_report(make_report(players=players))).values("src")
    assert sources == ["data:audio/mpeg;base64," + base64.b64encode(b"\x00\xffsound").decode()]


def test_band_points_and_hatching_are_drawn_only_if_present(make_report, make_bus):
    bare = make_bus(uncertainty_db=None, active=np.ones(240, bool), point_time_s=EMPTY, point_gain_db=EMPTY)
    classes = Outline(render_report(make_report(buses=(bare,)))).values("class")
    assert {"curve", "level"} <= set(classes)
    assert {"band", "points", "silence"}.isdisjoint(classes)
    full = Outline(render_report(make_report(buses=(make_bus(),)))).values("class")
    assert {"band", "points", "silence"} <= set(full)


def test_difference_of_spectra_only_with_two(make_report):
    both = make_report()
    assert "After minus Before" in render_report(both)
    assert "minus" not in "".join(
        re.findall("<figcaption>(.*?)</figcaption>", render_report(replace(both, spectra=both.spectra[:1])))
    )


def test_rendering_does_not_change_the_content(make_report, make_bus):
    bus = make_bus()
    kept = {name: np.copy(getattr(bus, name)) for name in ("time_s", "gain_db", "level_lufs", "active")}
    render_report(make_report(buses=(bus,)))
    for name, value in kept.items():
        np.testing.assert_array_equal(getattr(bus, name), value)


def test_warnings_are_sentences_and_excerpts_have_their_start(make_report):
    players = (Player(label="Before", mime="audio/flac", encoded=b"", note="20 s", start_s=64.0),)
    page = render_report(make_report(warnings=("the mix clips", "mix.wav is old", "No bass."), players=players))
    warnings = page.split('class="warnings"')[1].split("</div>")[0]
    assert re.findall(r"<li>([^<]*)</li>", warnings) == ["The mix clips.", "mix.wav is old.", "No bass."]
    assert '<p class="note">20 s, from 1:04.</p>' in page


def test_the_note_that_all_sounds_share_is_written_once(make_report):
    sounds = tuple(
        Player(label=label, mime="audio/flac", encoded=b"", note=note, start_s=4.0)
        for label, note in (("Before", "20 s"), ("Now", "20 s"), ("Difference", "the later minus the earlier mix"))
    )
    page = render_report(make_report(players=sounds))
    assert page.count("20 s") == 1
    assert re.findall(r'<div class="card shown"><h3[^>]*><span class="letter">(\w)', page) == ["C"]
    assert ">The later minus the earlier mix.</p>" in page
