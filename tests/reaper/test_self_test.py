"""The action that checks what the bridge relies on reports exactly the facts that are different."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from analysis_server.doctor import examine_check
from tests.reaper.studio import Studio
from tests.reaper_host import ReaperHost

RENDERS = {
    "names of rendered files",
    "fader in a pre-fader stem",
    "volume envelope in a pre-fader stem",
    "pan in a pre-fader stem",
    "stem of a muted track",
    "stem of a track without items",
}


def check(studio: Studio) -> dict[str, str]:
    """Run the action; return what was seen of each fact that is not as expected."""
    before = [project.to_bytes() for project in studio.host.projects]
    in_front = studio.host.project
    studio.inside("render_stems.STALLED_S = 0.3")
    studio.host.dialogs.expect_message("Yes", containing="empty project tab")
    studio.host.dialogs.expect_message("OK", containing="facts are as expected")
    studio.run("check_reaper")
    assert [project.to_bytes() for project in studio.host.projects] == before
    assert studio.host.project is in_front
    report = json.loads((studio.home / "reaper_check.json").read_text(encoding="utf-8"))
    assert report["reaper"] == studio.host.version
    assert len(report["facts"]) == 22
    for fact in report["facts"]:
        assert f"{fact['name']}: expected {fact['expected']}, seen {fact['seen']}" in studio.host.dialogs.console
    return {fact["name"]: fact["seen"] for fact in report["facts"] if not fact["as_expected"]}


def test_everything_is_as_expected_by_default(studio: Studio) -> None:
    assert check(studio) == {}


MODES: dict[str, tuple[str, Any, dict[str, str]]] = {
    "envelope not in stems": (
        "pre_fader_stems_have_the_volume_envelope",
        False,
        {"volume envelope in a pre-fader stem": "no"},
    ),
    "point at 0 s is deleted": ("point_at_zero_survives", False, {"point at 0 s after deleting a range": "is deleted"}),
    "amplitude envelopes": ("new_envelopes_are_fader_scaled", False, {"scale of new envelopes": "amplitude"}),
    "range to +12 dB": ("envelope_top_db", 12, {"top of volume envelopes": "+12 dB"}),
    "plain track numbers": ("track_numbers_are_padded", False, {"names of rendered files": "faderwise-1"}),
    "undo restores stored texts": ("undo_restores_ext_state", True, {"stored text after undo": "is taken back"}),
    "language pack": ("language", (("Volume", "Lautstärke"),), {"name of the volume envelope": "Lautstärke"}),
    "shared namespace": ("scripts_share_main", True, {}),
    "buffers are allocated": ("allocates_string_buffers", True, {}),
    "master instead of empty stems": (
        "stems_are_the_master",
        "without items",
        {"stem of a track without items": "the master mix"},
    ),
}


@pytest.mark.parametrize("mode", MODES)
def test_each_mode_is_reported(studio: Studio, mode: str) -> None:
    switch, value, different = MODES[mode]
    setattr(studio.host.switches, switch, value)
    assert check(studio) == different


def test_a_render_in_the_background_is_reported(studio: Studio) -> None:
    studio.host.switches.render_lasts_ticks = 6
    (name, seen), *others = check(studio).items()
    assert (name, others) == ("render", [])
    assert seen.startswith("continues for ")


FAILURES: dict[str, tuple[str, Any, str]] = {
    "cancelled": ("render_is_cancelled", True, "the render was cancelled"),
    "short": ("rendered_share", 0.5, "0.5 s long instead of 1.0 s"),
}


@pytest.mark.parametrize("mode", FAILURES)
def test_a_render_that_fails_is_reported_and_the_rest_is_tried(studio: Studio, mode: str) -> None:
    switch, value, reason = FAILURES[mode]
    setattr(studio.host.switches, switch, value)
    different = check(studio)
    assert reason in different.pop("render")
    assert different == dict.fromkeys(RENDERS - {"names of rendered files"}, "not tried")


def test_all_stems_being_the_master_mix_is_reported(studio: Studio) -> None:
    studio.host.switches.stems_are_the_master = "all"
    assert check(studio)["stem of a track without items"] == "the master mix"


@pytest.mark.parametrize("window", ["the progress", "the setup", "a question"])
def test_a_render_window_that_stays_open_is_reported_without_rendering(studio: Studio, window: str) -> None:
    studio.host.switches.render_window_closes = window != "the progress"
    studio.host.switches.returns_to_render_setup = window == "the setup"
    if window == "a question":
        studio.host.version, studio.host.render_window_bits = "7.79/linux-x86_64", 0
        studio.host.switches.asks_about_statistics = True
    different = check(studio)
    assert different.pop("render window") == "stays open"
    assert different == dict.fromkeys({*RENDERS, "render"}, "not tried")


def test_the_bridge_gives_empty_tracks_an_item_after_the_check_asked_for_it(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.host.switches.stems_are_the_master = "without items"
    check(studio)
    code = "from faderwise_bridge import self_test\nresult = self_test.stored(Path({home!r}))"
    stored: Callable[[str], str] = studio.inside(code.format(home=str(studio.home))).__getitem__
    assert stored("stem of a track without items") == "the master mix"


def test_doctor_shows_the_report(studio: Studio) -> None:
    assert examine_check(studio.home).found == "not run yet"
    check(studio)
    assert examine_check(studio.home).state == "ok"
    studio.host.switches.envelope_top_db = 12
    check(studio)
    found = examine_check(studio.home)
    assert found.state == "note"
    assert "21 of 22 facts as expected; top of volume envelopes: +12 dB (expected: +6 dB; " in found.found
    (studio.home / "reaper_check.json").write_bytes(b'{"facts": 1}')
    assert "cannot be read" in examine_check(studio.home).found


def test_nothing_happens_when_the_user_declines(studio: Studio) -> None:
    studio.host.dialogs.expect_message("No", containing="empty project tab")
    studio.run("check_reaper")
    assert len(studio.host.projects) == 1
    assert not (studio.home / "reaper_check.json").exists()


def test_the_check_waits_for_a_recording_to_end(studio: Studio) -> None:
    host: ReaperHost = studio.host
    host.play_state = 5
    host.dialogs.expect_message("OK", containing="REAPER is recording")
    studio.run("check_reaper")
    assert host.play_state == 5
