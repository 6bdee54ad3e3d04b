"""REAPER's functions as the bridge uses them: GUIDs, seconds, gains and texts in and out.

Conventions: project 0 is the tab in front. A pointer is used only in the tick it was obtained in, unless `is_track`
confirms it: reapy removes REAPER's own check of pointers. Across ticks a track is known by its GUID. NULL is a true
value, hence `is_null`.

Sources: REAPER's generated reaper_python.py (argument order, tuples); docs/guides/reaper.md lists what is unverified.
"""

from __future__ import annotations

import ctypes
import re
from contextlib import contextmanager
from typing import Any, Iterator

import reaper_python
from reapy import reascript_api as RPR  # noqa: N812 - what every ReaScript calls it

LONGEST_TEXT = 4194303
CREATES = {"VOLENV2": 40406, "VOLENV": 40408, "VOLENV3": 42020}
"""The actions that toggle whether a volume envelope is visible, and create it, by the names in project files."""
RENDER_LAST_SETTINGS = 42230
NEW_TAB, CLOSE_TAB = 40859, 40860
_NULL = "0x0000000000000000"
_ALL_STATE = -1
_PLAYING, _RECORDING = 1, 4
_FAILED = "Faderwise: failed and undone"
_SHORT_BYTES = 1 << 16

_RAZOR_EDIT = re.compile(r"(-?[\d.]+) (-?[\d.]+) \S+")
"""Start, end and the GUID of an envelope or `""`, as REAPER lists them for each track."""

_prevented = [0]
"""How many times `PreventUIRefresh` is in force."""


def is_null(pointer: object) -> bool:
    """Return whether a pointer is NULL."""
    return _NULL in str(pointer)


def is_track(pointer: str) -> bool:
    """Return whether a pointer of an earlier tick still is a track of the project in front."""
    address = int(pointer.rpartition("0x")[2], 16)
    return bool(address and reaper_python.RPR_ValidatePtr(address, "MediaTrack*"))


def front_project() -> str:
    """Return the pointer of the project in front."""
    with short_texts():
        return str(RPR.EnumProjects(-1, "", 4096)[0])


def is_open(project: str) -> bool:
    """Return whether a project is still open in some tab."""
    index = 0
    while True:
        found = str(RPR.EnumProjects(index, "", 4096)[0])
        if is_null(found):
            return False
        if found == project:
            return True
        index += 1


def track_pointers() -> list[str]:
    """Return the pointers of all tracks, in order."""
    return [str(RPR.GetTrack(0, index)) for index in range(RPR.CountTracks(0))]


def tracks() -> dict[str, str]:
    """Return the pointers of all tracks by GUID, in order."""
    pointers = track_pointers()
    with short_texts():
        return {guid_of(pointer): pointer for pointer in pointers}


def guid_of(track: str) -> str:
    """Return a track's GUID."""
    return str(RPR.GetSetMediaTrackInfo_String(track, "GUID", "", False)[3])


@contextmanager
def short_texts() -> Iterator[None]:
    """Allow only texts below 64 KiB to be returned: reaper_python otherwise allocates 4 MiB each, a millisecond."""
    pack = reaper_python.rpr_packs
    reaper_python.rpr_packs = lambda text: ctypes.create_string_buffer(str(text).encode("utf-8"), _SHORT_BYTES)
    try:
        yield
    finally:
        reaper_python.rpr_packs = pack


def number_of(track: str) -> int:
    """Return a track's number as REAPER shows it."""
    return int(RPR.GetMediaTrackInfo_Value(track, "IP_TRACKNUMBER"))


def title_of(track: str) -> str:
    """Return a track's number and name for messages."""
    with short_texts():
        name = str(RPR.GetSetMediaTrackInfo_String(track, "P_NAME", "", False)[3])
    return f"track {number_of(track)} '{name}'"


def extension(track: str, key: str) -> str:
    """Return what is stored on a track under a key (`P_EXT`), an empty text for nothing."""
    with short_texts():
        return str(RPR.GetSetMediaTrackInfo_String(track, "P_EXT:" + key, "", False)[3])


def set_extension(track: str, key: str, value: str) -> None:
    """Store a text on a track under a key; undo restores it, unlike the project's ext state."""
    with short_texts():
        RPR.GetSetMediaTrackInfo_String(track, "P_EXT:" + key, value, True)


def project_file() -> str:
    """Return the path of the project in front, or an empty text if it was never saved."""
    with short_texts():
        return str(RPR.EnumProjects(-1, "", 4096)[2])


def save_copy(path: str) -> None:
    """Write the project in front to `path`; the tab keeps its name."""
    RPR.Main_SaveProjectEx(0, path, 0)


def length_s() -> float:
    """Return the project's length."""
    return float(RPR.GetProjectLength(0))


def selected_part() -> tuple[float, float] | None:
    """Return the part from the first to the last razor edit, otherwise the time selection; None if there is neither."""
    with short_texts():
        areas = [
            str(RPR.GetSetMediaTrackInfo_String(track, "P_RAZOREDITS", "", False)[3]) for track in track_pointers()
        ]
    times = [float(time) for area in areas for pair in _RAZOR_EDIT.findall(area) for time in pair]
    if times:
        return min(times), max(times)
    start_s, end_s = RPR.GetSet_LoopTimeRange2(0, False, False, 0, 0, False)[3:5]
    return (start_s, end_s) if end_s > start_s else None


def is_recording() -> bool:
    """Return whether REAPER is recording."""
    return bool(RPR.GetPlayState() & _RECORDING)


def stop_playback() -> None:
    """Stop playback; a recording is never stopped."""
    if RPR.GetPlayState() and not is_recording():
        RPR.OnStopButton()


def envelope(track: str, name: str = "VOLENV2") -> str | None:
    """Return a track's envelope by its name in project files, or None where it was never created."""
    found = RPR.GetTrackEnvelopeByChunkName(track, "<" + name)
    return None if is_null(found) else str(found)


def chunk_of(env: str) -> str:
    """Return an envelope's state chunk."""
    return str(RPR.GetEnvelopeStateChunk(env, "", LONGEST_TEXT, False)[2])


def set_chunk(env: str, text: str) -> None:
    """Set an envelope's state chunk; its pointer may change."""
    RPR.SetEnvelopeStateChunk(env, text, False)


def volume_state(track: str) -> str:
    """Return the state chunks of all volume envelopes of a track."""
    found = [envelope(track, name) for name in CREATES]
    return "".join(chunk_of(env) for env in found if env is not None)


def preference(name: str) -> int | None:
    """Return a number of REAPER's preferences, or None where REAPER does not give it."""
    with short_texts():
        found = RPR.get_config_var_string(name, "", 64)
    text = str(found[2]).strip()
    return int(text) if found[0] and text.lstrip("-").isdigit() else None


def set_preference(name: str, value: int) -> bool:
    """Set a number of REAPER's preferences with the SWS extension; return False where SWS is missing."""
    function: Any = getattr(RPR, "SNM_SetIntConfigVar", None)
    return bool(function is not None and function(name, value))


def version() -> tuple[int, int]:
    """Return REAPER's version, such as (7, 43)."""
    found = re.match(r"(\d+)\.(\d+)", str(RPR.GetAppVersion()))
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def top_gain() -> float:
    """Return the highest gain of an envelope in the user's preferences."""
    bits = preference("volenvrange") or 0
    top_db = {0: 6.0, 1: 0.0, 4: 12.0, 5: 24.0}[bits & 5]
    return float(10.0 ** (top_db / 20.0))


@contextmanager
def ui_at_rest() -> Iterator[None]:
    """Keep REAPER from drawing temporary changes."""
    RPR.PreventUIRefresh(1)
    _prevented[0] += 1
    try:
        yield
    finally:
        _prevented[0] -= 1
        RPR.PreventUIRefresh(-1)
        RPR.UpdateArrange()


def run_action(number: int) -> None:
    """Run an action of REAPER; the user interface is refreshed for it, because actions may need its state."""
    count = _prevented[0]
    if count:
        RPR.PreventUIRefresh(-count)
    try:
        RPR.Main_OnCommand(number, 0)
    finally:
        if count:
            RPR.PreventUIRefresh(count)


@contextmanager
def undo_block(name: str) -> Iterator[None]:
    """Make one undo step of what happens inside; what fails halfway is undone."""
    RPR.Undo_BeginBlock2(0)
    step = _FAILED
    try:
        with ui_at_rest():
            yield
        step = name
    finally:
        RPR.Undo_EndBlock2(0, step, _ALL_STATE)
        if step == _FAILED:
            _undo_failed_step()
        RPR.TrackList_AdjustWindows(False)
        RPR.UpdateArrange()


def _undo_failed_step() -> None:
    """Undo the failed step if there is one: a block that changed nothing leaves none."""
    try:
        last = RPR.Undo_CanUndo2(0)
    except AttributeError:  # how REAPER's Python reports that there is nothing to undo
        return
    if last == _FAILED:
        RPR.Undo_DoUndo2(0)
