"""Items, takes, sources and sends, as a script sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reaper_host import ReaperHost
from tests.reaper_host.sessions import item, track, write_project

NULL = "0x0000000000000000"


def test_an_item_leads_to_its_file(host: ReaperHost, tmp_path: Path) -> None:
    faded = item(
        "media/tone.wav", "SOFFS 0.5", "FADEIN 1 0.25 0 1 0 0", "PLAYRATE 1.5 1 0 -1 0 0.0025", position=3.0, length=2.0
    )
    host.open(write_project(tmp_path, track("A"), track("B", faded)))
    api = host.RPR
    pointer = api.RPR_GetTrack(0, 1)
    assert (api.RPR_CountTrackMediaItems(pointer), api.RPR_CountMediaItems(0)) == (1, 1)
    found = api.RPR_GetTrackMediaItem(pointer, 0)
    assert api.RPR_GetMediaItem(0, 0) == found
    assert api.RPR_GetMediaItem_Track(found) == pointer
    values = {"D_POSITION": 3.0, "D_LENGTH": 2.0, "D_VOL": 1.0, "B_MUTE": 0.0, "D_FADEINLEN": 0.25, "D_FADEOUTLEN": 0.0}
    assert {name: api.RPR_GetMediaItemInfo_Value(found, name) for name in values} == values
    take = api.RPR_GetActiveTake(found)
    assert api.RPR_GetMediaItemTakeInfo_Value(take, "D_STARTOFFS") == 0.5
    assert api.RPR_GetMediaItemTakeInfo_Value(take, "D_PLAYRATE") == 1.5
    source = api.RPR_GetMediaItemTake_Source(take)
    assert NULL in api.RPR_GetMediaSourceParent(source)
    assert api.RPR_GetMediaSourceFileName(source, "", 4096)[1] == str(tmp_path / "media" / "tone.wav")
    assert NULL in api.RPR_GetTrackMediaItem(pointer, 1)


def test_items_of_a_deleted_track_are_stale(host: ReaperHost, tmp_path: Path) -> None:
    host.open(write_project(tmp_path, track("A", item("tone.wav"))))
    api = host.RPR
    found = api.RPR_GetMediaItem(0, 0)
    take = api.RPR_GetActiveTake(found)
    api.RPR_DeleteTrack(api.RPR_GetTrack(0, 0))
    assert api.RPR_GetMediaItemInfo_Value(found, "D_LENGTH") == 0.0
    assert NULL in api.RPR_GetMediaItemTake_Source(take)


@pytest.mark.parametrize(("category", "of_track"), [(0, 0), (-1, 1)])
def test_a_send_is_seen_from_both_ends(host: ReaperHost, tmp_path: Path, category: int, of_track: int) -> None:
    host.open(write_project(tmp_path, track("A"), track("RETURN", "AUXRECV 0 3 0.5 -0.25 1 0 0 0 0 -1:U 0 -1 ''")))
    api = host.RPR
    pointers = [api.RPR_GetTrack(0, place) for place in range(2)]
    one = pointers[of_track]
    assert [api.RPR_GetTrackNumSends(pointer, category) for pointer in pointers] == [
        int(pointer == one) for pointer in pointers
    ]
    values = {"I_SENDMODE": 3.0, "D_VOL": 0.5, "D_PAN": -0.25, "B_MUTE": 1.0, "I_SRCCHAN": 0.0}
    assert {name: api.RPR_GetTrackSendInfo_Value(one, category, 0, name) for name in values} == values
    ends = [int(api.RPR_GetTrackSendInfo_Value(one, category, 0, name)) for name in ("P_SRCTRACK", "P_DESTTRACK")]
    assert ends == [int(pointer.split(")")[1], 16) for pointer in pointers]
    assert api.RPR_GetTrackSendInfo_Value(one, category, 1, "D_VOL") == 0.0
