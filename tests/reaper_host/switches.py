"""What a test can switch: facts that no source settles, and preferences of the user."""

from __future__ import annotations

from dataclasses import dataclass


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
    undo_restores_ext_state : whether undo brings back what `SetProjExtState` stored. [b: HDRP names "extensions" in &8]
    scripts_share_main : whether all scripts run in one `__main__`, so that a later one overwrites names. [a: MEM]
    allocates_string_buffers : whether every returned text costs a buffer of 4 MiB, as in REAPER. [a: PY]
    language : what envelope names are translated to; empty for English. [b: MEM]
    """

    pre_fader_stems_have_the_volume_envelope: bool = True
    point_at_zero_survives: bool = True
    new_envelopes_are_fader_scaled: bool = True
    envelope_top_db: int = 6
    track_numbers_are_padded: bool = True
    undo_restores_ext_state: bool = True
    scripts_share_main: bool = False
    allocates_string_buffers: bool = False
    language: tuple[tuple[str, str], ...] = ()
