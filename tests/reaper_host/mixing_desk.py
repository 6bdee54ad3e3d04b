"""What is heard: items, folders, sends, faders, envelopes, mutes and solos, as REAPER would sum them. No plug-ins.

Conventions: samples have shape (n_samples, 2). In trim/read the fader multiplies the volume envelope, in the other
modes the envelope replaces the fader; the trim envelope multiplies both. [b: MEM; UG 6.24 for the order]
Solo: what is soloed sounds with all that feeds it, its folders and what it sends to pass it on. [d: MEM]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.reaper_host.envelope_curve import Floats, values_at
from tests.reaper_host.item_playback import Samples, add_item, balance
from tests.reaper_host.item_state import items_of
from tests.reaper_host.rpp_text import Block, words

if TYPE_CHECKING:
    from tests.reaper_host.project_state import Project
    from tests.reaper_host.track_state import Track

BYPASS = 5
_POST_FADER, _PRE_FX, _PRE_FADER = 0, 1, 3


class Desk:
    """Every track of a project between two times; each signal is made once."""

    def __init__(self, project: Project, span_s: tuple[float, float], rate: int) -> None:
        self._project, self._start_s, self._rate = project, span_s[0], rate
        self._n_samples = round((span_s[1] - span_s[0]) * rate)
        self._time_s: Floats = span_s[0] + np.arange(self._n_samples) / rate
        self._parents = {track: track.parent for track in project.tracks}
        self._anything_soloed = any(track.solo for track in project.tracks)
        self._made: dict[tuple[Track, bool, bool], Samples] = {}
        self._under_way: set[Track] = set()

    def silence(self) -> Samples:
        """Return nothing, as long as the span."""
        return np.zeros((self._n_samples, 2))

    def after_fader(self, track: Track, is_heard: bool = False) -> Samples:
        """Return a track after fader, envelopes, pan and mute; `is_heard` where a soloed track is fed by it."""
        if track.is_muted:
            return self.silence()
        return self.before_fader(track, is_heard) * self._fader(track)[:, None] * self._pan(track)

    def before_fader(self, track: Track, is_heard: bool = False, before_plug_ins: bool = False) -> Samples:
        """Return a track where its plug-ins end, before fader and envelopes."""
        key = (track, is_heard, before_plug_ins)
        if key not in self._made:
            self._under_way.add(track)
            signal = self._sum(track, is_heard)
            if not before_plug_ins:
                signal = signal * self._envelope(track, "VOLENV")[:, None]
            self._made[key] = signal
            self._under_way.discard(track)
        return self._made[key]

    def with_envelopes_only(self, track: Track) -> Samples:
        """Return a track before the fader, but with its volume and trim envelopes."""
        return self.before_fader(track) * (self._envelope(track, "VOLENV2") * self._envelope(track, "VOLENV3"))[:, None]

    def master(self) -> Samples:
        """Return the whole project after the master fader."""
        master = self._project.master
        if master.is_muted:
            return self.silence()
        tops = [track for track in self._project.tracks if self._parents[track] is None and track.sends_to_parent]
        total = sum((self.after_fader(track) for track in tops), self.silence())
        return total * master.volume * balance(self._project.root.number("MASTER_VOLUME", 1, 0.0))

    def _sum(self, track: Track, is_heard: bool) -> Samples:
        sounds = is_heard or not self._anything_soloed or bool(track.solo) or track.defeats_solo
        feeds = is_heard or bool(track.solo)
        signal = self.silence()
        if sounds:
            for item in items_of(track):
                add_item(signal, item, self._start_s - track.play_offset_s, self._rate)
        for child in self._project.tracks:
            if self._parents[child] is track and child.sends_to_parent and child not in self._under_way:
                signal += self.after_fader(child, feeds)
        for receive in track.receives:
            signal += self._received(receive, feeds)
        return -signal if track.is_flipped else signal

    def _received(self, line: list[str], feeds: bool) -> Samples:
        source_index, mode, volume, pan, muted, mono, flipped, from_channel, to_channel = _send(line)
        if muted or from_channel not in (0, 1024) or to_channel or not 0 <= source_index < len(self._project.tracks):
            return self.silence()  # on other channels, it is not in the first two
        source = self._project.tracks[int(source_index)]
        if source.is_muted or source in self._under_way:
            return self.silence()
        if mode == _POST_FADER:
            signal = self.after_fader(source, feeds)
        else:
            signal = self.before_fader(source, feeds, before_plug_ins=mode == _PRE_FX)
        if from_channel == 1024:
            signal = np.repeat(signal[:, :1], 2, axis=1)
        if mono:
            signal = np.repeat(signal.mean(axis=1, keepdims=True), 2, axis=1)
        return signal * (-volume if flipped else volume) * balance(pan)

    def _mode(self, track: Track) -> int:
        override = self._project.global_automation
        return track.automation_mode if override < 0 else override

    def _envelope(self, track: Track, kind: str) -> Floats:
        envelope = track.envelope(kind)
        if (
            envelope is None
            or not envelope.is_active
            or not envelope.points
            or self._project.global_automation == BYPASS
        ):
            return np.ones(1)
        return values_at(envelope, self._time_s)

    def _has(self, track: Track, kind: str) -> bool:
        envelope = track.envelope(kind)
        return bool(envelope and envelope.is_active and envelope.points) and self._project.global_automation != BYPASS

    def _fader(self, track: Track) -> Floats:
        follows = self._has(track, "VOLENV2") and self._mode(track) != 0
        gain = (1.0 if follows else track.volume) * self._envelope(track, "VOLENV2") * self._envelope(track, "VOLENV3")
        if self._has(track, "MUTEENV"):  # 1 is unmuted  [b: N782]
            gain = gain * (self._envelope(track, "MUTEENV") >= 0.5)
        return gain

    def _pan(self, track: Track) -> Samples:
        if not self._has(track, "PANENV2"):
            return balance(track.pan)
        pan = -self._envelope(track, "PANENV2")  # stored inverted  [b: N782]
        pan = np.clip(pan + (track.pan if self._mode(track) == 0 else 0.0), -1.0, 1.0)
        return np.stack([np.minimum(1.0, 1.0 - pan), np.minimum(1.0, 1.0 + pan)], axis=1)


def _send(line: list[str]) -> list[float]:
    numbers = [float(word.split(":")[0]) for word in line[:9]]
    return numbers + [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0][len(numbers) :]


def left_out(project: Project) -> list[str]:
    """Return the parts of a project that the desk does not play, for tests."""
    found = []
    for track in project.tracks:
        for block in track.block.blocks():
            if block.name in ("AUXVOLENV", "AUXPANENV", "AUXMUTEENV", "WIDTHENV2") and block.number("ACT", 0, 1):
                found.append(f"{block.name} on {track.name}")
            if block.name == "FXCHAIN" and any(_is_plug_in(inner) for inner in block.blocks()):
                found.append(f"plug-ins on {track.name}")
    return found


def _is_plug_in(block: Block) -> bool:
    return bool(words(block.head)) and block.name in ("VST", "AU", "JS", "DX", "CLAP", "LV2", "CONTAINER")
