"""Render settings, audio accessors, items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tests.reaper_host.item_playback import Samples, add_item
from tests.reaper_host.item_state import items_of
from tests.reaper_host.project_state import Project
from tests.reaper_host.registry import Out, reascript
from tests.reaper_host.render_settings import NUMBERS, TEXTS, get_text, set_text
from tests.reaper_host.rendering import targets
from tests.reaper_host.rpp_text import quote
from tests.reaper_host.track_state import Track

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost


@dataclass(eq=False)
class Accessor:
    """An audio accessor: a track's items, before its plug-ins; no children, no receives. [d: HDR, INF]"""

    track: Track

    def samples(self, start_s: float, n_samples: int, rate: int) -> Samples:
        """Return what it gives, shape (n_samples, 2)."""
        out = np.zeros((n_samples, 2))
        for item in items_of(self.track):
            add_item(out, item, start_s, rate)
        return out


@reascript("GetSetProjectInfo")
def get_set_project_info(host: ReaperHost, project: Project, key: str, value: float, is_set: int) -> float:
    """Keys of numbers; an unknown one is 0 and nothing happens. [d: HDR]"""
    if key == "DIRTY":
        return float(project.is_dirty)
    if key not in NUMBERS:
        return host.unsupported(f"GetSetProjectInfo {key!r}")
    line, place, defaults = NUMBERS[key]
    if is_set:
        project.root.set_number(line, place, value, defaults)
        project.touched()
    return project.root.number(line, place, float(defaults.split()[place]))


@reascript("GetSetProjectInfo_String")
def get_set_project_info_string(host: ReaperHost, project: Project, key: str, value: str, is_set: int) -> Out:
    if key == "PROJECT_NAME":
        return Out(1, project.name)
    if key == "RENDER_TARGETS":
        return Out(1, ";".join(str(path) for path in targets(host, project)))
    if key == "RENDER_STATS":
        return Out(1, ";".join(f"FILE:{path}" for path in project.last_rendered))
    if key == "RECORD_PATH":
        if is_set:
            project.root.set_word(key, 0, quote(value), '"" ""')
        return Out(1, project.root.word(key, 0, ""))
    if key not in TEXTS:
        return host.unsupported(f"GetSetProjectInfo_String {key!r}")
    if is_set:
        set_text(project, key, value)
        project.touched()
    return Out(1, get_text(project, key))


@reascript("CreateTrackAudioAccessor")
def create_track_audio_accessor(host: ReaperHost, track: Track) -> Accessor:
    accessor = Accessor(track)
    host.accessors.append(accessor)
    return accessor


@reascript("DestroyAudioAccessor")
def destroy_audio_accessor(host: ReaperHost, accessor: Accessor) -> None:
    host.accessors.remove(accessor)
    host.pointers.forget(accessor)


@reascript("AudioAccessorStateChanged", "AudioAccessorValidateState")
def audio_accessor_state_changed(_host: ReaperHost, _accessor: Accessor) -> int:
    return 0


@reascript("GetAudioAccessorStartTime")
def get_audio_accessor_start_time(_host: ReaperHost, _accessor: Accessor) -> float:
    return 0.0


@reascript("GetAudioAccessorEndTime")
def get_audio_accessor_end_time(_host: ReaperHost, accessor: Accessor) -> float:
    return max((item.end_s for item in items_of(accessor.track)), default=0.0)


@reascript("GetAudioAccessorSamples")
def get_audio_accessor_samples(host: ReaperHost, address: int | None, rate: int, channels: int, *rest: object) -> int:
    """Fill the list that was passed, interleaved; 1 audio, 0 none, -1 error. [d: HDR]"""
    start_s, n_samples, buffer = rest
    found = host.pointers.lookup(address or 0)
    if found is None or not isinstance(found[1], Accessor):
        return -1
    assert isinstance(start_s, float)
    assert isinstance(n_samples, int)
    assert isinstance(buffer, list)
    samples = found[1].samples(start_s, n_samples, rate)
    wide = samples[:, np.minimum(np.arange(channels), 1)]
    buffer[: wide.size] = wide.ravel().tolist()
    return int(bool(np.any(samples)))


@reascript("GetProjectTimeSignature2")
def get_project_time_signature2(_host: ReaperHost, project: Project, _bpm: float, _beats: float) -> Out:
    return Out(None, project.root.number("TEMPO", 0, 120.0), project.root.number("TEMPO", 1, 4))


@reascript("OnStopButton")
def on_stop_button(host: ReaperHost) -> None:
    host.play_state = 0


@reascript("OnStopButtonEx")
def on_stop_button_ex(host: ReaperHost, _project: Project) -> None:
    host.play_state = 0


@reascript("OnPlayButton")
def on_play_button(host: ReaperHost) -> None:
    host.play_state = 1
