"""Find a project's media files: where the project says, or next to it."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Sequence
from pathlib import Path

from core.errors import InputError
from core.rpp.project import Project, Source, Track

WITHOUT_SOUND = frozenset({"MIDI", "MIDIPOOL", "CLICK", "LTC", "EMPTY", "RPP_PROJECT", "NOTES", "VIDEOEFFECT"})
"""Kinds of sources without an audio file."""


def media_path(project: Project, track: Track, source: Source) -> Path:
    """Return the file that `source` plays.

    It is looked for under its own name, from the project's folder where that is relative, and then by its last name
    in the project's folder and the folder it records to, so that a session moved from another machine is found.

    Raises
    ------
    InputError
        It is in none of these places.
    """
    [path] = media_paths(project, [(track, source)])
    return path


def media_paths(project: Project, played: Sequence[tuple[Track, Source]]) -> list[Path]:
    """Return the files that sources play, each looked for as `media_path` does.

    Raises
    ------
    InputError
        Any of them are missing; all of them are named.
    """
    found, missing = [], []
    for track, source in played:
        path = next((path for path in _places(project, source.file) if _is_file(path)), None)
        if path is None:
            missing.append(f"{source.file} of {track.title}")
        else:
            found.append(path)
    names = list(dict.fromkeys(missing))
    if names:
        is_one = len(names) == 1
        problem = f"the media file {names[0]} is missing" if is_one else f"{len(names)} media files are missing: "
        raise InputError(
            problem if is_one else problem + ", ".join(names),
            path=project.path,
            remedy=f"put {'it' if is_one else 'them'} into {project.folder}, or export the buses as stems from REAPER "
            "and give their folder with --stems",
        )
    return found


def is_relative(name: str) -> bool:
    """Return whether a media file's name is relative to the project, on Windows' terms too."""
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
