"""Reopen the song of a run and render its mix again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.audio.io import inspect, sum_of
from core.audio.song import Song
from core.automation.points import Automation
from core.automation.render import headroom_db, level_notes, render_mix
from core.errors import InputError
from core.files import temporary_folder
from core.progress import ProgressCallback, stages
from core.runs.record import RunRecord


def song_of(run: RunRecord) -> Song | None:
    """Return the song of a run, or None if a stem no longer exists or has another length."""
    try:
        streams = run.stem_streams if isinstance(run.stem_streams, dict) else {}
        stems = {}
        for role, path in run.stems.items():
            names = _files_of(run, role, path)
            numbers = streams.get(role, [0] * len(names))
            parts = [inspect(Path(name), stream=number) for name, number in zip(names, numbers, strict=False)]
            stems[role] = sum_of(parts, Path(path))
    except InputError:
        return None
    song = Song(title=run.title, stems=stems, mixdown=None) if stems else None
    return song if song is not None and abs(song.duration_s - run.duration_s) < 0.01 else None


def song_to_render(folder: Path, runs: Sequence[RunRecord], automation: Automation) -> Song:
    """Return the song of a folder's latest run, to render its mix with `automation`.

    Raises
    ------
    InputError
        The stems no longer exist, or one of them has no points.
    """
    song = song_of(runs[-1])
    if song is None:
        raise InputError(stems_problem(runs[-1]), path=folder, remedy="put the stems back, or mix the song again")
    without = [bus for bus in song.stems if bus not in automation]
    if without:
        raise InputError(f"{', '.join(without)} has no points", path=folder, remedy="add them, or mix the song again")
    return song


def stems_problem(run: RunRecord) -> str:
    """Return why `song_of` has no song."""
    files = [Path(file) for role, stem in run.stems.items() for file in _files_of(run, role, stem)]
    missing = next((file for file in files if not file.is_file()), None)
    return f"{missing}, a stem of its mix, no longer exists" if missing else "the stems of its mix have changed"


def _files_of(run: RunRecord, role: str, stem: str) -> list[str]:
    return run.stem_files.get(role, [stem]) if isinstance(run.stem_files, dict) else [stem]


def render_again(
    song: Song, automation: Automation, path: Path, progress: ProgressCallback, *, loudness_lufs: float | None = None
) -> list[str]:
    """Render the mix again and write it to `path`; return notes about its level.

    Parameters
    ----------
    song, automation : the stems and their automation.
    path : where to write.
    progress : called with the fraction done.
    loudness_lufs : the loudness of the mix that it is again, as its run wrote it; by default the automation's, or less
        where the true peak would exceed the limit.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    with temporary_folder() as workshop:
        rendering, writing = stages(progress, {"Rendering mix": 0.9, "Writing mix": 0.1})
        rendered = render_mix(song, automation, workshop / "mix.f32", progress=rendering)
        gain_db = min(0.0, headroom_db(rendered.figures))
        if loudness_lufs is not None:
            gain_db = loudness_lufs - rendered.figures.loudness_lufs
        rendered.write_wav(path, gain_db, progress=writing)
    return level_notes(gain_db) if loudness_lufs is None else []
