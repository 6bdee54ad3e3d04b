"""Tracks: counting, names, faders, flags, selection, chunks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.reaper_host.guids import Guid
from tests.reaper_host.project_state import Master, Project
from tests.reaper_host.registry import Out, reascript
from tests.reaper_host.track_state import Track

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost

_LINES: dict[str, tuple[str, int, str]] = {
    "B_MUTE": ("MUTESOLO", 0, "0 0 0"),
    "I_SOLO": ("MUTESOLO", 1, "0 0 0"),
    "B_SOLO_DEFEAT": ("MUTESOLO", 2, "0 0 0"),
    "B_PHASE": ("IPHASE", 0, "0"),
    "I_FXEN": ("FX", 0, "1"),
    "I_RECARM": ("REC", 0, "0 0 1 0 0 0 0 0"),
    "I_AUTOMODE": ("AUTOMODE", 0, "0"),
    "I_NCHAN": ("NCHAN", 0, "2"),
    "I_SELECTED": ("SEL", 0, "0"),
    "D_VOL": ("VOLPAN", 0, "1 0 -1 -1 1"),
    "D_PAN": ("VOLPAN", 1, "1 0 -1 -1 1"),
    "D_PANLAW": ("VOLPAN", 2, "1 0 -1 -1 1"),
    "D_WIDTH": ("VOLPAN", 4, "1 0 -1 -1 1"),
    "B_MAINSEND": ("MAINSEND", 0, "1 0"),
    "I_FREEMODE": ("FREEMODE", 0, "0"),
    "B_SHOWINMIXER": ("SHOWINMIX", 0, "1"),
    "B_SHOWINTCP": ("SHOWINMIX", 3, "1 0.6667 0.5 1"),
}
"""Attributes that are one number of one line. [HDR for the names; c: SCD for the lines, the width's place MEM]"""
_MASTER_LINES = {
    "D_VOL": ("MASTER_VOLUME", 0, 1.0),
    "D_PAN": ("MASTER_VOLUME", 1, 0.0),
    "I_SELECTED": ("MASTER_SEL", 0, 0.0),
}
_DUAL_PAN = {"D_DUALPANL": -1.0, "D_DUALPANR": 1.0}


@reascript("CountTracks", "GetNumTracks")
def count_tracks(host: ReaperHost, project: Project | None = None) -> int:
    return len((project or host.project).tracks)


@reascript("GetTrack")
def get_track(_host: ReaperHost, project: Project, index: int) -> Track | None:
    return project.tracks[index] if 0 <= index < len(project.tracks) else None


@reascript("GetTrackName")
def get_track_name(_host: ReaperHost, track: Track, _buffer: str, _size: int) -> Out:
    """ "Track N" if it has no name, "MASTER" for the master. [HDR]"""
    if isinstance(track, Master):
        return Out(1, "MASTER")
    return Out(1, track.name or f"Track {track.index + 1}")


@reascript("GetTrackGUID")
def get_track_guid(host: ReaperHost, track: Track) -> Guid:
    return host.guid(track.guid)


@reascript("GetTrackDepth")
def get_track_depth(_host: ReaperHost, track: Track) -> int:
    return track.depth


@reascript("GetParentTrack")
def get_parent_track(_host: ReaperHost, track: Track) -> Track | None:
    return track.parent


@reascript("GetMediaTrackInfo_Value")
def get_media_track_info_value(host: ReaperHost, track: Track | Master, name: str) -> float:
    if isinstance(track, Master):
        return _master_value(host, track, name)
    if name.startswith("P_ENV:"):  # the pointer, as a float  [b: HDR]
        wanted = name.removeprefix("P_ENV:")
        return float(host.pointers.address_of("TrackEnvelope*", host.envelope_by_chunk_name(track, wanted)))
    if name in _DUAL_PAN:
        return track.dual_pan.get(name, _DUAL_PAN[name])
    special: dict[str, Callable[[], float]] = {
        "IP_TRACKNUMBER": lambda: track.index + 1,
        "I_FOLDERDEPTH": lambda: track.folder_change,
        "P_PARTRACK": lambda: host.pointers.address_of("MediaTrack*", track.parent),
        "P_PROJECT": lambda: host.pointers.address_of("ReaProject*", track.project),
        "I_CUSTOMCOLOR": lambda: track.block.number("PEAKCOL", 0, 0),
    }
    if name in special:
        return float(special[name]())
    if name not in _LINES:
        host.unsupported(f"GetMediaTrackInfo_Value {name!r}")
    line, place, defaults = _LINES[name]
    return track.block.number(line, place, float((defaults.split() + ["0"] * 5)[place]))


def _master_value(host: ReaperHost, master: Master, name: str) -> float:
    if name == "IP_TRACKNUMBER":
        return -1.0
    if name not in _MASTER_LINES:
        return host.unsupported(f"GetMediaTrackInfo_Value {name!r} of the master")
    line, place, default = _MASTER_LINES[name]
    return master.project.root.number(line, place, default)


@reascript("SetMediaTrackInfo_Value")
def set_media_track_info_value(host: ReaperHost, track: Track | Master, name: str, value: float) -> int:
    if isinstance(track, Master):
        if name not in _MASTER_LINES:
            return host.unsupported(f"SetMediaTrackInfo_Value {name!r} of the master")
        line, place, default = _MASTER_LINES[name]
        track.project.root.set_number(line, place, value, f"{default:g}")
        return 1
    if name in _DUAL_PAN:
        track.dual_pan[name] = value
        return 1
    if name == "I_FOLDERDEPTH":
        track.set("ISBUS", 0, 1 if value > 0 else 2 if value < 0 else 0, "0 0")
        track.set("ISBUS", 1, value, "0 0")
        return 1
    if name not in _LINES:
        host.unsupported(f"SetMediaTrackInfo_Value {name!r}")
    line, place, defaults = _LINES[name]
    track.set(line, place, value, defaults)
    return 1


@reascript("GetSetMediaTrackInfo_String")
def get_set_media_track_info_string(host: ReaperHost, track: Track, name: str, value: str, is_set: int) -> Out:
    if name.startswith("P_EXT:"):
        return _extension(track, name.removeprefix("P_EXT:"), value, is_set)
    if name == "P_RAZOREDITS":  # start, end and an envelope's GUID for each area  [HDR]
        if is_set:
            host.razor_edits[track.guid] = value
        return Out(1, host.razor_edits.get(track.guid, ""))
    if name == "P_NAME":
        if is_set:
            track.name = value
            track.project.touched()
        return Out(1, track.name)
    if name == "GUID" and not is_set:
        return Out(1, track.guid)
    return host.unsupported(f"GetSetMediaTrackInfo_String {name!r}")


def _extension(track: Track, key: str, value: str, is_set: int) -> Out:
    if is_set:
        track.set_extension(key, value)
        track.project.touched()
        return Out(1, value)
    found = track.get_extension(key)
    return Out(int(found is not None), found or "")


@reascript("CountSelectedTracks")
def count_selected_tracks(_host: ReaperHost, project: Project) -> int:
    return sum(track.is_selected for track in project.tracks)


@reascript("CountSelectedTracks2")
def count_selected_tracks2(host: ReaperHost, project: Project, _with_master: int) -> int:
    return count_selected_tracks(host, project)


@reascript("GetSelectedTrack")
def get_selected_track(_host: ReaperHost, project: Project, index: int) -> Track | None:
    selected = [track for track in project.tracks if track.is_selected]
    return selected[index] if 0 <= index < len(selected) else None


@reascript("GetSelectedTrack2")
def get_selected_track2(host: ReaperHost, project: Project, index: int, _with_master: int) -> Track | None:
    return get_selected_track(host, project, index)


@reascript("IsTrackSelected")
def is_track_selected(_host: ReaperHost, track: Track) -> int:
    return int(not isinstance(track, Master) and track.is_selected)


@reascript("SetTrackSelected")
def set_track_selected(_host: ReaperHost, track: Track, selected: int) -> None:
    if not isinstance(track, Master):
        track.set("SEL", 0, int(bool(selected)), "0")


@reascript("SetOnlyTrackSelected")
def set_only_track_selected(host: ReaperHost, track: Track) -> None:
    for other in host.project.tracks:
        other.set("SEL", 0, int(other is track), "0")


@reascript("GetTrackAutomationMode")
def get_track_automation_mode(_host: ReaperHost, track: Track) -> int:
    return track.automation_mode


@reascript("SetTrackAutomationMode")
def set_track_automation_mode(_host: ReaperHost, track: Track, mode: int) -> None:
    track.set("AUTOMODE", 0, mode, "0")


@reascript("AnyTrackSolo")
def any_track_solo(_host: ReaperHost, project: Project) -> int:
    return int(any(track.solo for track in project.tracks))


@reascript("GetTrackStateChunk")
def get_track_state_chunk(_host: ReaperHost, track: Track, _buffer: str, _size: int, _is_undo: int) -> Out:
    return Out(1, track.get_chunk())


@reascript("SetTrackStateChunk")
def set_track_state_chunk(_host: ReaperHost, track: Track, text: str, _is_undo: int) -> int:
    return int(track.set_chunk(text))


@reascript("InsertTrackAtIndex")
def insert_track_at_index(host: ReaperHost, index: int, _defaults: int) -> None:
    host.project.insert_track(index)


@reascript("DeleteTrack")
def delete_track(_host: ReaperHost, track: Track) -> None:
    track.project.delete_track(track)


@reascript("GetTrackUIVolPan")
def get_track_ui_vol_pan(_host: ReaperHost, track: Track, _volume: float, _pan: float) -> Out:
    return Out(1, track.volume, track.pan)


@reascript("CSurf_NumTracks")
def csurf_num_tracks(host: ReaperHost, _mixer_view: int) -> int:
    return len(host.project.tracks)


@reascript("guidToString")
def guid_to_string(_host: ReaperHost, guid: Guid, _buffer: str) -> Out:
    return Out(None, guid.text)
