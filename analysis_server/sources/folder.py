"""Open song folders, and find the songs of public datasets in the layouts in which they are distributed.

| dataset | stems | mixdown | buses |
| --- | --- | --- | --- |
| MUSDB18 | streams 1 to 4 of SONG.stem.mp4, also below train/ and test/ | stream 0 | drums, bass, melody, vocals |
| MUSDB18-HQ, Cambridge-MT | SONG/*.wav, also below train/ and test/ | among them | from the names |
| DSD100 | Sources/SPLIT/SONG/*.wav | Mixtures/SPLIT/SONG/mixture.wav | from the names |
| MedleyDB | SONG/SONG_STEMS/*.wav or SONG/SONG_RAW/*.wav | SONG/SONG_MIX.wav | from the instruments |

MedleyDB's raw tracks are used for single tracks, or where there are no stems. Its
instruments are in SONG_METADATA.yaml, in the song's folder or in a folder `Metadata` in it or above it.
"""

from __future__ import annotations

import os
import re
import shlex
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.audio.codecs import count_streams
from core.audio.io import AudioFile, inspect, sum_of
from core.audio.song import (
    STEM_FILE,
    Song,
    audio_files,
    holds_stems,
    is_stem_file,
    match_files,
    mixdown_in,
    no_mixdown,
    open_song,
    require_song_folder,
)
from core.errors import InputError, suggestion
from core.matching import Match, by_bus, match_name
from core.roles import LEFT_OUT, MAIN_BUSES, PAPER_BUSES, in_order
from core.wording import first_few, listed

_STREAMS = ("drums", "bass", "melody", "vocals")
"""The buses of a stem file's audio streams 1 to 4; stream 0 is the mixdown."""
_DEEPEST = 3
_PAPER_BUS = {"percussion": "drums", "backing vocals": "vocals"}
"""The bus of the paper's four that another bus belongs to; all others belong to the melody."""


def open_song_folder(
    song: str,
    buses: Mapping[str, str | Sequence[str]],
    mixdown: str | None = None,
    *,
    complete: bool = False,
    raw: bool = False,
) -> Song:
    """Return the song in the folder `song`, or in a stem file.

    Parameters
    ----------
    song : a SONG_DIR, a SONG.stem.mp4, or a folder that contains one instead of stems.
    buses : role to file names (in that folder) or paths, as `--bus ROLE=FILE` gives them; streams of a stem file by
        number.
    mixdown : the mixdown's path, or None for the one in the folder.
    complete : whether to refuse a song that lacks a main bus while the name of one of its files was not recognised.
    raw : whether MedleyDB's raw tracks come before its stems.

    Raises
    ------
    InputError
        As `core.audio.song.open_song`; or a role is a mixdown's name; or the song is incomplete.
    """
    folder = Path(song)
    stem_file = stem_file_of(folder)
    if stem_file is not None:
        return _song_in_stem_file(stem_file, buses, mixdown)
    layout = layout_of(folder, raw=raw) if folder.is_dir() else Layout(folder, folder.name)
    require_song_folder(layout.stems, "give the folder that contains the stems")
    require_one_song(layout.stems)
    chosen = _chosen_files(layout.stems, buses)
    given = _in_folder(folder, mixdown, "--mixdown") if mixdown else layout.mixdown
    _require_one_bus(chosen, given)
    found = open_song(layout.stems, buses=chosen, mixdown=given, known=layout.instruments)
    found = replace(found, title=layout.title or found.title)
    missing = [bus for bus in MAIN_BUSES if bus not in found.stems]
    if complete and missing and found.ignored:
        _refuse_incomplete(found, missing)
    return found


def with_paper_buses(song: Song) -> Song:
    """Return a song with the four buses of the paper: percussion and backing vocals join, the rest is the melody."""
    if set(song.stems) <= set(PAPER_BUSES):
        return song
    parts: dict[str, list[AudioFile]] = {bus: [] for bus in PAPER_BUSES}
    for bus, file in song.stems.items():
        parts[bus if bus in PAPER_BUSES else _PAPER_BUS.get(bus, "melody")] += file.parts or [file]
    folder = next(iter(song.stems.values())).path.parent
    stems = {bus: sum_of(files, folder / f"{bus} ({len(files)} files)") for bus, files in parts.items() if files}
    return replace(song, stems=stems)


def stem_file_of(song: Path) -> Path | None:
    """Return the stem file that `song` is, or the one in a folder without other stems; otherwise None.

    Raises
    ------
    InputError
        The folder contains several stem files and no other stems.
    """
    if is_stem_file(song):
        return song
    found = [path for path in sorted(song.iterdir()) if is_stem_file(path)] if song.is_dir() else []
    if not found or holds_stems(song):
        return None
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:3])
        raise InputError(f"contains {len(found)} songs ({names})", path=song, remedy="give one of these files")
    return found[0]


def _song_in_stem_file(path: Path, buses: Mapping[str, str | Sequence[str]], mixdown: str | None) -> Song:
    n_streams = count_streams(path)
    if n_streams != len(_STREAMS) + 1:
        raise InputError(
            f"contains {n_streams} audio streams instead of {len(_STREAMS) + 1}",
            path=path,
            remedy="export its stems as separate files",
        )
    files = {str(number): inspect(path, stream=number) for number in range(1, n_streams)}
    bus_of = dict(zip(files, _STREAMS, strict=True))
    chosen_streams = by_bus(buses.items())
    _require_one_bus(chosen_streams)
    for bus, names in chosen_streams.items():
        for name in names:
            number = next((number for number, file in files.items() if name in (number, file.name)), None)
            if number is None:
                problem = f"{path.name} has no stream {name!r}"
                raise InputError(problem, option="--bus", remedy=f"give one of {', '.join(files)}")
            bus_of[number] = bus
    chosen = in_order({bus for bus in bus_of.values() if bus != LEFT_OUT})
    if not chosen:
        raise InputError("no stream is left", path=path, option="--bus", remedy="leave out fewer streams")
    parts = {bus: [files[number] for number in files if bus_of[number] == bus] for bus in chosen}
    return Song(
        title=path.name[: -len(STEM_FILE)],
        stems={bus: sum_of(of_bus, path.parent / f"{bus} ({len(of_bus)} streams)") for bus, of_bus in parts.items()},
        mixdown=inspect(Path(mixdown)) if mixdown else inspect(path, stream=0),
    )


def _refuse_incomplete(song: Song, missing: Sequence[str]) -> None:
    names = [path.name for path in song.ignored]
    shown = first_few(names, 3)
    verb = "was" if len(names) == 1 else "were"
    raise InputError(
        f"no file for {listed(missing, 'or')} was found, and {shown} {verb} not recognised",
        path=song.ignored[0].parent,
        remedy=f"add --bus {shlex.quote(f'{missing[0]}={names[0]}')} to use it, or "
        f"--bus {shlex.quote(f'{LEFT_OUT}={names[0]}')} to leave it out",
    )


def _in_folder(folder: Path, name: str, option: str) -> Path:
    """Return the path of a file that is named as in `folder` or as a path; below `folder` if it is there.

    The name may be in another form of Unicode than the file's. An error names `option`.
    """
    form = unicodedata.normalize("NFC", name)
    same = [path for path in folder.iterdir() if unicodedata.normalize("NFC", path.name) == form]
    path = next((path for path in (folder / name, *same, Path(name)) if path.exists()), None)
    if path is None:
        near = suggestion(name, [file.relative_to(folder).as_posix() for file in audio_files(folder)])
        remedy = f"{near}faderwise buses {shlex.quote(str(folder))} lists the files"
        raise InputError("no such file", path=name, option=option, remedy=remedy)
    place, root = Path(os.path.realpath(path.parent)), Path(os.path.realpath(folder))
    return folder / place.relative_to(root) / path.name if place.is_relative_to(root) else path


def _chosen_files(folder: Path, buses: Mapping[str, str | Sequence[str]]) -> dict[str, list[Path]]:
    return {bus: [_in_folder(folder, name, "--bus") for name in names] for bus, names in by_bus(buses.items()).items()}


def _require_one_bus(chosen: Mapping[str, Sequence[object]], mixdown: Path | None = None) -> None:
    use_of: dict[object, str] = {mixdown: "the mixdown"}
    for bus, files in chosen.items():
        for file in files:
            if use_of.setdefault(file, bus) != bus:
                problem = f"{Path(str(file)).name} was chosen twice, for {use_of[file]} and for {bus}"
                raise InputError(problem, option="--bus", remedy="choose it for one of them")


def require_mixdowns(
    folders: Sequence[Path],
    buses: Mapping[str, str | Sequence[str]],
    mixdown: str | None = None,
    *,
    has_option: bool = False,
) -> None:
    """Raise an `InputError` that names the songs of `folders` without a mixdown; no audio is read.

    Parameters
    ----------
    folders : song folders and stem files.
    buses : files by role as in `open_song_folder`, which are not mixdowns.
    mixdown : the mixdown's path where it was chosen, of a single song.
    has_option : whether the user can choose it with `--mixdown`.
    """
    without: dict[Path, list[Path]] = {}
    for folder in folders:
        if stem_file_of(folder) is None:
            layout = layout_of(folder)
            if mixdown:
                _in_folder(layout.stems, mixdown, "--mixdown")
                continue
            chosen = [path for paths in _chosen_files(layout.stems, buses).values() for path in paths]
            files = match_files(layout.stems, listen=False, known=layout.instruments)
            if layout.mixdown is None and mixdown_in(layout.stems, files, chosen) is None:
                bars = ("unknown", "reference")
                without[folder] = [path for path, match in files.items() if match.bar in bars and path not in chosen]
    if without:
        raise no_mixdown(without, has_option=has_option)


def require_titles_apart(titles: Sequence[str]) -> None:
    """Raise an `InputError` if two songs have the same title, by which models and tables identify them."""
    twice = sorted({title for title in titles if titles.count(title) > 1})
    if twice:
        remedy = "songs are identified by their folder names; rename one"
        raise InputError(f"two songs have the name {twice[0]!r}", remedy=remedy)


# Datasets


def require_one_song(folder: Path) -> None:
    """Raise an `InputError` if `folder` has no audio of its own, but several songs in its subfolders.

    A subfolder is a song if it has at least two of drums, bass and vocals, or a mixdown with the stems of two buses:
    folders of one song, such as `Drums/` and `Vocals/`, have one of them each.
    """
    found = [path.relative_to(folder).as_posix() for path in _complete_songs_below(folder, 0)]
    if len(found) > 1:
        problem = f"contains {len(found)} songs ({first_few(found, 4)})"
        remedy = "give one of them; if they are parts of one song, move their files into one folder"
        raise InputError(problem, path=folder, remedy=remedy)


def _complete_songs_below(folder: Path, depth: int) -> list[Path]:
    found: list[Path] = []
    if depth == _DEEPEST or any(path.parent == folder for path in audio_files(folder)):
        return found
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.name.startswith("."):
            below = _complete_songs_below(path, depth + 1)
            if len(below) > 1:
                found += below
            elif _medleydb_parts(path) or stem_file_of(path) is not None or _is_complete_song(path):
                found.append(path)
    return found


def _is_complete_song(folder: Path) -> bool:
    matches = match_files(folder, listen=False).values()
    buses = {match.bus for match in matches if match.bus}
    has_mixdown = any(match.bar == "mixdown" for match in matches)
    return len(buses.intersection(MAIN_BUSES)) > 1 or (has_mixdown and len(buses) > 1)


def song_folders(paths: Sequence[str]) -> list[Path]:
    """Return the song folders and stem files among `paths` and in the datasets among them.

    Raises
    ------
    InputError
        A path does not exist, or has no song.
    """
    folders: list[Path] = []
    for path in map(Path, paths):
        if not is_stem_file(path):
            require_song_folder(path, "give a song folder or a folder of song folders")
        found = list(_songs_in(path, 0))
        if not found:
            remedy = "each must contain one file per bus, such as drums.wav"
            raise InputError("no song folders found", path=path, remedy=remedy)
        folders += found
    return folders


def _songs_in(folder: Path, depth: int) -> Iterator[Path]:
    if is_stem_file(folder) or _medleydb_parts(folder):
        yield folder
        return
    inside = sorted(folder.iterdir())
    stem_files = [path for path in inside if is_stem_file(path)]
    if stem_files:
        yield from stem_files
    elif holds_stems(folder):
        yield folder
    elif depth < _DEEPEST:
        for path in inside:
            if path.is_dir() and not path.name.startswith((".", "Mixtures")):
                yield from _songs_in(path, depth + 1)


@dataclass(frozen=True)
class Layout:
    """Where a song's files are: the folder of its stems, its mixdown if elsewhere, the matches of its metadata.

    `raw` is the folder of its raw tracks, if the stems are elsewhere.
    """

    stems: Path
    title: str = ""
    mixdown: Path | None = None
    instruments: Mapping[Path, Match] = field(default_factory=dict)
    raw: Path | None = None


def layout_of(folder: Path, *, raw: bool = False) -> Layout:
    """Return where the files of the song in `folder` are; `raw` is whether raw tracks come before stems."""
    parts = _medleydb_parts(folder, ("_RAW", "_STEMS") if raw else ("_STEMS", "_RAW"))
    if parts is None:
        return Layout(folder, mixdown=_dsd_mixture(folder))
    song, title, stems = parts
    mixdown = song / f"{title}_MIX.wav"
    named = _instruments(_metadata(song, title))
    instruments = {path: _match_of(path, title, named.get(path.name, "")) for path in audio_files(stems)}
    other = folder / f"{title}_RAW"
    return Layout(
        stems,
        title,
        mixdown if mixdown.is_file() else None,
        instruments,
        raw=other if stems not in (folder, other) and _is_folder(other) else None,
    )


def _match_of(path: Path, title: str, instrument: str) -> Match:
    """Return the match of a stem or raw track of MedleyDB: of its instrument, or of its name without the title."""
    match = match_name(instrument or path.stem.removeprefix(f"{title}_"))
    if match.bar == "mixdown":  # "Main System" is the instrument of a stem
        match = Match("unknown", None, "unknown", match.reason, (), certain=False)
    return replace(match, reason=f'its instrument is "{instrument}"') if instrument else match


def _dsd_mixture(folder: Path) -> Path | None:
    """Return the mixture of a song in DSD100, which is not next to its sources."""
    if folder.parent.parent.name != "Sources":
        return None
    mixture = folder.parent.parent.parent / "Mixtures" / folder.parent.name / folder.name / "mixture.wav"
    return mixture if mixture.is_file() else None


def _medleydb_parts(folder: Path, suffixes: Sequence[str] = ("_STEMS", "_RAW")) -> tuple[Path, str, Path] | None:
    """Return the song folder, title and folder of stems or raw tracks of a song in MedleyDB's layout, or None.

    `folder` is the song's folder, in which the first of `suffixes` is used, or its folder of stems or of raw tracks.
    """
    name = folder.resolve().name
    for suffix in suffixes:
        if _is_folder(folder / f"{name}{suffix}"):
            return folder, name, folder / f"{name}{suffix}"
        title = name.removesuffix(suffix)
        if title != name and folder.resolve().parent.name == title:
            return folder.resolve().parent, title, folder
    return None


def _is_folder(path: Path) -> bool:
    """Return whether `path` is a folder; a name that is too long for the file system is not one."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises an error for such a name


def _metadata(song: Path, title: str) -> Path:
    name = f"{title}_METADATA.yaml"
    above = [song, *song.resolve().parents[:2]]
    places = [song / name, *(folder / "Metadata" / name for folder in above)]
    return next((path for path in places if path.is_file()), places[0])


def _instruments(metadata: Path) -> dict[str, str]:
    """Return the instrument of each stem and raw file in a song's metadata.

    A raw track whose instrument has no bus ("Main System") has that of its stem. Of several instruments, the first one
    that has a bus counts.
    """
    try:
        lines = metadata.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    entries: list[tuple[bool, dict[str, list[str]]]] = []
    key = ""
    for line in lines:
        if opened := re.match(r" +([SR])\d+:\s*$", line):
            entries.append((opened[1] == "R", {}))
        elif entries and (named := re.match(r" +(\w+):\s*(.*?)\s*$", line)):
            key = named[1]
            entries[-1][1].setdefault(key, []).extend([named[2].strip("'\"")] if named[2] else [])
        elif entries and (listed := re.match(r" +- +(.+?)\s*$", line)):
            entries[-1][1].setdefault(key, []).append(listed[1].strip("'\""))
    found: dict[str, str] = {}
    of_stem: list[str] = []
    for is_raw, fields in entries:
        own = fields.get("instrument", [])
        of_stem = of_stem if is_raw else own
        names = [*own, *of_stem]
        for file in fields.get("filename", [])[:1]:
            found[file] = next((name for name in names if match_name(name).bus), names[0] if names else "")
    return found
