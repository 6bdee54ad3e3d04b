"""Rendering with the most recent settings: which files, which signals, and when REAPER asks or refuses. [d]"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from tests.reaper_host.item_playback import Samples
from tests.reaper_host.item_state import length_of
from tests.reaper_host.mixing_desk import Desk
from tests.reaper_host.render_settings import NUMBERS, file_names, format_of, span_of

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost
    from tests.reaper_host.project_state import Project
    from tests.reaper_host.track_state import Track

STEMS_AND_MASTER, STEMS, VIA_MASTER, PRE_FADER = 1, 2, 128, 8192
_HARMLESS = 256 | 512 | 1024 | 32768
_NO_PROCESSING = 4 << 16
_SKIP_SILENT = 2
_BLOCK_S = 10.0


def targets(host: ReaperHost, project: Project) -> list[Path]:
    """Return the files a render would write now, in the tracks' order. [d: HDR RENDER_TARGETS]"""
    if not _all_tracks(host, project):
        return []
    return file_names(project, _named(_all_tracks(host, project)), host.switches.track_numbers_are_padded)


def render(host: ReaperHost, project: Project) -> None:
    """Render, synchronously; a window REAPER would show hangs. [d: N779, NREN, N782]"""
    if host.play_state & 4:
        host.dialogs.hang("Cannot render while recording")
    settings = _number(project, "RENDER_SETTINGS")
    span = span_of(project, length_of(project))
    file_format = format_of(project)
    if file_format is None or span is None or settings & ~(3 | VIA_MASTER | PRE_FADER | _HARMLESS):
        host.unsupported(f"rendering with settings {settings}, bounds {_number(project, 'RENDER_BOUNDSFLAG')}")
    files = targets(host, project)
    _show_windows(host)
    if span[1] <= span[0] and files:
        host.dialogs.hang("Nothing to render!")
    if any(path.exists() for path in files):
        host.dialogs.hang(f"{', '.join(path.name for path in files if path.exists())} exist: overwrite?")
    normalize = _number(project, "RENDER_NORMALIZE")
    if normalize and not normalize & _NO_PROCESSING:
        host.unsupported(f"rendering with RENDER_NORMALIZE {normalize}")
    rate = _rate(host, project)
    project.last_rendered = []
    if host.switches.render_is_cancelled:
        return
    with ExitStack() as stack:
        outputs = [stack.enter_context(_output(host, project, path, f"{rate} {file_format.subtype}")) for path in files]
        for start in np.arange(span[0], span[1], _BLOCK_S):
            desk = Desk(project, (start, min(start + _BLOCK_S, span[1])), rate)
            for track, output in zip(_all_tracks(host, project), outputs, strict=True):
                signal = _signal(host, desk, settings, track)
                output.write(signal.mean(axis=1) if output.channels == 1 else signal)
    _skip_silent(project, files)
    for path in files:
        _shorten(path, host.switches.rendered_share)
    if host.switches.render_lasts_ticks:
        host.background_renders.append(BackgroundRender(files, host.switches.render_lasts_ticks))
    project.touched()


def _show_windows(host: ReaperHost) -> None:
    """Show the windows that stay open after a render."""
    if not host.switches.render_window_closes:
        host.dialogs.hang("Rendering to File (finished): the window stays open")
    if host.switches.returns_to_render_setup:
        host.dialogs.hang("Render to File: the setup opens again")
    if host.switches.asks_about_statistics and not host.render_window_bits >> 21 & 1:
        host.dialogs.hang("Render statistics: save?")


class BackgroundRender:
    """A render that continues after the action has returned: its files grow from cycle to cycle."""

    def __init__(self, files: list[Path], n_ticks: int) -> None:
        self._contents = {path: path.read_bytes() for path in files}
        self._n_ticks, self._tick = n_ticks, 0
        self._write()

    def goes_on(self) -> bool:
        """Write what a cycle adds; return whether anything is left."""
        self._tick += 1
        self._write()
        return self._tick < self._n_ticks

    def _write(self) -> None:
        for path, content in self._contents.items():
            if path.parent.exists():
                path.write_bytes(content[: len(content) * self._tick // self._n_ticks])


def _shorten(path: Path, share: float) -> None:
    if share < 1.0 and path.exists():
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        soundfile.write(path, audio[: round(share * len(audio))], rate, "FLOAT")


def _signal(host: ReaperHost, desk: Desk, settings: int, track: Track | None) -> Samples:
    if track is None or _gets_the_master(host, track):
        return desk.master()
    if not settings & PRE_FADER or settings & VIA_MASTER:
        signal = desk.after_fader(track)
        return signal * track.project.master.volume if settings & VIA_MASTER else signal
    if track.is_muted:
        return desk.silence()
    if host.switches.pre_fader_stems_have_the_volume_envelope:
        return desk.with_envelopes_only(track)
    return desk.before_fader(track)


def _gets_the_master(host: ReaperHost, track: Track) -> bool:
    """Return whether the stem of a track contains the master mix instead. [one public bridge reports it]"""
    which = host.switches.stems_are_the_master
    return which == "all" or (which == "without items" and not track.items)


def _all_tracks(host: ReaperHost, project: Project) -> list[Track | None]:
    """Return what a file is written of: selected tracks, and None for the master."""
    settings = _number(project, "RENDER_SETTINGS")
    selected: list[Track | None] = [track for track in project.tracks if track.is_selected]
    if settings & (STEMS | VIA_MASTER):
        return selected
    return [None, *selected] if settings & STEMS_AND_MASTER else [None]


def _named(tracks: list[Track | None]) -> list[tuple[int, str]]:
    return [(track.index + 1, track.name or f"Track {track.index + 1}") if track else (0, "") for track in tracks]


def _output(host: ReaperHost, project: Project, path: Path, form: str) -> soundfile.SoundFile:
    rate, subtype = form.split()
    n_channels = _number(project, "RENDER_CHANNELS")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return soundfile.SoundFile(path, "w", int(rate), n_channels, subtype, format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        host.dialogs.hang(f"Error opening {path} for writing: {error}")


def _skip_silent(project: Project, files: list[Path]) -> None:
    """Keep what was written, but for silent files where the settings say so."""
    for path in files:
        if _number(project, "RENDER_ADDTOPROJ") & _SKIP_SILENT and not np.any(soundfile.read(path)[0]):
            path.unlink()
        else:
            project.last_rendered.append(path)


def _rate(host: ReaperHost, project: Project) -> int:
    """Return the rate of the files: the render's, the project's, the audio device's."""
    own = _number(project, "RENDER_SRATE")
    if own:
        return own
    return _number(project, "PROJECT_SRATE") if _number(project, "PROJECT_SRATE_USE") else host.device_sample_rate


def _number(project: Project, key: str) -> int:
    line, place, defaults = NUMBERS[key]
    return int(project.root.number(line, place, float(defaults.split()[place])))
