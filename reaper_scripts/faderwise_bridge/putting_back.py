"""What is changed for a moment, and put back whatever happens: selection, cursor, record arms, faders, envelopes."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from typing import Iterator, Sequence

from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import reaper

_FADER = {
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


@contextmanager
def ui_at_rest() -> Iterator[None]:
    """Keep REAPER from drawing what is only for a moment."""
    RPR.PreventUIRefresh(1)
    try:
        yield
    finally:
        RPR.PreventUIRefresh(-1)
        RPR.UpdateArrange()


@contextmanager
def selection_kept() -> Iterator[None]:
    """Let tracks be selected, then select those that were."""
    everything = [RPR.GetMasterTrack(0), *reaper.tracks().values()]
    selected = [RPR.GetMediaTrackInfo_Value(track, "I_SELECTED") for track in everything]
    try:
        yield
    finally:
        for track, state in zip(everything, selected):
            if RPR.GetMediaTrackInfo_Value(track, "I_SELECTED") != state:
                RPR.SetMediaTrackInfo_Value(track, "I_SELECTED", state)


@contextmanager
def cursor_kept() -> Iterator[None]:
    """Put the edit cursor back."""
    position_s = RPR.GetCursorPosition()
    try:
        yield
    finally:
        if RPR.GetCursorPosition() != position_s:
            RPR.SetEditCurPos(position_s, False, False)


@contextmanager
def disarmed() -> Iterator[None]:
    """Disarm every track, as a render wants it, then arm those that were."""
    armed = [track for track in reaper.tracks().values() if RPR.GetMediaTrackInfo_Value(track, "I_RECARM")]
    with ExitStack() as undoing:
        for track in armed:
            undoing.callback(RPR.SetMediaTrackInfo_Value, track, "I_RECARM", 1)
            RPR.SetMediaTrackInfo_Value(track, "I_RECARM", 0)
        yield


@contextmanager
def without_faders(tracks: Sequence[str]) -> Iterator[None]:
    """Let faders, pans and their envelopes do nothing, so that none is in a stem, whatever the renderer takes.

    The envelopes are bypassed first: an active one would move the fader.
    """
    with ExitStack() as undoing:
        for track in tracks:
            for name in _FADER_ENVELOPES:
                _bypass(track, name, undoing)
        for track in tracks:
            for parameter, value in _FADER.items():
                _set_for_now(track, parameter, value, undoing)
        yield


def _bypass(track: str, name: str, undoing: ExitStack) -> None:
    env = reaper.envelope(track, name)
    text = reaper.chunk_of(env) if env is not None else ""
    if env is not None and _ACTIVE.search(text):
        undoing.callback(_give_back, track, name, text)
        reaper.set_chunk(env, _ACTIVE.sub(r"\g<1>0", text, count=1))


def _give_back(track: str, name: str, text: str) -> None:
    env = reaper.envelope(track, name)
    if env is not None:
        reaper.set_chunk(env, text)


def _set_for_now(track: str, parameter: str, value: float, undoing: ExitStack) -> None:
    old = RPR.GetMediaTrackInfo_Value(track, parameter)
    if old != value:
        undoing.callback(RPR.SetMediaTrackInfo_Value, track, parameter, old)
        RPR.SetMediaTrackInfo_Value(track, parameter, value)
