"""Media for real projects: every audio file a project names, made out of the bundled song's stems."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import soundfile

from core.rpp.project import Project, read_project

STEMS = Path(__file__).resolve().parents[1] / "examples" / "caesium"
ROLES = ("drums", "bass", "melody", "vocals")
MEDIA_RATE = 11_025


def write_media(project: Project, folder: Path) -> None:
    """Make every audio file the project names, out of the bundled song's stems."""
    for track in project.tracks:
        material, rate = soundfile.read(STEMS / f"{ROLES[track.index % 4]}.flac", always_2d=True)
        mono = material.mean(axis=1)[:: rate // MEDIA_RATE]
        for item in track.items:
            for take in item.takes:
                if take.source is None or take.source.kind not in ("WAVE", "MP3") or not take.source.file:
                    continue
                needed_s = max(take.offset_s, 0.0) + item.length_s * take.play_rate + 1.0
                name = take.source.file.replace("\\", "/")
                path = folder / (name if name.startswith(("Audio Files", "tracks/")) else Path(name).name)
                if path.is_file() and soundfile.info(path).duration >= needed_s:
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                repeats = math.ceil(needed_s * MEDIA_RATE / len(mono))
                soundfile.write(path, np.tile(mono, repeats), MEDIA_RATE, "PCM_16", format="WAV")


def session(source: Path, folder: Path) -> Path:
    """Return a real project in `folder`, with media made for it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"Song{source.suffix}"
    shutil.copyfile(source, path)
    write_media(read_project(path), folder)
    return path
