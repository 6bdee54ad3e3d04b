"""Reopen the song of a run and render its mix again."""

from __future__ import annotations

from pathlib import Path

from analysis_server.runs.run_folder import AutomationFolder
from core.audio.io import inspect, sum_of
from core.audio.song import Song
from core.automation.points import Automation
from core.automation.render import headroom_db, level_warnings, render_mix
from core.errors import InputError
from core.files import temporary_folder
from core.progress import ProgressCallback, stages
from core.runs.record import RunRecord

MIX = "mix.wav"


def song_of(run: RunRecord) -> Song | None:
    """Return the song of a run, or None if a stem no longer exists or has another length."""
    try:
        files = run.stem_files if isinstance(run.stem_files, dict) else {}
        streams = run.stem_streams if isinstance(run.stem_streams, dict) else {}
        stems = {}
        for role, path in run.stems.items():
            names = files.get(role, [path])
            numbers = streams.get(role, [0] * len(names))
            parts = [inspect(Path(name), stream=number) for name, number in zip(names, numbers, strict=False)]
            stems[role] = sum_of(parts, Path(path))
    except InputError:
        return None
    song = Song(title=run.title, stems=stems, mixdown=None) if stems else None
    return song if song is not None and abs(song.duration_s - run.duration_s) < 0.01 else None


def song_to_render(folder: AutomationFolder) -> Song:
    """Return the song of a folder's latest run.

    Raises
    ------
    InputError
        The stems no longer exist, or the folder has no points for one of them.
    """
    song = song_of(folder.runs[-1])
    if song is None or not set(song.stems) <= set(folder.now):
        raise InputError("the stems of its mix no longer exist", path=folder.path, remedy="mix the song again")
    return song


def render_again(song: Song, automation: Automation, path: Path, progress: ProgressCallback) -> list[str]:
    """Render the mix again and write it to `path`; return warnings about its level.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    with temporary_folder() as workshop:
        rendering, writing = stages(progress, {"Rendering mix": 0.9, "Writing mix": 0.1})
        rendered = render_mix(song, automation, workshop / "mix.f32", progress=rendering)
        gain_db = min(0.0, headroom_db(rendered.figures))
        rendered.write_wav(path, gain_db, progress=writing)
    return level_warnings(gain_db)
