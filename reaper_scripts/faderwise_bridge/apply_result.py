"""Apply the application's instructions: write points, restore envelopes, store keys in the project, in one undo step.

Everything is checked before anything is changed: a deleted track, or an envelope that was changed since the job
began, stops the writing.
"""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import BridgeError, dialogs, reaper_api, restore_state, settings
from faderwise_bridge.restore_state import Pointers

SECTION = "Faderwise"
MARK = "faderwise_run"
"""The key (`P_EXT`) under which a track carries the id of the last run that wrote on it."""
_BYPASSED = "faderwise_bypassed"
"""The key (`P_EXT`) under which a track carries the envelopes that `bypass` has bypassed, with commas between them."""
_SAME_TIME_S = 1e-9
_POINT_LINE = re.compile(r"(?m)^\s*PT .*\n?")
_MAX_NOTES = 8


def apply(instructions: Mapping[str, Any], tracks: Pointers, before: Mapping[str, str]) -> list[str]:
    """Follow the instructions; return notes for the user.

    Parameters
    ----------
    instructions : as docs/development/bridge.md describes them.
    tracks : all tracks of the project.
    before : the state of the volume envelopes by GUID when the job began.

    Raises
    ------
    BridgeError
        A track was deleted, an envelope was changed, or REAPER failed: nothing is written then.
    """
    changes, state = instructions["tracks"], instructions["ext_state"]
    if not (changes or state["set"] or state["delete"]):
        return []
    guids = {*(change["guid"] for change in changes), *instructions["marks"]}
    found = {guid: tracks.get(guid) for guid in guids}
    pointers = {guid: track for guid, track in found.items() if track is not None}
    _require_unchanged(changes, pointers, before)
    notes: list[str] = []
    with reaper_api.undo_block(instructions["undo"]):
        _create_envelopes(changes, pointers)
        for change in changes:
            track = pointers[change["guid"]]
            if "write" in change:
                _write(track, change)
            elif "restore" in change:
                notes += _restore(track, change)
            elif "fader" in change:
                RPR.SetMediaTrackInfo_Value(track, "D_VOL", change["fader"])
        for guid, run in instructions["marks"].items():
            if guid in pointers:
                reaper_api.set_extension(pointers[guid], MARK, run)
        for track in pointers.values():
            if reaper_api.extension(track, _BYPASSED):
                reaper_api.set_extension(track, _BYPASSED, "")
        store_keys(state)
    return notes


def show(instructions: Mapping[str, Any], notes: list[str], is_quiet: bool = False) -> bool:
    """Show the summary, in the console only where `is_quiet`; return whether the user wants the report."""
    lines = [f"- {note}" for note in notes[:_MAX_NOTES]]
    if len(notes) > _MAX_NOTES:
        lines.append(f"- {len(notes) - _MAX_NOTES} more in the report")
    undo = "Ctrl+Z undoes it; so does Revert bus automation." if instructions["tracks"] else ""
    text = "\n\n".join(filter(None, [instructions["summary"], "\n".join(lines), undo]))
    choice = settings.value_of("report")
    if is_quiet:
        dialogs.note(text)
        return bool(instructions["report"]) and choice == "open"
    if instructions["report"] and choice == settings.ASK:
        return dialogs.agrees(f"{text}\n\nOpen the report when it is ready?")
    dialogs.show(text)
    return bool(instructions["report"]) and choice == "open"


def bypass(written: Sequence[Sequence[str]]) -> None:
    """Bypass envelopes (GUID of the track, name of the envelope), or activate them if all are bypassed.

    `restore_bypassed` activates exactly those that this bypasses.

    Raises
    ------
    BridgeError
        None of the envelopes exists.
    """
    tracks = reaper_api.tracks()
    found = [(tracks[guid], name, reaper_api.envelope(tracks[guid], name)) for guid, name in written if guid in tracks]
    present = [(track, name, env) for track, name, env in found if env is not None]
    active = [one for one in present if _is_active(one[2])]
    if not present:
        raise BridgeError(
            "No track has an envelope that Faderwise has written. A balance on the faders cannot be bypassed: compare "
            "it with Undo and Redo."
        )
    if not active:
        _activate([env for _, _, env in present], [])
        return
    names: dict[str, list[str]] = {}
    with reaper_api.undo_block("Faderwise: Bypass bus automation"):
        for track, name, env in active:
            _set_active(env, False)
            names.setdefault(track, []).append(name)
        for track, bypassed in names.items():
            reaper_api.set_extension(track, _BYPASSED, ",".join(bypassed))
    dialogs.note(f"without the written envelopes ({len(active)} bypassed)")


def restore_bypassed() -> bool:
    """Activate the envelopes that `bypass` has bypassed; return False if there are none."""
    tracks, envelopes = [], []
    for track in reaper_api.track_pointers():
        names = reaper_api.extension(track, _BYPASSED)
        if names:
            tracks.append(track)
            found = [reaper_api.envelope(track, name) for name in names.split(",")]
            envelopes += [env for env in found if env is not None and not _is_active(env)]
    if envelopes:
        _activate(envelopes, tracks)
    return bool(envelopes)


def _activate(envelopes: Sequence[str], tracks: Sequence[str]) -> None:
    with reaper_api.undo_block("Faderwise: Restore bus automation"):
        for env in envelopes:
            _set_active(env, True)
        for track in tracks:
            reaper_api.set_extension(track, _BYPASSED, "")
    dialogs.note(f"with the written envelopes ({len(envelopes)} active again)")


def _set_active(env: str, is_active: bool) -> None:
    RPR.GetSetEnvelopeInfo_String(env, "ACTIVE", "1" if is_active else "0", True)


def _is_active(env: str) -> bool:
    return str(RPR.GetSetEnvelopeInfo_String(env, "ACTIVE", "", False)[3]) == "1"


def store_keys(state: Mapping[str, Any]) -> None:
    """Set and delete keys of our section in the project; a section without keys is removed."""
    for key, value in state["set"].items():
        RPR.SetProjExtState(0, SECTION, key, value)
    for key in state["delete"]:
        RPR.SetProjExtState(0, SECTION, key, "")
    if state["delete"] and not RPR.EnumProjExtState(0, SECTION, 0, "", 256, "", 256)[0]:
        RPR.SetProjExtState(0, SECTION, "", "")


def _require_unchanged(changes: list[dict[str, Any]], pointers: Mapping[str, str], before: Mapping[str, str]) -> None:
    gone = [change["name"] for change in changes if change["guid"] not in pointers]
    if gone:
        raise BridgeError(
            f"{', '.join(gone)}: the track was deleted, or another project is in front, so nothing was written. Undo "
            "the deletion or bring the project to the front, then run the action again: it continues from here.",
            keeps_job=True,
        )
    for change in changes:
        if change["guid"] in before and reaper_api.volume_state(pointers[change["guid"]]) != before[change["guid"]]:
            raise BridgeError(
                f"{change['name']}: its volume envelope was changed while Faderwise was running, so nothing was "
                "written. Run the action again to start from the present envelope."
            )


def _envelope_of(track: str, change: Mapping[str, Any]) -> str | None:
    """Return the envelope that a change is for, by default the volume envelope."""
    return reaper_api.envelope(track, change.get("envelope", "VOLENV2"))


def _create_envelopes(changes: list[dict[str, Any]], pointers: Mapping[str, str]) -> None:
    """Create the missing envelopes with REAPER's actions, which toggle: they are run only for missing envelopes."""
    for name, action in reaper_api.CREATES.items():
        missing = [
            change
            for change in changes
            if change.get("envelope", "VOLENV2") == name and _needs_envelope(change, pointers[change["guid"]])
        ]
        if not missing:
            continue
        with restore_state.selection():
            restore_state.select_only([pointers[change["guid"]] for change in missing])
            reaper_api.run_action(action)
        for change in missing:
            if _envelope_of(pointers[change["guid"]], change) is None:
                raise BridgeError(
                    f"REAPER created no volume envelope on {change['name']}, so nothing was written. Show it "
                    "(V on the track), then run the action again: it continues from here.",
                    keeps_job=True,
                )


def _needs_envelope(change: Mapping[str, Any], track: str) -> bool:
    restored = change.get("restore")
    return ("write" in change or bool(restored and restored["chunk"])) and _envelope_of(track, change) is None


def _write(track: str, change: Mapping[str, Any]) -> None:
    env = _active_and_visible(track, change)
    first, last = change["write"]["start_s"], change["write"]["end_s"]
    _delete_points(env, first, last)
    n_left = RPR.CountEnvelopePoints(env)
    mode = RPR.GetEnvelopeScalingMode(env)
    points = change["write"]["points"]
    try:
        for time_s, gain, shape, tension in points:
            RPR.InsertEnvelopePoint(env, time_s, RPR.ScaleToEnvelopeMode(mode, gain), shape, tension, False, True)
    finally:
        RPR.Envelope_SortPoints(env)
    if RPR.CountEnvelopePoints(env) != n_left + len(points):
        raise BridgeError(f"REAPER did not accept all points of {change['name']}, so nothing was written. Try again.")


def _delete_points(env: str, first_s: float | None, last_s: float | None) -> None:
    """Delete the points from first to last, both included; without times all of them.

    Deleting a range excludes its end, and may leave a point at 0 s: those are deleted one by one.
    """
    start_s = -1e9 if first_s is None else first_s - _SAME_TIME_S
    end_s = 1e9 if last_s is None else last_s + _SAME_TIME_S
    RPR.DeleteEnvelopePointRange(env, start_s, end_s)
    for index in reversed(range(RPR.CountEnvelopePoints(env))):
        if start_s <= RPR.GetEnvelopePoint(env, index, 0, 0, 0, 0, 0)[3] <= end_s:
            RPR.DeleteEnvelopePointEx(env, -1, index)


def _active_and_visible(track: str, change: Mapping[str, Any]) -> str:
    env = _envelope_of(track, change)
    if env is not None:
        text = reaper_api.chunk_of(env)
        wanted = re.sub(r"(?m)^(\s*(?:ACT|VIS)\s+)0\b", r"\g<1>1", text)
        if wanted != text:
            reaper_api.set_chunk(env, wanted)
            env = _envelope_of(track, change)
    if env is None:
        raise BridgeError(f"REAPER lost the volume envelope of {change['name']}, so nothing was written. Try again.")
    return env


def _restore(track: str, change: Mapping[str, Any]) -> list[str]:
    text = change["restore"]["chunk"]
    env = _envelope_of(track, change)
    if text is not None:
        reaper_api.set_chunk(env or "", text)
        return []
    return [] if env is None or _is_removed(track, change, env) else [_hide(track, change)]


def _is_removed(track: str, change: Mapping[str, Any], env: str) -> bool:
    """Remove an envelope and return whether it was removed: REAPER drops one whose chunk has no point."""
    text = reaper_api.chunk_of(env)
    reaper_api.set_chunk(env, _POINT_LINE.sub("", text))
    left = _envelope_of(track, change)
    if left is not None:
        reaper_api.set_chunk(left, text)
    return left is None


def _hide(track: str, change: Mapping[str, Any]) -> str:
    env = _envelope_of(track, change)
    if env is not None:
        reaper_api.set_chunk(env, re.sub(r"(?m)^(\s*(?:ACT|VIS)\s+)1\b", r"\g<1>0", reaper_api.chunk_of(env)))
    return f"REAPER keeps the volume envelope of {change['name']}; it is bypassed and hidden, so it has no effect"
