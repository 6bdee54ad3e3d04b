"""Find the songs of public datasets in the layouts in which they are distributed.

| dataset | stems | mixdown | buses |
| --- | --- | --- | --- |
| MUSDB18-HQ, Cambridge-MT | SONG/*.wav, also below train/ and test/ | among them | from the names |
| DSD100 | Sources/SPLIT/SONG/*.wav | Mixtures/SPLIT/SONG/mixture.wav | from the names |
| MedleyDB | SONG/SONG_STEMS/*.wav | SONG/SONG_MIX.wav | from the instruments in SONG_METADATA.yaml |
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.audio.song import LEFT_OUT, holds_stems
from core.errors import InputError
from core.matching import match_name

_DEEPEST = 3
_STEM = re.compile(r"^  S\d+:")
_INSTRUMENT = re.compile(r"^    instrument:\s*(.+?)\s*$")
_FILENAME = re.compile(r"^    filename:\s*(.+?)\s*$")


@dataclass(frozen=True)
class Layout:
    """Where a song's files are: the folder of its stems, its mixdown if elsewhere, and the buses of its metadata."""

    stems: Path
    mixdown: Path | None = None
    buses: Mapping[str, Sequence[str]] = field(default_factory=dict)


def song_folders(paths: Sequence[str]) -> list[Path]:
    """Return the song folders among `paths` and in the datasets among them.

    Raises
    ------
    InputError
        A path is not a folder, or has no song.
    """
    folders: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            raise InputError("no such folder", path=path, remedy="give a song folder or a folder of song folders")
        found = list(_songs_in(path, 0))
        if not found:
            remedy = "each should hold a file a bus, such as drums.wav"
            raise InputError("no song folders found", path=path, remedy=remedy)
        folders += found
    return folders


def layout_of(folder: Path) -> Layout:
    """Return where the files of the song in `folder` are."""
    stems = folder / f"{folder.resolve().name}_STEMS"
    return _medleydb(folder, stems) if _is_folder(stems) else Layout(folder, _dsd_mixture(folder))


def _is_folder(path: Path) -> bool:
    """Return whether `path` is a folder; a name that is too long for the file system is not one."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises an error for such a name


def _songs_in(folder: Path, depth: int) -> Iterator[Path]:
    if _is_folder(folder / f"{folder.name}_STEMS") or holds_stems(folder):
        yield folder
    elif depth < _DEEPEST:
        for inside in sorted(folder.iterdir()):
            if inside.is_dir() and not inside.name.startswith((".", "Mixtures")):
                yield from _songs_in(inside, depth + 1)


def _dsd_mixture(folder: Path) -> Path | None:
    """Return the mixture of a song in DSD100, which is not next to its sources."""
    if folder.parent.parent.name != "Sources":
        return None
    mixture = folder.parent.parent.parent / "Mixtures" / folder.parent.name / folder.name / "mixture.wav"
    return mixture if mixture.is_file() else None


def _medleydb(folder: Path, stems: Path) -> Layout:
    name = folder.resolve().name
    mixdown = folder / f"{name}_MIX.wav"
    buses: dict[str, list[str]] = {}
    for file, instrument in _instruments(folder / f"{name}_METADATA.yaml").items():
        if (stems / file).is_file():
            buses.setdefault(match_name(instrument).bus or LEFT_OUT, []).append(file)
    return Layout(stems, mixdown if mixdown.is_file() else None, buses)


def _instruments(metadata: Path) -> dict[str, str]:
    """Return the instrument of each stem file in a song's metadata; the raw tracks below them are indented further."""
    try:
        lines = metadata.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found: dict[str, str] = {}
    file = instrument = ""
    for line in lines:
        if _STEM.match(line):
            file = instrument = ""
        if named := _FILENAME.match(line):
            file = named[1].strip("'\"")
        if named := _INSTRUMENT.match(line):
            instrument = named[1].strip("'\"")
        if file and instrument:
            found[file] = instrument
            file = instrument = ""
    return found
