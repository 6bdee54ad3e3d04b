"""Open a song folder, with buses and mixdown chosen by hand where given."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.audio.song import Song, holds_stems, open_song
from core.errors import InputError
from core.matching import match_name
from core.roles import LEFT_OUT, MAIN_BUSES, canonical_role


def open_song_folder(
    song: str, buses: Mapping[str, str | Sequence[str]], mixdown: str | None = None, *, complete: bool = False
) -> Song:
    """Return the song in the folder `song`.

    Parameters
    ----------
    song : a SONG_DIR.
    buses : role to file names (in that folder) or paths, as `--bus ROLE=FILE` gives them.
    mixdown : the mixdown's path, or None for the one in the folder.
    complete : whether to refuse a song that lacks a main bus while the name of one of its files was not understood.

    Raises
    ------
    InputError
        As `core.audio.song.open_song`; or a role is a mixdown's name; or the song is incomplete.
    """
    folder = Path(song)
    chosen: dict[str, list[Path]] = {}
    for name, files in buses.items():
        role = canonical_role(name)
        names = [files] if isinstance(files, str) else files
        chosen.setdefault(role, []).extend(_in_folder(folder, file) for file in names)
    layout = layout_of(folder) if folder.is_dir() else Layout(folder)
    if layout.buses and not chosen:
        chosen = {role: [layout.stems / file for file in files] for role, files in layout.buses.items()}
    given = _in_folder(folder, mixdown) if mixdown else layout.mixdown
    found = open_song(layout.stems, buses=chosen, mixdown=given)
    if layout.stems != folder:
        found = replace(found, title=folder.resolve().name)
    missing = [bus for bus in MAIN_BUSES if bus not in found.stems]
    if complete and missing and found.ignored:
        _refuse_incomplete(found, missing)
    return found


def _refuse_incomplete(song: Song, missing: Sequence[str]) -> None:
    names = [path.name for path in song.ignored]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    there_is = "was" if len(names) == 1 else "were"
    raise InputError(
        f"no file of the {' or the '.join(missing)} was found, and {shown} {there_is} not understood",
        path=song.ignored[0].parent,
        option="--bus",
        remedy=f"add --bus {shlex.quote(f'{missing[0]}={names[0]}')} to use it, or "
        f"--bus {shlex.quote(f'{LEFT_OUT}={names[0]}')} to leave it out",
    )


def _in_folder(folder: Path, name: str) -> Path:
    inside = folder / name
    return inside if inside.is_file() else Path(name)


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
