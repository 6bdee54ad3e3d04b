"""Instructions carried out: points written, envelopes brought back, keys kept in the project, in one undo step.

Everything is looked at before anything is changed: a track that is gone, or an envelope that was changed since the
job began, stops the writing.
"""

from __future__ import annotations

import re
from typing import Any, Mapping

from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import putting_back, reaper
from faderwise_bridge.trouble import Trouble

SECTION = "Faderwise"
_SAME_TIME_S = 1e-9
_POINT_LINE = re.compile(r"(?m)^\s*PT .*\n?")


def carry_out(answer: Mapping[str, Any], before: Mapping[str, str | None]) -> list[str]:
    """Do what the application says; return what the user should know of it.

    Parameters
    ----------
    answer : the instructions, as docs/development/bridge.md describes them.
    before : the volume envelopes' texts by GUID when the job began, None where there was none.

    Raises
    ------
    Trouble
        A track is gone, an envelope was changed meanwhile, or REAPER did not do its part: nothing is written then.
    """
    pointers = reaper.tracks()
    _require_unchanged(answer["tracks"], pointers, before)
    notes = []
    with reaper.undo_block(answer["undo"]):
        for change in answer["tracks"]:
            track = pointers[change["guid"]]
            if "write" in change:
                _write(track, change)
            else:
                notes += _restore(track, change)
        keep_in_project(answer["ext_state"])
    return notes


def keep_in_project(ext_state: Mapping[str, Any]) -> None:
    """Set and delete keys of our section in the project; a section without keys goes."""
    for key, value in ext_state["set"].items():
        RPR.SetProjExtState(0, SECTION, key, value)
    for key in ext_state["delete"]:
        RPR.SetProjExtState(0, SECTION, key, "")
    if ext_state["delete"] and not RPR.EnumProjExtState(0, SECTION, 0, "", 256, "", 256)[0]:
        RPR.SetProjExtState(0, SECTION, "", "")


def _require_unchanged(
    changes: list[dict[str, Any]], pointers: Mapping[str, str], before: Mapping[str, str | None]
) -> None:
    gone = [change["name"] for change in changes if change["guid"] not in pointers]
    if gone:
        raise Trouble(
            f"{', '.join(gone)}: deleted meanwhile, or another project is in front, so nothing was written. Undo the "
            "deletion or bring the project to the front, then run the action again: it goes on from here.",
            keeps_job=True,
        )
    for change in changes:
        if change["guid"] in before and reaper.volume_chunk(pointers[change["guid"]]) != before[change["guid"]]:
            raise Trouble(
                f"{change['name']}: its volume envelope was changed meanwhile, so nothing was written. Run the action "
                "again, and it begins with what stands there now."
            )


def _write(track: str, change: Mapping[str, Any]) -> None:
    env = _active_and_shown(track, change["name"])
    first, last = change["write"]["start_s"], change["write"]["end_s"]
    _clear(env, first, last)
    n_left = RPR.CountEnvelopePoints(env)
    mode = RPR.GetEnvelopeScalingMode(env)
    points = change["write"]["points"]
    try:
        for time_s, gain, shape, tension in points:
            RPR.InsertEnvelopePoint(env, time_s, RPR.ScaleToEnvelopeMode(mode, gain), shape, tension, False, True)
    finally:
        RPR.Envelope_SortPoints(env)
    if RPR.CountEnvelopePoints(env) != n_left + len(points):
        raise Trouble(f"REAPER took only a part of the points of {change['name']}, so nothing was written. Try again.")


def _clear(env: str, first_s: float | None, last_s: float | None) -> None:
    """Delete the points from first to last, both with it; without times all of them.

    Deleting a range leaves out its end, and perhaps a point at 0 s: those are deleted one by one.
    """
    start_s = -1e9 if first_s is None else first_s - _SAME_TIME_S
    end_s = 1e9 if last_s is None else last_s + _SAME_TIME_S
    RPR.DeleteEnvelopePointRange(env, start_s, end_s)
    for index in reversed(range(RPR.CountEnvelopePoints(env))):
        if start_s <= RPR.GetEnvelopePoint(env, index, 0, 0, 0, 0, 0)[3] <= end_s:
            RPR.DeleteEnvelopePointEx(env, -1, index)


def _active_and_shown(track: str, name: str) -> str:
    env = reaper.envelope(track)
    if env is None:
        return _made(track, name)
    text = reaper.chunk_of(env)
    wanted = re.sub(r"(?m)^(\s*(?:ACT|VIS)\s+)0\b", r"\g<1>1", text)
    if wanted != text:
        reaper.set_chunk(env, wanted)
        env = reaper.envelope(track)
    if env is None:
        raise Trouble(f"REAPER lost the volume envelope of {name}, so nothing was written. Try again.")
    return env


def _made(track: str, name: str) -> str:
    """Return the track's volume envelope, made by the action that toggles it: only where there is none."""
    with putting_back.selection_kept():
        RPR.SetOnlyTrackSelected(track)
        RPR.Main_OnCommand(reaper.SHOW_VOLUME_ENVELOPE, 0)
    env = reaper.envelope(track)
    if env is None:
        raise Trouble(
            f"REAPER made no volume envelope on {name}, so nothing was written. Show it by hand (V on the track), "
            "then run the action again: it goes on from here.",
            keeps_job=True,
        )
    return env


def _restore(track: str, change: Mapping[str, Any]) -> list[str]:
    text = change["restore"]["chunk"]
    env = reaper.envelope(track)
    if text is not None:
        reaper.set_chunk(env or _made(track, change["name"]), text)
        return []
    return [] if env is None or _removed(track, env) else [_hidden(track, change["name"])]


def _removed(track: str, env: str) -> bool:
    """Remove an envelope: REAPER drops one whose text has no point."""
    text = reaper.chunk_of(env)
    reaper.set_chunk(env, _POINT_LINE.sub("", text))
    left = reaper.envelope(track)
    if left is not None:
        reaper.set_chunk(left, text)
    return left is None


def _hidden(track: str, name: str) -> str:
    env = reaper.envelope(track)
    if env is not None:
        reaper.set_chunk(env, re.sub(r"(?m)^(\s*(?:ACT|VIS)\s+)1\b", r"\g<1>0", reaper.chunk_of(env)))
    return f"REAPER keeps the volume envelope of {name}; it is bypassed and hidden, so it changes nothing"
