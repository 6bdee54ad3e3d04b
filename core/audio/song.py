"""A song: a stem for each bus, perhaps a mixdown, and what it takes to read them in lockstep.

Conventions: the song's signals are its stems in the order of `roles.in_order`, then the mixdown where there
is one. All of them are read at the song's sample rate and with its channel count.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from core import roles
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP
from core.audio.io import EXTENSIONS, AudioFile, inspect, sum_of
from core.audio.overlaps import explained_shares, parts_in
from core.audio.stem_files import match_files
from core.errors import InputError
from core.matching import Match

_FALLBACK_RATE = 44_100
_LENGTH_TOLERANCE_S = 0.1
_IS_SUM = 0.95
"""From this explained share on, a file counts as the sum of others."""
_IS_DOUBTFUL = 0.15
"""From this explained share on, a file with a bus's name may contain the other files of the bus."""
_LEAST_NEGATIVE = 0.1
_MOST_COMPARED = 48
"""With more files than this, a bus is not searched for sums."""
WHOLE_BUS = {"drums": "drum kit", "vocals": "lead vocal", "guitars": "electric guitar", "keys": "keys"}
"""The role of a file that may be a whole bus, by bus."""


@dataclass(frozen=True)
class AssignedFile:
    """An audio file of a song folder: its bus, or None and the reason."""

    path: Path
    bus: str | None
    role: str
    reason: str


@dataclass(frozen=True)
class Song:
    """A song's audio files.

    Attributes
    ----------
    title : the song's name.
    stems : the audio file of each bus, in the buses' order.
    mixdown : the finished mix, or None.
    ignored : audio files in the folder whose names were not understood.
    assignment : the bus of every audio file in the folder, and why; empty where the stems were given one by one.
    doubts : sentences about files that may be in the mix twice.
    bus_of : where the stems are single tracks, the bus of each; otherwise empty.
    """

    title: str
    stems: Mapping[str, AudioFile]
    mixdown: AudioFile | None
    ignored: tuple[Path, ...] = ()
    assignment: tuple[AssignedFile, ...] = ()
    doubts: tuple[str, ...] = ()
    bus_of: Mapping[str, str] = field(default_factory=dict)

    @property
    def buses(self) -> tuple[str, ...]:
        """The buses' roles, in order."""
        return tuple(self.stems)

    @property
    def signals(self) -> tuple[AudioFile, ...]:
        """The stems' files, then the mixdown's."""
        return (*self.stems.values(), *([self.mixdown] if self.mixdown else []))

    @cached_property
    def sample_rate(self) -> int:
        """The rate most stems have (the higher one in a tie), if frames divide at it; else 44.1 kHz."""
        rates = [file.sample_rate for file in self.stems.values()]
        rate = max(rates, key=lambda rate: (rates.count(rate), rate))
        return rate if rate % (HOPS_PER_FRAME * STEPS_PER_HOP) == 0 else _FALLBACK_RATE

    @cached_property
    def n_channels(self) -> int:
        """The largest channel count of any signal."""
        return max(file.n_channels for file in self.signals)

    @cached_property
    def n_samples(self) -> int:
        """The longest stem's length at the song's sample rate."""
        return max(file.n_samples_at(self.sample_rate) for file in self.stems.values())

    @property
    def duration_s(self) -> float:
        """The longest stem's length in seconds."""
        return self.n_samples / self.sample_rate

    def with_single_tracks(self) -> Song:
        """Return the song with the parts of each stem as stems of their own, named ``"drums: Kick"``."""
        stems: dict[str, AudioFile] = {}
        bus_of = {}
        for bus, file in self.stems.items():
            for part in file.parts or [file]:
                name = roles.single_track(bus, part.path.stem)
                number = 2
                while name in stems:
                    name, number = roles.single_track(bus, f"{part.path.stem} ({number})"), number + 1
                stems[name], bus_of[name] = part, bus
        return replace(self, stems=stems, bus_of=bus_of)

    def notes(self) -> list[str]:
        """Return a sentence for each repair that reading this song makes."""
        return [*self._assignment_notes(), *self.doubts, *self._file_notes()]

    def _assignment_notes(self) -> list[str]:
        notes = []
        for role, file in self.stems.items():
            if file.parts:
                notes.append(f"{role} is the sum of {', '.join(part.path.name for part in file.parts)}")
        for found in self.assignment:
            if found.bus is None and found.path in self.ignored:
                option = f"--bus {shlex.quote(f'ROLE={found.path.name}')}"
                notes.append(f"{found.path.name} was left out: {found.reason}; use {option} to put it into a bus")
            elif found.bus is None and found.role != "mixdown":
                notes.append(f"{found.path.name} was left out: {found.reason}")
        return notes

    def _file_notes(self) -> list[str]:
        notes = []
        files = [part for file in self.signals for part in file.parts or [file]]
        for file in files:
            name = file.path.name
            if file.sample_rate != self.sample_rate:
                notes.append(f"{name} was resampled from {file.sample_rate} to {self.sample_rate} Hz")
            if file.n_channels != self.n_channels and file in self.signals:
                notes.append(f"{name} has {_channels(file.n_channels)} where others have {self.n_channels}")
            missing_s = self.duration_s - file.duration_s
            if abs(missing_s) > _LENGTH_TOLERANCE_S:
                direction = "shorter" if missing_s > 0 else "longer"
                notes.append(f"{name} is {abs(missing_s):.1f} s {direction} than the longest stem")
        return notes


_COMPANIONS = frozenset(
    (
        *(".txt", ".md", ".rtf", ".doc", ".docx", ".pdf", ".html", ".url", ".lrc", ".gp5", ".gpx", ".mid", ".midi"),
        *(".json", ".csv", ".tsv", ".yaml", ".yml", ".xml", ".npz", ".db", ".ini", ".lnk", ".zip", ".bak"),
        *(".jpg", ".jpeg", ".png", ".gif", ".webp"),
        *(".rpp", ".rpp-bak", ".als", ".cpr", ".flp", ".ptx", ".logicx", ".reapeaks", ".asd", ".pkf"),
    )
)
"""Extensions of documents, pictures, projects and peak files, which are never stems and are not reported."""

LEFT_OUT = "none"
"""The role of files that are left out on request."""


def open_song(folder: Path, *, buses: Mapping[str, Sequence[Path]] | None = None, mixdown: Path | None = None) -> Song:
    """Return the song whose stems or raw tracks are in `folder`; the files of a bus are summed.

    Parameters
    ----------
    folder : the audio files, whose names say what they play (`core.matching`), and perhaps the mixdown.
    buses : files by role, which win over their names. They are added to a bus if their names say nothing, and replace
        its files otherwise; those with the role `LEFT_OUT` are not used.
    mixdown : the mixdown's file, where it is not the one in the folder.

    Raises
    ------
    InputError
        The folder does not exist or has no stem, a file exists in two formats, or a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError("no such folder", path=folder, remedy="give the folder that contains the stems")
    matches = match_files(folder)
    chosen = {file: role for role, files in (buses or {}).items() for file in files}
    replaced = {
        role for file, role in chosen.items() if file not in matches or matches[file].bar != "unknown"
    }  # a file whose name says nothing is added to the others of its bus
    assignment = []
    stems: dict[str, list[Path]] = {}
    for path, match in matches.items():
        bus: str | None = match.bus
        role, reason = match.role, match.reason
        if path in chosen:
            bus, role, reason = chosen[path], chosen[path], f"--bus {chosen[path]}"
        elif _is_own_mix(path):
            bus, role, reason = None, "render", "Faderwise rendered it (run.json is next to it)"
        elif bus in replaced:
            bus, reason = None, f"--bus names other files for the {bus}"
        if bus == LEFT_OUT:
            bus = None
        assignment.append(AssignedFile(path, bus, role, reason))
        if bus:
            stems.setdefault(bus, []).append(path)
    assignment += [AssignedFile(path, None, "unknown", reason) for path, reason in _unusable(folder, matches)]
    for path, role in chosen.items():
        if path not in matches and role != LEFT_OUT:
            stems.setdefault(role, []).append(path)
    covered, doubts = _sums_in(stems, set(chosen.values()), folder, matches)
    stems = {bus: [path for path in paths if path not in covered] for bus, paths in stems.items()}
    assignment = [
        replace(row, bus=None, reason=f"it is already in {covered[row.path].name}") if row.path in covered else row
        for row in assignment
    ]
    if not stems:
        expected = ", ".join(f"{role}.wav" for role in roles.PAPER_BUSES)
        raise InputError("no stems found", path=folder, remedy=f"it should hold files such as {expected}")
    if mixdown is None:
        mixdown = _mixdown_in(folder, matches, chosen)
    unknown = [path for path, match in matches.items() if match.bar == "unknown" and path not in chosen]
    return Song(
        title=folder.resolve().name,
        stems={role: _stem(role, folder, stems[role]) for role in roles.in_order(stems)},
        mixdown=inspect(mixdown) if mixdown else None,
        ignored=tuple(unknown),
        assignment=tuple(assignment),
        doubts=tuple(doubts),
    )


def _sums_in(
    stems: Mapping[str, Sequence[Path]], chosen: Set[str], folder: Path, matches: Mapping[Path, Match]
) -> tuple[dict[Path, Path], list[str]]:
    """Return the files that are already in another file of their bus, with that file, and sentences about doubts."""
    covered: dict[Path, Path] = {}
    doubts: list[str] = []
    for bus, paths in stems.items():
        if bus not in chosen:
            covered |= _covered_by(bus, folder, paths, matches, doubts)
    return covered, doubts


def _covered_by(
    bus: str, folder: Path, paths: Sequence[Path], matches: Mapping[Path, Match], doubts: list[str]
) -> dict[Path, Path]:
    """Return the files of a bus that are left out because another file of it is their sum, with that file.

    Where a file named like the whole bus is explained only in part, a sentence is added to `doubts`.
    """
    whole = [path for path in paths if matches[path].role == WHOLE_BUS.get(bus)]
    if len(paths) < 2 or len(paths) > _MOST_COMPARED or (len(paths) == 2 and len(whole) != 1):
        return {}
    shares, gains = explained_shares([inspect(path) for path in paths])
    sums = [i for i in range(len(paths)) if np.all(gains[i] >= -_LEAST_NEGATIVE)]  # a part is the sum minus the others
    if not sums:
        return {}
    best = max(sums, key=lambda i: (shares[i] >= _IS_SUM, paths[i] in whole, shares[i]))
    path, parts = paths[best], [paths[i] for i in parts_in(gains[best])]
    is_named_sum = path in whole and len(whole) == 1
    if len(parts) < (1 if is_named_sum else 2):
        return {}
    if shares[best] >= _IS_SUM:
        return dict.fromkeys(parts, path)
    if is_named_sum and shares[best] >= _IS_DOUBTFUL:
        without_parts = " ".join(f"--bus {shlex.quote(f'{LEFT_OUT}={_in(folder, part)}')}" for part in parts)
        doubts.append(
            f"{path.name} may contain {', '.join(part.name for part in parts)}, which explain "
            f"{100 * shares[best]:.0f} % of it, and all of them are in the {bus}; to count them once, use "
            f"--bus {shlex.quote(f'{LEFT_OUT}={_in(folder, path)}')} or {without_parts}"
        )
    return {}


def _in(folder: Path, path: Path) -> str:
    """Return how a file is named on the command line: relative to its song folder."""
    return path.relative_to(folder).as_posix()


def find_song_folders(dataset: Path) -> list[Path]:
    """Return the song folders in `dataset`, sorted by name.

    Raises
    ------
    InputError
        The folder does not exist, or none of its folders contains a stem.
    """
    if not dataset.is_dir():
        raise InputError("no such folder", path=dataset, remedy="give a folder of song folders")
    folders = [folder for folder in sorted(dataset.iterdir()) if folder.is_dir() and holds_stems(folder)]
    if not folders:
        raise InputError(
            "no song folders found", path=dataset, remedy="each should hold a file a bus, such as drums.wav"
        )
    return folders


def holds_stems(folder: Path) -> bool:
    """Return whether `folder` itself has at least one stem."""
    return any(match.bus for path, match in match_files(folder).items() if path.parent == folder)


def _stem(role: str, folder: Path, paths: Sequence[Path]) -> AudioFile:
    twice = [path for path in paths if any(path.stem == other.stem for other in paths if other != path)]
    if twice and len({path.parent for path in twice}) == 1:
        names = " and ".join(path.name for path in twice)
        raise InputError(
            f"{names} are the same file in two formats", path=folder, remedy="keep one of them in the folder"
        )
    return sum_of([inspect(path) for path in paths], folder / f"{role} ({len(paths)} files)")


def _mixdown_in(folder: Path, matches: Mapping[Path, Match], chosen: Mapping[Path, str]) -> Path | None:
    """Return the mixdown: the one that is named plainly, such as mix.wav, or the only one."""
    found = [
        path
        for path, match in matches.items()
        if match.bar == "mixdown" and path not in chosen and not _is_own_mix(path)
    ]
    plain = [path for path in found if roles.is_mixdown(path.stem)]
    candidates = plain or found
    if len(candidates) > 1:
        names = " and ".join(path.name for path in candidates)
        raise InputError(f"{names} both claim to be the mixdown", path=folder, remedy="keep one of them in the folder")
    return candidates[0] if candidates else None


def _unusable(folder: Path, matches: Mapping[Path, Match]) -> Iterator[tuple[Path, str]]:
    """Yield what a song folder contains apart from audio files and documents, with the reason why it is not used."""
    used = {parent for path in matches for parent in path.parents}
    for path in sorted(folder.iterdir()):
        suffix = path.suffix.lower()
        if path.name.startswith(".") or path in used or (suffix in EXTENSIONS and path.is_file()):
            continue
        if suffix not in EXTENSIONS:
            if path.is_file() and suffix not in _COMPANIONS:
                yield path, "its extension is not that of an audio file"
        elif path.is_dir():
            yield path, "it is a folder"
        elif path.is_symlink() and not path.exists():
            yield path, "it is a link to a file that does not exist"
        else:
            yield path, "it is a device, a pipe or a socket"


def _is_own_mix(path: Path) -> bool:
    """Return whether a file is a mix that Faderwise rendered: its run's record is next to it."""
    if path.name != "mix.wav":
        return False
    try:
        with path.with_name("run.json").open("rb") as file:
            return b'"faderwise-runs"' in file.read(100)
    except OSError:
        return False


def _channels(count: int) -> str:
    return "one channel" if count == 1 else f"{count} channels"
