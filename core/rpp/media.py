"""Finding a project's media files: where the project says, or beside it."""

from __future__ import annotations

import ntpath
import re
from pathlib import Path

from core.errors import InputError
from core.rpp.project import Project, Source, Track

WITHOUT_SOUND = frozenset({"MIDI", "MIDIPOOL", "CLICK", "LTC", "EMPTY", "RPP_PROJECT", "NOTES", "VIDEOEFFECT"})
"""Kinds of sources that no audio file stands behind."""


def media_path(project: Project, track: Track, source: Source) -> Path:
    """Return the file that `source` plays.

    It is looked for under its own name, from the project's folder where that is relative, and then by its last name
    in the project's folder and the folder it records to, so that a session moved from another machine is found.

    Raises
    ------
    InputError
        It is in none of these places.
    """
    for path in _places(project, source.file):
        if _is_file(path):
            return path
    raise InputError(
        f"the media file {source.file} of {track.title} is missing",
        path=project.path,
        remedy=f"put it into {project.folder}, or export the buses as stems from REAPER"
        " and give their folder with --stems",
    )


def is_relative(name: str) -> bool:
    """Tell whether a media file's name is relative to the project, on Windows' terms too."""
    return bool(name) and not (name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name))


def _places(project: Project, name: str) -> list[Path]:
    forward = name.replace("\\", "/")
    last = ntpath.basename(name)
    folders = [project.folder, project.folder / "Media", project.folder / "Audio"]
    if project.media_folder:
        folders.insert(1, project.folder / project.media_folder.replace("\\", "/"))
    return [project.folder / name, project.folder / forward, *(folder / last for folder in folders if last)]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name this system cannot have
        return False
