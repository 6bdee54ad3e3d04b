"""A song: one stem a bus, perhaps a mixdown, and what it takes to read them in lockstep.

Conventions: the song's signals are its stems in the order of `roles.in_order`, then the mixdown where there
is one. All of them are read at the song's sample rate and with its channel count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from core import roles
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP
from core.audio.io import EXTENSIONS, AudioFile, inspect
from core.errors import InputError

_FALLBACK_RATE = 44_100
_LENGTH_TOLERANCE_S = 0.1


@dataclass(frozen=True)
class Song:
    """A song's audio files.

    Attributes
    ----------
    title : the song's name.
    stems : the audio file of each bus, in the buses' order.
    mixdown : the finished mix, or None.
    ignored : audio files beside them that no bus name fits.
    """

    title: str
    stems: Mapping[str, AudioFile]
    mixdown: AudioFile | None
    ignored: tuple[Path, ...] = ()

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

    def notes(self) -> list[str]:
        """Return a sentence for each repair that reading this song makes."""
        return [*self._ignored_notes(), *self._file_notes()]

    def _ignored_notes(self) -> list[str]:
        return [
            f"{path.name} was left out: no known bus has that name; use --bus ROLE={path.name} to take it in"
            for path in self.ignored
        ]

    def _file_notes(self) -> list[str]:
        notes = []
        for file in self.signals:
            name = file.path.name
            if file.sample_rate != self.sample_rate:
                notes.append(f"{name} was resampled from {file.sample_rate} to {self.sample_rate} Hz")
            if file.n_channels != self.n_channels:
                notes.append(f"{name} has {_channels(file.n_channels)} beside others' {self.n_channels}")
            missing_s = self.duration_s - file.duration_s
            if abs(missing_s) > _LENGTH_TOLERANCE_S:
                direction = "shorter" if missing_s > 0 else "longer"
                notes.append(f"{name} is {abs(missing_s):.1f} s {direction} than the longest stem")
        return notes


def open_song(folder: Path, *, buses: Mapping[str, Path] | None = None, mixdown: Path | None = None) -> Song:
    """Return the song whose stems lie in `folder`, one file a bus.

    Parameters
    ----------
    folder : holds `drums`, `bass`, `melody`, `vocals` (or their synonyms) and perhaps `mix`, in any format
        libsndfile reads.
    buses : files that play a role whatever their names are; they win over what the names say.
    mixdown : the mixdown's file, where it is not the one in the folder.

    Raises
    ------
    InputError
        There is no such folder or no stem in it, two files claim one role, or a file cannot be read.
    """
    if not folder.is_dir():
        raise InputError("no such folder", path=folder, remedy="give the folder that holds the stems")
    chosen = dict(buses or {})
    named, mixdowns, ignored = _by_role(folder, set(chosen.values()))
    stems = {role: _only(role, folder, paths) for role, paths in named.items() if role not in chosen} | chosen
    if not stems:
        expected = ", ".join(f"{role}.wav" for role in roles.PAPER_BUSES)
        raise InputError("no stems found", path=folder, remedy=f"it should hold files such as {expected}")
    if mixdown is None and mixdowns:
        mixdown = _only("mixdown", folder, mixdowns)
    return Song(
        title=folder.resolve().name,
        stems={role: inspect(stems[role]) for role in roles.in_order(stems)},
        mixdown=inspect(mixdown) if mixdown else None,
        ignored=tuple(ignored),
    )


def find_song_folders(dataset: Path) -> list[Path]:
    """Return the song folders in `dataset`, sorted by name.

    Raises
    ------
    InputError
        There is no such folder, or none of its folders holds a stem.
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
    """Tell whether `folder` itself holds at least one stem."""
    return any(roles.role_of(path.stem) for path in _audio_paths(folder))


def _audio_paths(folder: Path) -> Iterable[Path]:
    return (
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()
    )


def _by_role(folder: Path, taken: set[Path]) -> tuple[dict[str, list[Path]], list[Path], list[Path]]:
    named: dict[str, list[Path]] = {}
    mixdowns, ignored = [], []
    for path in _audio_paths(folder):
        role = roles.role_of(path.stem)
        if path in taken:
            continue
        if roles.is_mixdown(path.stem):
            mixdowns.append(path)
        elif role:
            named.setdefault(role, []).append(path)
        else:
            ignored.append(path)
    return named, mixdowns, ignored


def _only(role: str, folder: Path, paths: list[Path]) -> Path:
    if len(paths) > 1:
        names = " and ".join(path.name for path in paths)
        raise InputError(f"{names} both claim to be the {role}", path=folder, remedy="keep one of them in the folder")
    return paths[0]


def _channels(count: int) -> str:
    return "one channel" if count == 1 else f"{count} channels"
