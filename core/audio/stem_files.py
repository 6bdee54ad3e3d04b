"""Find the audio files of a song folder and match their names to roles and buses."""

from __future__ import annotations

from pathlib import Path

from core.audio.io import EXTENSIONS
from core.matching import Item, Match, assign

OTHER_EXTENSIONS = frozenset((".m4a", ".mp4", ".aac", ".alac", ".wv", ".wma", ".ape", ".mogg"))
"""Audio files that are listed although libsndfile does not read them."""


def audio_files(folder: Path) -> list[Path]:
    """Return the audio files of `folder` in the order of their names; those of its subfolders where it has none."""
    return _audio_files(folder, "*") or _audio_files(folder, "**/*")


def match_files(folder: Path) -> dict[Path, Match]:
    """Return the match of each audio file of a song folder."""
    files = audio_files(folder)
    items = []
    for path in files:
        inside = path.relative_to(folder).parent.as_posix()
        items.append(Item(path.name, "file", context=None if inside == "." else inside))
    return dict(zip(files, assign(items, song=folder.resolve().name), strict=True))


def _audio_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.suffix.lower() in EXTENSIONS | OTHER_EXTENSIONS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )
