"""The stems of the buses: after their plug-ins, before their faders, by REAPER's own renderer.

The pre-fader flag is set, and the faders and their envelopes are at rest as well: so nothing of them is in a stem
whether that flag passes over the envelopes or not.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Sequence

from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import putting_back, reaper, render_settings
from faderwise_bridge.trouble import Trouble

_HEADER_BYTES = 44
_BY_NUMBER = "faderwise-$tracknumber"


def render(guids: Sequence[str], folder: Path, span_s: tuple[float, float]) -> dict[str, str]:
    """Render a stem of each track from `span_s[0]` to `span_s[1]` into `folder`; return the files by GUID.

    Raises
    ------
    Trouble
        A track is gone, or REAPER did not write a file.
    """
    if RPR.GetPlayState():
        RPR.OnStopButton()
    pointers = reaper.tracks()
    missing = [guid for guid in guids if guid not in pointers]
    if missing:
        raise Trouble("A bus track was deleted meanwhile, or another project is in front. Run the action again.")
    buses = {guid: pointers[guid] for guid in guids}
    with ExitStack() as undoing:
        undoing.enter_context(putting_back.ui_at_rest())
        undoing.enter_context(putting_back.cursor_kept())
        undoing.enter_context(putting_back.selection_kept())
        undoing.enter_context(putting_back.disarmed())
        undoing.enter_context(putting_back.without_faders(list(buses.values())))
        return _together(buses, folder, span_s) or _one_by_one(buses, folder, span_s)


def _together(buses: dict[str, str], folder: Path, span_s: tuple[float, float]) -> dict[str, str] | None:
    """Render all stems in one go, or none where REAPER names the files otherwise than expected."""
    _select(list(buses.values()))
    numbers = {reaper.number_of(track): guid for guid, track in buses.items()}
    with render_settings.for_stems(folder, _BY_NUMBER, span_s):
        files = {_number_in(path): path for path in render_settings.targets()}
        if set(files) != set(numbers) or not all(_is_ours(path, folder) for path in files.values()):
            return None
        RPR.Main_OnCommand(reaper.RENDER_LAST_SETTINGS, 0)
    return {numbers[number]: _written(path, buses[numbers[number]]) for number, path in files.items()}


def _one_by_one(buses: dict[str, str], folder: Path, span_s: tuple[float, float]) -> dict[str, str]:
    """Render each stem under a name without wildcards."""
    files = {}
    for place, (guid, track) in enumerate(buses.items()):
        _select([track])
        with render_settings.for_stems(folder, f"faderwise-stem-{place}", span_s):
            paths = render_settings.targets()
            if len(paths) != 1 or not _is_ours(paths[0], folder):
                raise Trouble(
                    f"REAPER would render the stem of {_name(track)} to {'; '.join(map(str, paths)) or 'nowhere'} "
                    f"instead of one new file in {folder}. Please report this."
                )
            RPR.Main_OnCommand(reaper.RENDER_LAST_SETTINGS, 0)
        files[guid] = _written(paths[0], track)
    return files


def _select(tracks: Sequence[str]) -> None:
    RPR.SetOnlyTrackSelected(tracks[0])
    for track in tracks[1:]:
        RPR.SetMediaTrackInfo_Value(track, "I_SELECTED", 1)


def _number_in(path: Path) -> int:
    found = re.search(r"(\d+)$", path.stem)
    return int(found.group(1)) if found else 0


def _is_ours(path: Path, folder: Path) -> bool:
    """Tell whether a file would be a new one in our folder: an existing one makes REAPER ask, and wait for ever."""
    return path.parent.resolve() == folder.resolve() and not path.exists()


def _written(path: Path, track: str) -> str:
    if not path.is_file() or path.stat().st_size <= _HEADER_BYTES:
        raise Trouble(
            f"REAPER rendered no stem of {_name(track)} (the render was cancelled, or the disk is full). Nothing was "
            "changed; run the action again."
        )
    return str(path)


def _name(track: str) -> str:
    name = str(RPR.GetSetMediaTrackInfo_String(track, "P_NAME", "", False)[3])
    return f"track {reaper.number_of(track)} '{name}'"
