"""Temporary changes of the session, each of them a context manager that restores what was there.

A render may take several ticks, so what is restored later is known by GUID.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from typing import Any, Iterator, Mapping

from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import reaper_api

_NEUTRAL_FADER = {
    "D_VOL": 1.0,
    "D_PAN": 0.0,
    "D_WIDTH": 1.0,
    "D_DUALPANL": -1.0,
    "D_DUALPANR": 1.0,
    "D_PANLAW": 1.0,
}
"""A fader that changes nothing: 0 dB, centre, full width, a pan law without loss in the centre."""
_FADER_ENVELOPES = ("VOLENV2", "VOLENV3", "PANENV2", "WIDTHENV2", "DUALPANENVL2", "DUALPANENV2")
_ACTIVE = re.compile(r"(?m)^(\s*ACT\s+)[1-9]")


class Pointers:
    """Pointers of tracks by GUID; a pointer that is no longer valid is looked up again, all of them at once."""

    def __init__(self, pointers: Mapping[str, str]) -> None:
        self._pointers = dict(pointers)

    def get(self, guid: str) -> str | None:
        """Return the pointer of a track, or None for a deleted track."""
        known = self._pointers.get(guid)
        if known is not None and reaper_api.is_track(known):
            return known
        self._pointers = reaper_api.tracks()
        return self._pointers.get(guid)

    def items(self) -> Any:
        """Return pairs of GUID and the latest pointer."""
        return self._pointers.items()


@contextmanager
def selection() -> Iterator[None]:
    """Restore which tracks are selected, within one tick."""
    master = RPR.GetMasterTrack(0)
    is_master = RPR.GetMediaTrackInfo_Value(master, "I_SELECTED")
    selected = selected_tracks()
    try:
        yield
    finally:
        if selected_tracks() != selected:
            _select_only(selected)
        if RPR.GetMediaTrackInfo_Value(master, "I_SELECTED") != is_master:
            RPR.SetMediaTrackInfo_Value(master, "I_SELECTED", is_master)


@contextmanager
def selection_across_ticks(tracks: Pointers) -> Iterator[None]:
    """Restore which tracks are selected, the master included."""
    selected = set(selected_tracks())
    guids = [guid for guid, pointer in tracks.items() if pointer in selected]
    is_master = RPR.GetMediaTrackInfo_Value(RPR.GetMasterTrack(0), "I_SELECTED")
    try:
        yield
    finally:
        _select_only([pointer for pointer in map(tracks.get, guids) if pointer is not None])
        RPR.SetMediaTrackInfo_Value(RPR.GetMasterTrack(0), "I_SELECTED", is_master)


def selected_tracks() -> list[str]:
    """Return the pointers of the selected tracks, without the master."""
    return [str(RPR.GetSelectedTrack2(0, index, False)) for index in range(RPR.CountSelectedTracks2(0, False))]


def _select_only(pointers: list[str]) -> None:
    for pointer in selected_tracks():
        if pointer not in pointers:
            RPR.SetMediaTrackInfo_Value(pointer, "I_SELECTED", 0)
    for pointer in pointers:
        RPR.SetMediaTrackInfo_Value(pointer, "I_SELECTED", 1)


def select_only(pointers: list[str]) -> None:
    """Select these tracks and no others, not the master either."""
    _select_only(pointers)
    master = RPR.GetMasterTrack(0)
    if RPR.GetMediaTrackInfo_Value(master, "I_SELECTED"):
        RPR.SetMediaTrackInfo_Value(master, "I_SELECTED", 0)


@contextmanager
def edit_cursor() -> Iterator[None]:
    """Restore the position of the edit cursor."""
    position_s = RPR.GetCursorPosition()
    try:
        yield
    finally:
        if RPR.GetCursorPosition() != position_s:
            RPR.SetEditCurPos(position_s, False, False)


@contextmanager
def disarmed(tracks: Pointers) -> Iterator[None]:
    """Disarm all tracks, which a render needs, and arm them again."""
    armed = [guid for guid, pointer in tracks.items() if RPR.GetMediaTrackInfo_Value(pointer, "I_RECARM")]
    with ExitStack() as restore:
        for guid in armed:
            _set(tracks, guid, "I_RECARM", 0, restore)
        yield


@contextmanager
def preference(name: str, value: int) -> Iterator[bool]:
    """Set a preference and restore it; yield False where it cannot be set."""
    before = reaper_api.preference(name)
    if before == value or before is None:
        yield True
        return
    is_set = reaper_api.set_preference(name, value)
    try:
        yield is_set
    finally:
        if is_set:
            reaper_api.set_preference(name, before)


@contextmanager
def neutral_faders(tracks: Pointers, guids: list[str], without_pre_fx: bool = False) -> Iterator[None]:
    """Make faders, pans and their envelopes neutral, so that none of them is in a stem with any renderer setting.

    The envelopes are bypassed first: an active one would move the fader.
    """
    with ExitStack() as restore:
        for guid in guids:
            for name in (*_FADER_ENVELOPES, "VOLENV") if without_pre_fx else _FADER_ENVELOPES:
                _bypass(tracks, guid, name, restore)
        for guid in guids:
            for parameter, value in _NEUTRAL_FADER.items():
                _set(tracks, guid, parameter, value, restore)
        yield


def _bypass(tracks: Pointers, guid: str, name: str, restore: ExitStack) -> None:
    track = tracks.get(guid)
    env = reaper_api.envelope(track, name) if track is not None else None
    text = reaper_api.chunk_of(env) if env is not None else ""
    if env is not None and _ACTIVE.search(text):
        restore.callback(_set_chunk, tracks, guid, name, text)
        reaper_api.set_chunk(env, _ACTIVE.sub(r"\g<1>0", text, count=1))


def _set_chunk(tracks: Pointers, guid: str, name: str, text: str) -> None:
    track = tracks.get(guid)
    env = reaper_api.envelope(track, name) if track is not None else None
    if env is not None:
        reaper_api.set_chunk(env, text)


def _set(tracks: Pointers, guid: str, parameter: str, value: float, restore: ExitStack) -> None:
    track = tracks.get(guid)
    if track is None:
        return
    before = RPR.GetMediaTrackInfo_Value(track, parameter)
    if before != value:
        restore.callback(_set_value, tracks, guid, parameter, before)
        RPR.SetMediaTrackInfo_Value(track, parameter, value)


def _set_value(tracks: Pointers, guid: str, parameter: str, value: float) -> None:
    track = tracks.get(guid)
    if track is not None:
        RPR.SetMediaTrackInfo_Value(track, parameter, value)


@contextmanager
def render_settings(numbers: dict[str, float], texts: dict[str, str]) -> Iterator[None]:
    """Change render settings of the project in front and restore those that were changed."""
    old_numbers = {key: _number(key) for key in numbers}
    with reaper_api.short_texts():
        old_texts = {key: project_text(key) for key in texts}
    try:
        _set_render_settings(numbers, texts)
        yield
    finally:
        _set_render_settings(old_numbers, old_texts)


def project_text(key: str) -> str:
    """Return a text of the project's settings."""
    return str(RPR.GetSetProjectInfo_String(0, key, "", False)[3])


def _number(key: str) -> float:
    return float(RPR.GetSetProjectInfo(0, key, 0, False))


def _set_render_settings(numbers: Mapping[str, float], texts: Mapping[str, str]) -> None:
    for key, number in numbers.items():
        if _number(key) != number:
            RPR.GetSetProjectInfo(0, key, number, True)
    with reaper_api.short_texts():
        for key, text in texts.items():
            if project_text(key) != text:
                RPR.GetSetProjectInfo_String(0, key, text, True)
