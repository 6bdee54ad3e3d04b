"""REAPER as the bridge sees it: GUIDs, seconds, gains and texts in and out.

Conventions: project 0 is the tab in front. A pointer is good for the tick it was got in: reapy takes away REAPER's
own check of pointers, so across ticks a track is known by its GUID alone. NULL is a true value, hence `is_null`.

Sources: REAPER's generated reaper_python.py (argument order, tuples), and what docs/guides/reaper.md lists as to check.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from reapy import reascript_api as RPR  # noqa: N812 - what every ReaScript calls it

LONGEST_TEXT = 4194303
SHOW_VOLUME_ENVELOPE = 40406
RENDER_LAST_SETTINGS = 42230
_NULL = "0x0000000000000000"
_ALL_STATE = -1
_RECORDING = 4
_FAILED = "Faderwise: what failed, taken back"


def is_null(pointer: object) -> bool:
    """Tell whether a pointer is NULL."""
    return _NULL in str(pointer)


def tracks() -> dict[str, str]:
    """Return the pointers of the project's tracks by GUID, in order."""
    pointers = [RPR.GetTrack(0, index) for index in range(RPR.CountTracks(0))]
    return {guid_of(pointer): pointer for pointer in pointers}


def guid_of(track: str) -> str:
    """Return a track's GUID."""
    return str(RPR.GetSetMediaTrackInfo_String(track, "GUID", "", False)[3])


def number_of(track: str) -> int:
    """Return a track's number as REAPER shows it."""
    return int(RPR.GetMediaTrackInfo_Value(track, "IP_TRACKNUMBER"))


def project_file() -> str:
    """Return the path of the project in front, or an empty text if it was never saved."""
    return str(RPR.EnumProjects(-1, "", 4096)[2])


def save_copy(path: str) -> None:
    """Write the project in front to `path`; the tab keeps its name."""
    RPR.Main_SaveProjectEx(0, path, 0)


def length_s() -> float:
    """Return the project's length."""
    return float(RPR.GetProjectLength(0))


def time_selection() -> tuple[float, float] | None:
    """Return the time selection, or None where there is none."""
    start_s, end_s = RPR.GetSet_LoopTimeRange2(0, False, False, 0, 0, False)[3:5]
    return (start_s, end_s) if end_s > start_s else None


def is_recording() -> bool:
    """Tell whether REAPER records."""
    return bool(RPR.GetPlayState() & _RECORDING)


def envelope(track: str, name: str = "VOLENV2") -> str | None:
    """Return a track's envelope by its name in project files, or None where it was never made."""
    found = RPR.GetTrackEnvelopeByChunkName(track, "<" + name)
    return None if is_null(found) else str(found)


def chunk_of(env: str) -> str:
    """Return an envelope's text."""
    return str(RPR.GetEnvelopeStateChunk(env, "", LONGEST_TEXT, False)[2])


def set_chunk(env: str, text: str) -> None:
    """Give an envelope another text; its pointer may be another one afterwards."""
    RPR.SetEnvelopeStateChunk(env, text, False)


def volume_chunk(track: str) -> str | None:
    """Return the text of a track's volume envelope, or None where there is none."""
    env = envelope(track)
    return None if env is None else chunk_of(env)


def top_gain() -> float:
    """Return the highest gain an envelope can have under the user's preferences."""
    found = RPR.get_config_var_string("volenvrange", "", 64)
    bits = int(found[2]) if found[0] and str(found[2]).strip().isdigit() else 0
    top_db = {0: 6.0, 1: 0.0, 4: 12.0, 5: 24.0}[bits & 5]
    return 10.0 ** (top_db / 20.0)


@contextmanager
def undo_block(name: str) -> Iterator[None]:
    """Make what happens inside one undo step of that name; what fails half-way is taken back."""
    RPR.Undo_BeginBlock2(0)
    RPR.PreventUIRefresh(1)
    told = _FAILED
    try:
        yield
        told = name
    finally:
        RPR.PreventUIRefresh(-1)
        RPR.Undo_EndBlock2(0, told, _ALL_STATE)
        if told == _FAILED:
            _take_back()
        RPR.TrackList_AdjustWindows(False)
        RPR.UpdateArrange()


def _take_back() -> None:
    """Undo the failed step, if it left one: a block that changed nothing leaves none."""
    try:
        last = RPR.Undo_CanUndo2(0)
    except AttributeError:  # REAPER's way to say that there is nothing to undo
        return
    if last == _FAILED:
        RPR.Undo_DoUndo2(0)
