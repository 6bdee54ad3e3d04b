"""Items, takes and sources; sends and receives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.reaper_host.item_state import item_of
from tests.reaper_host.media_items import MediaItem, MediaSource, MediaTake
from tests.reaper_host.project_state import Project
from tests.reaper_host.registry import Out, reascript
from tests.reaper_host.track_state import Track

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost

_SENDS = 0
_SEND_PLACES = {
    "I_SENDMODE": 1,
    "D_VOL": 2,
    "D_PAN": 3,
    "B_MUTE": 4,
    "B_MONO": 5,
    "B_PHASE": 6,
    "I_SRCCHAN": 7,
    "I_DSTCHAN": 8,
}
"""Where a send's attributes are in its AUXRECV line. [c: SCD, RPP:03, N782]"""


@reascript("CountTrackMediaItems", "GetTrackNumMediaItems")
def count_track_media_items(_host: ReaperHost, track: Track) -> int:
    return len(track.items)


@reascript("GetTrackMediaItem")
def get_track_media_item(_host: ReaperHost, track: Track, index: int) -> MediaItem | None:
    return track.items[index] if 0 <= index < len(track.items) else None


@reascript("AddMediaItemToTrack")
def add_media_item_to_track(_host: ReaperHost, track: Track) -> MediaItem:
    """A new item has no take, so it is empty. [HDR]"""
    return track.add_item()


@reascript("DeleteTrackMediaItem")
def delete_track_media_item(_host: ReaperHost, track: Track, item: MediaItem) -> int:
    if item not in track.items:
        return 0
    track.remove_item(item)
    return 1


@reascript("CountMediaItems")
def count_media_items(_host: ReaperHost, project: Project) -> int:
    return sum(len(track.items) for track in project.tracks)


@reascript("GetMediaItem")
def get_media_item(_host: ReaperHost, project: Project, index: int) -> MediaItem | None:
    items = [item for track in project.tracks for item in track.items]
    return items[index] if 0 <= index < len(items) else None


@reascript("GetMediaItemTrack", "GetMediaItem_Track")
def get_media_item_track(_host: ReaperHost, item: MediaItem) -> Track:
    return item.track


@reascript("GetMediaItemInfo_Value")
def get_media_item_info_value(host: ReaperHost, item: MediaItem, name: str) -> float:
    state = item_of(item)
    values = {
        "D_POSITION": state.position_s,
        "D_LENGTH": state.length_s,
        "D_VOL": state.volume,
        "B_MUTE": float(state.is_muted),
        "B_LOOPSRC": float(state.loops),
        "D_FADEINLEN": state.fade_in[1],
        "D_FADEOUTLEN": state.fade_out[1],
    }
    return values[name] if name in values else host.unsupported(f"GetMediaItemInfo_Value {name!r}")


@reascript("GetActiveTake")
def get_active_take(_host: ReaperHost, item: MediaItem) -> MediaTake:
    return item.take


@reascript("GetMediaItemTake_Item")
def get_media_item_take_item(_host: ReaperHost, take: MediaTake) -> MediaItem:
    return take.item


@reascript("GetMediaItemTakeInfo_Value")
def get_media_item_take_info_value(host: ReaperHost, take: MediaTake, name: str) -> float:
    state = item_of(take.item).take
    values = {
        "D_STARTOFFS": state.offset_s,
        "D_PLAYRATE": state.play_rate,
        "D_VOL": state.volume,
        "D_PAN": state.pan,
        "I_CHANMODE": float(state.channel_mode),
    }
    return values[name] if name in values else host.unsupported(f"GetMediaItemTakeInfo_Value {name!r}")


@reascript("GetMediaItemTake_Source")
def get_media_item_take_source(_host: ReaperHost, take: MediaTake) -> MediaSource:
    return take.source


@reascript("GetMediaSourceParent")
def get_media_source_parent(_host: ReaperHost, _source: MediaSource) -> None:
    """The host's sources are the root ones: sections are looked through."""


@reascript("GetMediaSourceFileName")
def get_media_source_file_name(_host: ReaperHost, source: MediaSource, _buffer: str, _size: int) -> Out:
    """The full path, there or not; in-project MIDI has none. [HDR]"""
    file = item_of(source.take.item).take.file
    return Out(None, str(file or ""))


@reascript("GetTrackNumSends")
def get_track_num_sends(_host: ReaperHost, track: Track, category: int) -> int:
    """Below 0 receives, 0 sends, above 0 hardware outputs, which do not exist here. [HDR]"""
    return len(_sends(track, category)) if category <= _SENDS else 0


@reascript("GetTrackSendInfo_Value")
def get_track_send_info_value(host: ReaperHost, track: Track, category: int, index: int, name: str) -> float:
    sends = _sends(track, category) if category <= _SENDS else []
    if not 0 <= index < len(sends):
        return 0.0
    receiver, line = sends[index]
    tracks = {"P_SRCTRACK": track.project.tracks[int(line[0])], "P_DESTTRACK": receiver}
    if name in tracks:
        return float(host.pointers.address_of("MediaTrack*", tracks[name]))
    if name not in _SEND_PLACES:
        return host.unsupported(f"GetTrackSendInfo_Value {name!r}")
    return float(line[_SEND_PLACES[name]].split(":")[0])


def _sends(track: Track, category: int) -> list[tuple[Track, list[str]]]:
    """Return receivers and AUXRECV lines of a track's receives or sends."""
    if category < _SENDS:
        return [(track, line) for line in track.receives]
    tracks = track.project.tracks
    return [(other, line) for other in tracks for line in other.receives if int(line[0]) == track.index]
