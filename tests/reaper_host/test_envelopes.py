"""Envelopes behave as REAPER's: two domains of values, points in the order they come, ranges without their end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reaper_host import NotSimulated, ReaperHost
from tests.reaper_host.envelope_curve import values_at
from tests.reaper_host.envelope_points import bent
from tests.reaper_host.fader_curve import from_fader, to_fader
from tests.reaper_host.sessions import envelope, track, write_project


class Volume:
    """The volume envelope of the first track, through the API."""

    def __init__(self, host: ReaperHost) -> None:
        self.api: Any = host.RPR
        self.track = self.api.RPR_GetTrack(0, 0)
        self.pointer = self.api.RPR_GetTrackEnvelopeByChunkName(self.track, "<VOLENV2")

    def insert(self, time: float, raw: float, no_sort: bool = False) -> None:
        assert self.api.RPR_InsertEnvelopePoint(self.pointer, time, raw, 0, 0, False, no_sort)[0] == 1

    @property
    def times(self) -> list[float]:
        count = self.api.RPR_CountEnvelopePoints(self.pointer)
        return [self.api.RPR_GetEnvelopePoint(self.pointer, place, 0, 0, 0, 0, 0)[3] for place in range(count)]

    def value(self, time: float) -> float:
        return self.api.RPR_Envelope_Evaluate(self.pointer, time, 44_100, 1, 0, 0, 0, 0)[5]

    @property
    def chunk(self) -> str:
        return self.api.RPR_GetEnvelopeStateChunk(self.pointer, "", 1_000_000, False)[2]


def opened(host: ReaperHost, folder: Path, *of_track: str, line_end: str = "\n") -> Volume:
    host.open(write_project(folder, track("A", *of_track), line_end=line_end))
    return Volume(host)


def test_names_and_chunk_names_find_it(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0"), envelope("0 1 0", kind="VOLENV"))
    api, pointer = volume.api, volume.pointer
    assert api.RPR_GetTrackEnvelopeByName(volume.track, "Volume") == pointer
    assert api.RPR_GetTrackEnvelopeByName(volume.track, "Volume (Pre-FX)") not in (pointer, 0)
    assert api.RPR_GetTrackEnvelopeByChunkName(volume.track, "{11111111-2222-3333-4444-555555555555}") == pointer
    assert "0x0000000000000000" in api.RPR_GetTrackEnvelopeByChunkName(volume.track, "VOLENV2")
    assert "0x0000000000000000" in api.RPR_GetTrackEnvelopeByChunkName(volume.track, "<VOLENV3")
    assert api.RPR_GetEnvelopeName(pointer, "", 256)[2] == "Volume"


def test_a_language_pack_renames_it(host: ReaperHost, tmp_path: Path) -> None:
    host.switches.language = (("Volume", "Lautstärke"),)
    volume = opened(host, tmp_path, envelope("0 1 0"))
    assert "0x0000000000000000" in volume.api.RPR_GetTrackEnvelopeByName(volume.track, "Volume")
    assert volume.api.RPR_GetTrackEnvelopeByName(volume.track, "Lautstärke") == volume.pointer


def test_the_toggle_makes_one_point_at_zero_with_the_faders_gain(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, "VOLPAN 0.5 0 -1 -1 1")
    api = volume.api
    api.RPR_Main_OnCommand(40406, 0)
    assert "0x0000000000000000" in Volume(host).pointer, "nothing is selected, so nothing happens"
    api.RPR_SetOnlyTrackSelected(volume.track)
    api.RPR_Main_OnCommand(40406, 0)
    made = Volume(host)
    assert made.times == [0.0]
    assert api.RPR_GetEnvelopeScalingMode(made.pointer) == 1
    assert from_fader(made.value(0.0)) == pytest.approx(0.5, rel=1e-6)
    assert api.RPR_GetSetEnvelopeInfo_String(made.pointer, "VISIBLE", "", False)[3] == "1"
    api.RPR_Main_OnCommand(40406, 0)
    assert Volume(host).pointer == made.pointer
    assert api.RPR_GetSetEnvelopeInfo_String(made.pointer, "VISIBLE", "", False)[3] == "0"


def test_the_api_uses_the_fader_scale_and_the_file_uses_gain(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0"))
    volume.insert(1.0, volume.api.RPR_ScaleToEnvelopeMode(1, 0.5))
    volume.insert(2.0, 0.5)
    lines = [line.split() for line in volume.chunk.splitlines() if line.startswith("PT")]
    assert [float(line[2]) for line in lines] == pytest.approx([1.0, 0.5, 0.0], abs=1e-6)
    assert volume.api.RPR_Envelope_FormatValue(volume.pointer, 0.5, "", 64)[2] == "-inf dB"


@pytest.mark.parametrize(
    ("top_db", "gain", "is_reported"),
    [(6, 1.99, False), (6, 2.1, True), (12, 3.9, False), (0, 1.1, True), (24, 15.0, False)],
)
def test_a_gain_above_the_users_range_is_complained_of(
    host: ReaperHost, tmp_path: Path, top_db: int, gain: float, is_reported: bool
) -> None:
    host.switches.envelope_top_db = top_db
    volume = opened(host, tmp_path, envelope("0 1 0"))
    assert volume.api.RPR_get_config_var_string("volenvrange", "", 16)[2] == {6: "2", 0: "3", 12: "6", 24: "7"}[top_db]
    volume.insert(1.0, to_fader(gain))
    assert bool(host.complaints) == is_reported


@pytest.mark.parametrize("is_fader_scaled", [True, False])
def test_a_new_envelope_has_the_scaling_the_user_prefers(
    host: ReaperHost, tmp_path: Path, is_fader_scaled: bool
) -> None:
    host.switches.new_envelopes_are_fader_scaled = is_fader_scaled
    volume = opened(host, tmp_path)
    volume.api.RPR_SetOnlyTrackSelected(volume.track)
    volume.api.RPR_Main_OnCommand(40406, 0)
    assert volume.api.RPR_GetEnvelopeScalingMode(Volume(host).pointer) == is_fader_scaled


def test_a_switch_there_is_not_cannot_be_thrown(host: ReaperHost) -> None:
    with pytest.raises(AttributeError):
        host.switches.no_such_switch = True  # type: ignore[attr-defined]


def test_without_voltype_values_are_gains(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 0.7 0", scaling=0))
    assert volume.api.RPR_GetEnvelopeScalingMode(volume.pointer) == 0
    assert volume.value(0.0) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("gain", "raw"), [(0.0, 0.0), (0.501187, 592.848), (1.0, 716.2178503), (2.0, 852.774454407), (3.98107, 1000.0)]
)
def test_the_fader_curve_passes_reported_values(gain: float, raw: float) -> None:
    assert from_fader(raw) == pytest.approx(gain, rel=1e-3, abs=1e-9)
    assert to_fader(gain) == pytest.approx(raw, abs=0.3)


@given(st.floats(1e-6, 15.0))
def test_the_fader_curve_and_its_inverse_agree(gain: float) -> None:
    assert from_fader(to_fader(gain)) == pytest.approx(gain, rel=1e-9)


def test_points_stay_where_they_were_put_until_they_are_sorted(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0"))
    volume.insert(3.0, 700.0, no_sort=True)
    volume.insert(-1.0, 700.0, no_sort=True)
    volume.insert(2.0, 700.0, no_sort=True)
    assert volume.times == [0.0, 3.0, -1.0, 2.0]
    volume.api.RPR_Envelope_SortPoints(volume.pointer)
    assert volume.times == [-1.0, 0.0, 2.0, 3.0]


def test_a_script_that_leaves_points_unsorted_gets_a_complaint(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0"))
    volume.insert(3.0, 700.0, no_sort=True)
    host.tick()
    assert any("unsorted" in complaint for complaint in host.complaints)


def test_an_occupied_time_gets_a_second_point_which_is_a_jump(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0", "1 1 0", scaling=0))
    volume.insert(1.0, 0.25)
    assert volume.times == [0.0, 1.0, 1.0]
    assert volume.value(0.999) == pytest.approx(1.0)
    assert volume.value(1.0) == pytest.approx(0.25)


def test_a_range_is_deleted_without_its_end(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("1 1 0", "2 1 0", "3 1 0"))
    volume.api.RPR_DeleteEnvelopePointRange(volume.pointer, 1.0, 3.0)
    assert volume.times == [3.0]


@pytest.mark.parametrize("survives", [True, False])
def test_the_point_at_zero_may_survive_and_can_be_deleted_by_itself(
    host: ReaperHost, tmp_path: Path, survives: bool
) -> None:
    host.switches.point_at_zero_survives = survives
    volume = opened(host, tmp_path, envelope("0 1 0", "1 1 0", "2 1 0"))
    volume.api.RPR_DeleteEnvelopePointRange(volume.pointer, -1.0, 1.5)
    assert volume.times == ([0.0, 2.0] if survives else [2.0])
    if survives:
        assert volume.api.RPR_DeleteEnvelopePointEx(volume.pointer, -1, 0) == 1
        assert volume.times == [2.0]


def test_an_envelope_without_points_is_the_fader(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, "VOLPAN 0.5 0 -1 -1 1", envelope("1 1 0"))
    volume.api.RPR_DeleteEnvelopePointRange(volume.pointer, 0.5, 9.0)
    assert volume.times == []
    assert from_fader(volume.value(0.0)) == pytest.approx(0.5)


@pytest.mark.parametrize(("shape", "half"), [(0, 0.5), (1, 0.0), (2, 0.5), (3, 0.875), (4, 0.125)])
def test_a_shape_belongs_to_the_point_its_stretch_begins_at(
    host: ReaperHost, tmp_path: Path, shape: int, half: float
) -> None:
    assert bent(shape, 0.5) == half
    volume = opened(host, tmp_path, envelope(f"0 1 {shape}", "2 2 0", scaling=0))
    assert volume.value(1.0) == pytest.approx(1.0 + half)
    assert volume.value(5.0) == pytest.approx(2.0)


def test_a_bezier_stretch_bends_with_its_tension(host: ReaperHost, tmp_path: Path) -> None:
    values = []
    for tension in (-0.8, 0.0, 0.8):
        volume = opened(host, tmp_path, envelope(f"0 1 5 1 0 0 {tension}", "2 2 0", scaling=0))
        values.append(volume.value(1.0))
    assert values[1] == pytest.approx(1.5)
    assert len(set(values)) == 3
    assert all(1.0 < value < 2.0 for value in values)
    assert (values[0] - 1.5) * (values[2] - 1.5) < 0.0


def test_the_renderers_curve_is_the_apis(host: ReaperHost, tmp_path: Path) -> None:
    points = ["0 1 0", "1 0.2 2", "2 1.5 3", "2 0.5 4", "3 1 5 1 0 0 0.6", "4 0.3 1", "5 1 0"]
    opened(host, tmp_path, envelope(*points))
    env = host.project.tracks[0].envelopes[0]
    times = np.arange(6 * 44_100) / 44_100
    some = slice(0, None, 97)
    exact = np.array([env.gain_at(float(time)) for time in times[some]])
    np.testing.assert_allclose(values_at(env, times)[some], exact, rtol=1e-3)


def test_setting_an_unchanged_chunk_keeps_every_byte(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 0.28840315 0", "6.53293564 1.04712855 5 1 1 0 0.3"), line_end="\r\n")
    before = host.project.to_bytes()
    assert b"\r\n" in before
    chunk = volume.chunk
    volume.insert(3.0, 500.0)
    assert volume.chunk != chunk
    assert volume.api.RPR_SetEnvelopeStateChunk(volume.pointer, chunk, False) == 1
    assert volume.chunk == chunk
    assert host.project.to_bytes() == before


def test_a_chunk_of_another_kind_is_refused_and_one_without_points_removes_it(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0"))
    assert volume.api.RPR_SetEnvelopeStateChunk(volume.pointer, "<PANENV2\nPT 0 0 0\n>", False) == 0
    assert volume.api.RPR_SetEnvelopeStateChunk(volume.pointer, "no chunk", False) == 0
    assert volume.api.RPR_SetEnvelopeStateChunk(volume.pointer, "<VOLENV2\nACT 1 -1\n>", False) == 1
    assert "0x0000000000000000" in Volume(host).pointer


def test_a_track_chunk_may_bring_an_envelope_but_only_with_points(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path)
    api = volume.api
    text = api.RPR_GetTrackStateChunk(volume.track, "", 4_000_000, False)[2].rstrip()
    assert text.endswith(">")
    without, withal = ("\n<VOLENV2\nACT 1 -1\n>\n>", "\n<VOLENV2\nACT 1 -1\nVOLTYPE 1\nPT 0 0.5 0\n>\n>")
    assert api.RPR_SetTrackStateChunk(volume.track, text[:-1].rstrip() + without, False) == 1
    assert "0x0000000000000000" in Volume(host).pointer
    assert api.RPR_SetTrackStateChunk(volume.track, text[:-1].rstrip() + withal, False) == 1
    assert from_fader(Volume(host).value(0.0)) == pytest.approx(0.5)


def test_points_of_automation_items_are_counted_apart(host: ReaperHost, tmp_path: Path) -> None:
    item = "\nPOOLEDENVINST 1 0 2 0 1 0 0 1 1 0 0 0 0\nPT"
    volume = opened(host, tmp_path, envelope("0 1 0").replace("\nPT", item, 1))
    assert volume.api.RPR_CountAutomationItems(volume.pointer) == 1
    assert volume.api.RPR_CountEnvelopePointsEx(volume.pointer, -1) == 1
    with pytest.raises(NotSimulated):
        volume.api.RPR_CountEnvelopePointsEx(volume.pointer, 0)


def test_active_armed_and_extension_data_are_kept_in_the_project(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0"))
    before = host.project.to_bytes()
    api = volume.api
    for name, value in (("ACTIVE", "0"), ("ARM", "1"), ("P_EXT:faderwise", "kept")):
        assert api.RPR_GetSetEnvelopeInfo_String(volume.pointer, name, value, True)[0] == 1
        assert api.RPR_GetSetEnvelopeInfo_String(volume.pointer, name, "", False)[3] == value
    assert b"ACT 0 -1" in host.project.to_bytes()
    for name, value in (("ACTIVE", "1"), ("ARM", "0"), ("P_EXT:faderwise", "")):
        api.RPR_GetSetEnvelopeInfo_String(volume.pointer, name, value, True)
    assert host.project.to_bytes() == before


def test_the_action_bypasses_the_volume_envelope_of_selected_tracks(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0"))
    for expected in ("1", "0", "1"):
        assert volume.api.RPR_GetSetEnvelopeInfo_String(volume.pointer, "ACTIVE", "", False)[3] == expected
        volume.api.RPR_SetOnlyTrackSelected(volume.track)
        volume.api.RPR_Main_OnCommand(40052, 0)


def test_showing_an_envelope_needs_the_panels_to_be_adjusted(host: ReaperHost, tmp_path: Path) -> None:
    volume = opened(host, tmp_path, envelope("0 1 0"))
    volume.api.RPR_GetSetEnvelopeInfo_String(volume.pointer, "VISIBLE", "0", True)
    host.tick()
    assert any("TrackList_AdjustWindows" in complaint for complaint in host.complaints)
