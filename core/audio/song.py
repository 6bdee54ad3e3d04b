"""Songs: the stems of a folder, the bus of each, files that contain others, and constant offsets.

Conventions: the song's signals are its stems in the order of `roles.in_order`, then the mixdown if there is one.
All of them are read at the song's sample rate and with its channel count.
"""

from __future__ import annotations

import os
import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np

from core import roles
from core.audio.framing import HOPS_PER_FRAME, STEPS_PER_HOP
from core.audio.io import EXTENSIONS, AudioFile, inspect, open_stream, read_excerpt, sum_of
from core.decibels import FloatArray
from core.errors import InputError
from core.files import require_folder
from core.matching import Item, Match, assign, match_name
from core.roles import LEFT_OUT
from core.wording import first_few, listed

_FALLBACK_RATE = 44_100
_LENGTH_TOLERANCE_S = 0.1
_IS_SUM = 0.95
"""From this explained share on, a file counts as the sum of others."""
_IS_DOUBTFUL = 0.15
"""From this explained share on, a file with a bus's name may contain the other files of the bus."""
_LEAST_NEGATIVE = 0.1
_BLOCK_SAMPLES = 1 << 16
_MOST_COMPARED = 48
"""With more files than this, a bus is not searched for sums."""
STEM_FILE = ".stem.mp4"
"""The ending of a file with all streams of a song: the mixdown, drums, bass, melody and vocals."""
OTHER_EXTENSIONS = frozenset((".m4a", ".mp4", ".aac", ".alac", ".wv", ".wma", ".ape", ".mogg"))
"""Audio files that are listed although libsndfile does not read them."""
_SUM_EXCERPTS = 6
_SUM_EXCERPT_S = 2.0
_LEAST_GAIN = 0.1
"""A file that is in the sum with less than this gain (-20 dB) is not a part of it."""
_RIDGE = 1e-9
SMALLEST_OFFSET = 10.0 ** (-60.0 / 20.0)
_OFFSET_EXCERPTS = 8
_FEWEST_EXCERPTS = 4
"""Of fewer excerpts with sound, the means may agree by chance."""
_OFFSET_EXCERPT_S = 0.25
_LARGEST_SPREAD = 0.2
"""Excerpts' means may differ by this share of the offset: a constant is the same everywhere."""
WHOLE_BUS = {"drums": "drum kit", "vocals": "lead vocal", "guitars": "electric guitar", "keys": "keys"}
"""The role of a file that may be a whole bus, by bus."""
COPY = "copy"
"""The role of a file with the same audio as another one of its bus."""
_SINGLE_DRUMS = frozenset({"kick", "snare", "hihat", "toms", "cymbals", "claps"})


@dataclass(frozen=True)
class AssignedFile:
    """A file of a song folder: its bus, or None and the reason; `is_audio` is False for what cannot be a stem."""

    path: Path
    bus: str | None
    role: str
    reason: str
    is_audio: bool = True


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
    doubts : sentences about files that may be in the mix twice, or a stem instead of the mixdown.
    documents : files in the folder that are not audio, such as texts, pictures and projects.
    bus_of : where the stems are single tracks, the bus of each; otherwise empty.
    """

    title: str
    stems: Mapping[str, AudioFile]
    mixdown: AudioFile | None
    ignored: tuple[Path, ...] = ()
    assignment: tuple[AssignedFile, ...] = ()
    doubts: tuple[str, ...] = ()
    documents: tuple[Path, ...] = ()
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
        """Return the song with the parts of each stem as separate stems, named ``"drums: Kick"``.

        Where a name does not say what the file plays, its role comes first: ``"drums: kick RAW_02_01"``.
        """
        role_of = {row.path: row.role for row in self.assignment if row.role not in (row.bus, "unknown")}
        stems: dict[str, AudioFile] = {}
        bus_of = {}
        for bus, file in self.stems.items():
            for part in file.parts or [file]:
                plain = f"stream {part.stream}" if part.stream else part.path.stem
                if part.path in role_of and match_name(part.path.stem).bus is None:
                    plain = f"{role_of[part.path]} {plain}"
                name = roles.single_track(bus, plain)
                number = 2
                while name in stems:
                    name, number = roles.single_track(bus, f"{plain} ({number})"), number + 1
                stems[name], bus_of[name] = part, bus
        return replace(self, stems=stems, bus_of=bus_of)

    def with_separate_drums(self) -> Song:
        """Return the song with one or two drums that are not part of its drum stem as separate stems.

        Next to `drums.wav`, a `kick.wav` that `drums.wav` does not contain was exported to get a separate fader.
        Several microphones are the kit itself, and stay a sum.
        """
        file = self.stems.get("drums")
        role_of = {row.path: row.role for row in self.assignment}
        parts = file.parts if file else ()
        whole = [part for part in parts if role_of.get(part.path) == WHOLE_BUS["drums"]]
        others = [part for part in parts if role_of.get(part.path) in _SINGLE_DRUMS]
        if len(whole) != 1 or len(others) not in (1, 2) or len(parts) != 1 + len(others):
            return self
        if explained_shares(parts)[0][parts.index(whole[0])] >= _IS_DOUBTFUL:
            return self
        stems: dict[str, AudioFile] = {}
        bus_of = {}
        for bus, stem in self.stems.items():
            stems[bus], bus_of[bus] = whole[0] if bus == "drums" else stem, bus
            for part in others if bus == "drums" else []:
                name = roles.single_track(bus, part.path.stem)
                stems[name], bus_of[name] = part, bus
        return replace(self, stems=stems, bus_of=bus_of)

    def notes(self) -> list[str]:
        """Return information about the files that needs no action."""
        return [
            *self._notes_on_mixdowns(),
            *_not_used([row for row in self._without_bus() if row.role not in ("mixdown", "unknown", COPY)]),
            *self._notes_on_mono_files(),
            *self.notes_on_documents(),
        ]

    def _without_bus(self) -> list[AssignedFile]:
        """Return the files that are in no bus although their names were understood, or for another reason."""
        return [row for row in self.assignment if row.bus is None and row.path not in self.ignored]

    def _notes_on_mixdowns(self) -> list[str]:
        """Return a sentence about further mixdowns in the folder, unless one of them was chosen by hand."""
        rows = [row for row in self._without_bus() if row.role == "mixdown"]
        others = [row.path for row in rows if self.mixdown and row.path != self.mixdown.path]
        if self.mixdown is None or not others or any(row.reason == "--mixdown" for row in rows):
            return []
        verb = "was" if len(others) == 1 else "were"
        names = distinct_names([self.mixdown.path, *others])
        return [f"the mixdown is {names[0]}; {listed(names[1:])} {verb} not used"]

    def _notes_on_mono_files(self) -> list[str]:
        parts = [part for file in self.stems.values() for part in file.parts or (file,)]
        files = [part for part in parts if part.n_channels == 1 and self.n_channels > 1]
        if not files:
            return []
        names = ", ".join(distinct_names([file.path for file in files]))
        channels = "both channels" if self.n_channels == 2 else f"all {self.n_channels} channels"
        if len(files) == 1:
            return [f"{names} is mono: its channel was copied to {channels}"]
        return [f"{len(files)} mono files were copied to {channels}: {names}"]

    def notes_on_documents(self) -> list[str]:
        """Return at most one sentence, about the files that are not audio."""
        found = _list_of(self.documents)
        return [f"not read: {found} (not audio)"] if found else []

    def warnings(self) -> list[str]:
        """Return a sentence for each file that is left out, is in doubt, or is converted when the song is read."""
        return [*self._assignment_warnings(), *self.doubts, *self._file_warnings()]

    def _assignment_warnings(self) -> list[str]:
        warnings: list[str] = []
        for role, file in self.stems.items():
            whole = self.stems.get(roles.bus_of(role), file)
            if whole is not file:
                warnings.append(f"{file.path.name} is not part of {whole.path.name}, so it has a separate gain")
        for found in self.assignment:
            if found.bus is None and found.path in self.ignored:
                option = f"--bus {shlex.quote(f'ROLE={found.path.name}')}"
                warnings.append(f"{found.path.name} was left out: {found.reason}; use {option} to put it into a bus")
        return [*warnings, *left_out([row for row in self._without_bus() if row.role in ("unknown", COPY)])]

    def _file_warnings(self) -> list[str]:
        warnings = []
        files = [part for file in self.signals for part in file.parts or [file]]
        for file in files:
            name = file.name
            if file.sample_rate != self.sample_rate:
                warnings.append(f"{name} was resampled from {file.sample_rate} to {self.sample_rate} Hz")
            is_mono_stem = file.n_channels == 1 and file is not self.mixdown
            if file.n_channels != self.n_channels and file in self.signals and not is_mono_stem:
                repair = "" if file is self.mixdown else ": the missing channels are silent"
                warnings.append(f"{name} has {_channels(file.n_channels)} where others have {self.n_channels}{repair}")
            missing_s = self.duration_s - file.duration_s
            if abs(missing_s) > _LENGTH_TOLERANCE_S:
                difference = "shorter than the longest stem"
                repair = "the gains are held after its end" if file is self.mixdown else "padded with silence"
                if missing_s < 0:
                    difference, repair = "longer than the longest stem", "its end is not used"
                warnings.append(f"{name} is {abs(missing_s):.1f} s {difference}: {repair}")
        return warnings


def left_out(rows: Sequence[AssignedFile]) -> list[str]:
    """Return a sentence for each file that is left out, or for many with the same reason."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row, name in zip(rows, distinct_names([row.path for row in rows]), strict=True):
        by_reason[row.reason].append(name)
    sentences: list[str] = []
    for reason, names in by_reason.items():
        if len(names) > _MOST_NAMED:
            sentences.append(f"each of {', '.join(names)} was left out: {reason}")
        else:
            sentences += [f"{name} was left out: {reason}" for name in names]
    return sentences


def _not_used(rows: Sequence[AssignedFile]) -> list[str]:
    """Return at most one sentence, about files that are left out for the usual reasons."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for row, name in zip(rows, distinct_names([row.path for row in rows]), strict=True):
        by_reason[row.reason.removeprefix("it is ")].append(name)
    return [f"not used: {'; '.join(f'{listed(by_reason[reason])} ({reason})' for reason in by_reason)}"] if rows else []


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Return the name of each file, with its folder where several have the same name."""
    names = [path.name for path in paths]
    return [f"{path.parent.name}/{path.name}" if names.count(path.name) > 1 else path.name for path in paths]


_DOCUMENTS = frozenset(
    (
        *(".txt", ".md", ".rtf", ".doc", ".docx", ".pdf", ".html", ".url", ".lrc", ".gp5", ".gpx", ".mid", ".midi"),
        *(".json", ".csv", ".tsv", ".yaml", ".yml", ".xml", ".npz", ".db", ".ini", ".lnk", ".zip", ".bak"),
    )
)
"""Extensions of files that are never stems: one note lists them all."""
_COMPANIONS = frozenset(
    (
        *(".jpg", ".jpeg", ".png", ".gif", ".webp"),
        *(".rpp", ".rpp-bak", ".als", ".cpr", ".flp", ".ptx", ".logicx", ".reapeaks", ".asd", ".pkf"),
    )
)
"""Extensions of pictures, projects and peak files, which are usual next to stems: only counted, if there are many."""
_OF_THE_SYSTEM = re.compile(r"\.DS_Store|\._.*|\.faderwise-.*|thumbs\.db|desktop\.ini", re.IGNORECASE)
"""Names of files that systems, and our own killed processes, leave in folders; they are not reported."""
_MOST_NAMED = 4
"""With more documents of an extension than this, their number is reported instead of their names."""


def open_song(
    folder: Path,
    *,
    buses: Mapping[str, Sequence[Path]] | None = None,
    mixdown: Path | None = None,
    known: Mapping[Path, Match] = MappingProxyType({}),
) -> Song:
    """Return the song whose stems or raw tracks are in `folder`; the files of a bus are summed.

    Parameters
    ----------
    folder : the audio files, whose names say what they play (`core.matching`), and perhaps the mixdown.
    buses : files by role, which win over their names. They are added to a bus if their names say nothing, and replace
        its files otherwise; those with the role `LEFT_OUT` are not used.
    mixdown : the mixdown's file, where it is not the one in the folder.
    known : the matches of files whose instruments are known, which take precedence over their names.

    Raises
    ------
    InputError
        The folder does not exist or has no stem, a file exists in two formats, or a file cannot be read.

    Examples
    --------
    >>> song = open_song(Path("examples/caesium"))
    >>> song.buses, song.duration_s
    (('drums', 'bass', 'melody', 'vocals'), 24.0)
    """
    require_song_folder(folder, "give the folder that contains the stems")
    matches = match_files(folder, known=known)
    chosen = {file: role for role, files in (buses or {}).items() for file in files}
    replaced = {
        role for file, role in chosen.items() if file not in matches or matches[file].bar != "unknown"
    }  # a file with an unknown name is added to the others of its bus
    not_stems = _not_stems(matches, mixdown)
    assignment = []
    stems: dict[str, list[Path]] = {}
    for path, match in matches.items():
        bus: str | None = match.bus
        role, reason = match.role, match.reason
        if path in chosen:
            bus, role, reason = chosen[path], chosen[path], f"--bus {chosen[path]}"
        elif path in not_stems:
            bus, (role, reason) = None, not_stems[path]
        elif bus in replaced:
            bus, reason = None, f"--bus names other files for the {bus}"
        if bus == LEFT_OUT:
            bus = None
        assignment.append(AssignedFile(path, bus, role, reason))
        if bus:
            stems.setdefault(bus, []).append(path)
    unused = list(_unused(folder, matches))
    assignment += [AssignedFile(path, None, "unknown", reason, is_audio=False) for path, reason in unused if reason]
    for path, role in chosen.items():
        if path not in matches and role != LEFT_OUT:
            stems.setdefault(role, []).append(path)
    copies = _copies_in(stems, chosen)
    stems = {bus: [path for path in paths if path not in copies] for bus, paths in stems.items()}
    covered, doubts = _sums_in(stems, set(chosen.values()), folder, matches)
    stems = {bus: [path for path in paths if path not in covered] for bus, paths in stems.items()}
    assignment = [
        replace(row, bus=None, reason=f"it is already in {covered[row.path].name}") if row.path in covered else row
        for row in assignment
    ]
    assignment = [
        replace(row, bus=None, role=COPY, reason=f"it has the same audio as {copies[row.path].name}")
        if row.path in copies
        else row
        for row in assignment
    ]
    unknown = [path for path, match in matches.items() if match.bar == "unknown" and path not in chosen]
    if not stems:
        raise no_stems(folder, unknown)
    as_mixdown = matches.get(mixdown) if mixdown else None
    if mixdown and as_mixdown and as_mixdown.bus and as_mixdown.bus not in stems:
        bus = as_mixdown.bus
        doubts.append(
            f"{mixdown.name} was given as the mixdown, but has the name of a stem ({bus}); is it the whole mix?"
        )
    if mixdown is None:
        mixdown = mixdown_in(folder, matches, chosen)
    return Song(
        title=folder.resolve().name,
        stems={role: _stem(role, folder, stems[role]) for role in roles.in_order(stems)},
        mixdown=inspect(mixdown) if mixdown else None,
        ignored=tuple(path for path in unknown if path != mixdown),
        assignment=tuple(assignment),
        doubts=tuple(doubts),
        documents=tuple(path for path, reason in unused if reason is None),
    )


def _not_stems(matches: Mapping[Path, Match], mixdown: Path | None) -> dict[Path, tuple[str, str]]:
    """Return the role and the reason of each file that is not a stem, whatever its name says."""
    found = dict.fromkeys(filter(is_own_mix, matches), ("render", "Faderwise rendered it (run.json is next to it)"))
    originals = {os.path.realpath(path): path.name for path in matches if not path.is_symlink()}
    for path, match in matches.items():
        if path.is_symlink() and os.path.realpath(path) in originals:
            found[path] = (match.role, f"it is a link to {originals[os.path.realpath(path)]}")
    return found | ({mixdown: ("mixdown", "--mixdown")} if mixdown else {})


def require_song_folder(path: Path, remedy: str) -> None:
    """Raise an `InputError` where `path` is not a folder; `remedy` is for a path that cannot belong to a song."""
    if path.is_file() and path.suffix.lower() not in EXTENSIONS | OTHER_EXTENSIONS:
        raise InputError("is neither a folder of audio files nor a REAPER project (.RPP)", path=path, remedy=remedy)
    require_folder(path, remedy)


def no_stems(folder: Path, unknown: Sequence[Path] = ()) -> InputError:
    """Return the error for a folder without stems; it names the `unknown` files, or REAPER projects in it."""
    if unknown:
        names = first_few([_in(folder, path) for path in unknown], _MOST_NAMED)
        option = f"--bus {shlex.quote(f'drums={_in(folder, unknown[0])}')}"
        remedy = f"choose the bus of each file, such as {option}"
        return InputError(f"no stems found; not recognised: {names}", path=folder, remedy=remedy)
    projects = [path for path in folder.iterdir() if path.suffix.lower() == ".rpp"]
    if projects:
        number = f"{len(projects)} projects" if len(projects) > 1 else "1 project"
        remedy = f"give one of them, such as {min(projects)}" if len(projects) > 1 else f"give {projects[0]}"
        return InputError(f"contains {number} and no stems", path=folder, remedy=remedy)
    expected = ", ".join(f"{role}.wav" for role in roles.PAPER_BUSES)
    return InputError("no stems found", path=folder, remedy=f"the folder must contain files such as {expected}")


def _copies_in(stems: Mapping[str, Sequence[Path]], chosen: Collection[Path]) -> dict[Path, Path]:
    """Return the files that have the same audio as another file of their bus, with that file.

    Files that were chosen for the bus are used as they are; a file in two formats is an error elsewhere.
    """
    copies: dict[Path, Path] = {}
    for paths in stems.values():
        first: dict[object, list[AudioFile]] = defaultdict(list)
        files = [inspect(path) for path in sorted(paths, key=lambda path: (path not in chosen, len(path.name), path))]
        forms = Counter(map(_form, files))
        for file in files:
            if forms[_form(file)] < 2:
                continue
            n_samples = min(_BLOCK_SAMPLES, file.n_samples)
            start = (file.n_samples - n_samples) // 2
            excerpt = read_excerpt(
                file, sample_rate=file.sample_rate, n_channels=file.n_channels, start=start, n_samples=n_samples
            )
            alike = first[_form(file), excerpt.tobytes()]
            others = [other for other in alike if other.path.with_suffix("") != file.path.with_suffix("")]
            same = next((other for other in others if _have_same_audio(file, other)), None)
            if same and file.path not in chosen:
                copies[file.path] = same.path
            else:
                alike.append(file)
    return copies


def _form(file: AudioFile) -> tuple[int, int, int]:
    return file.n_samples, file.sample_rate, file.n_channels


def _have_same_audio(first: AudioFile, second: AudioFile) -> bool:
    """Return whether two files of the same form have the same samples, at least one of which is not zero."""
    has_sound = False
    a, b = (np.empty((first.n_channels, _BLOCK_SAMPLES), np.float32) for _ in range(2))
    with (
        open_stream(first, sample_rate=first.sample_rate, n_channels=first.n_channels) as of_first,
        open_stream(second, sample_rate=first.sample_rate, n_channels=first.n_channels) as of_second,
    ):
        for _ in range(0, first.n_samples, _BLOCK_SAMPLES):
            of_first.read_into(a)
            of_second.read_into(b)
            if not np.array_equal(a, b):
                return False
            has_sound = has_sound or bool(a.any())
    return has_sound


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


def holds_stems(folder: Path) -> bool:
    """Return whether `folder` itself has at least one stem."""
    return any(match.bus for path, match in match_files(folder, listen=False).items() if path.parent == folder)


def _stem(role: str, folder: Path, paths: Sequence[Path]) -> AudioFile:
    twice = [path for path in paths if any(path.stem == other.stem for other in paths if other != path)]
    if twice and len({path.parent for path in twice}) == 1:
        names = listed([path.name for path in twice])
        raise InputError(
            f"{names} are the same file in two formats", path=folder, remedy="keep one of them in the folder"
        )
    return sum_of([inspect(path) for path in paths], folder / f"{role} ({len(paths)} files)")


_NAMED_AS_MIXES = re.compile(
    r"\b(rough|ref(erence)?|bounce[ds]?|final|pre-?master|stereo|print|v(ersion)?\W?\d+)\b", re.IGNORECASE
)


def no_mixdown(songs: Mapping[Path, Sequence[Path]], *, has_option: bool = True) -> InputError:
    """Return the error for songs without a mixdown, which names the files that may be it.

    Parameters
    ----------
    songs : by each song's folder or title, its files that are references, or have names that were not recognised.
    has_option : whether the user can choose the mixdown with `--mixdown`.
    """
    likely = {song: name for song, unknown in songs.items() if (name := _likely_mixdown(song, unknown))}
    problem = "no mixdown found next to the stems"
    if len(songs) > 1:
        maybe = f"; it may be {listed([str(song / name) for song, name in likely.items()], 'or')}" if likely else ""
        names = listed([str(song) for song in songs])
        return InputError(f"{problem} of {names}", remedy=f"add each one as mix.wav{maybe}")
    (song,) = songs
    remedy = "add it as mix.wav" + (", or name it with --mixdown" if has_option else "")
    if likely:
        name = likely[song]
        remedy = f"rename it to mix{Path(name).suffix}" if not has_option else f"add --mixdown {shlex.quote(name)}"
        remedy = f"if it is {name}, {remedy}"
    return InputError(problem, path=song, remedy=remedy)


def _likely_mixdown(song: Path, unknown: Sequence[Path]) -> str | None:
    """Return the name of the first file that is named like a mix or like its song."""
    title = song.name.casefold()
    for path in unknown:
        name = re.sub(r"[_\W]+", " ", path.stem)
        if _NAMED_AS_MIXES.search(name) or (len(title) > 3 and title in name.casefold()):
            return path.name
    return None


def mixdown_in(folder: Path, matches: Mapping[Path, Match], chosen: Collection[Path]) -> Path | None:
    """Return the mixdown of a song: the one that is named plainly, such as mix.wav, or the only one.

    Parameters
    ----------
    folder : the song's folder.
    matches : the match of each of its audio files.
    chosen : files that were chosen for buses.
    """
    found = [
        path
        for path, match in matches.items()
        if match.bar == "mixdown" and path not in chosen and not is_own_mix(path)
    ]
    plain = [path for path in found if roles.is_mixdown(path.stem)]
    candidates = plain or found
    if len(candidates) > 1:
        names = listed([_in(folder, path) for path in candidates])
        remedy = "move the others out of the folder, or choose one with --mixdown (match, learn, estimate)"
        raise InputError(f"{names} could each be the mixdown", path=folder, remedy=remedy)
    return candidates[0] if candidates else None


def _unused(folder: Path, matches: Mapping[Path, Match]) -> Iterator[tuple[Path, str | None]]:
    """Yield what a song folder contains apart from its audio files, with the reason why it is not used.

    Documents, pictures and the like have no reason. Where the audio files are in subfolders, these are included.
    """
    searched = {parent for path in matches for parent in path.parents if parent.is_relative_to(folder)} | {folder}
    is_flat = any(path.parent == folder for path in matches)
    for path in sorted(path for parent in searched for path in parent.iterdir()):
        suffix = path.suffix.lower()
        if path in matches or path in searched or _OF_THE_SYSTEM.fullmatch(path.name):
            continue
        if path.name.startswith("."):
            yield path, "it is hidden" if suffix in EXTENSIONS | OTHER_EXTENSIONS else None
        elif path.is_dir() and suffix not in EXTENSIONS:
            yield path, "the audio files next to it are the song" if is_flat else "it has no audio files"
        elif path.is_dir():
            yield path, "it is a folder"
        elif path.is_symlink() and not path.exists():
            yield path, "it is a link to a file that does not exist"
        elif not path.is_file():
            yield path, "it is a device, a pipe or a socket"
        else:
            yield path, None if suffix in _DOCUMENTS | _COMPANIONS else "its extension is not that of an audio file"


def _list_of(documents: Sequence[Path]) -> str:
    """Return the names of files, or for each extension that many of them have, their number; companions are counted."""
    by_suffix: dict[str, list[str]] = defaultdict(list)
    companions = [path for path in documents if path.name.startswith(".") or path.suffix.lower() in _COMPANIONS]
    for path in documents:
        if path not in companions:
            by_suffix[path.suffix.lower()].append(path.name)
    parts: list[str] = []
    for suffix, names in by_suffix.items():
        parts += names if len(names) <= _MOST_NAMED else [f"{len(names)} {suffix} files"]
    if len(companions) > _MOST_NAMED:
        parts.append(f"{len(companions)} pictures, projects, peak files or hidden files")
    return ", ".join(parts)


def is_own_mix(path: Path) -> bool:
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


def audio_files(folder: Path) -> list[Path]:
    """Return the audio files of `folder` in the order of their names; those of its subfolders where it has none."""
    return _audio_files(folder, "*") or _audio_files(folder, "**/*")


def match_files(
    folder: Path, *, listen: bool = True, known: Mapping[Path, Match] = MappingProxyType({})
) -> dict[Path, Match]:
    """Return the match of each audio file of a song folder.

    Parameters
    ----------
    folder : the song's folder.
    listen : whether files of unknown names are checked for silence, and whether they can be read.
    known : the matches of files whose instruments are known.
    """
    files = audio_files(folder)
    items = []
    for path in files:
        inside = path.relative_to(folder).parent.as_posix()
        items.append(Item(path.name, "file", context=None if inside == "." else inside))
    matches = dict(zip(files, assign(items, song=folder.resolve().name), strict=True))
    return {
        path: known[path]
        if path in known
        else _STEMS_OF_A_SONG
        if is_stem_file(path)
        else _heard(match, path)
        if listen and match.bar == match.role == "unknown"
        else match
        for path, match in matches.items()
    }


_STEMS_OF_A_SONG = Match("stem file", None, "stem file", "it contains all stems of a song", (), certain=True)


def is_stem_file(path: Path) -> bool:
    """Return whether `path` is a file with the streams of a song, as MUSDB18 has them."""
    return path.name.lower().endswith(STEM_FILE) and path.is_file()


def silent(match: Match) -> Match:
    """Return the match of a silent track or file with an unknown name."""
    return replace(match, bar="silent", reason="it is silent")


def _heard(match: Match, path: Path) -> Match:
    problem = unreadable(path)
    if problem:
        return replace(match, bar="unreadable", reason=problem)
    return silent(match) if is_silent(path) else match


def unreadable(path: Path) -> str | None:
    """Return why an audio file cannot be read, None if it can."""
    try:
        inspect(path)
    except InputError as error:
        return error.problem
    return None


def is_silent(path: Path) -> bool:
    """Return whether an audio file has no sample other than zero; False if it cannot be read."""
    try:
        file = inspect(path)
        block = np.empty((file.n_channels, _BLOCK_SAMPLES), np.float32)
        with open_stream(file, sample_rate=file.sample_rate, n_channels=file.n_channels) as stream:
            for _ in range(0, file.n_samples, _BLOCK_SAMPLES):
                stream.read_into(block)
                if block.any():
                    return False
    except InputError:
        return False
    return True


def _audio_files(folder: Path, pattern: str) -> list[Path]:
    return sorted(
        path
        for path in folder.glob(pattern)
        if path.suffix.lower() in EXTENSIONS | OTHER_EXTENSIONS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


def explained_shares(files: Sequence[AudioFile]) -> tuple[FloatArray, FloatArray]:
    """Return how much of each file the others explain, and with which gains.

    A folder with a bus's own file and its tracks ("Drums", "Kick", "Snare") contains the same sound twice. Names cannot
    settle it, since "Drums" may also be a loop next to a recorded kit; a least-squares fit to excerpts does.

    Parameters
    ----------
    files : files that begin together, of any sample rates, lengths and channel counts.

    Returns
    -------
    shares : the explained share of each file's energy, 0 to 1, shape (n_files,).
    gains : row j has the gains of the other files in file j, linear, shape (n_files, n_files).

    Raises
    ------
    InputError
        A file is damaged.
    """
    gram = _gram(files)
    n_files = len(files)
    shares, gains = np.zeros(n_files), np.zeros((n_files, n_files))
    for j in range(n_files):
        others = np.array([i for i in range(n_files) if i != j and gram[i, i] > 0.0], dtype=np.int64)
        if gram[j, j] <= 0.0 or not len(others):
            continue
        power = gram[np.ix_(others, others)]
        level = np.sqrt(np.diag(power))
        relative = power / np.outer(level, level) + _RIDGE * np.eye(len(others))
        projected = gram[others, j] / level
        solved = np.linalg.solve(relative, projected)
        shares[j] = float(np.clip(solved @ projected / gram[j, j], 0.0, 1.0))
        gains[j, others] = solved / level
    return shares, gains


def parts_in(gains: FloatArray) -> list[int]:
    """Return the indices of the files that are in a sum with `gains` (n_files,)."""
    return [int(i) for i in np.flatnonzero(np.abs(gains) >= _LEAST_GAIN)]


def _gram(files: Sequence[AudioFile]) -> FloatArray:
    """Return the products of the files' samples in a few excerpts, channels added up, shape (n_files, n_files)."""
    rate = max(file.sample_rate for file in files)
    length = min(file.n_samples_at(rate) for file in files)
    excerpt = min(round(_SUM_EXCERPT_S * rate), length)
    gram = np.zeros((len(files), len(files)))
    for start in np.unique(np.linspace(0, length - excerpt, _SUM_EXCERPTS).astype(np.int64)).tolist():
        samples = np.stack(
            [
                read_excerpt(file, sample_rate=rate, n_channels=2, start=start, n_samples=excerpt).mean(axis=0)
                for file in files
            ]
        ).astype(np.float64)
        gram += samples @ samples.T
    return gram


def with_offsets_removed(song: Song) -> tuple[Song, list[str]]:
    """Return the song with files that are read without their constant offsets, and a note for each such file.

    Old sound cards, some plug-ins and some synthesizers add a constant to their signal. It is inaudible, but counts
    for levels and for the fit of gains. Rendering keeps it. A song whose offsets are known is returned unchanged.
    """
    files = song.signals
    if any(part.offset for file in files for part in file.parts or (file,)):
        return song, []
    found = {file: _without_offset(file) for file in files}
    notes = [
        f"{part.name} has a constant offset of {max(part.offset, key=abs):+.3f}; it was removed for measuring"
        for file in files
        for part in found[file].parts or (found[file],)
        if part.offset
    ]
    if not notes:
        return song, []
    stems = {bus: found[file] for bus, file in song.stems.items()}
    return replace(song, stems=stems, mixdown=found[song.mixdown] if song.mixdown else None), notes


def _without_offset(file: AudioFile) -> AudioFile:
    if file.parts:
        return replace(file, parts=tuple(_without_offset(part) for part in file.parts))
    means = _excerpt_means(file)
    if len(means) < _FEWEST_EXCERPTS:
        return file
    offset = means.mean(axis=0)
    is_constant = (np.ptp(means, axis=0) < _LARGEST_SPREAD * np.abs(offset)) & (np.abs(offset) > SMALLEST_OFFSET)
    return replace(file, offset=tuple(np.where(is_constant, offset, 0.0).tolist())) if is_constant.any() else file


def _excerpt_means(file: AudioFile) -> FloatArray:
    """Return the mean of each excerpt that is not digitally silent, shape (n_excerpts, n_channels)."""
    length = min(round(_OFFSET_EXCERPT_S * file.sample_rate), file.n_samples)
    means = []
    for index in range(_OFFSET_EXCERPTS):
        start = round((file.n_samples - length) * (index + 0.5) / _OFFSET_EXCERPTS)
        excerpt = read_excerpt(
            file, sample_rate=file.sample_rate, n_channels=file.n_channels, start=start, n_samples=length
        )
        if excerpt.any():
            means.append(excerpt.mean(axis=1, dtype=np.float64))
    return np.array(means).reshape(len(means), file.n_channels)
