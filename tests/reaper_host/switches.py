"""What a test can switch: facts that no source settles, and preferences of the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class Switches:
    """What no source settles, or the user chose in the preferences: a script has to be right with either.

    Attributes
    ----------
    pre_fader_stems_have_the_volume_envelope : whether render setting &8192 still prints the volume envelope. [d: INF]
    point_at_zero_survives : whether a range delete leaves a point at exactly 0 s. [b: N779, one source]
    new_envelopes_are_fader_scaled : config `volenvrange` &2. [b: USCFG]
    envelope_top_db : how far an envelope goes: 6, 0, 12 or 24; config `volenvrange` &1 and &4. [b: USCFG]
    track_numbers_are_padded : whether ``$tracknumber`` is written with two digits. [d: MEM]
    undo_restores_ext_state : whether undo brings back what `SetProjExtState` stored. Public projects report that it
        does not. [b: HDRP names "extensions" in &8]
    render_window_closes : whether the render window closes when it is finished; otherwise the action never returns.
    returns_to_render_setup : whether the render setup opens again after a render; `renderclosewhendone` &16384. [USCFG]
    asks_about_statistics : whether a render ends with a question unless statistics are saved (`renderclosewhendone` bit
        21), as one public bridge reports of REAPER 7.75 and later.
    render_lasts_ticks : for how many defer cycles a render continues after the action has returned ("in background").
    render_is_cancelled : whether the user cancels each render before anything is written.
    rendered_share : how much of each file is written, as when a render is stopped or the disk is full.
    stems_are_the_master : which stems contain the master mix instead: ``"none"``, those of tracks ``"without items"``,
        or ``"all"``.
    scripts_share_main : whether all scripts run in one `__main__`, so that a later one overwrites names. [a: MEM]
    allocates_string_buffers : whether every returned text costs a buffer of 4 MiB, as in REAPER. [a: PY]
    shows_warnings : whether warnings of reapy reach the interpreter, where they can crash REAPER on macOS.
    language : what envelope names are translated to; empty for English. [b: MEM]
    """

    pre_fader_stems_have_the_volume_envelope: bool = True
    point_at_zero_survives: bool = True
    new_envelopes_are_fader_scaled: bool = True
    envelope_top_db: int = 6
    track_numbers_are_padded: bool = True
    undo_restores_ext_state: bool = False
    render_window_closes: bool = True
    returns_to_render_setup: bool = False
    asks_about_statistics: bool = False
    render_lasts_ticks: int = 0
    render_is_cancelled: bool = False
    rendered_share: float = 1.0
    stems_are_the_master: Literal["none", "without items", "all"] = "none"
    scripts_share_main: bool = False
    allocates_string_buffers: bool = False
    shows_warnings: bool = False
    language: tuple[tuple[str, str], ...] = ()
